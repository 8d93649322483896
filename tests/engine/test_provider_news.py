"""What the provider says of payments and refunds after everybody thought that they were over: a folio is told, whoever hears it first."""

from __future__ import annotations

from typing import Any

import pytest

from engine import ledger_check
from engine.verify import verify
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


@pytest.mark.parametrize(("taken", "sent"), [(20_000, []), (15_000, [("RFS", 5_000, "8")])])
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


# -- captures by others ------------------------------------------------------------------------------------------------------------

UNASKABLE = {"when": {"endpoint": "query", "call": 1}, "status": "88"}


def half_kept(*rules: dict[str, Any]) -> tuple[Sandbox, str]:
    """An authorised stay of 200 that is cancelled the day before: we capture 100, and cannot do so at once by `rules`. The PAYID."""
    box = Sandbox(*rules)
    payid = authorised(box, provider_reference="3000000001")
    box.until("2026-07-22T08:00:00+00:00")
    box.cancel()
    return box, payid


def books(box: Sandbox, payid: str) -> tuple[int, int]:
    """What stands captured at the provider, and what the folio says."""
    operations = [one for one in box.operations(payid) if one[0] in ("SAL", "SAS") and one[2] == "9"]
    payment = box.folio().payments[0]
    return sum(minor for _, minor, _ in operations), payment.captured - payment.reversed


@pytest.mark.parametrize(
    ("taken", "sent", "collected", "owed"),
    [
        ((10_000,), [], 10_000, 0),
        ((12_000,), [], 12_000, 0),
        ((4_000,), [], 4_000, 6_000),
        ((4_000, 6_000), [], 10_000, 6_000),
        ((), [("SAS", 10_000, "9")], 10_000, 0),
    ],
)
def test_x_17_what_was_captured_elsewhere_is_not_captured_again(
    taken: tuple[int, ...], sent: list[tuple[str, int, str]], collected: int, owed: int
) -> None:  # fmt: skip
    """While ours waits, the back office takes it, more, or a part: ours is withdrawn, and a person is told of what is owed then."""
    box, payid = half_kept(UNASKABLE)
    for minor in taken:
        box.provider.back_office(payid, "SAL", minor, box.now())

    outcomes = box.pass_time(HOUR)

    assert [one for one in box.operations(payid) if one[0] == "SAS"] == sent
    told = [data["amount"] for name, data in outcomes if name == "effect.needs_person"]
    assert (books(box, payid), sum(told[-1:])) == ((collected, collected), owed)
    assert true(box)


@pytest.mark.parametrize("taken", [(10_000, 10_000), (12_000, 8_000), (8_000, 12_000)])
def test_x_1_each_capture_by_others_counts_once(taken: tuple[int, int]) -> None:
    """Two in the back office, equal or not, each told by callbacks that come twice."""
    box = Sandbox()
    payid = authorised(box)
    for minor in taken:
        box.provider.back_office(payid, "SAL", minor, box.now())
        for _ in range(2):
            box.wait(60)
            box.say("provider.notified", {"provider": "ogone", "merchant": "azur", "order": "O-1", "status": "9"})

    assert books(box, payid) == (20_000, 20_000)
    assert true(box)


def test_x_1_a_capture_that_the_house_told_of_and_the_provider_shows_is_one() -> None:
    """The PMS captures in its own back office and says so; the provider's history is the same money, the next record is not."""
    box = Sandbox()
    payid = authorised(box)
    box.provider.back_office(payid, "SAL", 10_000, box.now())
    box.say("payment.received", {**BACK, "payment": "P-1", "amount": 10_000, "provider_reference": payid, "status": "9"})
    box.notified(payid, "9")
    assert books(box, payid) == (10_000, 10_000)

    box.wait(60)
    box.provider.back_office(payid, "SAL", 10_000, box.now())
    box.notified(payid, "9")

    assert books(box, payid) == (20_000, 20_000)
    assert true(box)


def test_x_1_our_own_capture_that_the_house_tells_of_first_is_one() -> None:
    """Its answer is lost; the PMS sees it at the provider and says so before we have asked."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence"})
    box.say("payment.received", {**BACK, "payment": "P-1", "amount": 10_000, "provider_reference": payid, "status": "9"})

    outcomes = box.pass_time(HOUR)

    assert (books(box, payid), box.effect()["state"]) == ((10_000, 10_000), "confirmed")
    assert "effect.needs_person" not in names(outcomes)
    assert true(box)


@pytest.mark.parametrize("told_first", [False, True])
def test_x_17_what_is_captured_beside_ours_is_given_back_or_told(told_first: bool) -> None:
    """Ours is made late, another one in the back office before it, and both stand. What is heard last is too much: that of others goes
    back by itself, of ours a person hears."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence", "act": "after", "act_after_s": 60})
    box.provider.back_office(payid, "SAL", 4_000, box.now())
    box.pass_time(HOUR)
    effect = box.effect()
    assert (effect["state"], box.folio().payments[0].captured) == ("needs_person", 0)

    theirs = {**BACK, "payment": "P-1", "amount": 4_000, "record": f"{payid}/1", "status": "9"}
    done = {"subject": effect["id"], "result": "confirmed", "reason": "seen", "provider_record": f"{payid}/2"}
    first = box.say("payment.received", theirs) if told_first else []
    second = box.say("effect.settle", done, actor="operator")
    third = box.notified(payid, "9")

    assert books(box, payid) == (14_000, 14_000)
    taken = [data["amount"] for name, data in first + second + third if name == "payment.captured"]
    assert taken == ([4_000, 10_000] if told_first else [10_000, 4_000])
    asked = [data["amount"] for name, data in second if name == "effect.needs_person"]
    returned = [data["amount"] for name, data in second + third if name == "refund.requested"]
    assert (asked, returned) == (([4_000], []) if told_first else ([], [4_000]))
    assert true(box)


def test_x_6_a_capture_that_a_person_said_was_done_is_the_one_that_is_shown_later() -> None:
    """Without its number: the record that shows itself afterwards is it, and the next one is another."""
    box, payid = half_kept({"when": MAINTENANCE, "answer": "silence", "act": "never"})
    done = {"subject": box.effect()["id"], "result": "confirmed", "reason": "seen"}
    box.say("effect.settle", done, actor="operator")
    assert box.folio().payments[0].captured == 10_000

    for minor, captured in ((10_000, 10_000), (3_000, 13_000)):
        box.provider.back_office(payid, "SAL", minor, box.now())
        box.wait(60)
        box.notified(payid, "9")
        assert books(box, payid) == (captured, captured)
    assert true(box)


def test_a_capture_of_others_that_is_refused_undoes_nothing() -> None:
    """The authorisation stands, and what was captured before."""
    box = Sandbox()
    payid = authorised(box, provider_reference="3000000001")
    box.provider.back_office(payid, "SAL", 5_000, box.now(), status="93")
    box.notified(payid, "93")
    assert box.folio().payments[0].status.value == "authorised"

    box.wait(60)
    box.provider.back_office(payid, "SAL", 6_000, box.now())
    box.provider.back_office(payid, "SAL", 5_000, box.now(), status="93")
    box.notified(payid, "9")

    assert books(box, payid) == (6_000, 6_000)
    assert true(box)


def test_a_charge_back_that_is_told_before_the_payment_is_shown_stays() -> None:
    """The provider goes on showing the sale that its bank took back: its record is no money again."""
    box = Sandbox()
    payid = box.paid()
    box.say("payment.reversed", {**BACK, "amount": 20_000})

    box.notified(payid, "9")

    payment = box.folio().payments[0]
    assert (payment.captured, payment.reversed, payment.status.value) == (20_000, 20_000, "reversed")
    assert true(box)


def test_x_17_a_refused_void_that_is_done_after_all_is_told() -> None:
    """63, then 6, then 63: nothing is held, and then it is again; a person hears of the turn that costs the guest."""
    box = Sandbox({"when": MAINTENANCE, "status": "63"})
    payid = authorised(box, provider_reference="3000000001")
    assert "effect.needs_person" in names(box.cancel())
    box.wait(HOUR)
    box.notified(payid, "63")

    box.provider.settle(payid, 1, "6", box.now())
    assert "payment.voided" in names(box.notified(payid, "6"))
    assert box.folio().payments[0].status.value == "voided"

    box.wait(HOUR)
    box.provider.settle(payid, 1, "63", box.now())
    assert "effect.needs_person" in names(box.notified(payid, "63"))
    assert box.folio().payments[0].status.value == "authorised"
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
