"""The CloudEvents 1.0 envelope of every message, in and out."""

from __future__ import annotations

from hashlib import sha1
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from schemas.common import Id, Instant, Text

PREFIX = "foliohub."
SUFFIX = ".v1"
_NAMESPACE = UUID("6f0c1d3e-0b5e-5c35-9d5e-f011083b0000").bytes
_NAMED = sha1(_NAMESPACE, usedforsecurity=False)
_HASHED = ~(0xF << 76 | 0x3 << 62) & ((1 << 128) - 1)  # bits of a digest that stay; version and variant take the others
_VERSION_5 = 0x5 << 76 | 0x2 << 62


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """CloudEvents attributes and ours. `(tenant, source, id)` is the identity of a message (X-1)."""

    id: Id
    source: Annotated[str, Meta(min_length=1, max_length=200)]
    type: Annotated[str, Meta(min_length=1, max_length=120)]
    tenant: Id
    time: Instant | None = None
    specversion: str = "1.0"
    subject: Text = ""
    datacontenttype: str = "application/json"
    dataschema: Text = ""
    correlationid: Annotated[str, Meta(max_length=200)] = ""
    causationid: Annotated[str, Meta(max_length=200)] = ""
    traceparent: Annotated[str, Meta(max_length=200)] = ""


def type_of(name: str) -> str:
    """`cancellation.quoted` as it reads on the wire: `foliohub.cancellation.quoted.v1`."""
    return f"{PREFIX}{name}{SUFFIX}"


def name_of(type_: str) -> str | None:
    """The reverse of `type_of`; None for a type that is not ours or of another version."""
    if type_.startswith(PREFIX) and type_.endswith(SUFFIX):
        return type_[len(PREFIX) : -len(SUFFIX)]
    return None


def derived(cause: bytes, what: str) -> bytes:
    """UUID version 5 of a name under a cause, 16 bytes: the same name under the same cause is always the same id."""
    return _version_5(sha1(cause + what.encode(), usedforsecurity=False).digest())


def _version_5(digest: bytes) -> bytes:
    return (int.from_bytes(digest[:16], "big") & _HASHED | _VERSION_5).to_bytes(16, "big")


def uuid_text(id_: bytes) -> str:
    """16 bytes as a UUID is written."""
    pairs = id_.hex("-", 2)
    return f"{pairs[:4]}{pairs[5:24]}{pairs[24:29]}{pairs[30:34]}{pairs[35:]}"


def uuid_bytes(text: str) -> bytes:
    """The reverse of `uuid_text`. Raises ValueError for what is no UUID."""
    id_ = bytes.fromhex(text.replace("-", ""))
    if len(id_) != 16:
        raise ValueError(f"{text!r} is no UUID")
    return id_


def message_bytes(tenant: str, source: str, id_: str) -> bytes:
    """The hub's own id of a message: derived from its identity, so the same message always has the same one."""
    hashed = _NAMED.copy()
    hashed.update(f"{tenant}\x1f{source}\x1f{id_}".encode())
    return _version_5(hashed.digest())


def message_id(tenant: str, source: str, id_: str) -> str:
    """The same as text."""
    return uuid_text(message_bytes(tenant, source, id_))


def derived_id(cause: bytes, n: int | str) -> str:
    """Id, as text, of the n-th thing that `cause` (a message id) led to: a second run gives the same one."""
    return uuid_text(derived(cause, str(n)))


def folio_id(tenant: str, namespace: str, value: str) -> str:
    """Folio of a booking that came without one."""
    return uuid_text(derived(_NAMESPACE, f"{tenant}\x1f{namespace}\x1f{value}\x1ffolio"))
