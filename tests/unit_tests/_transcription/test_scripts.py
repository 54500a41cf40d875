"""Which texts have no spaces between words."""

from langchain_qwen_audio._transcription.scripts import has_no_spaces


def test_a_script_without_spaces_is_told_by_most_of_the_letters() -> None:
    rows: list[tuple[str, bool]] = [
        ("", False),
        ("12, 13!", False),
        ("Hello", False),
        ("안녕 하세요", False),
        ("欢迎来到录音棚。", True),
        ("ようこそ", True),
        ("ยินดีต้อนรับ", True),
        ("欢迎 to the recording studio", False),
        ("我用 ASR 转写录音", True),
    ]
    for text, expected in rows:
        assert has_no_spaces(text) is expected, text
