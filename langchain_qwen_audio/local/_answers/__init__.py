"""What the local test server answers where no reply is scripted."""
