from langchain_qwen_audio.local import LocalDashScope

from ._client import generate


def test_the_log_keeps_the_latest() -> None:
    with LocalDashScope(reply="ok", max_log=2) as server:
        for seed in range(3):
            generate(server, seed=seed)
        assert [request.parameters["seed"] for request in server.requests] == [1, 2]
        server.clear()
        assert server.requests == []
