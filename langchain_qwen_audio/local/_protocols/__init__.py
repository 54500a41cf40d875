"""One file for each wire format, both ways: a request in, a reply out."""
