"""LangChain messages → typed parts that a model takes."""
