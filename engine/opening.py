"""From an arrival's bytes to its envelope and its data: CloudEvents in binary and structured mode, and card data taken out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from prometheus_client import Counter

from engine.transport.contract import Arrival
from schemas.cards import scrub, suspicious
from schemas.common import DATES, within_dates
from schemas.envelope import Envelope
from schemas.errors import Undecodable
from schemas.nul import NUL, nul_path

MAX_BODY: Final = 2 * 1024 * 1024
STRUCTURED: Final = "application/cloudevents+json"
_REFERENCES: Final = frozenset({"id", "correlationid", "causationid", "traceparent"})
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[^\x00-\x20]{0,140})?")
scrubbed = Counter("foliohub_cards_scrubbed_total", "Messages that held card data, removed at the edge")


class Opened(NamedTuple):
    """An envelope, its data as they came, the attributes (`ce-source`) that card data was taken out of, and whether the data are known
    to hold none."""

    envelope: Envelope
    data: bytes
    scrubbed: tuple[str, ...]
    clean: bool


class _Event(Envelope, frozen=True, kw_only=True):
    """Structured mode."""

    data: msgspec.Raw = msgspec.Raw()


_event = msgspec.json.Decoder(_Event).decode
_json = msgspec.json.Encoder().encode


def open_envelope(arrival: Arrival) -> Opened:
    """Binary mode: attributes apart from the data; structured mode: one JSON object. Raises Undecodable, without card data."""
    if len(arrival.body) > MAX_BODY:
        raise Undecodable(
            f"{len(arrival.body)} bytes are more than {MAX_BODY}", code="too_large", field="data", value=len(arrival.body)
        )
    structured = arrival.content_type.partition(";")[0].strip().lower() == STRUCTURED
    return _at_once(arrival, structured) or _by_attribute(arrival, structured)


def _at_once(arrival: Arrival, structured: bool) -> Opened | None:
    """An envelope with nothing odd about it; None for any other, which is looked at attribute by attribute."""
    envelope: Envelope
    try:
        if structured:
            if not arrival.body.isascii():
                arrival.body.decode()  # a decoder does not look at what it skips
            envelope = event = _event(arrival.body)
            data, clean = bytes(event.data), not suspicious(arrival.body)
            odd = not clean or nul_path(arrival.body) is not None
        else:
            envelope, data, clean = msgspec.convert(arrival.attributes, Envelope), arrival.body, False
            odd = suspicious(_json({k: v for k, v in arrival.attributes.items() if k not in _REFERENCES}))
            odd = odd or any(NUL in value for value in arrival.attributes.values())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    trace, time = envelope.traceparent, envelope.time
    if time is not None and not within_dates(time):
        return None
    if odd or not data or envelope.specversion != "1.0" or (trace and not _TRACEPARENT.fullmatch(trace)):
        return None
    return Opened(envelope, data, (), clean)


def _by_attribute(arrival: Arrival, structured: bool) -> Opened:
    attributes: Mapping[str, Any] = arrival.attributes
    data = arrival.body
    if structured:
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
    if not arrival.content_type and not attributes.keys() & {"id", "source", "type"}:
        wanted = f"{STRUCTURED} for an event as one JSON object; else its attributes are headers of their own"
        raise Undecodable(f"the header Content-Type is missing: {wanted}", field="content-type")
    for name, value in attributes.items():
        if isinstance(value, str) and NUL in value:
            raise Undecodable(f"CloudEvents attribute {name} has a NUL in it, which no text has", field=name, value=value)
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
    if envelope.time is not None and not within_dates(envelope.time):
        written = attributes["time"]
        raise Undecodable(f"CloudEvents attribute time: {written} is not {DATES}", field="time", value=written)
    if paths:
        scrubbed.inc()
    return Opened(envelope, data, paths, clean=False)


def _worn(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Attributes without card data (X-10), ids and correlations apart, which are references; a `traceparent` that is none is ignored
    (W3C Trace Context, 3.2.2.3)."""
    worn, paths = dict(attributes), []
    if not _TRACEPARENT.fullmatch(str(worn.get("traceparent", ""))):
        worn.pop("traceparent", None)
    shown = {name: value for name, value in worn.items() if name not in _REFERENCES}
    for name in shown if suspicious(_json(shown)) else ():
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
