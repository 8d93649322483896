"""Intake rows as Kafka records and back; what is none of ours is told apart and never raises."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.address import lane_of
from engine.store.rows import Arrived, Key
from engine.transport.contract import Outgoing
from engine.transport.kafka.records import Strange, arrived_of, outgoing_headers, partition_of, record_of, waiting_of
from schemas.envelope import message_bytes

LANES = 8
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)  # no door lets a NUL in
NAMED = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
MICROS = st.integers(0, 4_000_000_000_000_000)


class Read(NamedTuple):
    """A record as a consumer gives it."""

    partition: int
    key: Any
    value: Any
    headers: Any
    offset: int = 7
    timestamp: int = 0


@st.composite
def rows(draw: st.DrawFn) -> Arrived:
    key = Key(draw(NAMED), draw(st.sampled_from(("folio", "reference", "tenant"))), draw(TEXT))
    source, id_ = draw(NAMED), draw(NAMED)
    return Arrived(
        lane_of(key, LANES), message_bytes(key.tenant, source, id_), draw(st.binary(min_size=16, max_size=16)), key.tenant, source,
        id_, "booking.record", key.kind, key.key, draw(MICROS), draw(MICROS), draw(TEXT), draw(TEXT), draw(NAMED), draw(TEXT),
        draw(st.binary(max_size=50)),
    )  # fmt: skip


def read(row: Arrived, **instead: Any) -> Read:
    record = record_of(row)
    return Read(record.lane, record.key, record.value, record.headers)._replace(**instead)


@given(rows())
def test_there_and_back(row: Arrived) -> None:
    """Every column comes back."""
    assert arrived_of(read(row), LANES) == row


def test_the_wire() -> None:
    """CloudEvents for those who know nothing of us, our stamps beside them."""
    key = Key("azur", "folio", "B-1")
    row = Arrived(
        lane_of(key, LANES), message_bytes("azur", "pms.thais", "m-1"), b"\x01" * 16, "azur", "pms.thais", "m-1",
        "payment.received", "folio", "B-1", 1_777_622_400_000_000, 1_777_622_400_000_001, "c-1", "00-ab-cd-01", "amqp:pms.thais",
        '["data.card"]', b"{}",
    )  # fmt: skip
    record = record_of(row)

    assert (record.key, record.value) == (b"B-1", b"{}")
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"m-1",
        "ce_source": b"pms.thais",
        "ce_type": b"foliohub.payment.received.v1",
        "ce_tenant": b"azur",
        "ce_time": b"2026-05-01T08:00:00.000001Z",
        "ce_correlationid": b"c-1",
        "traceparent": b"00-ab-cd-01",
        "content-type": b"application/json",
        "foliohub-schema": b"1",
        "foliohub-kind": b"folio",
        "foliohub-received-at": b"1777622400000001",
        "foliohub-act": b"1777622400000000",
        "foliohub-fingerprint": b"01" * 16,
        "foliohub-door": b"amqp:pms.thais",
        "foliohub-scrubbed": b'["data.card"]',
    }
    waiting = waiting_of(row, 41)
    assert (waiting.origin, waiting.lane, waiting.place, waiting.owner, waiting.act) == ("intake", row.lane, 41, key, row.act)
    assert (waiting.fingerprint, waiting.scrubbed, waiting.body, waiting.message) == (
        row.fingerprint, row.scrubbed, row.body, row.message,
    )  # fmt: skip


KEY = Key("azur", "folio", "B-1")
GOOD = Arrived(
    lane_of(KEY, LANES), message_bytes("azur", "s", "m-1"), b"\x01" * 16, "azur", "s", "m-1", "payment.received", "folio", "B-1",
    1, 2, "", "", "d", "", b"{}",
)  # fmt: skip


def worn(name: str, value: bytes) -> list[tuple[str, bytes]]:
    """The headers of a good record, one of them changed."""
    return list({**dict(record_of(GOOD).headers), name: value}.items())


@pytest.mark.parametrize(
    ("instead", "reason"),
    [
        pytest.param({"headers": ()}, "no envelope", id="no headers at all"),
        pytest.param({"headers": [("ce_id", b"\xff\xfe")]}, "unreadable", id="headers that are not text"),
        pytest.param({"headers": [("ce_id", None)]}, "unreadable", id="a header without a value"),
        pytest.param({"headers": worn("ce_id", b"m\0")}, "ce_id has a NUL in it", id="an id that no store holds"),
        pytest.param({"headers": worn("traceparent", b"\0")}, "traceparent has a NUL in it", id="a trace that no store holds"),
        pytest.param({"key": b"B\0"}, "its key has a NUL in it", id="a key that no store holds"),
        pytest.param({"headers": worn("foliohub-schema", b"2")}, "foreign schema '2'", id="a schema of tomorrow"),
        pytest.param({"headers": worn("foliohub-act", b"soon")}, "unreadable", id="an instant that is no number"),
        pytest.param({"headers": worn("foliohub-fingerprint", b"xyz")}, "unreadable", id="a fingerprint that is no hex"),
        pytest.param({"headers": worn("ce_type", b"other.v1")}, "foreign type", id="a foreign type"),
        pytest.param({"key": b"\xff"}, "unreadable", id="a key that is not text"),
        pytest.param({"key": b"B-3"}, "belongs to lane", id="a key of another lane"),
        pytest.param({"key": None}, "belongs to lane", id="no key"),
        pytest.param({"value": None}, "no body", id="a tombstone"),
    ],
)
def test_strange(instead: dict[str, Any], reason: str) -> None:
    """With the reason and the bytes, for a dead letter."""
    assert lane_of(KEY._replace(key="B-3"), LANES) != GOOD.lane != lane_of(KEY._replace(key=""), LANES)
    found = arrived_of(read(GOOD, **instead), LANES)

    assert isinstance(found, Strange)
    assert reason in found.reason
    assert found.body == (b"" if instead.get("value", 1) is None else b"{}")


@given(
    st.one_of(st.none(), st.binary(max_size=20)),
    st.one_of(st.none(), st.binary(max_size=20)),
    st.lists(st.tuples(st.sampled_from([name for name, _ in record_of(GOOD).headers]), st.binary(max_size=12)), max_size=20),
)
def test_nothing_raises(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    """Whatever anybody writes into the topic."""
    assert isinstance(arrived_of(Read(3, key, value, headers), LANES), Strange | Arrived)


def test_outgoing() -> None:
    """An outcome under its attributes; its partition by tenant and key, the same for ever."""
    message = Outgoing(
        row=1, topic="t", key="B-1", body=b"{}",
        attributes={"id": "i", "tenant": "azur", "traceparent": "00", "datacontenttype": "application/json"},
    )  # fmt: skip

    assert dict(outgoing_headers(message)) == {
        "ce_id": b"i", "ce_tenant": b"azur", "ce_specversion": b"1.0", "traceparent": b"00", "content-type": b"application/json",
    }  # fmt: skip
    assert partition_of(message, 32) == 8
    assert {partition_of(Outgoing(row=1, topic="t", key=f"B-{n}", attributes={}, body=b""), 4) for n in range(50)} == set(range(4))
