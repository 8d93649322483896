"""From an arrival's bytes to its envelope and its data: CloudEvents in binary and structured mode, and card data taken out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from prometheus_client import Counter

from engine.transport.contract import Arrival
from schemas.cards import scrub, suspicious
from schemas.envelope import Envelope
from schemas.errors import Undecodable

MAX_BODY: Final = 2 * 1024 * 1024
STRUCTURED: Final = "application/cloudevents+json"
_REFERENCES: Final = frozenset({"id", "correlationid", "causationid", "traceparent"})
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[^\x00-\x20]{0,140})?")
scrubbed = Counter("foliohub_cards_scrubbed_total", "Messages that held card data, removed at the edge")


class Opened(NamedTuple):
    """An envelope, its data as they came, and the attributes (`ce-source`) that card data was taken out of."""

    envelope: Envelope
    data: bytes
    scrubbed: tuple[str, ...]


def open_envelope(arrival: Arrival) -> Opened:
    """Binary mode: attributes apart from the data; structured mode: one JSON object. Raises Undecodable, without card data."""
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
    attributes, paths = _worn(attributes)
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
    if paths:
        scrubbed.inc()
    return Opened(envelope, data, paths)


def _worn(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Attributes without card data (X-10), ids and correlations apart, which are references; a `traceparent` that is none is ignored
    (W3C Trace Context, 3.2.2.3)."""
    worn, paths = dict(attributes), []
    if not _TRACEPARENT.fullmatch(str(worn.get("traceparent", ""))):
        worn.pop("traceparent", None)
    for name in worn.keys() - _REFERENCES:
        clean, found = scrub(worn[name])
        if found:
            worn[name] = clean
            paths.append(f"ce-{name}")
    return worn, tuple(sorted(paths))


def without_cards(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The data without card numbers and security codes, and where they stood (X-10). Raises Undecodable for what is nested too deep to
    be searched."""
    if not suspicious(data):
        return data, ()
    try:
        value, paths = scrub(msgspec.json.decode(data))
    except RecursionError:
        raise Undecodable("nested too deep", code="too_deep", field="data") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data, ()  # no JSON: refused a moment later, and scrubbed as bytes then
    if not paths:
        return data, ()
    scrubbed.inc()
    return msgspec.json.encode(value), paths
