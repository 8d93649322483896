"""CloudEvents 1.0 in AMQP properties, both ways. Pure: a delivery becomes an Arrival, an Outgoing becomes properties.

Binary mode: application properties `cloudEvents:*` (`cloudEvents_*`, `ce-*` and `ce_*` are read too), `traceparent` under its plain
name, the body is the message alone. Structured mode: `application/cloudevents+json`, the body is the whole event. Whether any of it
is a message that we know is for the intake to say: nothing is refused here.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from engine.transport.amqp.link import RAW_PROPERTIES
from engine.transport.contract import Arrival, Outgoing
from schemas.errors import Rejected

PREFIXES: Final = ("cloudEvents:", "cloudEvents_", "ce-", "ce_")
PLAIN: Final = ("traceparent", "tracestate")
STRUCTURED: Final = "application/cloudevents"
PERSISTENT: Final = 2
SHORT: Final = 255  # bytes of an AMQP short string: routing keys, names of headers, properties


def arrival(
    properties: Mapping[str, Any], body: bytes, *, door: str, tenants: frozenset[str] = frozenset(), operator: bool = True
) -> tuple[Arrival, int]:
    """A delivery as the intake takes it, and how often the broker had delivered it before (`x-delivery-count`)."""
    headers: Mapping[Any, Any] = properties.get("application_headers") or {}
    content_type = bare(str(properties.get("content_type") or ""))
    count = headers.get("x-delivery-count")
    taken = Arrival(
        door=door,
        body=body,
        attributes=attributes(headers),
        content_type=content_type or "application/json",
        tenants=tenants,
        operator=operator,
    )
    return taken, count if isinstance(count, int) else 0


def attributes(headers: Mapping[Any, Any]) -> dict[str, str]:
    """CloudEvents attributes without prefix; where a name comes under two prefixes the first of PREFIXES wins."""
    found: dict[str, str] = {}
    for prefix in PREFIXES:
        for name, value in headers.items():
            if isinstance(name, str) and name.startswith(prefix) and value is not None:
                found.setdefault(storable(name[len(prefix) :]).lower(), text(value))
    for name in (*PLAIN, RAW_PROPERTIES):
        if headers.get(name) is not None:
            found.setdefault(name, text(headers[name]))
    return found


def text(value: object) -> str:
    """An attribute in the canonical text of CloudEvents 1.0 (3.1, type system)."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():  # AMQP timestamps are UTC, and py-amqp says so by no zone
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")
        case bytes() | bytearray() | memoryview():
            return _bytes(bytes(value))
        case _:
            return storable(str(value))


def _bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def storable(value: str) -> str:
    """Text that every store takes: lone surrogates, which are not UTF-8, stand as their escapes."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def bare(content_type: str) -> str:
    """`application/cloudevents+json; charset=utf-8` without parameters, in lower case."""
    return storable(content_type).partition(";")[0].strip().lower()


def properties_of(message: Outgoing) -> dict[str, Any]:
    """AMQP properties of a message to publish, binary mode.

    Raises Rejected if AMQP cannot carry it: a name or an id of more than 255 bytes.
    """
    known = {"specversion": "1.0", **message.attributes}
    content_type = known.pop("datacontenttype", "application/json")
    headers = {name if name in PLAIN else f"{PREFIXES[0]}{name}": value for name, value in known.items()}
    properties: dict[str, Any] = {
        "application_headers": headers,
        "delivery_mode": PERSISTENT,
        "content_type": content_type,
        "app_id": "foliohub",
    }
    for ours, theirs in (("id", "message_id"), ("type", "type")):
        if known.get(ours):
            properties[theirs] = known[ours]
    for value in (*headers, content_type, properties.get("message_id", ""), properties.get("type", "")):
        short(value, field="property")
    return properties


def short(value: str, *, field: str) -> str:
    """The value, if it fits an AMQP short string. Raises Rejected otherwise."""
    if len(value.encode("utf-8", "surrogatepass")) > SHORT:
        raise Rejected(f"{field} is longer than {SHORT} bytes", code="amqp_too_long", field=field, value=value)
    return value
