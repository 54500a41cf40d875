"""Live sessions over WebSockets: events in, events out."""
