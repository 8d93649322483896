"""States that a newer release has written, while an older one still runs beside it on the same store (docs/decisions/0017).

What a newer release adds to an aggregate is a whole field of its state, beside those that were there. This one cannot read it, keeps it
as it was written, and stores it again with what it decides. What is new anywhere deeper it could only lose: then it stops.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from schemas.errors import Retryable
from schemas.folio import State

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class StateNewer(Retryable):
    """A newer release wrote what this one cannot keep: whoever has the newer release goes on with it."""

    code = "state_newer"


class Newer(NamedTuple):
    """The number of a shape that is newer than ours, and its fields that ours has not, each as it was written."""

    shape: int
    fields: dict[str, msgspec.Raw]


def read(body: bytes, shape: int, decoder: msgspec.json.Decoder[State], name: str) -> tuple[State, Newer]:
    """A state of a newer shape, and what is to be kept of it. Raises StateNewer, which names the aggregate and the field."""
    try:
        known = decoder.decode(body)
    except msgspec.ValidationError as wrong:
        raise _refused(name, shape, str(wrong)) from None
    fields = {field: raw for field, raw in _FIELDS.decode(body).items() if field not in known.__struct_fields__}
    written = {field: value for field, value in _DECODER.decode(body).items() if field not in fields}
    lost = _lost(written, _DECODER.decode(_ENCODER.encode(known)), "")
    if lost:
        raise _refused(name, shape, lost)
    return known, Newer(shape, fields)


def written(body: State, newer: Newer) -> bytes:
    """A state as it is stored next, with what is not ours in it."""
    return _ENCODER.encode({**_FIELDS.decode(_ENCODER.encode(body)), **newer.fields})


def _lost(theirs: Any, ours: Any, path: str) -> str:
    """Where something stands in `theirs` that `ours` has no place for; empty: nowhere."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name, value in theirs.items():
            if name not in ours:
                return f"{path}.{name}".removeprefix(".")
            if lost := _lost(value, ours[name], f"{path}.{name}"):
                return lost
    if isinstance(theirs, list) and isinstance(ours, list):
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            if lost := _lost(one, other, f"{path}[{number}]"):
                return lost
    return ""


def _refused(name: str, shape: int, what: str) -> StateNewer:
    return StateNewer(
        f"{name}: a newer release of foliohub wrote its state (shape {shape}), and this one would lose {what}: stop this process and"
        " start the newer release in its place",
        field="shape", value=shape,
    )  # fmt: skip
