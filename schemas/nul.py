"""NUL in a text: no text of PostgreSQL holds one, nor does XML, and nobody means it. Refused at the door, by its field's name."""

from __future__ import annotations

from typing import Any, Final

import msgspec

NUL: Final = "\x00"
_ESCAPED: Final = b"\\u0000"  # in JSON there is no other way to write it


def nul_path(data: bytes) -> str | None:
    """The path (`lines[0].accommodation`) of the first text with a NUL in it in this JSON, an object's own (empty: the whole) for one in
    a name; None: there is none. Costs one search where there is none."""
    return _path(msgspec.json.decode(data), "") if _ESCAPED in data else None


def _path(value: Any, at: str) -> str | None:
    if isinstance(value, str):
        return at if NUL in value else None
    if isinstance(value, dict):
        if any(NUL in name for name in value):
            return at
        parts = ((one, f"{at}.{name}" if at else name) for name, one in value.items())
    elif isinstance(value, list):
        parts = ((one, f"{at}[{number}]") for number, one in enumerate(value))
    else:
        return None
    return next((found for one, path in parts if (found := _path(one, path)) is not None), None)
