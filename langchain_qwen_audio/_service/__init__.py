"""The HTTP side: connections, retries, time-outs, uploads, errors."""
