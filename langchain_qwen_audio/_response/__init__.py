"""Replies → LangChain messages, chunks and usage."""
