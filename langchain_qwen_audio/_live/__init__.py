"""Live sessions: sound and text both ways over one WebSocket."""
