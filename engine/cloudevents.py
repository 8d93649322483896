"""Outcomes as CloudEvents: the one place that says what an outgoing message wears, for the relay, the gateway and dry runs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from engine.clock import instant
from engine.store.rows import OutboxRow
from schemas.envelope import type_of, uuid_text

SOURCE: Final = "foliohub"


def key_of(row: OutboxRow) -> str:
    """The key of an outcome as people read it: a folio's id, `area`'s or `tenant`'s; a name reads `pms:thais/88231`."""
    return row.key.replace("\x1f", "/")


def attributes(row: OutboxRow) -> dict[str, str]:
    """CloudEvents attributes of an outcome without prefix, all text, always in the same order; empty ones are left out."""
    worn = {
        "specversion": "1.0",
        "id": uuid_text(row.id),
        "source": SOURCE,
        "type": type_of(row.name),
        "time": time_of(row.at),
        "tenant": row.tenant,
        "subject": key_of(row),
        "datacontenttype": "application/json",
        "correlationid": row.correlation,
        "causationid": uuid_text(row.cause),
        "traceparent": row.traceparent,
    }
    return {name: value for name, value in worn.items() if value}


def event(row: OutboxRow) -> dict[str, Any]:
    """An outcome as one JSON object, CloudEvents structured mode; `data` is the stored body, byte for byte."""
    return {**attributes(row), "data": msgspec.Raw(row.body)}


@lru_cache(maxsize=256)  # what is decided together is told together
def time_of(micros: int) -> str:
    """RFC 3339 in UTC: `2026-05-01T08:00:00Z`, with as many decimals of a second as there are."""
    return instant(micros).isoformat().replace("+00:00", "Z")
