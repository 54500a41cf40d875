"""The models that the local test server serves, and what each of them refuses."""
