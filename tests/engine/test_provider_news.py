"""What the provider says of payments and refunds after everybody thought that they were over: a folio is told, whoever hears it first."""

from __future__ import annotations

from typing import Any

import pytest

from engine import ledger_check, routes
from engine.verify import verify
from handlers.outcome import Outcome
from tests.engine.sandbox import Sandbox, arrival, booking, names

MAINTENANCE = {"endpoint": "maintenance"}
HOUR = 3600
BACK = {"folio": "B-1", "payment": "P-O-1", "currency": "EUR", "provider": "ogone", "merchant": "azur"}


def true(box: Sandbox) -> bool:
    """The book, the folios and the log say the same."""
    return ledger_check.check(box.database).true and verify(box.database).agrees


def authorised(box: Sandbox, amount: int = 20_000, number: str = "1", **more: Any) -> str:
    """A booking and its authorisation, known by `more`; the PAYID."""
    box.say("booking.confirmed", booking(f"B-{number}", price=amount))
    payid = box.provider.create(f"O-{number}", amount, "EUR", box.now(), operation="RES", callback=False)
    data = {
        "folio": f"B-{number}", "payment": f"P-{number}", "amount": amount, "currency": "EUR", "provider": "ogone", "merchant": "azur",
        "order": f"O-{number}", **more,
    }  # fmt: skip
    box.say("payment.authorised", data)
    return payid


@pytest.mark.parametrize(("taken", "sent"), [(20_000, []), (15_000, [("RFD", 5_000, "8")])])
def test_x_13_a_planned_refund_is_withdrawn_when_its_money_is_taken_back(taken: int, sent: list[tuple[str, int, str]]) -> None:
    """Charged back while payouts stand still: afterwards goes out what is left, and nothing else."""
    box = Sandbox()
    payid = box.paid()
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    box.cancel()
    box.say("payment.reversed", {**BACK, "amount": taken})
    box.say("payouts.start", {"reason": "go on"}, actor="operator")
    box.pass_time(HOUR)

    assert (box.operations(payid), box.rows("SELECT state FROM effect ORDER BY created_at, minor DESC")[0]["state"]) == (
        sent,
        "refused",
    )
    assert true(box)


def test_x_17_a_charge_back_beside_a_refund_of_another_payment_is_told() -> None:
    """100 of each of two cards, 100 kept, 100 planned on the second one: the first is charged back, and a person hears of what is owed."""
    box = Sandbox()
    box.paid(amount=10_000)
    box.pay("B-1", 10_000, "O-2")
    box.until("2026-07-22T08:00:00+00:00")
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    box.cancel()

    outcomes = box.say("payment.reversed", {**BACK, "amount": 10_000})

    assert [data["amount"] for name, data in outcomes if name == "effect.needs_person"] == [10_000]
    assert true(box)


def test_x_19_a_refund_is_due_as_long_as_a_part_of_it_is_open() -> None:
    """Two payments, one of them charged back: what is owed of the other one has its day still."""
    box = Sandbox()
    box.paid(amount=10_000)
    box.pay("B-1", 10_000, "O-2")
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    box.cancel()

    box.say("payment.reversed", {**BACK, "amount": 10_000})

    assert [part.status.value for refund in box.folio().refunds for part in refund.parts] == ["requested", "dropped"]
    assert len(box.rows("SELECT name FROM timer WHERE name LIKE 'refund_due%'")) == 1
    assert true(box)


def test_x_13_a_refused_refund_is_nobodys_work_any_more() -> None:
    """Refused by the provider, it waited for a person's hands; then the payment was charged back."""
    box = Sandbox({"when": MAINTENANCE, "status": "83"})
    box.paid()
    assert "refund.refused_by_provider" in names(box.cancel())

    box.say("payment.reversed", {**BACK, "amount": 20_000})

    (refund,) = box.folio().refunds
    assert [part.status.value for part in refund.parts] == ["dropped"]
    assert box.folio().payments[0].refunding == 0
    assert true(box)


def test_x_15_a_withdrawn_request_has_nothing_to_be_settled() -> None:
    """A person who settles it all the same is refused; the folio goes on."""
    box = Sandbox()
    box.paid()
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    box.cancel()
    effect = box.effect()["id"]
    box.say("payment.reversed", {**BACK, "amount": 20_000})

    assert box.folio().effects == ()
    assert "effect.refused" in names(
        box.say("effect.settle", {"subject": effect, "result": "refused", "reason": "x"}, actor="operator")
    )


def test_callbacks_by_order_alone_keep_to_their_payments() -> None:
    """Two callbacks without a PAYID in one chunk: each asks about its own order."""
    box = Sandbox()
    box.say("booking.confirmed", booking("B-1", price=7_000))
    payid = box.provider.create("O-1", 7_000, "EUR", box.now(), operation="SAL", callback=False)
    paid = {"folio": "B-1", "payment": "P-1", "amount": 7_000, "currency": "EUR", "provider": "ogone", "merchant": "azur"}
    box.say("payment.authorised", {**paid, "order": "O-1"})
    authorised(box, number="2")
    told = [
        {"provider": "ogone", "merchant": "azur", "order": "O-1", "status": "9"},
        {"provider": "ogone", "merchant": "azur", "order": "O-2", "status": "5"},
    ]
    box.append(*(arrival(f"told-{n}", "provider.notified", data) for n, data in enumerate(told)))
    box.drain()

    first, second = box.folio("B-1").payments[0], box.folio("B-2").payments[0]
    assert (first.captured, first.reference, second.captured) == (7_000, payid, 0)
    assert box.rows("SELECT * FROM payment_query") == []


def test_a_look_before_a_send_tells_what_it_finds_of_the_payment() -> None:
    """The sale has failed since (93) and nobody said so: the folio hears it from the look, and no refund goes out."""
    box = Sandbox()
    payid = box.paid()
    box.provider.settle(payid, 0, "93", box.now())

    box.cancel()
    box.pass_time(HOUR)

    payment = box.folio().payments[0]
    assert (payment.captured - payment.reversed, payment.refunded, payment.refunding) == (0, 0, 0)
    assert true(box)


def test_a_capture_by_others_is_told_by_the_look() -> None:
    """The house has captured in the back office: our closing is not needed, and the folio knows of the money."""
    box = Sandbox()
    box.say("booking.confirmed", booking("B-1"))
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", callback=False)
    box.say("payment.authorised", {**BACK, "amount": 20_000, "provider_reference": payid, "order": "O-1"})
    box.provider.back_office(payid, "SAL", 20_000, box.now())

    box.cancel()
    box.pass_time(24 * HOUR)
    box.notified(payid, "9")

    assert box.folio().payments[0].captured == 20_000


def test_a_payment_that_turns_again_and_again() -> None:
    """9, 93, 9, 93, 9 of a sale: what the provider holds is what the folio has collected, and can be given back."""
    box = Sandbox()
    payid = box.paid()
    for status, collected in (("93", 0), ("9", 20_000), ("93", 0), ("9", 20_000)):
        box.wait(HOUR)
        box.provider.settle(payid, 0, status, box.now())
        box.notified(payid, status)
        payment = box.folio().payments[0]
        assert payment.captured - payment.reversed == collected, status
        assert true(box), status

    assert "refund.executed" in names(box.cancel())


def test_a_late_message_of_a_payment_that_was_taken_back_is_stale() -> None:
    """Only the provider's own history brings it back (X-2)."""
    box = Sandbox()
    payid = box.paid()
    box.say("payment.reversed", {**BACK, "amount": 20_000})
    box.say("payment.received", {**BACK, "amount": 20_000, "provider_reference": payid, "order": "O-1"})

    assert (box.folio().payments[0].reversed, box.results("payment.received")) == (20_000, ["decided", "stale"])


def test_an_uncertain_record_does_not_overrule_a_person() -> None:
    """82, and a person says that it was refused: it waits for their hands until the provider knows."""
    box = Sandbox({"when": MAINTENANCE, "status": "82"})
    payid = box.paid()
    box.cancel()
    effect = box.effect()["id"]
    box.say("effect.settle", {"subject": effect, "result": "refused", "reason": "never went"}, actor="operator")
    outcomes = box.notified(payid, "82")
    assert "refund.executed" not in names(outcomes)
    assert box.folio().payments[0].refunded == 0

    box.provider.settle(payid, 1, "8", box.now())
    assert "refund.executed" in names(box.notified(payid, "8"))
    assert box.folio().payments[0].refunded == 20_000


def test_x_3_what_was_counted_of_a_record_is_what_its_failure_brings_back() -> None:
    """Two back-office refunds and ours take everything; one of the two fails, is done again, of which nothing is left to be counted,
    and fails again: the other one still stands."""
    box = Sandbox()
    payid = box.paid()
    first = box.provider.back_office(payid, "RFD", 10_000, box.now())
    box.notified(payid)
    box.provider.settle(payid, first, "83", box.now())
    box.notified(payid, "83")
    box.provider.back_office(payid, "RFD", 3_000, box.now())
    box.notified(payid)
    box.cancel()
    box.pass_time(HOUR)
    assert (box.folio().payments[0].refunded, box.folio().payments[0].foreign) == (17_000, 3_000)

    for status in ("8", "83", "8", "83"):
        box.wait(HOUR)
        box.provider.settle(payid, first, status, box.now())
        box.notified(payid, status)
        assert (box.folio().payments[0].refunded, box.folio().payments[0].foreign) == (17_000, 3_000), status
    assert true(box)


def test_x_17_a_void_that_fails_after_all_is_told() -> None:
    """6, then 63: the authorisation stands again, and a person knows."""
    box = Sandbox()
    box.say("booking.confirmed", booking("B-1"))
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", callback=False)
    box.say("payment.authorised", {**BACK, "amount": 20_000, "provider_reference": payid, "order": "O-1"})
    assert "payment.voided" in names(box.cancel())

    box.wait(HOUR)
    box.provider.settle(payid, 1, "63", box.now())
    outcomes = box.notified(payid, "63")

    assert "effect.needs_person" in names(outcomes)
    assert (box.effect()["state"], box.folio().payments[0].status.value) == ("reversed", "authorised")
    assert true(box)


@pytest.mark.parametrize("told_first", [True, False])
def test_x_19_a_refund_in_the_back_office_that_a_person_tells_of_counts_once(told_first: bool) -> None:
    """Ours was refused; the house gives back in the back office and says so, before the provider shows it or after."""
    box = Sandbox({"when": MAINTENANCE, "status": "83"})
    payid = box.paid()
    box.cancel()
    box.wait(HOUR)
    box.provider.back_office(payid, "RFD", 20_000, box.now())
    (refund,) = box.folio().refunds
    by_hand = {"folio": "B-1", "refund": refund.refund, "payment": "P-O-1", "amount": 20_000, "currency": "EUR"}

    for told in (told_first, not told_first):
        if told:
            box.say("refund.executed_externally", by_hand, actor="operator")
        else:
            box.notified(payid)

    payment = box.folio().payments[0]
    assert (payment.refunded, payment.foreign, payment.refunding) == (20_000, 0, 0)
    box.provider.settle(payid, 2, "83", box.now())
    box.wait(HOUR)
    assert "refund.executed" not in names(box.notified(payid, "83"))
    assert (box.folio().payments[0].refunded, box.folio().payments[0].refunding) == (0, 20_000)
    assert true(box)


def test_x_19_another_refund_beside_one_that_a_person_found_done_is_foreign() -> None:
    """Ours fell silent, a person said that it was done; its record is its own, and an equal one is somebody else's."""
    box = Sandbox({"when": MAINTENANCE, "answer": "silence"})
    payid = box.paid()
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel()
    done = {"subject": box.effect()["id"], "result": "confirmed", "reason": "seen"}
    box.say("effect.settle", done, actor="operator")

    box.provider.back_office(payid, "RFD", 10_000, box.now())
    box.wait(60)
    box.notified(payid)

    payment = box.folio().payments[0]
    assert (payment.refunded, payment.foreign) == (10_000, 10_000)
    assert true(box)


@pytest.mark.parametrize("told_first", [True, False])
def test_x_19_a_refund_elsewhere_that_a_person_tells_by_its_payment_counts_once(told_first: bool) -> None:
    """The house gives back 50 in the back office, and says so, before the provider shows it or after; the next one is another."""
    box = Sandbox()
    payid = box.paid()
    for counted in (5_000, 10_000):
        box.provider.back_office(payid, "RFD", 5_000, box.now())
        for told in (told_first, not told_first):
            box.wait(60)
            if told:
                box.say("refund.executed_externally", {**BACK, "amount": 5_000}, actor="operator")
            else:
                box.notified(payid)
        assert box.folio().payments[0].foreign == counted
    assert true(box)


@pytest.mark.parametrize("named", [{"order": "O-1"}, {}], ids=["by its order", "by nothing"])
def test_x_19_a_word_about_a_payment_whose_id_is_not_known_yet_counts_once(named: dict[str, str]) -> None:
    """The provider shows it as soon as we hear under which id it knows the payment."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), callback=False)
    box.say("payment.received", {**BACK, "amount": 20_000, **named})
    box.provider.back_office(payid, "RFD", 5_000, box.now())
    box.say(
        "refund.executed_externally", {"folio": "B-1", "payment": "P-O-1", "amount": 5_000, "currency": "EUR"}, actor="operator"
    )

    box.say("payment.received", {**BACK, "amount": 20_000, "order": "O-1", "provider_reference": payid})
    box.notified(payid)

    payment = box.folio().payments[0]
    assert (payment.foreign, payment.foreign_told, payment.foreign_records) == (5_000, (), (f"{payid}/1",))
    assert true(box)


def test_x_19_a_word_is_one_record() -> None:
    """The house says once that it gave 50 back, the provider shows two refunds of 50."""
    box = Sandbox()
    payid = box.paid()
    box.say("refund.executed_externally", {**BACK, "amount": 5_000}, actor="operator")
    for _ in range(2):
        box.provider.back_office(payid, "RFD", 5_000, box.now())
        box.wait(60)
        box.notified(payid)

    assert box.folio().payments[0].foreign == 10_000
    assert true(box)


def test_x_19_a_part_that_a_record_has_closed_is_not_given_back_again_by_a_word() -> None:
    """Ours was refused; the provider shows the house's refund, and then a person tells of it by the payment alone."""
    box = Sandbox({"when": MAINTENANCE, "status": "83"})
    payid = box.paid()
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel()
    box.wait(HOUR)
    box.provider.back_office(payid, "RFD", 10_000, box.now())
    box.notified(payid)

    box.say("refund.executed_externally", {**BACK, "amount": 10_000}, actor="operator")

    payment = box.folio().payments[0]
    assert (payment.refunded, payment.foreign) == (10_000, 0)
    assert true(box)


def two_refused() -> tuple[Sandbox, str, list[str]]:
    """Two services cancelled one after the other, both refunds of 100 refused by the provider; the PAYID and the refunds."""
    box = Sandbox({"when": MAINTENANCE, "status": "83"})
    stay = booking(price=10_000)
    box.say("booking.confirmed", {**stay, "lines": [{**stay["lines"][0], "line": number} for number in ("1", "2")]})
    payid = box.pay("B-1", 20_000, "O-1")
    for number in ("1", "2"):
        box.cancel(request=f"C-{number}", lines=[number])
    box.wait(HOUR)
    return box, payid, [refund.refund for refund in box.folio().refunds]


@pytest.mark.parametrize("told_first", [True, False])
@pytest.mark.parametrize("named", [0, 1], ids=["the first", "the second"])
def test_x_19_the_refund_that_a_person_names_is_the_one_that_the_record_shows(named: int, told_first: bool) -> None:
    """One of two equal ones is given back in the back office: that one, whoever tells of it first; the other one stays open."""
    box, payid, refunds = two_refused()
    box.provider.back_office(payid, "RFD", 10_000, box.now())
    by_hand = {"folio": "B-1", "refund": refunds[named], "amount": 10_000, "currency": "EUR"}

    for told in (told_first, not told_first):
        if told:
            box.say("refund.executed_externally", by_hand, actor="operator")
        else:
            box.notified(payid)

    (paid,) = box.folio().payments
    parts = [part for refund in box.folio().refunds for part in refund.parts]
    assert (paid.refunded, paid.refunding, paid.foreign) == (10_000, 10_000, 0)
    assert [part.record for part in parts if part.status.value == "executed"] == [f"{payid}/3"]
    assert [part.status.value == "executed" for part in parts] == [named == 0, named == 1]

    box.say("refund.executed_externally", {**by_hand, "refund": refunds[1 - named]}, actor="operator")

    assert (box.folio().payments[0].refunded, {one.status.value for one in box.folio().requests}) == (20_000, {"refunded"})
    assert true(box)


def test_x_19_a_refund_that_a_record_has_closed_is_told_once() -> None:
    """The person's word about it is that record's, and its repetition says nothing."""
    box, payid, refunds = two_refused()
    box.provider.back_office(payid, "RFD", 10_000, box.now())
    box.notified(payid)
    by_hand = {"folio": "B-1", "refund": refunds[0], "amount": 10_000, "currency": "EUR"}
    for _ in range(2):
        box.say("refund.executed_externally", by_hand, actor="operator")

    assert box.results("refund.executed_externally") == ["decided", "stale"]
    assert (box.folio().payments[0].refunded, box.folio().payments[0].foreign_shown) == (10_000, ())


def test_x_1_a_record_is_not_claimed_twice_by_a_persons_word() -> None:
    """Two equal refunds, the second one in doubt: the first one's record does not settle it, and its money stays owed."""
    box = Sandbox({"when": {**MAINTENANCE, "call": 2}, "answer": "silence", "act": "never"})
    stay = booking(price=10_000)
    box.say("booking.confirmed", {**stay, "lines": [{**stay["lines"][0], "line": number} for number in ("1", "2")]})
    payid = box.pay("B-1", 20_000, "O-1")
    for number in ("1", "2"):
        box.cancel(request=f"C-{number}", lines=[number])
    box.pass_time(72 * HOUR)
    doubtful = box.one("SELECT id FROM effect WHERE state = 'needs_person'")["id"]

    word = {"subject": doubtful, "result": "confirmed", "reason": "seen", "provider_record": f"{payid}/1"}
    ((name, said),) = box.say("effect.settle", word, actor="operator")

    assert (name, said["code"], said["field"], said["value"]) == ("effect.refused", "record_taken", "provider_record", f"{payid}/1")
    assert (box.folio().payments[0].refunded, box.folio().payments[0].refunding) == (10_000, 10_000)
    assert true(box)


def test_x_3_our_own_refund_that_is_done_after_all_is_no_persons() -> None:
    """In doubt, said to be refused, given back by bank transfer; then the provider makes it: twice, and a person hears of it."""
    box = Sandbox({"when": MAINTENANCE, "status": "82"})
    payid = box.paid()
    box.cancel()
    box.say("effect.settle", {"subject": box.effect()["id"], "result": "refused", "reason": "looks so"}, actor="operator")
    (refund,) = box.folio().refunds
    by_hand = {"folio": "B-1", "refund": refund.refund, "payment": "P-O-1", "amount": 20_000, "currency": "EUR"}
    box.say("refund.executed_externally", by_hand, actor="operator")
    box.wait(HOUR)
    box.provider.settle(payid, 1, "8", box.now())

    assert "effect.needs_person" in names(box.notified(payid))
    assert true(box)


def _defect(message: Any, facts: Any) -> Outcome:
    raise RuntimeError("a defect of ours")


def test_x_13_nothing_leaves_while_a_charge_back_queues_behind_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect blocks the folio; what came after it waits, and so does what had been planned before."""
    box = Sandbox()
    payid = box.paid()
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    box.cancel()
    monkeypatch.setattr(routes, "ROUTES", {**routes.ROUTES, "booking.changed": _defect})
    box.say("booking.changed", {**booking(price=100), "revision": 9})
    box.say("payment.reversed", {**BACK, "amount": 20_000})
    box.say("payouts.start", {"reason": "go on"}, actor="operator")
    box.pass_time(HOUR)

    assert box.operations(payid) == []
    assert box.rows("SELECT name FROM blocked") == [{"name": "payment.reversed"}]


SILENCE = {"when": MAINTENANCE, "answer": "silence", "act": "never"}


@pytest.mark.parametrize(
    ("rules", "failed"),
    [(({"when": MAINTENANCE, "status": "81"},), "83"), ((), "83"), ((SILENCE,), "by a person")],
    ids=["accepted, then refused", "made, then reversed", "silent, refused by a person"],
)
def test_x_13_a_refund_that_fails_after_a_charge_back_is_nobodys_work(rules: tuple[dict[str, Any], ...], failed: str) -> None:
    """The payment is charged back meanwhile: nobody is asked to give back what is gone."""
    box = Sandbox(*rules)
    payid = box.paid()
    box.cancel()
    effect = box.effect()["id"]
    box.say("payment.reversed", {**BACK, "amount": 20_000})
    payment = box.folio().payments[0]
    assert payment.refunding + payment.refunded == 20_000

    box.wait(60)
    if failed == "83":
        box.provider.settle(payid, 1, "83", box.now())
        outcomes = box.notified(payid, "83")
    else:
        outcomes = box.say("effect.settle", {"subject": effect, "result": "refused", "reason": "x"}, actor="operator")

    assert "refund.manual_required" not in names(outcomes)
    assert [data["balance"] for name, data in outcomes if name == "folio.balance_changed"] == [0]
    folio = box.folio()
    assert [part.status.value for refund in folio.refunds for part in refund.parts] == ["dropped"]
    assert (folio.payments[0].refunding, [request.status.value for request in folio.requests]) == (0, ["confirmed"])
    assert box.rows("SELECT name FROM timer WHERE name LIKE 'refund_due%'") == []
    assert true(box)


def test_x_19_told_as_one_and_shown_as_two_is_for_a_person() -> None:
    """A person tells 80, the provider shows 50 and 30: nobody can say whether that is the same, but somebody is asked."""
    box = Sandbox()
    payid = box.paid()
    box.say("refund.executed_externally", {**BACK, "amount": 8_000}, actor="operator")
    outcomes = []
    for minor in (5_000, 3_000):
        box.provider.back_office(payid, "RFD", minor, box.now())
        box.wait(60)
        outcomes += box.notified(payid)

    assert [data["amount"] for name, data in outcomes if name == "effect.needs_person"] == [5_000, 3_000]
    assert true(box)


def test_x_19_the_rest_of_a_refund_that_another_one_overtook_keeps_its_request_open() -> None:
    """150 in the back office against our planned 200: 50 are still to be given back by hand, and the request says so."""
    box = Sandbox()
    payid = box.paid()
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    box.cancel()
    box.provider.back_office(payid, "RFD", 15_000, box.now())
    box.notified(payid)

    folio = box.folio()
    assert [(part.minor, part.status.value) for refund in folio.refunds for part in refund.parts] == [
        (20_000, "dropped"), (5_000, "manual"),
    ]  # fmt: skip
    assert [request.status.value for request in folio.requests] == ["refunding"]


def in_dollars(box: Sandbox, operation: str) -> str:
    """A stay of 200.00 EUR, whose payment is one of 200.00 USD at the provider; the PAYID."""
    box.say("booking.confirmed", booking())
    payid = box.provider.create("O-1", 20_000, "USD", box.now(), operation=operation, callback=False)
    told = {**BACK, "amount": 20_000, "order": "O-1", "provider_reference": payid}
    box.say("payment.authorised" if operation == "RES" else "payment.received", told)
    return payid


def reasons(outcomes: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """What people are asked to look at."""
    return [data["reason"] for name, data in outcomes if name == "effect.needs_person"]


@pytest.mark.parametrize("operation", ["SAL", "RFD"])
def test_x_4_money_of_another_currency_is_not_the_folios(operation: str) -> None:
    """A capture or a refund of 200.00 USD in the back office: not 200.00 EUR, once for a person, who hears both currencies."""
    box = Sandbox()
    payid = in_dollars(box, "RES" if operation == "SAL" else "SAL")
    before = box.folio().payments[0]
    box.provider.back_office(payid, operation, 20_000, box.now())
    outcomes = box.notified(payid)
    box.wait(60)
    outcomes += box.notified(payid)

    after = box.folio().payments[0]
    assert (after.captured, after.foreign) == (before.captured, before.foreign)
    (reason,) = [reason for reason in reasons(outcomes) if "/1:" in reason]
    assert "200.00 USD" in reason
    assert "EUR" in reason
    assert true(box)


@pytest.mark.parametrize("operation", ["RES", "SAL"])
def test_x_4_nothing_is_asked_of_a_payment_in_another_currency(operation: str) -> None:
    """A release or a refund of 200.00 EUR: a person is told, and may say how it ended."""
    box = Sandbox()
    payid = in_dollars(box, operation)
    outcomes = box.cancel() + box.pass_time(HOUR)

    assert box.sent() == 0
    assert any("USD" in reason and "EUR" in reason for reason in reasons(outcomes))
    effect = box.effect()
    assert (effect["state"], effect["sent_at"], box.operations(payid)) == ("needs_person", 0, [])
    box.say("effect.settle", {"subject": effect["id"], "result": "confirmed", "reason": "done there"}, actor="operator")
    assert box.effect()["state"] == "confirmed"
    assert true(box)
