"""What tools for recordings share: limits on recordings, and parts of them."""
