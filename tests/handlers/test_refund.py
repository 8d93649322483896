"""Refunds: over which payments, where to, replies of the provider, people's hands, back offices, alarms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import payment, refund_reply
from handlers.refund import decide_overdue
from handlers.refund_parts import allocation
from ledger.balance import balance
from schemas.booking import BalanceChanged, CollectedBy
from schemas.effect import EffectMove, EffectState, Move, Result
from schemas.errors import Early, Rejected, Stale
from schemas.folio import Folio, FolioPayment, PartStatus, PaymentStatus, RequestStatus
from schemas.operations import EffectNeedsPerson, TimerFired
from schemas.payment import Tender
from schemas.policy import TenderOrder, WithinTender
from schemas.refund import RefundDecided, RefundExecuted, RefundManualRequired, RefundOverdue
from tests.handlers.campsite import CAMP, TWO_LINES, fact, kinds, line, paid
from tests.handlers.cancelling import Leaving, before, leaving


def money(payment: str, captured: int, tender: str = "card", at: int | None = None, **more: Any) -> FolioPayment:
    """A captured payment; `at` is its minute."""
    when = None if at is None else datetime(2026, 5, 1, 8, at, tzinfo=UTC)
    return FolioPayment(
        payment=payment, tender=Tender(tender), status=PaymentStatus.CAPTURED, position=int(payment[1:]), captured=captured,
        occurred_at=when, **more,
    )  # fmt: skip


def folio(*payments: FolioPayment) -> Folio:
    """A folio of these payments."""
    return replace(leaving(0).folio, payments=payments)


MIXED = (money("P1", 6_000, at=1), money("P2", 3_000, "voucher", at=2), money("P3", 4_000, at=3), money("P4", 1_000, "cash", at=4))


@pytest.mark.parametrize(
    ("order", "minor", "parts"),
    [
        pytest.param("proportional", 7_000, {"P3": 4_000, "P1": 1_000, "P2": 1_500, "P4": 500}, id="100:30:10, last paid first"),
        pytest.param("proportional", 1, {"P3": 1}, id="a cent goes to the largest remainder"),
        pytest.param("proportional", 14_000, {"P3": 4_000, "P1": 6_000, "P2": 3_000, "P4": 1_000}, id="everything"),
        pytest.param("card_first", 11_000, {"P3": 4_000, "P1": 6_000, "P2": 1_000}, id="card, then voucher, then cash"),
        pytest.param("voucher_first", 3_500, {"P2": 3_000, "P3": 500}, id="voucher, then card"),
        pytest.param("first_paid", 9_500, {"P1": 6_000, "P2": 3_000, "P3": 500}, id="in the order of paying"),
        pytest.param("last_paid", 5_500, {"P4": 1_000, "P3": 4_000, "P2": 500}, id="against it"),
    ],
)
def test_a_17_x_18_allocation(order: str, minor: int, parts: dict[str, int]) -> None:
    """Between tenders by tender_order, inside one last paid first."""
    policy = replace(CAMP, tender_order=TenderOrder(order))

    assert parts == {one.payment: part for one, part in allocation(folio(*MIXED), minor, policy)}


def test_x_3_the_last_cent_of_a_payment_can_be_given() -> None:
    """What holds nothing any more gives nothing."""
    paid_by = folio(money("P1", 1), money("P2", 1, "cash"), money("P3", 500, refunded=500))

    assert [(one.payment, part) for one, part in allocation(paid_by, 2, CAMP)] == [("P1", 1), ("P2", 1)]


def test_x_18_knob_first_paid_within_a_tender() -> None:
    """within_tender = first_paid."""
    policy = replace(CAMP, within_tender=WithinTender.FIRST_PAID)
    cards = folio(money("P1", 6_000, at=1), money("P2", 4_000, at=2))

    assert [(one.payment, part) for one, part in allocation(cards, 7_000, policy)] == [("P1", 6_000), ("P2", 1_000)]


def test_x_3_remainders_count_not_captures() -> None:
    """What was refunded, is being refunded, went back elsewhere, was charged back, or has no home gives nothing."""
    state = folio(
        money("P1", 1_000, refunded=400), money("P2", 1_000, refunding=300, foreign=300), money("P3", 1_000, reversed=1_000),
        money("P4", 1_000, unapplied=True),
    )  # fmt: skip

    assert [(one.payment, part) for one, part in allocation(state, 1_000, CAMP)] == [("P2", 400), ("P1", 600)]
    with pytest.raises(ValueError, match="above what was captured"):
        allocation(state, 1_001, CAMP)


@given(
    st.lists(st.tuples(st.sampled_from(list(Tender)), st.integers(0, 9_999), st.integers(0, 9_999)), min_size=1, max_size=6),
    st.integers(0, 10_000), st.sampled_from(list(TenderOrder)), st.sampled_from(list(WithinTender)),
)  # fmt: skip
def test_x_5_parts_add_up_and_fit(
    payments: list[tuple[Tender, int, int]], permille: int, order: TenderOrder, inside: WithinTender
) -> None:
    """No cent lost, none twice, no payment above its remainder."""
    state = folio(*(money(f"P{n}", a + b, tender.value, n % 60, refunded=b) for n, (tender, a, b) in enumerate(payments)))
    minor = sum(a for _, a, _ in payments) * permille // 10_000
    parts = allocation(state, minor, replace(CAMP, tender_order=order, within_tender=inside))

    assert minor == sum(part for _, part in parts)
    assert all(0 < part <= one.refundable() for one, part in parts)
    assert len(parts) == len({one.payment for one, _ in parts})


@pytest.mark.parametrize(
    ("more", "destination", "reason"),
    [
        pytest.param({"provider": "ogone", "merchant": "azur", "provider_reference": "301"}, "original_card", "", id="card"),
        pytest.param({"provider": "ogone", "merchant": "azur"}, "manual", "reference", id="card without the provider's id"),
        pytest.param({"merchant": "azur", "provider_reference": "301"}, "manual", "provider", id="card without a provider"),
        pytest.param({"tender": "cash"}, "manual", "cash", id="X-19 cash"),
        pytest.param({"tender": "holiday_voucher"}, "manual", "holiday_voucher", id="X-19 holiday voucher"),
        pytest.param({"tender": "voucher"}, "voucher", "voucher", id="S0-29 a voucher without a book, by hand"),
    ],
)
def test_s4_28_x_19_where_it_goes(more: dict[str, Any], destination: str, reason: str) -> None:
    """The original card, or a person's hands with the reason."""
    stay = leaving(0)
    stay.pay(paid(20_500, **more))
    out = stay.leave(at=before(10))

    assert [destination] == [one.destination for one in fact(out, RefundDecided).destinations]
    assert (destination == "original_card") == bool(out.requests)
    if reason:
        told = fact(out, RefundManualRequired)
        assert reason in told.reason
        assert (told.amount, told.payment) == (20_000, "P1")


def test_x_20_what_a_channel_collected_is_not_given_to_the_guest() -> None:
    """By hand, with the channel."""
    stay = leaving(20_500, collected_by=CollectedBy.CHANNEL.value)
    out = stay.leave(at=before(10))

    assert (out.requests, fact(out, RefundManualRequired).reason) == (
        (),
        "collected by channel: settle it there, not with the guest",
    )


def test_a_request_carries_what_the_provider_needs() -> None:
    """Number per payment, key, due date; RFS only for all that is left of the payment."""
    stay = leaving(20_500, *TWO_LINES, service_fee=0)
    (first,) = stay.leave("1", at=before(10)).requests
    (second,) = stay.leave("2", at=before(10), request="R2", cause="owner", actor={"kind": "merchant", "id": "m"}).requests

    assert ([first.business_key, second.business_key], [first.last, second.last]) == (["B-1/P1/1", "B-1/P1/2"], [False, True])
    assert (
        first.provider, first.merchant, first.reference, first.order, first.currency, first.property,
    ) == ("ogone", "azur", "301", "B1-1", "EUR", "camp-azur")  # fmt: skip
    assert first.due_by == datetime.fromisoformat(before(10)) + timedelta(days=14)


def test_s4_30_confirmed_by_the_provider() -> None:
    """Executed with its record; money left; refunded; alarm off; a second reply changes nothing."""
    stay = leaving()
    stay.leave(at=before(10))
    out = stay.reply("confirmed", record="301/2")

    refund = stay.folio.refunds[0].refund
    assert (RefundExecuted(refund=refund, payment="P1", amount=20_000, currency="EUR", provider_record="301/2"),) == out.facts
    assert (f"refund_due:{refund}",) == out.cancel
    assert (stay.folio.requests[0].status, stay.folio.effects) == (RequestStatus.REFUNDED, ())
    assert (stay.payment().refunded, stay.payment().refunding, balance(stay.entries, "money:ogone/azur", "EUR")) == (20_000, 0, 500)
    state = stay.folio
    for late in ("confirmed", "unknown", "accepted", "refused", "needs_person"):
        again = stay.reply(late)
        assert (again.facts, again.entries) == ((), ())
        assert state == stay.folio


def test_s4_30_refused_by_the_provider_is_never_forgotten() -> None:
    """refund_failed; the money waits for a person's hands, who then close it."""
    stay = leaving()
    out = stay.leave(at=before(10))
    refused = stay.reply("refused", code="50001218", message="no refunds allowed")

    assert kinds(refused) == ["RefundRefusedByProvider", "RefundManualRequired"]
    assert RequestStatus.REFUND_FAILED is stay.folio.requests[0].status
    assert fact(stay.fire(out, "refund_due"), RefundOverdue).amount == 20_000
    closed = stay.by_hand(20_000, refund=stay.folio.refunds[0].refund)
    assert [f.provider_record for f in closed.facts if isinstance(f, RefundExecuted)] == [""]
    assert (stay.folio.requests[0].status, stay.owes()) == (RequestStatus.REFUNDED, 0)


def test_x_6_unknown_is_told_once() -> None:
    """Unknown, accepted, unknown again, then confirmed."""
    stay = leaving()
    stay.leave(at=before(10))

    told = [kinds(stay.reply(state)) for state in ("accepted", "unknown", "unknown", "accepted", "unknown", "confirmed")]
    assert told == [[], ["RefundUnknown"], [], [], [], ["RefundExecuted"]]


def test_x_6_needs_a_person() -> None:
    """Told with the amount; still open."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.reply("unknown")
    out = stay.reply("needs_person", message="two records fit")

    assert (
        EffectNeedsPerson(effect=stay.requests[0].effect, reason="two records fit", amount=20_000, currency="EUR") == out.facts[0]
    )
    assert [part.status for part in stay.parts()] == [PartStatus.NEEDS_PERSON]


def test_success_that_later_turns_into_failure() -> None:
    """8, then 83 or 96: its own entry, owed again, alarm on again, then by hand."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.reply("confirmed")
    out = stay.reply("reversed", message="status 96")

    assert kinds(out) == ["RefundReversed", "RefundManualRequired"]
    assert [one.entry for one in out.entries] == ["refund_reopened"]
    assert [stay.folio.refunds[0].due_by] == [timer.due for timer in out.timers]
    assert RequestStatus.REFUND_FAILED is stay.folio.requests[0].status
    assert stay.reply("reversed").facts == ()
    stay.by_hand(20_000, payment="P1")
    assert (stay.payment().refunded, balance(stay.entries, "money:ogone/azur", "EUR")) == (20_000, 500)


def test_of_two_refunds_of_a_payment_one_comes_back() -> None:
    """The other one is still on its way."""
    stay = leaving(20_500, *TWO_LINES[:1], line("2", 8_000, kind="service"))
    stay.leave("1", at=before(10))
    first = stay.requests[0]
    stay.reply("confirmed")
    stay.leave("2", at=before(10), request="R2")
    stay.reply("reversed", first)

    assert (stay.payment().refunding, stay.payment().refunded) == (20_000, 0)


@pytest.mark.parametrize("status", list(PartStatus))
@pytest.mark.parametrize("state", list(EffectState))
def test_s4_30_moves_of_a_part(status: PartStatus, state: EffectState) -> None:
    """Executed only by yes, reversed only after executed, closed parts stay closed."""
    then = refund_reply.NEXT_PART.get((status, state))

    waits = status in (PartStatus.REQUESTED, PartStatus.UNKNOWN, PartStatus.NEEDS_PERSON)
    assert (then is PartStatus.EXECUTED) == (waits and state is EffectState.CONFIRMED)
    assert (then is PartStatus.REFUSED) == (waits and state is EffectState.REFUSED)
    assert (then is PartStatus.REVERSED) == (status is PartStatus.EXECUTED and state is EffectState.REVERSED)
    assert (then is PartStatus.UNKNOWN) == (status is PartStatus.REQUESTED and state is EffectState.UNKNOWN)
    assert (then is PartStatus.NEEDS_PERSON) == (
        status in (PartStatus.REQUESTED, PartStatus.UNKNOWN) and state is EffectState.NEEDS_PERSON
    )
    assert then is not status


def test_a_reply_nobody_waits_for_is_stale() -> None:
    """Another effect's."""
    stay = leaving()
    stay.leave(at=before(10))
    stray = replace(stay.requests[0], effect="effect-x")
    with pytest.raises(Stale):
        stay.reply("confirmed", stray)


def test_x_24_alarm_only_while_open() -> None:
    """Executed in time: stale."""
    stay = leaving()
    out = stay.leave(at=before(10))
    stay.reply("confirmed")
    with pytest.raises(Stale):
        stay.fire(out, "refund_due")


@pytest.mark.parametrize("known", [True, False])
def test_x_24_an_alarm_of_nothing_is_stale(known: bool) -> None:
    """No such refund, or no such booking."""
    stay = leaving() if known else Leaving()
    fired = TimerFired(name="refund_due:R9", due=datetime(2026, 7, 1, tzinfo=UTC), kind="refund_due", subject="R9")
    with pytest.raises(Stale) as nothing:
        decide_overdue(fired, stay.facts("timer.fired"))

    assert (nothing.value.field, nothing.value.value) == ("subject", "R9")


def two_by_hand() -> Leaving:
    """200 to give back by hand: 150 of cash, 50 of a cheque."""
    stay = leaving(0, service_fee=0)
    stay.pay(paid(15_000, tender="cash"))
    stay.pay(paid(5_000, "P2", tender="cheque"))
    stay.leave(at=before(10))
    return stay


@pytest.mark.parametrize(
    ("amounts", "code"),
    [
        pytest.param((20_000,), "", id="all at once"),
        pytest.param((5_000, 15_000), "", id="one by one"),
        pytest.param((10_000,), "amount_mismatch", id="no part of that amount"),
        pytest.param((20_001,), "amount_mismatch", id="a cent more"),
    ],
)
def test_x_19_closed_by_hand(amounts: tuple[int, ...], code: str) -> None:
    """By exact amounts."""
    stay = two_by_hand()
    refund = stay.folio.refunds[0].refund
    if code:
        with pytest.raises(Rejected) as why:
            stay.by_hand(amounts[0], refund=refund)
        assert why.value.code == code
        return
    outs = [stay.by_hand(amount, refund=refund) for amount in amounts]
    assert sum(f.amount for out in outs for f in out.facts if isinstance(f, RefundExecuted)) == 20_000
    assert (f"refund_due:{refund}",) == outs[-1].cancel
    with pytest.raises(Stale):
        stay.by_hand(15_000, refund=refund)
    with pytest.raises(Rejected) as no:
        stay.by_hand(14_999, refund=refund)
    assert no.value.code == "amount_mismatch"


@pytest.mark.parametrize(
    ("named", "kind", "code"),
    [
        ({"refund": "nope"}, Rejected, "unknown_refund"),
        ({}, Rejected, "refund_or_payment_missing"),
        ({"payment": "P9"}, Early, "early"),
    ],
)
def test_x_19_by_hand_of_nothing(named: dict[str, str], kind: type[Rejected], code: str) -> None:
    """Refused, or parked until the payment is there."""
    stay = leaving()
    with pytest.raises(kind) as why:
        stay.by_hand(100, **named)
    assert why.value.code == code
    if isinstance(why.value, Early):
        assert why.value.waits_for == payment.waits_for("P9")


def test_x_19_a_refund_that_nobody_decided() -> None:
    """Names a payment only: lowers what may still be given; the guest owes as much again."""
    stay = leaving()
    out = stay.by_hand(5_000, payment="P1")

    assert (BalanceChanged(ordered=20_500, collected=15_500, balance=5_000, currency="EUR"),) == out.facts
    with pytest.raises(Rejected) as why:
        stay.by_hand(15_501, payment="P1")
    assert why.value.code == "amount_above_total"


def test_foreign_refund_lowers_what_may_be_given() -> None:
    """50 of 205 went back at the provider: cancelling ten days before gives the other 150."""
    stay = leaving()
    out = stay.foreign(5_000)
    with pytest.raises(Stale):
        stay.foreign(5_000)
    (request,) = stay.leave(at=before(10)).requests

    assert (fact(out, BalanceChanged).balance, request.minor) == (5_000, 15_000)
    assert stay.owes() == 0


def test_foreign_refund_of_a_failed_part_closes_it() -> None:
    """Somebody did it at the provider's back office after our request was refused."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.reply("refused")
    out = stay.foreign(20_000, record="301/7")

    assert [f.provider_record for f in out.facts if isinstance(f, RefundExecuted)] == ["301/7"]
    assert RequestStatus.REFUNDED is stay.folio.requests[0].status


@pytest.mark.parametrize("end", [Result.REFUSED, Result.REVERSED])
def test_a_foreign_refund_that_failed_after_all_opens_what_it_had_closed(end: Result) -> None:
    """Its money is with us again and owed again, with its alarm."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.reply("refused")
    stay.foreign(20_000, record="301/7")
    out = stay.foreign(20_000, record="301/7", result=end)
    refund = stay.folio.refunds[0]

    assert kinds(out) == ["RefundReversed", "RefundManualRequired"]
    assert [(one.entry, one.minor) for one in out.entries] == [("refund_reopened", 20_000)]
    assert [(timer.name, timer.due) for timer in out.timers] == [(f"refund_due:{refund.refund}", refund.due_by)]
    assert (refund.parts[0].status, stay.payment().refunded, stay.payment().refunding) == (PartStatus.REVERSED, 0, 20_000)
    with pytest.raises(Stale):
        stay.foreign(20_000, record="301/7", result=end)


def test_a_foreign_refund_that_failed_after_all_may_be_given_again() -> None:
    """It had closed nothing of ours: the balance is what it was."""
    stay = leaving()
    stay.foreign(5_000)
    out = stay.foreign(5_000, result=Result.REFUSED)

    assert [(one.entry, one.minor) for one in out.entries] == [("foreign_refund_reversed", 5_000)]
    assert (fact(out, BalanceChanged).balance, stay.payment().foreign, stay.payment().foreign_records) == (0, 0, ())
    assert ([step.rule for step in out.trace], stay.payment().refundable()) == (["X-3"], 20_500)
    with pytest.raises(Stale):
        stay.foreign(1_000, record="301/8", result=Result.REFUSED)


def test_x_16_a_foreign_refund_of_a_receipt_without_a_home() -> None:
    """It stands with the suspense account, and goes back there when it fails."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.card(3_000, "P2", occurred_at=before(5))
    given = stay.foreign(3_000, "P2", record="302/1")
    failed = stay.foreign(3_000, "P2", record="302/1", result=Result.REFUSED)

    assert stay.payment("P2").unapplied
    assert [one.entry for one in given.entries] == ["unapplied_foreign_refund"]
    assert [one.entry for one in failed.entries] == ["unapplied_foreign_refund_reversed"]


@pytest.mark.parametrize(
    ("foreign", "rest"),
    [pytest.param(20_000, 0, id="all of it"), pytest.param(8_500, 11_500, id="a part: the rest stays owed by hand")],
)
def test_foreign_refund_overtakes_a_planned_one(foreign: int, rest: int) -> None:
    """Ours is withdrawn: the guest has that money; nothing is given twice."""
    stay = leaving()
    stay.leave(at=before(10))
    out = stay.foreign(foreign)

    (move,) = out.moves
    assert (stay.requests[0].effect, Move.WITHDRAW) == (move.effect, move.move)
    assert isinstance(move, EffectMove)
    assert [PartStatus.DROPPED] + [PartStatus.MANUAL] * bool(rest) == [part.status for part in stay.parts()]
    assert [rest] * bool(rest) == [f.amount for f in out.facts if isinstance(f, RefundManualRequired)]
    assert (stay.payment().refundable(), stay.owes()) == (500, 0)
    assert (stay.reply("refused").facts, stay.folio.effects) == ((), ())


def test_foreign_refund_overtakes_two_planned_ones() -> None:
    """120 and 40 are planned of 205, 165 went back elsewhere: the 40, then the 120, are dropped; the guest owes the 5 he got too much."""
    stay = leaving(20_500, *TWO_LINES[:1], line("2", 8_000, kind="service"))
    stay.leave("1", at=before(10))
    stay.leave("2", at=before(3), request="R2")
    out = stay.foreign(16_500)

    assert [part.status for part in stay.parts()] == [PartStatus.DROPPED] * 2
    assert {request.effect for request in stay.requests} == {move.effect for move in out.moves}
    assert stay.owes() == 500


def test_foreign_refund_takes_of_two_planned_ones_no_more_than_itself() -> None:
    """150 went back elsewhere where 160 are planned and 45 left: 10 stay owed, by hand."""
    stay = leaving(20_500, *TWO_LINES[:1], line("2", 8_000, kind="service"))
    stay.leave("1", at=before(10))
    stay.leave("2", at=before(3), request="R2")
    stay.foreign(15_000)

    open_parts = [(part.minor, part.status) for part in stay.parts() if part.status is not PartStatus.DROPPED]
    assert (open_parts, stay.owes()) == ([(1_000, PartStatus.MANUAL)], 0)


def test_foreign_refund_leaves_of_two_planned_ones_what_fits() -> None:
    """60 went back elsewhere where 45 were left: the 40 are dropped, the 120 still go; the guest owes the 20 he gets too much."""
    stay = leaving(20_500, *TWO_LINES[:1], line("2", 8_000, kind="service"))
    stay.leave("1", at=before(10))
    stay.leave("2", at=before(3), request="R2")
    stay.foreign(6_000)

    open_parts = [part.minor for part in stay.parts() if part.status is not PartStatus.DROPPED]
    assert (open_parts, stay.owes()) == ([12_000], 2_000)


def test_foreign_refund_while_ours_is_under_way() -> None:
    """Ours was taken by the provider: it cannot be withdrawn, what is above the capture is for a person."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.reply("accepted")
    out = stay.foreign(20_000)

    assert (out.moves, fact(out, EffectNeedsPerson).amount) == ((), 19_500)
    assert [step.rule for step in out.trace] == ["X-3", "X-3"]
    assert stay.payment().foreign == 500
    assert stay.reply("confirmed").facts


def test_x_3_a_withdrawn_refund_that_was_made_all_the_same() -> None:
    """The provider confirms what was withdrawn: above the capture, so a person looks."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.foreign(20_000)
    out = stay.reply("confirmed")

    assert kinds(out) == ["EffectNeedsPerson"]
    assert stay.payment().foreign == 20_000


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["confirmed", "refused", "unknown", "accepted", "needs_person", "reversed", "foreign", "hand", "pay"]),
            st.integers(0, 2),
            st.integers(1, 9_000),
        ),
        max_size=14,
    )
)
def test_x_3_never_above_what_was_captured(acts: list[tuple[str, int, int]]) -> None:
    """Whatever the provider, its back office and people do, in any order: the book, the parts and the payments agree (`Leaving.holds`)."""
    stay = leaving(7_000)
    stay.card(8_000, "P2")
    stay.pay(paid(5_500, "P3", tender="cash"))
    stay.leave(at=before(3))
    for n, (act, which, amount) in enumerate(acts):
        try:
            match act:
                case "foreign":
                    stay.foreign(amount, f"P{which + 1}", record=f"r/{n}")
                case "hand":
                    stay.by_hand(amount if amount % 2 else stay.folio.refunds[0].minor, payment=f"P{which + 1}")
                case "pay":
                    stay.card(amount, f"P{n + 4}", occurred_at=before(4))
                case state:
                    stay.reply(state, stay.requests[which % len(stay.requests)])
        except (Rejected, Stale):
            pass
    given = sum(one.refunded + one.foreign for one in stay.folio.payments)
    assert given <= sum(one.captured for one in stay.folio.payments)
