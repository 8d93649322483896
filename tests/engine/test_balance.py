"""Balance requests in a running hub: timers in their order, a hub that was away, settings of a property in another lane, and a log that
verifies whatever happened (S1-36, S1-41, S1-43)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from config.loader import load
from config.settings import Configuration
from console.command.explaining import lines
from engine.explain import explain
from engine.store.history import History
from engine.verify import verify
from schemas.balance_request import BalanceStatus
from tests.engine.sandbox import Sandbox, booking, names
from tests.scenarios.play import FOLDERS

pytestmark = pytest.mark.both_stores

ASKING: Configuration = load(FOLDERS / "asking", {})
HOUR, DAY = 3_600, 86_400
BEGINS = "2026-06-01T10:00:00+00:00"


def box(**more: Any) -> Sandbox:
    """A hub whose properties ask for balances, with one booking of 200 in split, its deposit paid."""
    made = Sandbox(configuration=ASKING, begins=BEGINS, **more)
    made.say("booking.confirmed", booking(payment_plan="split"))
    made.say("payment.received", {"folio": "B-1", "payment": "P1", "amount": 10_000, "currency": "EUR", "tender": "cash"})
    return made


def holds(made: Sandbox) -> None:
    """Whatever happened, the log gives the same again."""
    assert verify(made.database).differences == ()


def asked_for(outcomes: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    """What was told of balances, of whom."""
    return [(name, data["folio"]) for name, data in outcomes if name.startswith("balance.")]


def test_s1_41_one_mail_however_often_a_hub_begins() -> None:
    """Another hub takes over the store after each step: the mail went once."""
    made = box()
    told = made.pass_time(29 * DAY)
    made.hub = made.open()
    told += made.pass_time(DAY)
    made.hub = made.open()
    told += made.drain()

    assert asked_for(told) == [("balance.sent", "B-1")]
    holds(made)


@pytest.mark.parametrize(
    ("back", "told"),
    [
        pytest.param("2026-07-09T12:00:00+00:00", ["balance.sent"], id="before the deadline"),
        pytest.param("2026-07-13T12:00:00+00:00", ["balance.sent", "balance.overdue"], id="within the grace"),
        pytest.param("2026-07-14T12:00:00+00:00", ["balance.overdue"], id="after it"),
        pytest.param("2026-07-30T12:00:00+00:00", ["balance.overdue"], id="during the stay"),
    ],
)
def test_s1_43_a_hub_that_was_away(back: str, told: list[str]) -> None:
    """It comes back all at once: what was missed is sent once, unless it is too late; and a verification, which knows when it was really
    decided, agrees."""
    made = box()
    made.until(back)

    assert [name for name, _ in asked_for(made.drain())] == told
    assert asked_for(made.drain()) == []
    holds(made)


@pytest.mark.parametrize("chunk", [1, 500])
@pytest.mark.parametrize("lanes", [1, 8])
def test_s1_36_a_property_is_suspended_whatever_lane_it_is_in(chunk: int, lanes: int) -> None:
    """Said of the property once: each folio finds it when its own timer fires."""
    made = box(chunk=chunk, lanes=lanes)
    for number in range(2, 6):
        made.say("booking.confirmed", booking(f"B-{number}", payment_plan="split"))
    until = {"until": "2026-07-05", "scope": "property", "property": "camp-azur"}
    assert names(made.say("balance.suspend", until, actor="operator")) == ["balance.suspended"]
    told = asked_for(made.pass_time(34 * DAY))

    folios = [f"B-{number}" for number in range(1, 6)]
    assert sorted(told) == sorted(
        [("balance.suspended", folio) for folio in folios] + [("balance.sent", folio) for folio in folios]
    )
    assert made.rows("SELECT key FROM state WHERE kind = 'property'") == [{"key": "camp-azur"}]
    holds(made)


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize(
    "named", [{"folio": "B-1"}, {"references": [{"namespace": "pms:thais", "value": "R-1"}]}], ids=["folio", "reference"]
)
def test_s1_36_a_booking_names_the_property_that_is_suspended(named: dict[str, Any], lanes: int) -> None:
    """By its id or another name, whatever lane its property is in; a verification agrees."""
    made = Sandbox(configuration=ASKING, begins=BEGINS, lanes=lanes)
    made.say("booking.confirmed", booking(payment_plan="split", references=["R-1"]))
    said = {"until": "2026-07-05", "scope": "property", **named}
    told = [*made.say("balance.suspend", said, actor="operator"), *made.drain()]

    assert [(name, data["property"], data["scope"]) for name, data in told] == [("balance.suspended", "camp-azur", "property")]
    assert made.rows("SELECT key FROM state WHERE kind = 'property'") == [{"key": "camp-azur"}]
    holds(made)


def test_s1_36_a_suspension_of_nothing_is_refused() -> None:
    """This tenant has several properties: told, and never a dead letter."""
    made = box()
    for body in ({"scope": "property"}, {"scope": "type", "accommodation_type": "tent"}):
        ((name, data),) = made.say("balance.suspend", {"until": "2026-07-05", **body}, actor="operator")
        assert (name, data["code"], data["field"], data["rules"]) == ("balance.refused", "property_missing", "property", ["S1-36"])
    ((name, data),) = made.say("balance.suspend", {"until": "2026-07-05", "scope": "type", "folio": "B-9"}, actor="operator")

    assert (name, data["code"], data["value"]) == ("balance.refused", "unknown_folio", "B-9")
    assert made.rows("SELECT 1 FROM dead_letter") == []
    holds(made)


def test_s1_16_s1_17_a_refusal_names_the_request() -> None:
    """The one that is meant where none was named; what was named stays as it was said; none, where none is meant."""
    made = box()
    live = made.folio().balance_requests[0].request

    def refused(name: str, **body: Any) -> tuple[str, str]:
        ((told, data),) = made.say(name, {"folio": "B-1", **body}, actor="operator")
        assert told == "balance.refused"
        return data["code"], data["request"]

    assert refused("balance.resend") == ("wrong_queue", live)
    assert refused("balance.set_amount", amount=-1) == ("amount_negative", live)
    assert refused("balance.resend", request="nope") == ("unknown_request", "nope")
    assert refused("balance.resend", folio="B-9") == ("unknown_folio", "")


def test_x_2_what_is_said_of_an_unknown_balance_is_refused_at_once() -> None:
    """By a name that nobody knows as well: it does not wait for a booking that may never come."""
    made = box()
    who = {"references": [{"namespace": "pms:thais", "value": "nobody"}]}
    told = [made.say(name, {**who, **more}, actor="operator") for name, more in (
        ("balance.cancel", {}), ("balance.choose_method", {"method": "card"}), ("balance.report_collected", {}),
    )]  # fmt: skip

    assert [[(name, data["code"]) for name, data in one] for one in told] == [[("balance.refused", "unknown_folio")]] * 3
    assert made.rows("SELECT 1 FROM parked") == []


def test_x_2_a_balance_is_known_by_the_bookings_other_names() -> None:
    made = Sandbox(configuration=ASKING, begins=BEGINS)
    made.say("booking.confirmed", booking(payment_plan="split", references=["R-1"]))
    told = made.say("balance.cancel", {"references": [{"namespace": "pms:thais", "value": "R-1"}]}, actor="operator")

    assert names(told) == ["balance.cancelled"]
    assert made.folio().balance_requests[0].status is BalanceStatus.CANCELLED


def test_x_2_a_booking_and_its_money_in_any_order() -> None:
    """What comes before the booking, or before its payment, waits; in the end the same is asked for, in each of the 24 orders."""
    cash = {"folio": "B-1", "currency": "EUR", "tender": "cash", "occurred_at": BEGINS}
    messages: list[tuple[str, dict[str, Any]]] = [
        ("booking.confirmed", booking(payment_plan="split")),
        ("payment.received", {**cash, "payment": "P1", "amount": 10_000}),
        ("payment.received", {**cash, "payment": "P2", "amount": 10_000}),
        ("payment.reversed", {**cash, "payment": "P2", "amount": 4_000}),
    ]
    ends = set()
    for order in permutations(messages):
        made = Sandbox(store=":memory:", configuration=ASKING, begins=BEGINS)  # 24 of them: the store is not what is asked
        for name, data in order:
            made.say(name, data)
        made.pass_time(30 * DAY)
        (live,) = [one for one in made.folio().balance_requests if one.status is BalanceStatus.SENT_NO_REPLY]
        ends.add((live.amount, live.deadline, live.send_on, live.link, live.sent_at))

    assert len(ends) == 1
    assert {end[0] for end in ends} == {4_000}


def test_x_1_a_repeated_word_is_said_once() -> None:
    """The same message again changes nothing: one mail more, not two."""
    made = box()
    made.say("balance.send_now", {"folio": "B-1"}, actor="operator", id_="now")
    made.say("balance.send_now", {"folio": "B-1"}, actor="operator", id_="now")

    assert made.results("balance.send_now") == ["decided", "duplicate"]
    holds(made)


def test_s1_9_a_late_booking_is_asked_in_the_moment_it_is_made() -> None:
    """Its mail's day has passed: in the same drain, by a timer of that very instant."""
    made = Sandbox(configuration=ASKING, begins="2026-07-05T20:00:00+00:00")
    told = made.say("booking.confirmed", booking(payment_plan="split"))

    assert asked_for(told) == [("balance.scheduled", "B-1"), ("balance.sent", "B-1")]
    assert made.folio().balance_requests[0].sent_at == made.now()
    holds(made)


def test_a_12_an_overdue_booking_is_cancelled_and_refunded_by_itself() -> None:
    """Everything of it in the timer's decision; the log verifies."""
    made = Sandbox(configuration=ASKING, begins=BEGINS)
    made.say("booking.confirmed", {**booking(payment_plan="split"), "property": "camp-strict"})
    made.pay("B-1", 10_000, "O-1")
    told = names(made.pass_time(50 * DAY))

    assert [name for name in told if name in ("balance.sent", "balance.overdue", "cancellation.confirmed", "refund.executed")] == [
        "balance.sent", "balance.overdue", "cancellation.confirmed", "refund.executed",
    ]  # fmt: skip
    holds(made)


def test_x_7_a_folio_is_explained_with_what_is_asked_of_it() -> None:
    made = box()
    made.say("balance.send_now", {"folio": "B-1"}, actor="operator")
    told = list(lines(explain(History(made.hub.reading), made.hub.vault, "B-1")))

    request = made.folio().balance_requests[0].request
    assert f"  balance request {request}: sent_no_reply, 100.00 EUR by the end of 2026-07-10, link 1" in told
