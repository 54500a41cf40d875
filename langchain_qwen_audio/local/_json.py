"""JSON that clients send → what it says. Pure."""

import json
from typing import Any


def read_json(written: str | bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is not JSON, or is nested deeper than Python reads it.
    """
    try:
        return json.loads(written)
    except RecursionError:
        msg = "The JSON is nested too deeply."
        raise ValueError(msg) from None
