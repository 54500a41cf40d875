"""What a notebook shows of recordings and conversations."""
