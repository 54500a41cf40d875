"""Recordings in an agent's conversation: what is stored of them, and what the model gets."""
