"""A form's bytes → its fields and its file, exactly."""

import httpx
import pytest

from langchain_qwen_audio.local._form import Form, parse_form


def test_a_file_is_read_as_it_was_sent() -> None:
    rows: list[bytes] = [
        b"",
        b"\r\n",
        b"\r\n--",
        b"\r\n--\r\n\0\xff",
        b"--x--",
        bytes(range(256)) * 9000,
    ]
    for data in rows:
        files = {"file": ("a b.wav", data)}
        request = httpx.Request("POST", "http://x", data={"key": "é", "a": ""}, files=files)
        form = parse_form(request.headers["content-type"], request.read())
        assert form == Form({"key": "é", "a": ""}, ("key", "a", "file"), data, "a b.wav"), data


def test_a_form_may_have_no_file() -> None:
    request = httpx.Request("POST", "http://x", files={"a": (None, b"1")})
    form = parse_form(request.headers["content-type"], request.read())
    assert form == Form({"a": "1"}, ("a",), None, None)


def test_what_is_no_whole_form_is_an_error() -> None:
    rows: list[tuple[str, bytes, str]] = [
        ("application/json", b"{}", "Expected multipart/form-data"),
        ("multipart/form-data", b"", "with a boundary"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\n\r\ncut off",
            "Content-Disposition|no closing",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\ncut off',
            "no closing boundary",
        ),
    ]
    for content_type, body, message in rows:
        with pytest.raises(ValueError, match=message):
            parse_form(content_type, body)
