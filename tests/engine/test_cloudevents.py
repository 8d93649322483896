"""What an outcome wears on its way out."""

from uuid import UUID, uuid5

import msgspec

from engine.cloudevents import attributes, event, time_of
from engine.store.rows import OutboxRow

ROW = OutboxRow(
    seq=7 << 20, decision=7, tenant="azur", kind="folio", key="B-1001", name="booking.accepted", sequence=1,
    cause=UUID(int=2).bytes, correlation="m-1", traceparent="", at=1_777_622_400_000_000,
    body=b'{"folio":"B-1001","sequence":1}', published=1,
)  # fmt: skip


def test_attributes_are_cloudevents_and_ours() -> None:
    """Every attribute is text, in RFC 3339 and UUID form; what is empty is left out."""
    assert attributes(ROW) == {
        "specversion": "1.0",
        "id": str(uuid5(UUID(int=2), "folio:B-1001:1")),
        "source": "foliohub",
        "type": "foliohub.booking.accepted.v1",
        "time": "2026-05-01T08:00:00Z",
        "tenant": "azur",
        "subject": "B-1001",
        "datacontenttype": "application/json",
        "correlationid": "m-1",
        "causationid": "00000000-0000-0000-0000-000000000002",
    }


def test_event_carries_the_stored_body() -> None:
    """Structured mode: one JSON object, the data unchanged."""
    read = msgspec.json.decode(msgspec.json.encode(event(ROW)))

    assert read["data"] == {"folio": "B-1001", "sequence": 1}
    assert read["type"] == "foliohub.booking.accepted.v1"


def test_the_key_of_a_name_is_readable() -> None:
    """A reference's key has a separator inside that no header carries."""
    row = ROW._replace(kind="reference", key="pms:thais\x1f88231")

    assert attributes(row)["subject"] == "pms:thais/88231"


def test_time_keeps_microseconds() -> None:
    """No instant is rounded."""
    assert time_of(1_777_622_400_000_001) == "2026-05-01T08:00:00.000001Z"
