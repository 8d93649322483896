"""Every cent is told: from the message through the rules and their arithmetic to the entries, the request and the provider's answer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from engine.explain import FORGOTTEN, SEALED, explain
from engine.explanation import Decision, Explained
from engine.store.history import History
from schemas.errors import HubError
from tests.engine.campsite import Campsite, asked, booking, configuration, event, eventful, payment
from tests.engine.test_lists import asking, owes


@pytest.fixture(scope="module")
def summer() -> Iterator[Campsite]:
    camp = Campsite(settings=configuration("camp-azur/2", approval_above=15_000))
    eventful(camp)
    yield camp
    camp.close()


def told(camp: Campsite, subject: str, *, tenant: str = "", personal: bool = False) -> Explained:
    return explain(History(camp.hub.reading), camp.hub.vault, subject, tenant=tenant, personal=personal)


def named(found: Explained, name: str) -> Decision:
    return next(one for one in found.decisions if one.name == name and one.result == "decided")


def test_a_folio_is_told_from_its_first_message_to_its_last_cent(summer: Campsite) -> None:
    """Story 6: inputs, terms, rule ids, arithmetic, entries, requests, answers, outcomes."""
    found = told(summer, "A")
    confirmed = named(found, "cancellation.confirm")

    assert (found.kind, found.tenant) == ("folio", "azur")
    assert found.sums == {"ordered": 10_000, "collected": 10_000, "balance": 0}
    assert found.policies["outdoor/flexible/1"]["tranches"][1] == {"from_notice": 1, "refund": "1/2"}
    assert found.policies["camp-azur/2"]["approval_above"] == 15_000
    assert [one.name for one in found.decisions[:2]] == ["booking.confirmed", "payment.received"]
    assert (
        "S4-32",
        "line 1: 120.00 EUR × (1 − 50 %) = 60.00 EUR kept (outdoor/flexible/1: 3 days before 2026-07-24 in Europe/Paris)",
    ) in (confirmed.trace)
    assert confirmed.input is not None
    assert confirmed.input["request"] == "R-A"
    assert confirmed.policies == ("camp-azur/2", "outdoor/flexible/1")
    assert [(entry.entry, entry.minor) for entry in confirmed.entries if entry.entry == "refund_decided"] == [
        ("refund_decided", 10_000)
    ]
    assert "foliohub.refund.decided.v1" in [outcome.type for outcome in confirmed.outcomes]
    (request,) = found.requests
    assert confirmed.effects == (request.effect,)
    assert (request.state, request.minor, request.reference, request.record) == ("confirmed", 10_000, "3001", "1")
    assert [(call.act, call.result) for call in request.calls if call.effect] == [
        ("query", "confirmed"), ("send", "unknown"), ("query", "confirmed")
    ]  # fmt: skip
    assert [(one["level"], one["kind"], one["minor"]) for one in request.records] == [
        ("0", "capture", 20_000),
        ("1", "refund", 10_000),
    ]
    assert [str(one["seen_at"])[:11] for one in request.records] == ["2026-07-21T"] * 2
    assert sum(row.balance for row in found.balances) == 0


def test_every_cent_of_the_ledger_is_in_the_folios_decisions(summer: Campsite) -> None:
    """Entries told decision by decision add up to the accounts."""
    for folio in ("A", "B", "C", "D", "E", "F"):
        found = told(summer, folio)
        sums: dict[str, int] = {}
        for decision in found.decisions:
            for entry in decision.entries:
                sums[entry.debit] = sums.get(entry.debit, 0) + entry.minor
                sums[entry.credit] = sums.get(entry.credit, 0) - entry.minor

        assert sums == {row.account: row.balance for row in found.balances}


def test_a_folio_by_another_name(summer: Campsite) -> None:
    assert told(summer, "pms:thais=no-A").decisions == told(summer, "A").decisions


def test_a_message_by_its_senders_id_and_by_the_hubs(summer: Campsite) -> None:
    """It came early: parked first, decided when its booking was there."""
    found = told(summer, "payment-A")

    assert found.kind == "message"
    assert [one.result for one in found.decisions] == ["parked", "decided"]
    assert found.decisions[0].key == "reference ogone:azur:order=A-1"
    assert found.decisions[1].outcomes[0].type == "foliohub.payment.captured.v1"
    assert told(summer, found.decisions[0].message).decisions == found.decisions


def test_a_message_that_was_refused_or_repeated(summer: Campsite) -> None:
    assert [one.result for one in told(summer, "ask-Z").decisions] == ["refused"]
    assert [(one.name, one.result) for one in told(summer, "booking-A").decisions] == [
        ("booking.confirmed", "decided"),
        ("payment.received", "decided"),  # which waited for it
        ("booking.confirmed", "duplicate"),
        ("booking.confirmed", "conflict"),
    ]


def test_an_effect_with_everybody_who_spoke_of_it(summer: Campsite) -> None:
    """Decided, doubted, settled by a person."""
    effect = summer.one("SELECT id FROM effect WHERE folio = 'B'")
    found = told(summer, effect)

    assert found.kind == "effect"
    assert [one.name for one in found.decisions] == ["cancellation.request", "reply.arrived", "reply.arrived", "effect.settle"]
    assert found.decisions[-1].record["effects"] == {effect: "needs_person"}
    assert [request.effect for request in found.requests] == [effect]


def test_what_waits_is_told(summer: Campsite) -> None:
    """Parked under the name that nobody knows yet."""
    found = told(summer, "payment-Y")

    assert [one.result for one in found.decisions] == ["parked"]
    assert found.decisions[0].record == {"waits_for": "ogone:azur:order=Y-1"}


def test_x_11_people_stay_sealed_unless_they_are_asked_for(summer: Campsite) -> None:
    """And are gone when they were forgotten; everything else is told as before."""
    quiet = named(told(summer, "B"), "booking.confirmed").input
    opened = named(told(summer, "B", personal=True), "booking.confirmed").input
    forgotten = named(told(summer, "A", personal=True), "booking.confirmed").input

    assert quiet is not None
    assert opened is not None
    assert forgotten is not None
    assert quiet["guest"]["name"] == SEALED
    assert opened["guest"]["name"] == "Guest Of B"
    assert forgotten["guest"] == {"person": "p-A", "name": FORGOTTEN}
    assert b"Guest Of" not in msgspec.json.encode(told(summer, "B"))


def test_s1_28_tokens_and_mandates_are_told_by_their_end() -> None:
    """What came in, and what the folio keeps of it; also where people are opened."""
    box = asking()
    owes(box, "B-1")
    box.say("balance.send_now", {"folio": "B-1"}, actor="operator")
    given = {"method": "card", "token": "tok_card_4f1a", "mandate": "mandate-0001"}
    box.say("balance.choose_method", {"folio": "B-1", **given}, actor="guest")
    found = explain(History(box.hub.reading), box.hub.vault, "B-1", personal=True)
    came = named(found, "balance.choose_method").input

    assert found.folio is not None
    assert came is not None
    (attempt,) = found.folio["balance_requests"][0]["attempts"]
    assert [(one["token"], one["mandate"]) for one in (came, attempt)] == [("…4f1a", "…0001")] * 2
    assert not any(secret in str(msgspec.to_builtins(found)) for secret in ("tok_card_4f1a", "mandate-0001"))


@pytest.mark.parametrize(("subject", "tenant"), [("nobody", ""), ("A", "dunes"), ("pms:thais=none", "")])
def test_what_nobody_knows(summer: Campsite, subject: str, tenant: str) -> None:
    with pytest.raises(HubError) as raised:
        told(summer, subject, tenant=tenant)

    assert (raised.value.code, raised.value.field, raised.value.value) == ("unknown_subject", "subject", subject)


def test_requests_are_told_in_the_order_in_which_they_were_made() -> None:
    """Whatever their ids are."""
    camp = Campsite()
    camp.send(booking("A", (7_000, 6_000, 5_000, 4_000)))
    camp.send(payment("A", "3003", 22_000))
    for day, line in enumerate("1234", 1):
        camp.until(f"2026-06-0{day}T08:00:00+00:00")
        camp.send(asked("A", id_=f"ask-{line}", confirm=True, lines=[{"line": line}], request=f"R-{line}"))
    found = told(camp, "A")
    camp.close()

    assert [request.minor for request in found.requests] == [7_000, 6_000, 5_000, 4_000]


def test_what_waits_for_a_folio_is_told_with_it() -> None:
    """How, for what, and since when."""
    camp = Campsite()
    camp.send(event("early-K", "booking.changed", {**booking("K")["data"], "references": [], "revision": 2}))
    found = told(camp, "K")
    camp.close()
    (waiting,) = found.waiting

    assert (found.folio, found.sums) == (None, {})
    assert (waiting["how"], waiting["reason"], waiting["id"], waiting["name"]) == (
        "parked",
        "booking",
        "early-K",
        "booking.changed",
    )
    assert (waiting["message"], waiting["received_at"]) == (found.decisions[0].message, "2026-05-01T08:00:00Z")


def test_all_requests_of_a_decision_are_told() -> None:
    """Two cards paid, two are asked; in the order of their names."""
    camp = Campsite()
    camp.send(booking("A", (12_000, 8_000)))
    for payid in ("3001", "3002", "3003", "3004"):
        one = payment("A", payid, 5_000)
        camp.send({**one, "id": f"paid-{payid}", "data": {**one["data"], "payment": f"P-{payid}", "order": f"A-{payid}"}})
    camp.send(asked("A", confirm=True))
    found = told(camp, "A")
    camp.close()
    made = named(found, "cancellation.request").effects

    assert len(made) == 4
    assert list(made) == sorted(request.effect for request in found.requests)
