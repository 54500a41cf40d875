"""A multipart/form-data body (RFC 7578) → its fields and its file."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser


@dataclass(frozen=True)
class Form:
    """A form as it was posted.

    Attributes:
        fields: The text fields, by name.
        names: The names of all parts, the file's too, in the order they came.
        file: The bytes of the part named `file`, or `None`.
        file_name: The file name given with it.
    """

    fields: Mapping[str, str]
    names: tuple[str, ...]
    file: bytes | None
    file_name: str | None


def parse_form(content_type: str, body: bytes) -> Form:
    """Take a form apart; Starlette's parser would need one more dependency.

    Raises:
        ValueError: The body is not a complete multipart/form-data body.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        msg = f"Expected multipart/form-data with a boundary, got content-type {content_type!r}."
        raise ValueError(msg)
    _, *parts, last = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1"))
    if not last.startswith(b"--"):
        msg = "The multipart body has no closing boundary."
        raise ValueError(msg)

    fields: dict[str, str] = {}
    names: list[str] = []
    file = file_name = None
    for part in parts:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = BytesHeaderParser().parsebytes(head)
        name = str(headers.get_param("name", "", header="content-disposition"))
        names.append(name)
        if name == "file":
            file, file_name = content, headers.get_filename()
        else:
            fields[name] = content.decode()
    return Form(fields, tuple(names), file, file_name)
