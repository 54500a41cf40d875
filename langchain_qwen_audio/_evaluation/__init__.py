"""Transcripts and the texts that are right → errors, counted."""
