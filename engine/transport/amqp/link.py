"""Connections to the broker, and the ways in which they fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from amqp import Message, serialization, spec  # type: ignore[import-untyped]  # py-amqp has no types
from kombu.connection import Connection
from kombu.transport.pyamqp import Transport

from schemas.errors import HubError

log = structlog.get_logger(__name__)

SCHEMES: Final = ("amqp", "amqps", "pyamqp")
CONNECT_TIMEOUT_S: Final = 5.0
REPLY_TIMEOUT_S: Final = 10.0  # a queue without a leader, a broker that is frozen: neither says no

# What a lost connection, a closed channel or a cancelled consumer raises.
LINK_ERRORS: Final[tuple[type[Exception], ...]] = (*Transport.connection_errors, *Transport.channel_errors)

RAW_PROPERTIES: Final = "undecodable_properties"


def open_link(url: str, *, heartbeat_s: float = 0) -> Any:
    """A live connection of py-amqp, which never reconnects by itself. No write and no wait for a reply is longer than REPLY_TIMEOUT_S.

    Raises one of LINK_ERRORS when the broker is away or refuses us, HubError for an address that is not AMQP.
    """
    client = Connection(  # type: ignore[no-untyped-call]  # kombu has types for half of itself
        checked(url),
        connect_timeout=CONNECT_TIMEOUT_S,
        heartbeat=heartbeat_s,
    )
    link = client.transport.establish_connection()
    link.transport.sock.settimeout(REPLY_TIMEOUT_S)
    return link


def close_link(link: Any) -> None:
    """Ends a connection with a farewell, waiting a little for the broker's."""
    try:
        if link.connected:
            link.transport.sock.settimeout(CONNECT_TIMEOUT_S)
            link.close()
    except LINK_ERRORS as error:
        log.debug("amqp connection was gone before it was closed", error=str(error))
    finally:
        drop_link(link)


def drop_link(link: Any) -> None:
    """Ends a connection at once: a broker that is lost or frozen would not answer a farewell."""
    link.collect()


def letter(body: bytes, properties: Mapping[str, Any]) -> Any:
    """Bytes and AMQP properties (`application_headers` among them) as a channel publishes them."""
    return Message(body, **properties)


def checked(url: str) -> str:
    """The URL, if it is AMQP: kombu's file and database transports lose what a crash leaves unacknowledged."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise HubError(f"not an AMQP address: its scheme is {scheme!r}", code="amqp_url", field="url", value=scheme)
    return url


def place(url: str) -> str:
    """Host and port of a URL, for logs: no user, no password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5672}"


def _lenient_properties(buffer: bytes, offset: int) -> tuple[dict[str, Any], int]:
    """Properties of a delivery; those that cannot be read arrive as bytes instead of as an exception.

    py-amqp raises while it reads the frame, before anyone knows the delivery: such a message would come back for ever.
    """
    try:
        properties, end = serialization.decode_properties_basic(buffer, offset)
    except Exception as error:  # whatever a sender wrote there: text that is not UTF-8, types that do not exist, dates out of range
        log.warning("amqp properties cannot be read", error=type(error).__name__)
        return {"application_headers": {RAW_PROPERTIES: bytes(buffer[offset:]).hex()}}, len(buffer)
    return properties, end


serialization.PROPERTY_CLASSES[spec.Basic.CLASS_ID] = _lenient_properties
