"""From an arrival's bytes to its envelope and its data: CloudEvents in binary and structured mode, and card data taken out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from prometheus_client import Counter

from engine.transport.contract import Arrival
from schemas.cards import scrub, suspicious
from schemas.envelope import Envelope
from schemas.errors import Undecodable

MAX_BODY: Final = 2 * 1024 * 1024
STRUCTURED: Final = "application/cloudevents+json"
scrubbed = Counter("foliohub_cards_scrubbed_total", "Messages that held card data, removed at the edge")


def open_envelope(arrival: Arrival) -> tuple[Envelope, bytes]:
    """Binary mode: attributes apart from the data; structured mode: one JSON object. Raises Undecodable."""
    if len(arrival.body) > MAX_BODY:
        raise Undecodable(
            f"{len(arrival.body)} bytes are more than {MAX_BODY}", code="too_large", field="data", value=len(arrival.body)
        )
    attributes: Mapping[str, Any] = arrival.attributes
    data = arrival.body
    if arrival.content_type.partition(";")[0].strip().lower() == STRUCTURED:
        try:
            event = msgspec.json.decode(arrival.body, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            raise Undecodable(f"not a CloudEvents JSON object: {wrong}", field="data") from None
        data = bytes(event.pop("data", msgspec.Raw(b"")))
        try:
            attributes = {name: msgspec.json.decode(value) for name, value in event.items() if name in Envelope.__struct_fields__}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            raise Undecodable(f"an attribute is not JSON: {wrong}", field="attributes") from None
    if not data:
        raise Undecodable("there is no data", field="data")
    try:
        envelope = msgspec.convert({k: v for k, v in attributes.items() if v != ""}, Envelope)
    except msgspec.ValidationError as wrong:
        text, _, path = str(wrong).partition(" - at `$.")
        missing = text.partition("required field `")[2].rstrip("`")
        field = missing or path.rstrip("`") or "attributes"
        raise Undecodable(f"CloudEvents attribute {field}: {text}", field=field, value=attributes.get(field, "")) from None
    if envelope.specversion != "1.0":
        raise Undecodable(
            f"specversion {envelope.specversion!r} is not 1.0",
            code="unknown_specversion",
            field="specversion",
            value=envelope.specversion,
        )
    return envelope, data


def without_cards(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The data without card numbers and security codes, and where they stood (X-10)."""
    if not suspicious(data):
        return data, ()
    try:
        value, paths = scrub(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data, ()  # no JSON: refused a moment later, and scrubbed as bytes then
    if not paths:
        return data, ()
    scrubbed.inc()
    return msgspec.json.encode(value), paths
