"""How a folio stands, as people read it: what is ordered beside what is here, what moved and when, what could be given back now, and
what is asked for. Nothing about a person, and nothing of a card."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.standing import standing
from tests.engine.sandbox import Sandbox, booking
from tests.engine.test_lists import asking, enter, owes
from tests.engine.test_notices import configured

pytestmark = pytest.mark.both_stores


def stands(box: Sandbox, folio: str = "B-1") -> dict[str, Any]:
    """As JSON."""
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(standing(box.hub, "azur", folio)))
    return told


def pay(box: Sandbox, payment: str, amount: int, name: str = "payment.received", folio: str = "B-1", **more: Any) -> None:
    box.say(name, {"folio": folio, "payment": payment, "amount": amount, "currency": "EUR", "tender": "cash", **more})


def moved(box: Sandbox, folio: str = "B-1") -> list[tuple[Any, ...]]:
    return [(one["kind"], one["payment"], one["amount"], one["state"], one.get("at")) for one in stands(box, folio)["transactions"]]


def test_s4_22_x_17_what_is_here_and_what_is_only_promised() -> None:
    """An authorisation, and money that is not final, stand apart from what is collected."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    card = {"tender": "card", "provider": "ogone", "merchant": "azur"}
    pay(box, "P1", 5_000)
    pay(box, "P2", 4_000, "payment.authorised", provider_reference="3001", **card)
    pay(box, "P3", 3_000, provider_reference="3002", status="91", **card)
    told = stands(box)

    assert {name: told["sums"][name] for name in ("ordered", "collected", "balance")} == {
        "ordered": 20_000, "collected": 5_000, "balance": 15_000,
    }  # fmt: skip
    assert told["not_yet_collected"] == {"authorised": 4_000, "pending": 3_000}
    assert [(one[1], one[3]) for one in moved(box)] == [("P1", "captured"), ("P2", "authorised"), ("P3", "pending")]


def test_x_3_x_19_every_movement_with_its_instant() -> None:
    """Payments by when the money moved, what others moved by when the hub heard of it."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    pay(box, "P1", 5_000, occurred_at="2026-04-30T10:00:00+02:00")
    box.wait(60)
    box.say("refund.executed_externally", {"folio": "B-1", "payment": "P1", "amount": 1_000})
    box.wait(60)
    pay(box, "P1", 2_000, "payment.reversed")

    assert moved(box) == [
        ("payment", "P1", 5_000, "captured", "2026-04-30T08:00:00Z"),
        ("external_refund", "P1", 1_000, "booked", "2026-05-01T08:01:00Z"),
        ("reversal", "P1", 2_000, "booked", "2026-05-01T08:02:00Z"),
    ]
    (one,) = stands(box)["recoverable"]["payments"]
    assert (one["captured"], one["external"], one["reversed"], one["recoverable"]) == (5_000, 1_000, 2_000, 2_000)


def test_x_3_what_could_be_given_back_now() -> None:
    """By payment, by tender and in all: less what went back, and what is on its way."""
    box = Sandbox()
    box.paid("B-1", order="O-1")
    box.say("payouts.stop", {"reason": "a look"}, actor="operator")
    pay(box, "T1", 1_000)
    pay(box, "T2", 2_000)
    before = stands(box)["recoverable"]
    box.cancel("B-1")
    flying = stands(box)

    assert before["total"] == sum(one["recoverable"] for one in before["payments"]) == flying["sums"]["ordered"] + 23_000
    assert {one["tender"]: one["recoverable"] for one in before["tenders"]} == {"card": 20_000, "cash": 3_000}
    for one in flying["recoverable"]["payments"]:
        assert one["recoverable"] == one["captured"] - one["refunded"] - one["in_flight"]
    assert sum(one["in_flight"] for one in flying["recoverable"]["payments"]) == 23_000
    assert flying["recoverable"]["total"] == 0


def test_x_3_a_refund_with_its_states_and_instants() -> None:
    """Decided, then executed."""
    box = Sandbox()
    box.paid("B-1", order="O-1")
    box.cancel("B-1")
    (refund,) = [one for one in stands(box)["transactions"] if one["kind"] == "refund"]

    assert (refund["amount"], refund["state"], refund["tender"], refund["destination"]) == (
        20_000,
        "executed",
        "card",
        "original_card",
    )
    assert refund["decided_at"] <= refund["at"] < refund["due_by"]
    assert refund["record"]


def test_s0_18_its_vouchers_as_the_merchants_list_has_them() -> None:
    """And once they are accepted, what they brought among what moved."""
    box = Sandbox()
    box.say("voucher.register", {"number": "PMS-1", "value": 5_000, "currency": "EUR", "property": "camp-azur"}, actor="merchant")
    enter(box, "B-1", "PMS-1", 4_000)
    (one,) = stands(box)["vouchers"]
    assert (one["typed"], one["held"], one["status"], one["remainder"]) == (4_000, 4_000, "pending_voucher_check", 1_000)
    box.say("voucher.check", {"folio": "B-1", "verdict": "accepted"}, actor="merchant")

    assert [(kind, amount, state) for kind, _, amount, state, _ in moved(box)] == [("voucher", 4_000, "captured")]
    assert [(one["tender"], one["recoverable"]) for one in stands(box)["recoverable"]["tenders"]] == [("voucher", 4_000)]


def test_s1_12_what_is_asked_for_with_its_history() -> None:
    """The live request first, its dates, and each outcome about it; a token is shown nowhere in it."""
    box = asking()
    owes(box, "B-1")
    box.say("balance.cancel", {"folio": "B-1"}, actor="operator")
    box.say("balance.recreate", {"folio": "B-1"}, actor="operator")
    box.say("balance.suspend", {"folio": "B-1", "until": "2026-07-05"}, actor="operator")
    box.say("balance.send_now", {"folio": "B-1"}, actor="operator")
    box.say("balance.choose_method", {"folio": "B-1", "method": "card", "token": "tok-77", "through": "phone"}, actor="guest")
    live, over = stands(box)["balance_requests"]

    assert (live["live"], live["queue"], live["send_on"], live["deadline"]) == (True, "sent_replied", "2026-06-30", "2026-07-15")
    assert [one["outcome"] for one in live["history"]] == [
        "balance.scheduled", "balance.suspended", "balance.sent", "balance.replied",
    ]  # fmt: skip
    assert {one["at"] for one in live["history"]} == {"2026-06-01T10:00:00Z"}
    assert "tok-77" not in str(live)
    assert (over["live"], over["queue"], over["reason"]) == (False, "cancelled", "operator")


def test_s1_28_tokens_and_mandates_are_shown_by_their_end() -> None:
    """In whatever is kept of attempts and payments; a short one not at all."""
    box = asking()
    owes(box, "B-1")
    box.say("balance.send_now", {"folio": "B-1"}, actor="operator")
    consent = {"mandate": "mandate-0001", "mandate_version": "1"}
    box.say("balance.choose_method", {"folio": "B-1", "method": "card", "token": "tok_card_4f1a", **consent}, actor="guest")
    card = {"tender": "card", "provider": "ogone", "merchant": "azur", "initiation": "mit"}
    pay(box, "P1", 1_000, provider_reference="3001", **card, **consent)
    pay(box, "P2", 1_000, provider_reference="3002", **card, mandate="M-1", mandate_version="1")
    told = stands(box)

    (attempt,) = told["state"]["balance_requests"][0]["attempts"]
    assert (attempt["token"], attempt["mandate"], attempt["mandate_version"]) == ("…4f1a", "…0001", "1")
    assert {one["payment"]: one.get("mandate") for one in told["payments"]} == {"P-B-1": None, "P1": "…0001", "P2": "…"}
    assert not any(secret in str(told) for secret in ("tok_card_4f1a", "mandate-0001", "M-1"))


def test_what_was_written_about_it() -> None:
    """To whom, and what became of it; nobody's name or address."""
    box = Sandbox(configuration=configured(1))  # nobody sends
    box.say("booking.confirmed", booking(guest={"person": "p-1", "name": "Zoé Exemple", "email": "zoe@example.org"}))
    told = stands(box)

    assert [(one["kind"], one["audience"], one["state"], one["sent_at"]) for one in told["notices"]] == [
        ("booking_confirmed", "guest", "planned", ""),
    ]  # fmt: skip
    for personal in ("Zoé", "example.org"):
        assert personal not in str(told)
