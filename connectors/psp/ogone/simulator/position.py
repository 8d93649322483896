"""Where in a JSON text a value stands: line and column, for errors that a person can follow."""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # public in fact, missing in the stubs

_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]+)\]")
_BLANK = re.compile(r"[ \t\r\n]*")


def line_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of a character."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def offset_of(text: str, path: str) -> int:
    """Offset of the value at a path such as `$.rules[0].when`, or of the nearest one above it. `text` must be valid JSON."""
    offset = _skip(text, 0)
    for name, index in _STEP.findall(path):
        found = _member(text, offset, name) if name else _item(text, offset, int(index))
        if found is None:
            break
        offset = found
    return offset


def _skip(text: str, offset: int) -> int:
    match = _BLANK.match(text, offset)
    return match.end() if match else offset


def _after(text: str, offset: int) -> int:
    _, end = json.JSONDecoder().raw_decode(text, offset)
    return _skip(text, end)


def _member(text: str, offset: int, wanted: str) -> int | None:
    if text[offset] != "{":
        return None
    offset = _skip(text, offset + 1)
    while text[offset] != "}":
        name, end = scanstring(text, offset + 1, True)
        offset = _skip(text, _skip(text, end) + 1)
        if name == wanted:
            return offset
        offset = _after(text, offset)
        if text[offset] == ",":
            offset = _skip(text, offset + 1)
    return None


def _item(text: str, offset: int, wanted: int) -> int | None:
    if text[offset] != "[":
        return None
    offset = _skip(text, offset + 1)
    while text[offset] != "]":
        if wanted == 0:
            return offset
        wanted -= 1
        offset = _after(text, offset)
        if text[offset] == ",":
            offset = _skip(text, offset + 1)
    return None
