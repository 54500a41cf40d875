"""Transcripts, and what of them is to be removed → ranges of time, and samples without sound."""
