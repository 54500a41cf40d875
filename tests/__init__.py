"""The tests: unit tests against a local test server, and LangChain's standard suites."""

import os

# As many threads as processors make Whisper much slower where several tests run at once: each waits
# for the others by spinning. Programs that tests start inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")
