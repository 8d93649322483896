"""What a newer release adds to a state survives one that does not know it, or stops it; it is never lost without a word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine import staging
from engine.newer import StateNewer, read, written
from engine.staging import SHAPES
from engine.store.rows import Key
from engine.verify import verify
from schemas.folio import Folio
from tests.engine.sandbox import Sandbox, booking

DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Folio)
FOLIO = Key("azur", "folio", "B-1")
PAID = {"folio": "B-1", "payment": "p1", "amount": 700, "currency": "EUR", "tender": "cash"}


def booked() -> Sandbox:
    box = Sandbox()
    box.say("booking.confirmed", booking())
    return box


def body(box: Sandbox) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(box.one("SELECT body FROM state WHERE id = ?", FOLIO.digest())["body"])
    return found


def rewrite(box: Sandbox, changed: dict[str, Any]) -> None:
    """As a newer release stored it last."""
    with box.hub.database.write() as link:
        link.execute(
            "UPDATE state SET body = ?, shape = ?, version = version + 1 WHERE id = ?",
            (msgspec.json.encode(changed), SHAPES["folio"][0] + 1, FOLIO.digest()),
        )
    box.hub.lanes._remembered.forget()


@pytest.mark.both_stores
def test_a_whole_field_survives() -> None:
    """Through decisions of a release that cannot read it, one of which reads it from memory; `verify` has nothing to say of it."""
    box = booked()
    wishes = {"quiet": True, "floor": [1, 2.50, None], "name": "né"}
    rewrite(box, {"wishes": wishes, **body(box)})

    for payment in ("p1", "p2"):
        box.say("payment.received", PAID | {"payment": payment})

    assert body(box)["wishes"] == wishes
    assert len(body(box)["payments"]) == 2
    assert box.one("SELECT shape FROM state WHERE id = ?", FOLIO.digest())["shape"] == SHAPES["folio"][0] + 1
    assert verify(box.hub.database).differences == ()


DEEP = [
    pytest.param(lambda state: state["lines"][0].update(wing="east"), r"lines\[0\].wing", id="a field of a line"),
    pytest.param(lambda state: state.update(status="hibernating"), "hibernating", id="a value"),
    pytest.param(lambda state: state.pop("currency"), "currency", id="a field that is gone"),
]


@pytest.mark.parametrize(("change", "named"), DEEP)
def test_what_would_be_lost_stops_the_process(change: Any, named: str) -> None:
    """By name, with what to do; the state is what it was, and the message waits for the newer release."""
    box = booked()
    state = body(box)
    change(state)
    rewrite(box, state)

    with pytest.raises(StateNewer, match=rf"folio B-1: .*{named}.*start the newer release") as stopped:
        box.say("payment.received", PAID)

    assert stopped.value.code == "state_newer"
    assert body(box) == state
    assert box.one("SELECT count(*) AS n FROM dead_letter")["n"] == 0
    assert box.hub.lanes._store.waiting_count() == 1


def test_a_number_alone_changes_nothing() -> None:
    """Today's bytes under tomorrow's number are read and written as they are."""
    box = booked()
    stored = msgspec.json.encode(body(box))
    state, newer = read(stored, 9, DECODER, "folio B-1")

    assert (newer.shape, newer.fields) == (9, {})
    assert DECODER.decode(written(state, newer)) == DECODER.decode(stored)


def test_states_of_today_are_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The care is for shapes that are newer alone: it costs several readings."""
    monkeypatch.setattr(staging.newer, "read", lambda *_: pytest.fail("read with care"))
    box = booked()
    box.hub.lanes._remembered.forget()

    box.say("payment.received", PAID)

    assert len(body(box)["payments"]) == 1
