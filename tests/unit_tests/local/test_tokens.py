import pytest

from langchain_qwen_audio.local._tokens import split_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("One two", ["One", " two"]),
        ("it's 3.5\n", ["it", "'", "s", " 3", ".", "5", "\n"]),
        ("这段音频 ok", ["这", "段", "音", "频", " ok"]),
    ],
)
def test_tokens_join_to_the_text(text: str, tokens: list[str]) -> None:
    assert split_tokens(text) == tokens
    assert "".join(tokens) == text
