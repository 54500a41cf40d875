"""Tools for models whose endpoint has none, and structured output."""
