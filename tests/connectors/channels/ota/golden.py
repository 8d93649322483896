"""Golden OTA messages: where they lie, the profile they are read under, and a decoded document as plain JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from connectors.channels.ota.document import Decoded
from schemas.policy import ChannelProfile

GOLDEN = Path(__file__).parents[3] / "golden" / "ota"
PROFILE = ChannelProfile(
    channel="demo",
    tenant="azur",
    properties={},
    default_property="camp-azur",
    terms={"FLEX": "outdoor/flexible", "NANR": "outdoor/nanr"},
    default_terms="outdoor/flexible",
)


def profile(**changes: Any) -> ChannelProfile:
    """The tests' channel with some knobs turned."""
    return msgspec.structs.replace(PROFILE, **changes)


def body(case: str) -> bytes:
    return (GOLDEN / case / "message.xml").read_bytes()


def expected(case: str) -> Any:
    return json.loads((GOLDEN / case / "expected.json").read_text(encoding="utf-8"))


def cases() -> list[str]:
    """Every folder with a message."""
    return sorted(str(path.parent.relative_to(GOLDEN)) for path in GOLDEN.glob("*/*/message.xml"))


def plain(decoded: Decoded) -> dict[str, Any]:
    """What a decoded document says, as JSON has it."""
    head = decoded.head
    return {
        "kind": decoded.kind,
        "echo_token": decoded.echo_token,
        "soap": head.wrapping.version,
        "correlation_id": head.wrapping.correlation_id,
        "items": [
            {
                "name": item.name,
                "id": item.id,
                "reference": item.reference,
                "is_quote": item.is_quote,
                "warnings": [warned.code for warned in item.warnings],
                "data": json.loads(msgspec.json.encode(item.message)),
            }
            for item in decoded.items
        ],
        "declined": [{"record": one.record, "code": one.problem.code, "field": one.problem.field} for one in decoded.declined],
    }
