from collections.abc import Iterator

import pytest

from langchain_qwen_audio.local import LocalDashScope


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


@pytest.fixture(scope="module")
def unscripted() -> Iterator[LocalDashScope]:
    """A server that answers by itself, for all tests of a file."""
    with LocalDashScope() as server:
        yield server
