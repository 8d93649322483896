"""A NUL anywhere in a message is a dead letter that names its field, on either store, and stops nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.store.contract import Constraint
from engine.transport.contract import Arrival
from schemas.errors import Undecodable
from tests.engine.sandbox import Sandbox, arrival, booking, names

pytestmark = pytest.mark.both_stores
LINE = booking()["lines"][0]
DATA: list[Any] = [
    ("booking.confirmed", {**booking(), "language": "f\x00r"}, "language"),
    ("booking.confirmed", {**booking(), "lines": [{**LINE, "accommodation": "\x00"}]}, "lines[0].accommodation"),
    ("booking.confirmed", {**booking(), "guest": {"name": "Ca\x00mille", "person": "p-1"}}, "guest.name"),
    ("booking.confirmed", {**booking(), "guest": {"person": "p\x00"}}, "guest.person"),
    ("booking.confirmed", {**booking(""), "references": [{"namespace": "pms:thais", "value": "\x00"}]}, "references[0].value"),
    ("booking.confirmed", {**booking(), "beside": {"\x00": 1}}, "beside"),
    ("payouts.stop", {"reason": "look\x00 here"}, "reason"),
    ("force_majeure.declare", {"event": "e", "area": "a", "from": "2026-07-24", "to": "2026-07-26", "cause": "\x00"}, "cause"),
]
WORN = {"specversion": "1.0", "id": "m-1", "source": "pms.thais", "type": "foliohub.booking.confirmed.v1", "tenant": "azur"}


@pytest.mark.parametrize(("name", "data", "field"), DATA, ids=[field for _, _, field in DATA])
def test_in_the_data(name: str, data: dict[str, Any], field: str) -> None:
    box = Sandbox()
    (receipt,) = box.append(arrival("x", name, data, actor="operator"))

    assert receipt.code == "undecodable"
    assert box.one("SELECT field FROM dead_letter")["field"] == field
    assert names(box.drain()) == ["message.dead_lettered"]
    assert "booking.accepted" in names(box.say("booking.confirmed", booking()))


@pytest.mark.parametrize("mode", ["structured", "binary"])
@pytest.mark.parametrize("name", ["id", "source", "type", "tenant", "subject", "correlationid", "causationid", "dataschema"])
def test_in_the_envelope(name: str, mode: str) -> None:
    """What came with a NUL is kept without; the bytes that are kept have it."""
    data = msgspec.json.decode(arrival("x", "booking.confirmed", booking()).body)
    data = data.get("data", data)
    worn = {**WORN, name: f"{WORN.get(name, 'a')}\x00b"}
    came = (
        Arrival(door="test", body=msgspec.json.encode({**worn, "data": data}), content_type="application/cloudevents+json")
        if mode == "structured"
        else Arrival(door="test", body=msgspec.json.encode(data), attributes=worn)
    )
    box = Sandbox()
    (receipt,) = box.append(came)

    assert (receipt.code, box.one("SELECT field, value FROM dead_letter")) == (
        "undecodable", {"field": name, "value": f"{WORN.get(name, 'a')}\ufffdb"},
    )  # fmt: skip
    box.drain()
    assert "booking.accepted" in names(box.say("booking.confirmed", booking()))


def test_whoever_keeps_a_letter_may_say_what_they_like() -> None:
    box = Sandbox()
    wrong = Undecodable("re\x00ason", field="fi\x00eld", value="\x00")
    receipt = box.hub.intake.keep(Arrival(door="do\x00or", body=b"\x00", attributes={"id": "\x00"}), "azur", wrong)

    assert receipt.code == "undecodable"
    assert box.one("SELECT field, door FROM dead_letter") == {"field": "fi\ufffdeld", "door": "do\ufffdor"}


def test_what_the_database_cannot_hold_is_a_row_that_it_refuses(postgres_store: str) -> None:
    """Nothing that a message makes ends a worker: what was refused is found, and set aside."""
    box = Sandbox(store=postgres_store)
    for statement, value in (("UPDATE meta SET value = ? WHERE name = 'probe'", "\x00"), ("SELECT ?::integer", 1 << 40)):
        with pytest.raises(Constraint), box.hub.database.write() as link:
            link.execute(statement, (value,))
