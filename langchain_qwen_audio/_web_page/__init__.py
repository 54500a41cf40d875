"""The web page of `qwen-audio serve`: a browser ↔ this package ↔ the test server or the service."""
