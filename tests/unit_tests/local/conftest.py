from collections.abc import Iterator

import pytest

from langchain_qwen_audio.local import LocalDashScope


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server
