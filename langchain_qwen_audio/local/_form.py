"""A multipart/form-data body → its fields and its file, by python-multipart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from python_multipart.multipart import Field, File


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
    """Read the parts of a form.

    Raises:
        ModuleNotFoundError: python-multipart is not installed.
        ValueError: The body is not a complete multipart/form-data body.
    """
    from python_multipart import FormParser
    from python_multipart.multipart import parse_options_header

    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        msg = f"Expected multipart/form-data with a boundary, got content-type {content_type!r}."
        raise ValueError(msg)
    parts: list[Field | File] = []
    ends: list[bool] = []
    parser = FormParser(
        "multipart/form-data",
        parts.append,
        parts.append,
        lambda: ends.append(True),
        options[b"boundary"],
        config={"MAX_MEMORY_FILE_SIZE": len(body)},  # in memory, as the body is
    )
    parser.write(body)
    parser.finalize()
    if not ends:
        msg = "The multipart body has no closing boundary."
        raise ValueError(msg)
    return _make_form(parts)


def _make_form(parts: "list[Field | File]") -> Form:
    names = tuple((part.field_name or b"").decode() for part in parts)
    by_name = dict(zip(names, parts, strict=True))
    file = by_name.pop("file", None)
    file_name = getattr(file, "file_name", None)
    return Form(
        fields={name: _read_part(part).decode() for name, part in by_name.items()},
        names=names,
        file=None if file is None else _read_part(file),
        file_name=file_name and file_name.decode(),
    )


def _read_part(part: "Field | File") -> bytes:
    from python_multipart.multipart import File

    if isinstance(part, File):
        part.file_object.seek(0)
        return part.file_object.read()
    return part.value or b""
