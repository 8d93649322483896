"""X-13: a payment that its payer's bank contests. The tables of docs/rules/dispute.md are the tables of these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import account
from handlers.dispute_record import open_disputes
from handlers.outcome import Outcome
from ledger.balance import balance
from schemas.common import Fact
from schemas.dispute import DisputeClosed, PaymentDisputed, PaymentDisputeEnded, RefundHeld, Ruling
from schemas.effect import EffectState, Move
from schemas.errors import Early, Rejected, Stale
from schemas.folio import PartStatus, PaymentStatus
from schemas.operations import ApprovalDecided, EffectNeedsPerson
from schemas.payment import PaymentCaptured, UnappliedReceipt
from schemas.refund import RefundManualRequired, RefundOverdue, RefundRequested
from tests.handlers.campsite import CAMP, fact, ordered, paid
from tests.handlers.cancelling import ACTOR, MERCHANT, Leaving, before, leaving

PAGE = Path(__file__).parents[2].joinpath("docs/rules/dispute.md").read_text(encoding="utf-8")


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the table below that heading, by column."""
    part = PAGE.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("|")]
    names, _, *rest = rows
    return [dict(zip(names, row, strict=True)) for row in rest]


def minor(text: str) -> int:
    """`100.00` in minor units, `–` is nothing."""
    return 0 if text == "–" else int(text.replace(".", ""))


def types(out: Outcome) -> list[type[Fact]]:
    """The types of what is told, in order."""
    return [type(one) for one in out.facts]


def left(stay: Leaving, name: str) -> int:
    """What stands on an account."""
    return balance(stay.entries, name, "EUR")


def refunding(paid_minor: int = 20_500) -> Leaving:
    """Cancelled three days before arrival: 100 go back, planned."""
    stay = leaving(paid_minor)
    stay.leave(at=before(3))
    return stay


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row.values())) for row in table("The money")])
def test_x_13_the_money(row: dict[str, str]) -> None:
    """Row by row: what leaves, when, and what the guest owes again."""
    stay = leaving()
    stay.contest(minor(row["contested"]), funds_taken=row["taken"] == "yes")
    if row["reversed meanwhile"] != "–":
        stay.card(minor(row["reversed meanwhile"]), name="payment.reversed")
    if row["outcome"] != "–":
        stay.rule(row["outcome"], minor(row["ruled on"]))

    assert account.collected(stay.folio) == minor(row["collected"])
    assert account.balance(stay.folio) == minor(row["balance"])
    assert left(stay, "money:ogone/azur") == minor(row["money"])
    assert left(stay, "disputes:B-1") == minor(row["disputes"])


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row.values())) for row in table("How it ends")])
def test_x_13_how_it_ends(row: dict[str, str]) -> None:
    """Row by row: what becomes of a refund that was held, made, or on its way."""
    stay = refunding()
    if row["the refund was"] == "executed":
        stay.reply("confirmed")
    if row["the refund was"] == "sent":
        stay.stored = {stay.requests[0].effect: EffectState.SENDING}
    stay.contest(20_500)
    out = stay.rule("won", 20_500) if row["lost"] == "–" else stay.rule("lost", minor(row["lost"]))

    status = {"given now": PartStatus.REQUESTED, "dropped": PartStatus.DROPPED}
    assert [part.status for part in stay.parts()] == [status.get(row["the refund"]) or PartStatus(row["the refund"])]
    told = {
        "refund.requested": RefundRequested,
        "effect.needs_person": EffectNeedsPerson,
        "payment.dispute_ended": PaymentDisputeEnded,
    }[row["told"].strip("`")]
    assert told in types(out)
    assert (EffectNeedsPerson in types(out)) == (minor(row["balance"]) > 0)  # a cancelled booking owes again
    assert account.balance(stay.folio) == minor(row["balance"])


def test_x_13_a_planned_refund_is_held() -> None:
    """Its request is withdrawn before it is sent, its money stays owed, and a new request follows a dispute that is won."""
    stay = refunding()
    (first,) = stay.requests
    out = stay.contest(20_500, funds_taken=True, answer_by="2026-08-01T00:00:00Z")

    (disputed, held) = out.facts
    assert isinstance(disputed, PaymentDisputed)
    assert isinstance(held, RefundHeld)
    assert (disputed.payment, disputed.dispute, disputed.amount, disputed.funds_taken) == ("P1", "D1", 20_500, True)
    assert (held.refund, held.payment, held.amount, held.dispute) == (first.refund, "P1", 10_000, "D1")
    assert [(move.effect, move.move) for move in out.moves] == [(first.effect, Move.WITHDRAW)]
    assert not stay.folio.effects
    assert left(stay, "refunds:B-1") == -10_000

    out = stay.rule("won", 20_500)
    (again,) = out.requests
    assert (again.minor, again.refund, again.business_key) == (10_000, first.refund, "B-1/P1/2")
    assert again.effect != first.effect
    assert stay.folio.requests[0].status == "refunding"
    stay.reply("confirmed")
    assert stay.folio.requests[0].status == "refunded"


def test_x_13_a_refund_that_is_decided_meanwhile_is_held() -> None:
    """No request is made, whatever way it would go; other payments give theirs."""
    stay = leaving(10_000)
    stay.card(10_500, "P2")
    stay.contest(4_000)
    out = stay.leave(at=before(10))

    assert [(request.payment, request.minor) for request in out.requests] == [("P2", 10_500)]
    assert [(part.payment, part.status, part.effect) for part in stay.parts() if part.payment == "P1"] == [
        ("P1", PartStatus.HELD, "")
    ]
    assert fact(out, RefundHeld).amount == 9_500
    assert [step.rule for step in out.trace if "held" in step.text] == ["X-13"]


def test_x_13_without_a_dispute_nothing_is_held() -> None:
    """Nor after its end."""
    stay = leaving()
    stay.contest(1_000)
    stay.rule("withdrawn", 1_000)
    out = stay.leave(at=before(3))

    assert RefundHeld not in types(out)
    assert len(out.requests) == 1


@pytest.mark.parametrize("state", sorted(set(EffectState) - {EffectState.PLANNED}))
def test_x_13_what_is_on_its_way_is_not_touched(state: EffectState) -> None:
    """Only its answer tells what became of it."""
    stay = refunding()
    stay.stored = {stay.requests[0].effect: state}
    out = stay.contest(20_500)

    assert not out.moves
    assert RefundHeld not in types(out)
    assert [part.status for part in stay.parts()] == [PartStatus.REQUESTED]
    assert [step.text for step in out.trace if state in step.text]


def test_x_13_what_never_left_is_held_after_all() -> None:
    """It was being sent when the dispute was opened, and nothing was written."""
    stay = refunding()
    effect = stay.requests[0].effect
    stay.stored = {effect: EffectState.SENDING}
    stay.contest(20_500)
    stay.stored = {effect: EffectState.PLANNED}
    out = stay.reply("planned")

    assert [move.effect for move in out.moves] == [effect]
    assert [part.status for part in stay.parts()] == [PartStatus.HELD]
    stay.rule("won", 20_500)
    assert [part.status for part in stay.parts()] == [PartStatus.REQUESTED]


def test_x_13_the_answer_of_one_that_was_sent_counts() -> None:
    """Confirmed while the dispute is open, and lost then: both left, and a person is told once."""
    stay = refunding()
    stay.stored = {stay.requests[0].effect: EffectState.SENDING}
    stay.contest(20_500, funds_taken=True)
    stay.reply("confirmed")
    out = stay.rule("lost", 20_500)

    told = [known for known in out.facts if isinstance(known, EffectNeedsPerson)]
    assert [known.amount for known in told] == [20_500]
    assert told[0].reason.endswith("; 100.00 EUR of it had been given back")
    assert left(stay, "money:ogone/azur") == -10_000


def test_x_13_x_27_a_second_person_does_not_lift_it() -> None:
    """Granted while the payment is disputed, it is held; then it goes without asking again."""
    stay = leaving(camp=replace(CAMP, approval_above=5_000))
    stay.leave(at=before(3))
    effect = stay.requests[0].effect
    opened = stay.contest(20_500)
    assert RefundHeld not in types(opened)
    out = stay.operate("approval.grant", effect)

    assert types(out) == [ApprovalDecided, RefundHeld]
    assert [move.move for move in out.moves] == [Move.WITHDRAW]
    out = stay.rule("won", 20_500)
    assert [request.needs_approval for request in out.requests] == [False]


def test_x_13_x_27_denied_is_by_hand_and_told_to_wait() -> None:
    """As ever."""
    stay = leaving(camp=replace(CAMP, approval_above=5_000))
    stay.contest(20_500)
    out = stay.leave(at=before(3))
    assert len(out.requests) == 1
    out = stay.operate("approval.deny", out.requests[0].effect)

    assert fact(out, RefundManualRequired).reason.startswith("wait, the payment is disputed: denied by")


def test_x_13_x_19_by_hand_waits_too() -> None:
    """Who was to give it by hand is told to wait, and told again when it has ended; one who did not wait is believed."""
    stay = leaving(0)
    stay.pay(paid(20_500, tender="bank_transfer"))
    stay.leave(at=before(3))
    (part,) = stay.parts()
    assert part.status is PartStatus.MANUAL
    out = stay.contest(500)
    assert fact(out, RefundHeld).amount == 10_000
    out = stay.rule("withdrawn", 500)
    assert fact(out, RefundManualRequired).reason == "the dispute has ended"
    stay.contest(500, dispute="D2")
    stay.by_hand(10_000, refund=stay.folio.refunds[0].refund)
    assert stay.parts()[0].status is PartStatus.EXECUTED


def test_x_13_x_19_a_held_part_is_given_by_hand() -> None:
    """In the provider's back office, or by a transfer: it is that refund, and nothing is asked for when the dispute ends."""
    stay = refunding()
    stay.contest(20_500)
    stay.foreign(10_000)

    assert [part.status for part in stay.parts()] == [PartStatus.EXECUTED]
    assert not stay.rule("won", 20_500).requests


def test_x_13_x_24_what_is_held_is_overdue_on_its_day() -> None:
    """The alarm comes all the same."""
    stay = leaving()
    stay.contest(20_500)
    out = stay.leave(at=before(3))

    assert fact(stay.fire(out, "refund_due"), RefundOverdue).amount == 10_000


def test_x_13_several_disputes_hold_until_the_last_ends() -> None:
    """Each by its name; together no more than was taken."""
    stay = refunding()
    stay.contest(10_000, dispute="D1")
    stay.contest(10_500, dispute="D2", funds_taken=True)
    with pytest.raises(Rejected) as why:
        stay.contest(1, dispute="D3")
    assert (why.value.code, why.value.field) == ("amount_above_captured", "amount")

    assert not stay.rule("won", 10_000, dispute="D1").requests
    assert len(stay.rule("won", 10_500, dispute="D2").requests) == 1
    assert not open_disputes(stay.folio, "P1")


def test_x_13_the_fall_of_one_of_two() -> None:
    """The oldest first, as a reversal tells them; each takes its own."""
    stay = leaving()
    stay.contest(5_000, dispute="D1", funds_taken=True)
    stay.contest(6_000, dispute="D2")
    stay.card(8_000, name="payment.reversed")
    assert [known.reversed for known in stay.folio.disputes] == [5_000, 3_000]
    assert left(stay, "money:ogone/azur") == 12_500
    stay.rule("lost", 6_000, dispute="D2")
    stay.rule("lost", 5_000, dispute="D1")

    assert stay.payment().reversed == 11_000
    assert left(stay, "money:ogone/azur") == 9_500


def test_x_13_x_17_refunds_of_a_live_booking() -> None:
    """The balance is open again and may be asked for; what was lost is never given a second time."""
    stay = leaving()
    stay.contest(20_500)
    stay.rule("lost", 20_500)

    assert stay.payment().status is PaymentStatus.REVERSED
    out = stay.leave(at=before(10))
    assert not out.requests
    assert not stay.folio.refunds


def test_x_1_x_13_told_twice() -> None:
    """The same words again change nothing; that its money is gone may come second."""
    stay = leaving()
    stay.contest(20_500)
    with pytest.raises(Stale):
        stay.contest(20_500)
    stay.contest(20_500, funds_taken=True)
    assert left(stay, "disputes:B-1") == 20_500
    with pytest.raises(Stale):
        stay.contest(20_500, funds_taken=True)
    stay.rule("lost", 20_500)
    with pytest.raises(Stale):
        stay.rule("lost", 20_500)
    with pytest.raises(Stale):
        stay.contest(20_500)
    assert stay.payment().reversed == 20_500


@pytest.mark.parametrize("taken", [False, True])
def test_x_1_x_13_lost_and_reversed_is_one_loss(taken: bool) -> None:
    """A system of record tells the charge back too: once, and only of as much."""
    stay = leaving()
    stay.contest(5_000, funds_taken=taken)
    stay.rule("lost", 5_000)
    stay.card(5_000, name="payment.reversed")
    assert stay.payment().reversed == 5_000
    stay.card(5_000, name="payment.reversed")
    assert stay.payment().reversed == 10_000


@pytest.mark.parametrize("taken", [False, True])
def test_x_1_x_13_what_the_provider_shows_is_the_same_loss(taken: bool) -> None:
    """Its history shows the capture refused before the dispute is lost."""
    stay = leaving()
    stay.contest(20_500, funds_taken=taken)
    stay.shown(20_500, result="refused", status="93")
    assert stay.payment().reversed == 20_500
    stay.rule("lost", 20_500)

    assert stay.payment().reversed == 20_500
    assert left(stay, "money:ogone/azur") == 0


def test_x_16_x_13_an_unapplied_receipt_is_contested() -> None:
    """It leaves the account where it had no home; the balance does not move."""
    stay = leaving(0)
    stay.told_cancelled(at=before(20))
    stay.now = before(10)
    out = stay.card(5_000, "P2", occurred_at=before(10))
    assert UnappliedReceipt in types(out)
    stay.contest(5_000, "P2", funds_taken=True)
    stay.rule("lost", 5_000, "P2")

    assert left(stay, "suspense:B-1") == 0
    assert left(stay, "money:ogone/azur") == 0


@pytest.mark.parametrize("disputed", [False, True])
def test_x_3_x_16_x_13_an_unapplied_receipt_that_leaves_twice(disputed: bool) -> None:
    """Given back elsewhere and taken back then: nobody owes it to the booking, and a person hears what is gone, once."""
    stay = leaving(0)
    stay.told_cancelled(at=before(20))
    stay.now = before(10)
    stay.card(5_000, "P2", occurred_at=before(10))
    stay.by_hand(5_000, payment="P2")
    if disputed:
        stay.contest(4_000, "P2", funds_taken=True)
    out = stay.rule("lost", 4_000, "P2") if disputed else stay.card(4_000, "P2", name="payment.reversed")

    told = [known for known in out.facts if isinstance(known, EffectNeedsPerson)]
    assert [(known.effect, known.amount) for known in told] == [("P2", 4_000)]
    assert told[0].reason == "payment P2 was given back and taken back: 40.00 EUR more are gone than it brought"


def test_x_3_x_13_a_living_booking_loses_twice_and_one_is_told() -> None:
    """Its balance is open again, and asked for: a person hears of what is gone beyond it."""
    stay = leaving()
    stay.by_hand(20_500, payment="P1")
    stay.contest(20_500)
    out = stay.rule("lost", 20_500)

    assert [known.amount for known in out.facts if isinstance(known, EffectNeedsPerson)] == [20_500]


@pytest.mark.parametrize("name", ["D1", ""])
def test_x_2_x_13_what_comes_early_waits(name: str) -> None:
    """For the booking, for the payment, for the payment to be final, for the dispute."""
    stay = Leaving()
    with pytest.raises(Early) as why:
        stay.contest(500)
    assert why.value.waits_for == "booking"
    stay.book(ordered())
    with pytest.raises(Early) as why:
        stay.contest(500)
    assert why.value.waits_for == "payment:P1"
    stay.card(20_500, name="payment.authorised")
    with pytest.raises(Early) as why:
        stay.contest(500)
    assert why.value.waits_for == "payment:P1"
    stay.card(20_500)
    with pytest.raises(Early) as why:
        stay.rule("lost", 500, dispute=name)
    assert why.value.waits_for in (out := stay.contest(500)).unparks, out


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("reversed_minor", [4_000, 10_500, 20_500])
@pytest.mark.parametrize(("contested_minor", "outcome", "lost"), [
    (10_500, "won", 10_500), (10_500, "withdrawn", 10_500), (10_500, "lost", 10_500), (10_500, "lost", 3_000),
    (20_500, "won", 20_500), (20_500, "lost", 20_500), (20_500, "lost", 7_000),
])  # fmt: skip
def test_x_2_x_13_a_reversal_before_its_dispute_is_the_disputes(
    contested_minor: int, outcome: str, lost: int, reversed_minor: int, taken: bool
) -> None:
    """Told before or after the beginning: the end is the same, in the folio and in the book."""
    ends = []
    for first in (False, True):
        stay = leaving()
        if first:
            stay.card(reversed_minor, name="payment.reversed")
        stay.contest(contested_minor, funds_taken=taken)
        if not first:
            stay.card(reversed_minor, name="payment.reversed")
        stay.rule(outcome, lost)
        money = left(stay, "money:ogone/azur"), left(stay, "disputes:B-1"), left(stay, "guest:B-1")
        ends.append((stay.payment().reversed, stay.payment().status, account.balance(stay.folio), money))

    assert ends[0] == ends[1]


def test_x_2_x_13_a_reversal_is_of_one_dispute_only() -> None:
    """What another dispute lost, or has as its own, is not the next one's."""
    stay = leaving()
    stay.contest(4_000, dispute="D1")
    stay.rule("lost", 4_000, dispute="D1")
    stay.card(6_000, name="payment.reversed")
    stay.contest(5_000, dispute="D2", funds_taken=True)
    stay.contest(5_000, dispute="D3", funds_taken=True)
    assert [known.reversed for known in stay.folio.disputes] == [0, 5_000, 1_000]
    with pytest.raises(Rejected) as why:
        stay.contest(6_501, dispute="D4")
    assert why.value.code == "amount_above_captured"
    stay.rule("won", 5_000, dispute="D2")
    stay.rule("won", 5_000, dispute="D3")

    assert stay.payment().reversed == 4_000
    assert left(stay, "money:ogone/azur") == 16_500


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "another currency than the booking's": ({"currency": "USD"}, None),
    "a payment that no bank can contest: cash, cheque, voucher, holiday voucher, credit": ({"payment": "P2"}, None),
    "another provider payment than the one known": ({"provider_reference": "999"}, None),
    "a known dispute with another amount": ({"dispute": "D1", "amount": 900}, None),
    "more than was taken and is not contested yet": ({"amount": 19_501}, None),
    "the end of one about more than was contested": ({}, {"amount": 1_001, "outcome": "lost"}),
    "an end without a name, while several are open": ({"dispute": "D2"}, {"dispute": "", "outcome": "won"}),
    "another end of one that has ended": ({}, {"dispute": "D0", "outcome": "won"}),
}


@pytest.mark.parametrize("row", table("Refused"), ids=lambda row: row["what"])
def test_x_13_what_is_refused(row: dict[str, str]) -> None:
    """Row by row, with the code and the field; nothing changes."""
    stay = leaving()
    stay.pay(paid(100, "P2", tender="cash"))
    stay.contest(500, dispute="D0")
    stay.rule("lost", 500, dispute="D0")
    stay.contest(500, dispute="D1")
    opened, closed = REFUSALS[row["what"]]
    if closed is None or opened:
        said = {"dispute": "D9", "amount": 1_000, "payment": "P1", **opened}
        if closed is None:
            with pytest.raises(Rejected) as why:
                stay.contest(**said)
        else:
            stay.contest(**said)
    was = stay.folio
    if closed is not None:
        said = {"dispute": "D1", "amount": 500, **closed}
        with pytest.raises(Rejected) as why:
            stay.rule(**said)
    assert (why.value.code, why.value.field) == (row["code"].strip("`"), row["field"].strip("`"))
    assert stay.folio == was


@pytest.mark.parametrize("outcome", ["", "accepted", "LOST", "unknown"])
def test_x_13_an_outcome_that_is_none_is_no_message(outcome: str) -> None:
    """Nobody guesses who has the money."""
    said = {"actor": ACTOR, "payment": "P1", "amount": 1, "outcome": outcome}
    with pytest.raises(msgspec.ValidationError, match="outcome"):
        msgspec.convert(said, DisputeClosed)


ACTS = st.one_of(
    st.tuples(st.just("contest"), st.sampled_from(["D1", "D2"]), st.integers(1, 21_000), st.booleans()),
    st.tuples(st.just("rule"), st.sampled_from(["D1", "D2", ""]), st.integers(1, 21_000), st.sampled_from(list(Ruling))),
    st.tuples(st.just("reverse"), st.just(""), st.integers(1, 21_000), st.none()),
    st.tuples(st.just("leave"), st.just(""), st.just(1), st.sampled_from([3, 10])),
    st.tuples(st.just("reply"), st.just(""), st.just(1), st.sampled_from(["confirmed", "refused", "unknown"])),
    st.tuples(st.just("hand"), st.just(""), st.integers(1, 21_000), st.none()),
)


def act(stay: Leaving, what: str, dispute: str, amount: int, more: Any) -> Outcome | None:
    """One thing that happens; what is refused, early or stale changes nothing."""
    acts = {
        "contest": lambda: stay.contest(amount, dispute=dispute, funds_taken=more),
        "rule": lambda: stay.rule(more, amount, dispute=dispute),
        "reverse": lambda: stay.card(amount, name="payment.reversed"),
        "leave": lambda: stay.leave(at=before(more), request=f"R{len(stay.folio.requests)}"),
        "reply": lambda: stay.reply(more) if stay.requests else None,
        "hand": lambda: stay.by_hand(amount, payment="P1"),
    }
    try:
        return acts[what]()
    except (Rejected, Early, Stale):
        return None


@given(st.lists(ACTS, max_size=12))
def test_x_4_x_13_whatever_comes_the_book_is_true(acts: list[tuple[str, str, int, Any]]) -> None:
    """No refund leaves while a dispute is open, and folio and book agree after each message (`Leaving.holds`)."""
    stay = leaving()
    for one in acts:
        out = act(stay, *one)
        assert out is None or not out.requests or not open_disputes(stay.folio, "P1")
        held = [part for part in stay.parts() if part.status is PartStatus.HELD]
        assert not held or open_disputes(stay.folio, "P1")


def test_x_13_won_after_a_reversal_tells_that_the_money_is_here() -> None:
    """And a cancelled booking gives it back as it would have."""
    stay = leaving()
    stay.contest(20_500)
    stay.card(20_500, name="payment.reversed")
    stay.leave(at=before(3))
    assert not stay.folio.refunds
    out = stay.rule("won", 20_500)

    assert fact(out, PaymentCaptured).amount == 20_500
    assert [request.minor for request in out.requests] == [10_000]


def test_x_13_merchants_may_say_so() -> None:
    """A dispute is a fact, whoever tells it."""
    stay = leaving()
    assert PaymentDisputed in types(stay.contest(500, actor=MERCHANT))
