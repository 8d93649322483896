"""An intake row as a Kafka record and back. Pure: what cannot be read becomes `Strange`, and nothing here raises for it.

CloudEvents 1.0 in Kafka, binary mode: headers `ce_*`, `traceparent` under its plain name, the body is the message alone. What the
gateway found out about it (when it came, by which door, what was scrubbed) stands in headers `foliohub-*`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from engine.address import lane_of
from engine.clock import instant
from engine.store.rows import Arrived, Key, Waiting
from engine.transport.contract import Outgoing
from engine.transport.kafka.mailbox import LogRecord
from schemas.envelope import message_bytes, name_of, type_of

Headers = list[tuple[str, bytes]]

SCHEMA: Final = "1"  # of our stamps; a reader refuses what it does not know
PLAIN: Final = ("traceparent", "tracestate")
CONTENT_TYPE: Final = "content-type"
_NEEDED: Final = ("foliohub-kind", "foliohub-received-at", "foliohub-act", "foliohub-fingerprint", "foliohub-door")
_WORN: Final = ("ce_id", "ce_source", "ce_type", "ce_tenant")


class Strange(NamedTuple):
    """A record that is no intake row of ours: for a dead letter. `attributes` are its headers as text, `body` its bytes."""

    reason: str
    attributes: Mapping[str, str]
    body: bytes


class Record(NamedTuple):
    """What is handed to Kafka."""

    lane: int
    key: bytes
    value: bytes
    headers: Headers

    @property
    def size(self) -> int:
        """Bytes of key, body and headers."""
        return len(self.key) + len(self.value) + sum(len(name) + len(value) for name, value in self.headers)


def record_of(row: Arrived) -> Record:
    """The record of an intake row; its partition is the row's lane."""
    worn = {
        "ce_specversion": "1.0",
        "ce_id": row.id,
        "ce_source": row.source,
        "ce_type": type_of(row.name),
        "ce_tenant": row.tenant,
        "ce_time": instant(row.received_at).isoformat().replace("+00:00", "Z"),
        "ce_correlationid": row.correlation,
        "traceparent": row.traceparent,
        "foliohub-kind": row.kind,
        "foliohub-received-at": str(row.received_at),
        "foliohub-act": str(row.act),
        "foliohub-fingerprint": row.fingerprint.hex(),
        "foliohub-door": row.door,
        "foliohub-scrubbed": row.scrubbed,
    }
    headers = [(name, value.encode()) for name, value in worn.items() if value]
    headers += [("foliohub-schema", SCHEMA.encode()), (CONTENT_TYPE, b"application/json")]
    return Record(row.lane, row.key.encode(), row.body, headers)


def arrived_of(record: LogRecord, lanes: int) -> Arrived | Strange:
    """The row of a record in a topic of so many lanes. A record under a key that belongs to another lane is strange too: decided
    here it would not be in order with the others of its key; a name may lie in its folio's lane."""
    try:
        worn = {name: value.decode() for name, value in record.headers}
        key = (record.key or b"").decode()
        return _row(record, worn, key, lanes)
    except (ValueError, AttributeError, TypeError) as wrong:  # not UTF-8, no number, a header without a value
        return _strange(record, f"unreadable: {type(wrong).__name__}")


def _row(record: LogRecord, worn: Mapping[str, str], key: str, lanes: int) -> Arrived | Strange:
    if held := next((name for name, value in (*worn.items(), ("its key", key)) if "\x00" in value), ""):
        return _strange(record, f"no envelope: {held} has a NUL in it")
    missing = [name for name in (*_WORN, *_NEEDED) if not worn.get(name)]
    if missing:
        return _strange(record, f"no envelope: {', '.join(missing)} missing")
    if worn.get("foliohub-schema") != SCHEMA:
        return _strange(record, f"foreign schema {worn.get('foliohub-schema', '')!r}, not {SCHEMA!r}")
    name = name_of(worn["ce_type"])
    if name is None:
        return _strange(record, f"foreign type {worn['ce_type']!r}")
    if record.value is None:
        return _strange(record, "no body")
    tenant, source, id_, kind = worn["ce_tenant"], worn["ce_source"], worn["ce_id"], worn["foliohub-kind"]
    if kind != "reference" and lane_of(Key(tenant, kind, key), lanes) != record.partition:
        return _strange(record, f"its key belongs to lane {lane_of(Key(tenant, kind, key), lanes)}, it lies in {record.partition}")
    return Arrived(
        record.partition,
        message_bytes(tenant, source, id_),
        bytes.fromhex(worn["foliohub-fingerprint"]),
        tenant,
        source,
        id_,
        name,
        kind,
        key,
        int(worn["foliohub-act"]),
        int(worn["foliohub-received-at"]),
        worn.get("ce_correlationid", ""),
        worn.get("traceparent", ""),
        worn["foliohub-door"],
        worn.get("foliohub-scrubbed", ""),
        record.value,
    )


def _strange(record: LogRecord, reason: str) -> Strange:
    attributes = {str(name): (value or b"").decode("utf-8", "backslashreplace") for name, value in record.headers}
    return Strange(reason, attributes, record.value or b"")


def waiting_of(row: Arrived, place: int) -> Waiting:
    """A row at its offset, as a lane decides it."""
    return Waiting(
        "intake", row.lane, place, row.message, row.tenant, row.source, row.id, row.name, row.kind, row.key, row.act,
        row.received_at, row.correlation, row.traceparent, row.body, row.fingerprint, row.scrubbed,
    )  # fmt: skip


def outgoing_headers(message: Outgoing) -> Headers:
    """Headers of a message that leaves."""
    worn = dict(message.attributes)
    content_type = worn.pop("datacontenttype", "application/json")
    worn.setdefault("specversion", "1.0")
    headers = [(name if name in PLAIN else f"ce_{name}", value.encode()) for name, value in worn.items()]
    return [*headers, (CONTENT_TYPE, content_type.encode())]


def partition_of(message: Outgoing, partitions: int) -> int:
    """Where a message goes: by tenant and key, computed by us and never by a client library's own partitioner."""
    named = f"{message.attributes.get('tenant', '')}\x1f{message.key}".encode()
    return int.from_bytes(blake2b(named, digest_size=4).digest(), "big") % partitions


def size_of(message: Outgoing, headers: Sequence[tuple[str, bytes]]) -> int:
    """Bytes of key, body and headers."""
    return len(message.key.encode()) + len(message.body) + sum(len(name) + len(value) for name, value in headers)
