"""Names that lead to a folio: bound once, waited for, told to one another; and what waits too long (X-2)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.address import lane_of
from engine.store.rows import Key
from schemas.envelope import folio_id
from tests.engine.sandbox import Sandbox, arrival, booking, names

pytestmark = pytest.mark.both_stores

HOUR = 3600


def ref(value: str, namespace: str = "pms:thais") -> dict[str, str]:
    """A name."""
    return {"namespace": namespace, "value": value}


def money(**more: Any) -> dict[str, Any]:
    """A card payment of 10.00."""
    return {"payment": "P", "amount": 1_000, "currency": "EUR", **more}


def parked(box: Sandbox) -> int:
    """How many wait."""
    return len(box.rows("SELECT 1 FROM parked"))


def test_x_2_a_payment_by_orderid_comes_first() -> None:
    """It knows only its ORDERID; the booking names that order later: the money finds its folio."""
    box = Sandbox()
    first = box.say("payment.received", money(provider="ogone", merchant="azur", provider_reference="3000000001", order="O-1"))

    outcomes = box.say("booking.confirmed", {**booking(references=["R1"]), "references": [ref("O-1", "ogone:azur:order")]})

    assert names(first) == ["message.parked"]
    assert "payment.captured" in names(outcomes)
    assert box.folio().payments[0].reference == "3000000001"
    assert parked(box) == 0
    assert box.rows("SELECT * FROM timer WHERE name LIKE 'parked%'") == []


def test_x_2_any_of_several_names_is_enough() -> None:
    """Parked under its first name, released when another of its names is bound; all of them are the folio's then."""
    box = Sandbox()
    box.say("payment.received", money(tender="cash", references=[ref("A"), ref("B"), ref("C")]))

    outcomes = box.say("booking.confirmed", booking(references=["C"]))
    later = box.say("payment.received", {**money(tender="cash", references=[ref("A")]), "payment": "Q"})

    assert "payment.captured" in names(outcomes)
    assert "payment.captured" in names(later)
    assert [payment.payment for payment in box.folio().payments] == ["P", "Q"]


def test_a_booking_without_folio_makes_one_from_its_name() -> None:
    """The same name gives the same folio, whoever comes first."""
    box = Sandbox()
    data = {**booking(references=["R1"]), "folio": ""}

    box.say("booking.confirmed", data)
    box.say("booking.changed", {**data, "revision": 2, "service_fee": 500})

    folio = folio_id("azur", "pms:thais", "R1")
    assert box.folio(folio).service_fee == 500


def test_a_second_folio_for_a_bound_name_is_refused() -> None:
    """`reference_bound`: a name is one folio's for ever."""
    box = Sandbox()
    box.say("booking.confirmed", booking("B-1", references=["R1"]))

    outcomes = box.say("booking.confirmed", booking("B-2", references=["R1"]))

    assert [(name, data["code"]) for name, data in outcomes] == [("booking.refused", "reference_bound")]
    assert box.rows("SELECT * FROM state WHERE key = 'B-2' AND body IS NOT NULL") == []


def test_a_refused_booking_binds_nothing() -> None:
    """What a rule refuses leaves its names free for the corrected booking."""
    box = Sandbox()
    wrong = booking("B-1", references=["R1"])
    wrong["lines"][0]["terms"] = "outdoor/nowhere"
    assert names(box.say("booking.confirmed", wrong)) == ["booking.refused"]

    outcomes = box.say("booking.confirmed", booking("B-2", references=["R1"]))

    assert "booking.accepted" in names(outcomes)


def test_unparks_releases_only_what_waited_for_it() -> None:
    """A reversal waits for its payment, not for any other; parked twice, it is told twice, each time under an id of its own."""
    box = Sandbox()
    box.say("payment.reversed", money(folio="B-1"))
    box.say("booking.confirmed", booking())
    assert [_waits(row["body"]) for row in box.rows("SELECT body FROM outbox WHERE name = 'message.parked' ORDER BY seq")] == [
        "booking",
        "payment:P",
    ]
    box.say("payment.received", {**money(folio="B-1", tender="cash"), "payment": "other"})
    assert parked(box) == 1

    box.say("payment.received", money(folio="B-1", tender="cash"))

    assert parked(box) == 0
    assert next(payment for payment in box.folio().payments if payment.payment == "P").reversed == 1_000
    ids = [row.id for row in box.hub.reading.outbox_of("azur", 0, 1000)]
    assert len(ids) == len(set(ids))


def _waits(body: bytes) -> str:
    return str(msgspec.json.decode(body)["waits_for"])


def test_x_2_what_waits_too_long_is_told_again_once() -> None:
    """After a day, with `alarm`; what was released in time is not."""
    box = Sandbox()
    box.say("payment.received", money(tender="cash", references=[ref("nobody")]))
    box.say("payment.received", {**money(tender="cash", folio="B-1"), "payment": "Q"})
    box.say("booking.confirmed", booking())

    early = box.pass_time(23 * HOUR)
    late = box.pass_time(100 * HOUR)

    assert [name for name in names(early) if name == "message.parked"] == []
    alarms = [data for name, data in late if name == "message.parked"]
    assert [(data["waits_for"], data["alarm"]) for data in alarms] == [("pms:thais=nobody", True)]


def test_parked_and_released_in_one_chunk() -> None:
    """Nothing of it is written: it was early by a message."""
    box = Sandbox()
    box.append(
        arrival("p", "payment.received", money(tender="cash", references=[ref("R1")])),
        arrival("b", "booking.confirmed", booking(references=["R1"])),
    )

    assert "payment.captured" in names(box.drain())
    assert parked(box) == 0
    assert box.rows("SELECT * FROM timer WHERE name LIKE 'parked%'") == []


@pytest.mark.parametrize("name", ["cancellation.request", "cancellation.confirm", "cancellation.withdraw"])
def test_a_cancellation_of_an_unknown_booking_is_refused_at_once(name: str) -> None:
    """Somebody waits for that answer."""
    box = Sandbox()

    by_name = box.say(name, {"references": [ref("nobody")], "request": "C"}, actor="guest")
    by_folio = box.say(name, {"folio": "nobody", "request": "C"}, actor="guest")

    assert [(name, data["code"]) for name, data in by_name + by_folio] == [("cancellation.refused", "unknown_folio")] * 2


def test_a_bound_name_goes_to_its_folios_lane() -> None:
    """What is said of a folio under another name is decided in its order; before the name is bound it waits where the name is."""
    box = Sandbox(lanes=8)
    early = [ref(f"R{number}") for number in range(5)]
    for number, one in enumerate(early):
        box.append(arrival(f"early-{number}", "payment.received", money(tender="cash", references=[one], payment=f"E{number}")))
    box.say("booking.confirmed", {**booking(), "references": early})
    for number, one in enumerate(early):
        box.append(arrival(f"late-{number}", "payment.received", money(tender="cash", references=[one], payment=f"L{number}")))
    box.drain()

    lanes = {row["id"]: row["lane"] for row in box.rows("SELECT id, lane FROM intake")}
    folio = lane_of(Key("azur", "folio", "B-1"), 8)
    assert {lanes[f"late-{number}"] for number in range(5)} == {folio}
    assert {lanes[f"early-{number}"] for number in range(5)} == {
        lane_of(Key("azur", "reference", f"pms:thais\x1f{one['value']}"), 8) for one in early
    }
    assert len(box.folio().payments) == 10
