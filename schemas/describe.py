"""JSON Schema (draft 2020-12) of every message, generated from the structs, never written twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.envelope import Envelope, type_of
from schemas.registry import IN, OUT

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, Any]:
    """A complete schema of the data of every message, in and out, by its type on the wire; and of the `envelope`."""
    named = {type_of(name): kind for name, kind in (*IN.items(), *OUT.items())}
    result: dict[str, Any] = {"envelope": _alone(Envelope, "urn:foliohub:envelope")}
    for type_, kind in named.items():
        result[type_] = _alone(kind, f"urn:foliohub:{type_.removeprefix('foliohub.')}")
    return result


def components(kinds: Sequence[type[msgspec.Struct]], template: str) -> dict[str, Any]:
    """Schemas of these structs and of all they hold, by struct name; references are written by `template`, as `#/$defs/{name}`."""
    _, found = msgspec.json.schema_components(kinds, ref_template=template)
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return {name: _tidy(schema) for name, schema in sorted(plain.items())}


def _alone(kind: type[msgspec.Struct], id_: str) -> dict[str, Any]:
    defs = components([kind], "#/$defs/{name}")
    own = defs.pop(kind.__name__)
    return {"$schema": DIALECT, "$id": id_, **own, **({"$defs": defs} if defs else {})}


def _tidy(schema: Any) -> Any:
    """Docstrings are broken over lines; descriptions are not."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: " ".join(v.split()) if k == "description" and isinstance(v, str) else _tidy(v) for k, v in schema.items()}
