"""Audio bytes: what they are, how they sound, where they come from."""
