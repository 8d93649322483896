"""Forms as bytes: what stands behind the percent signs, undecoded, because signatures cover bytes. Pure."""

from __future__ import annotations

import re

from schemas.errors import Undecodable

MAX_TEXT = 64 * 1024  # bytes
MAX_PARAMETERS = 200

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def parameters(data: bytes) -> dict[str, bytes]:
    """Parameters of a query string or a form by upper-case name. Raises Undecodable: too long, broken, or one given twice."""
    if len(data) > MAX_TEXT:
        raise Undecodable(f"form is longer than {MAX_TEXT} bytes", code="too_long", field="body", value=len(data))
    pieces = [piece for piece in data.lstrip(b"?").split(b"&") if piece]
    if len(pieces) > MAX_PARAMETERS:
        raise Undecodable(f"form has more than {MAX_PARAMETERS} parameters", code="too_long", field="body")
    values: dict[str, bytes] = {}
    for piece in pieces:
        raw_name, _, raw_value = piece.partition(b"=")
        name = _unquoted(raw_name).decode("iso-8859-1").upper()
        if name in values:
            raise Undecodable(f"parameter {name[:40]} is given twice", code="repeated_parameter", field=name[:40])
        values[name] = _unquoted(raw_value)
    return values


def text(value: bytes) -> str:
    """UTF-8 where it is UTF-8, ISO-8859-1 where not: some accounts feed back another encoding than they were sent."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("iso-8859-1")


def _unquoted(piece: bytes) -> bytes:
    if _BROKEN.search(piece):
        raise Undecodable("form has a broken percent sign", code="not_a_form", field="body")
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), piece.replace(b"+", b" "))
