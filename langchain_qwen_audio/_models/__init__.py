"""What each model takes and gives, and where it is."""
