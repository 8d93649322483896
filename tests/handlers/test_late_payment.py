"""Money that arrives after the cancellation: before it by its own time, after it, authorised, or pending and then lost."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import account
from ledger.balance import balance
from schemas.commission import CommissionCreditNoteRequested
from schemas.effect import EffectKind
from schemas.errors import HubError
from schemas.folio import PartStatus, PaymentStatus, RequestStatus
from schemas.payment import UnappliedReceipt
from schemas.policy import CommissionOnPenalty, RefundBase
from schemas.refund import RefundDecided
from tests.handlers.campsite import FLEXIBLE, NANR, TWO_LINES, fact, kinds, line, ordered
from tests.handlers.cancelling import Leaving, before, leaving


@pytest.mark.parametrize(
    ("days", "paid", "late", "more", "kept"),
    [
        pytest.param(10, 10_500, 10_000, 10_000, 500, id="V15 four days and more: all of it"),
        pytest.param(3, 10_500, 10_000, 10_000, 10_500, id="V15 three days: the second half"),
        pytest.param(0, 10_500, 10_000, 0, 20_500, id="V15 same day: the rest of the penalty is covered after all"),
        pytest.param(0, 10_500, 12_000, 2_000, 20_500, id="and what is above it comes back"),
        pytest.param(3, 500, 5_000, 0, 5_500, id="S4-34 waived before, partly kept now"),
    ],
)
def test_x_16_before_the_cancellation_is_recomputed_as_collected(days: int, paid: int, late: int, more: int, kept: int) -> None:
    """As if it had been there: the rates are those of the cancellation, whenever the word comes."""
    stay = leaving(paid)
    stay.leave(at=before(days))
    stay.now = before(-9)
    out = stay.card(late, "P2", occurred_at=before(days, 9))

    assert more == sum(f.amount for f in out.facts if isinstance(f, RefundDecided))
    assert (kept, 0) == (account.collected(stay.folio), stay.owes())
    assert "UnappliedReceipt" not in kinds(out)


@pytest.mark.parametrize("price", [4096, 1_000_003])
def test_x_16_after_a_cancellation_whose_rate_is_no_round_one(price: int) -> None:
    """The system of record said how much goes back: what that is of the price has many digits, and is read again all the same."""
    stay = leaving(price, line(price=price), service_fee=0)
    stay.told_cancelled(at=before(3), refund=price - 1)
    out = stay.card(100, "P2", occurred_at=before(4))

    assert (fact(out, RefundDecided).amount, account.collected(stay.folio)) == (100, 1)


def test_x_16_acompte_lowers_its_claim() -> None:
    """105 of 205, same day, 100 claimed: 60 arrive."""
    stay = leaving(10_500, deposit_nature="acompte")
    stay.leave(at=before(0))
    stay.card(6_000, "P2", occurred_at=before(1))

    assert (stay.folio.claim, stay.owes()) == (4_000, 4_000)


def test_x_16_after_the_cancellation_is_unapplied() -> None:
    """No home: nothing is refunded by itself, nobody's balance moves."""
    stay = leaving(10_500)
    stay.leave(at=before(10))
    out = stay.card(10_000, "P2", occurred_at=before(9))

    assert (fact(out, UnappliedReceipt).amount, fact(out, UnappliedReceipt).payment) == (10_000, "P2")
    assert (out.requests, stay.owes()) == ((), 0)


@pytest.mark.parametrize("by_hand", [True, False])
def test_s1_35_x_16_an_unapplied_receipt_is_given_back(by_hand: bool) -> None:
    """By hand, told with its payment, or at the provider, who shows it: nothing of it is left in suspense, and the booking owes nothing."""
    stay = leaving(20_500)
    stay.leave(at=before(10))
    stay.card(7_000, "P2", occurred_at=before(9))
    assert (stay.folio.payments[1].unapplied, balance(stay.entries, "suspense:B-1", "EUR")) == (True, -7_000)
    if by_hand:
        stay.by_hand(7_000, payment="P2")
    else:
        stay.foreign(7_000, payment="P2", record="302/1")

    assert (balance(stay.entries, "suspense:B-1", "EUR"), stay.owes()) == (0, 0)


@pytest.mark.parametrize(("late", "more"), [(10_000, 5_000), (1_001, 501)])
def test_a_4_rate_of_what_is_collected_late(late: int, more: int) -> None:
    """refund_base = collected: the rate of the late money too."""
    stay = leaving(10_500, offered=(replace(FLEXIBLE, refund_base=RefundBase.COLLECTED),))
    stay.leave(at=before(3))
    out = stay.card(late, "P2", occurred_at=before(4))

    assert (more, 0) == (fact(out, RefundDecided).amount, stay.owes())
    assert "A-4" in [step.rule for step in out.trace]


@pytest.mark.parametrize(
    ("days", "kind", "minor"),
    [
        pytest.param(3, EffectKind.CAPTURE, 10_500, id="the penalty that was waived"),
        pytest.param(10, EffectKind.CAPTURE, 500, id="the fee"),
    ],
)
def test_x_17_authorised_before_told_after(days: int, kind: EffectKind, minor: int) -> None:
    """Nothing was known at the cancellation: fee and penalty were waived; they are taken now."""
    stay = leaving(0)
    stay.leave(at=before(days))
    (request,) = stay.card(20_500, name="payment.authorised", occurred_at=before(12)).requests
    assert (kind, minor) == (request.kind, request.minor)
    stay.reply("confirmed")
    assert stay.owes() == 0


@pytest.mark.parametrize(("answer", "claim"), [("confirmed", 0), ("refused", 10_500)])
def test_x_17_what_is_claimed_is_taken_of_an_authorisation_told_later(answer: str, claim: int) -> None:
    """Acompte: nothing was waived, the penalty and the fee are owed; taken, they are claimed no more, refused, no more than before."""
    stay = leaving(0, deposit_nature="acompte")
    stay.leave(at=before(3))
    (request,) = stay.card(20_500, name="payment.authorised", occurred_at=before(12)).requests

    assert (request.kind, request.minor) == (EffectKind.CAPTURE, 10_500)
    stay.reply(answer)
    assert (stay.folio.claim, stay.owes()) == (claim, claim)


@pytest.mark.parametrize(("paid", "claim", "owed"), [(5_000, 6_000, 9_000), (10_000, 4_000, 4_000), (14_000, 0, 0)])
def test_s4_34_what_is_paid_in_time_lowers_a_claim_that_is_owed_no_more(paid: int, claim: int, owed: int) -> None:
    """Acompte, one line cancelled with nothing paid: 60 claimed, 80 owed for the other one."""
    stay = leaving(0, *TWO_LINES, service_fee=0, deposit_nature="acompte")
    stay.leave("1", at=before(3))
    stay.card(paid, occurred_at=before(3, 11))

    assert (stay.folio.claim, stay.owes()) == (claim, owed)


def test_s4_34_a_claim_is_no_more_than_a_changed_booking_owes() -> None:
    """Acompte, 60 claimed, 100 paid since; then the other line costs 20 less of its 80."""
    stay = leaving(0, *TWO_LINES, service_fee=0, deposit_nature="acompte")
    stay.leave("1", at=before(3))
    stay.card(10_000, occurred_at=before(3, 11))
    stay.book(ordered(line("2", 6_000, kind="service", terms="outdoor/nanr"), service_fee=0), "booking.changed")

    assert (stay.folio.claim, stay.owes()) == (2_000, 2_000)


def test_s4_34_a_claim_is_no_more_than_is_owed_when_a_refund_elsewhere_has_failed() -> None:
    """Acompte, 105 paid and 50 of it given back elsewhere: 150 claimed; then the 50 are here again."""
    stay = leaving(10_500, deposit_nature="acompte")
    stay.foreign(5_000)
    stay.leave(at=before(0))
    assert stay.folio.claim == 15_000
    stay.foreign(5_000, result="refused")

    assert (stay.folio.claim, stay.owes()) == (10_000, 10_000)


def test_x_17_authorised_after_is_released() -> None:
    """It has no business here, even where a penalty was not claimed."""
    stay = leaving(10_500)
    stay.leave(at=before(0))
    (request,) = stay.card(5_000, "P2", name="payment.authorised", occurred_at=before(-1)).requests

    assert (request.kind, request.minor) == (EffectKind.VOID, 5_000)
    stay.reply("confirmed")
    assert stay.payment("P2").status is PaymentStatus.VOIDED


@pytest.mark.parametrize("unknown", [{"provider": ""}, {"provider_reference": ""}], ids=["no provider", "no payment of its own"])
def test_x_17_nobody_can_be_asked_to_release_it(unknown: dict[str, str]) -> None:
    """An authorisation that names no provider, or none of its payments, is noted and left alone."""
    stay = leaving(10_500)
    stay.leave(at=before(0))
    out = stay.card(5_000, "P2", name="payment.authorised", occurred_at=before(-1), **unknown)

    assert (out.requests, stay.payment("P2").status, stay.payment("P2").closing) == ((), PaymentStatus.AUTHORISED, "")


def test_x_17_a_refused_capture_is_not_asked_for_again() -> None:
    """Whatever is told of the payment later: a person has it."""
    stay = leaving(0)
    stay.card(20_500, name="payment.authorised")
    stay.leave(at=before(3))
    stay.reply("refused")

    assert stay.card(500, name="payment.reversed").requests == ()


def test_x_17_what_waits_waits_for_what_is_pending() -> None:
    """Not for a payment that was authorised, told after it, and is final."""
    stay = leaving(10_500)
    stay.card(5_000, "P2", status="91")
    stay.card(5_000, "P3", name="payment.authorised")
    stay.card(5_000, "P3")
    stay.leave(at=before(10))

    assert [(part.payment, part.minor) for part in stay.parts() if part.status is PartStatus.WAITING] == [("P2", 5_000)]


def test_x_17_a_payment_that_is_waited_for_is_given_back_whenever_it_moved() -> None:
    """By its own time it moved after one line was cancelled, which it was to pay: pending then, and final now."""
    stay = leaving(0, *TWO_LINES)
    stay.card(20_500, status="91", occurred_at=before(2))
    stay.leave("1", at=before(10))
    out = stay.card(20_500, occurred_at=before(2))

    assert (fact(out, RefundDecided).amount, stay.owes()) == (12_000, 0)


@pytest.mark.parametrize(
    ("status", "ends"),
    [("9", [RequestStatus.REFUNDING, RequestStatus.CONFIRMED]), ("93", [RequestStatus.CONFIRMED, RequestStatus.CONFIRMED])],
)
def test_x_17_two_cancellations_wait_for_one_pending_payment(status: str, ends: list[RequestStatus]) -> None:
    """Both wait for it no longer once it is final: what it gives is one refund, of the request that waited first."""
    stay = leaving(0, *TWO_LINES, service_fee=0)
    stay.card(20_000, status="91")
    stay.leave("1", request="R1", at=before(10))
    stay.leave("2", request="R2")
    assert [one.status for one in stay.folio.requests] == [RequestStatus.REFUNDING, RequestStatus.REFUNDING]

    stay.card(20_000, status=status)

    assert [one.status for one in stay.folio.requests] == ends
    assert (PartStatus.WAITING in [part.status for part in stay.parts()], stay.owes()) == (False, 0)


@pytest.mark.parametrize(("days", "kind"), [(10, EffectKind.VOID), (3, EffectKind.CAPTURE)])
def test_x_17_nothing_waits_for_a_payment_that_is_authorised_again(days: int, kind: EffectKind) -> None:
    """Its capture was pending at the cancellation and came to nothing (93): it is taken or released like any authorisation."""
    stay = leaving(0, service_fee=0)
    stay.card(20_000, name="payment.authorised")
    stay.card(20_000, status="91")
    stay.leave(at=before(days))
    assert [part.status for part in stay.parts()] == [PartStatus.WAITING]

    (request,) = stay.card(20_000, name="payment.authorised").requests
    stay.reply("confirmed")

    assert (request.kind, [part.status for part in stay.parts()]) == (kind, [PartStatus.DROPPED])
    assert (stay.folio.requests[0].status, stay.owes()) == (RequestStatus.CONFIRMED, 0)


def test_x_16_s4_37_what_was_paid_since_is_not_given_back_for_late_money() -> None:
    """80 paid and told late, 80 of 200 left to pay after it, and paid: told in time nothing would have come back, and 80 are too much."""
    stay = leaving(0, *TWO_LINES, service_fee=0)
    stay.leave("1", at=before(10))
    stay.card(8_000, "P2", occurred_at=before(9))
    out = stay.card(8_000, "P1", occurred_at=before(11))

    assert kinds(out) == ["PaymentCaptured", "BalanceChanged", "Overpaid"]
    assert (stay.parts(), stay.owes()) == ((), -8_000)


@pytest.mark.parametrize("answer", ["confirmed", "refused"])
def test_x_17_an_authorisation_is_closed_once(answer: str) -> None:
    """Pending and authorised again while our capture is on its way: one capture is asked for, and counted if it is made."""
    stay = leaving(0)
    stay.card(20_500, name="payment.authorised")
    stay.leave(at=before(3))
    stay.card(20_500, status="91")
    stay.reply(answer)
    with contextlib.suppress(HubError):
        stay.card(20_500, name="payment.authorised")

    assert [request.business_key for request in stay.requests] == ["B-1/P1/capture"]
    assert (10_500 if answer == "confirmed" else 0, 0) == (account.collected(stay.folio), stay.owes())


def test_a_reversed_payment_after_the_cancellation_is_owed() -> None:
    """A bounced cheque of what was kept."""
    stay = leaving(10_500)
    stay.leave(at=before(3))
    stay.card(10_500, name="payment.reversed")

    assert stay.owes() == 10_500


@given(
    pays=st.permutations([("P1", 10_500), ("P2", 6_000), ("P3", 4_000)]),
    at=st.integers(0, 3),
    days=st.integers(-1, 6),
    base=st.sampled_from(list(RefundBase)),
    nature=st.sampled_from(["arrhes", "acompte"]),
)
def test_x_16_order_of_arrival_does_not_matter(
    pays: list[tuple[str, int]], at: int, days: int, base: RefundBase, nature: str
) -> None:
    """Whichever payments are told before and after the cancellation: the same is kept in the end, the same comes back."""
    ends = []
    for split in (3, at):
        stay = leaving(
            0, *TWO_LINES, offered=tuple(replace(one, refund_base=base) for one in (FLEXIBLE, NANR)), deposit_nature=nature
        )
        for n, (payment, amount) in enumerate(pays):
            if n == split:
                stay.leave(at=before(days))
            stay.card(amount, payment, occurred_at=before(9))
        if split == 3:
            stay.leave(at=before(days))
        ends.append((account.collected(stay.folio), stay.owes(), sum(one.minor for one in stay.folio.refunds)))
    if base is RefundBase.PRICE:
        assert ends[0] == ends[1]
    else:
        assert all(abs(a - b) <= 3 for a, b in zip(*ends, strict=True))


@given(
    amounts=st.lists(st.integers(1, 12_000), min_size=3, max_size=3),
    at=st.integers(0, 3),
    line=st.sampled_from(["1", "2"]),
    days=st.integers(-1, 6),
    nature=st.sampled_from(["arrhes", "acompte"]),
    since=st.sampled_from([0, 1, 4_000, 12_000, 25_000]),
)
def test_x_16_s4_37_order_of_arrival_does_not_matter_for_one_line(
    amounts: list[int], at: int, line: str, days: int, nature: str, since: int
) -> None:
    """Of what was paid before one line was cancelled the same comes back, whenever it is told, and whatever was paid since; what was
    waived then or is claimed (S4-34) is the same, too."""
    ends = []
    for split in (3, at):
        stay = leaving(0, *TWO_LINES, deposit_nature=nature)
        for n, amount in enumerate(amounts):
            if n == split:
                _leave_one(stay, line, days, since)
            stay.card(amount, f"P{n}", occurred_at=before(9))
        if split == 3:
            _leave_one(stay, line, days, since)
        ends.append((account.collected(stay.folio), stay.owes(), sum(one.minor for one in stay.folio.refunds), stay.folio.claim))

    assert ends[0] == ends[1]


def _leave_one(stay: Leaving, line: str, days: int, since: int) -> None:
    """One line is cancelled; an hour later the guest pays `since`."""
    stay.leave(line, at=before(days))
    if since:
        stay.now = before(days, 11)
        stay.card(since, "P9", occurred_at=before(days, 11))


def test_x_16_s4_34_what_one_cancellation_gave_up_is_not_covered_by_money_of_after_it() -> None:
    """60 given up with the first line, 60 paid then, 80 given up with the second less these: told late, they cover the second's alone."""
    stay = leaving(0, *TWO_LINES, service_fee=0)
    stay.leave("1", request="R1", at=before(3))
    stay.leave("2", request="R2", at=before(3, 12))
    assert stay.folio.waived == 14_000
    stay.card(9_000, occurred_at=before(3, 11))

    assert (stay.folio.waived, account.collected(stay.folio), stay.owes()) == (6_000, 8_000, 0)


@given(
    acts=st.lists(st.one_of(st.just(None), st.tuples(st.integers(1, 12_000), st.booleans())), min_size=1, max_size=7),
    days=st.integers(-1, 6),
    nature=st.sampled_from(["arrhes", "acompte"]),
    fee=st.sampled_from([0, 500]),
)
def test_x_16_s4_37_order_of_arrival_does_not_matter_for_one_line_after_the_other(
    acts: list[tuple[int, bool] | None], days: int, nature: str, fee: int
) -> None:
    """None: the next line is cancelled. A payment may be told at once or when all is over: the same is kept and comes back."""
    ends = []
    for late in (False, True):
        stay = leaving(0, *TWO_LINES, line("3", 5_001), service_fee=fee, deposit_nature=nature)
        lines, untold = ["1", "2", "3"], []
        for hour, act in enumerate(acts):
            stay.now = at = before(days, 8 + hour)
            if act is None and lines:
                stay.leave(lines[0], request=f"R{lines.pop(0)}", at=at)
            elif act is not None and late and act[1]:
                untold.append((act[0], f"P{hour}", at))
            elif act is not None:
                stay.card(act[0], f"P{hour}", occurred_at=at)
        for amount, payment, at in untold:
            stay.card(amount, payment, occurred_at=at)
        unapplied = sum(one.captured for one in stay.folio.payments if one.unapplied)
        ends.append((account.collected(stay.folio), stay.owes(), stay.folio.waived, stay.folio.claim, unapplied))

    assert ends[0] == ends[1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pay", "auth", "91", "93", "9", "reverse", "leave", "part", "reply", "reject"]),
            st.integers(1, 4),
            st.integers(1, 9_000),
        ),
        max_size=12,
    )
)
def test_x_4_book_and_folio_agree_whatever_happens(acts: list[tuple[str, int, int]]) -> None:
    """Payments of all kinds around cancellations of all kinds; `Leaving.holds` looks after each."""
    stay = leaving(3_000, *TWO_LINES)
    stay.now = before(3)
    for act, n, amount in acts:
        try:
            match act:
                case "pay" | "91" | "93" | "9":
                    stay.card(amount, f"P{n}", status="" if act == "pay" else act, occurred_at=before(4))
                case "auth" | "reverse":
                    stay.card(
                        amount, f"P{n}", name=f"payment.{'authorised' if act == 'auth' else 'reversed'}", occurred_at=before(4)
                    )
                case "leave":
                    stay.leave(request=f"R{n}")
                case "part":
                    stay.leave(str(1 + n % 2), request=f"R{n}")
                case _ if stay.requests:
                    stay.reply("confirmed" if act == "reply" else "refused", stay.requests[n % len(stay.requests)])
        except HubError:
            pass


ENDS = st.lists(st.tuples(st.sampled_from(["1", "2", ""]), st.integers(0, 5)), min_size=1, max_size=3)


@given(
    st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=3),
    ENDS,
    st.sampled_from(["10 %", "33 1/3 %"]),
    st.sampled_from(CommissionOnPenalty),
)
def test_x_16_s4_38_a_30_commission_of_money_that_is_told_late(
    prices: tuple[int, int],
    paid: list[int],
    ends: list[tuple[str, int]],
    rate: str,
    knob: CommissionOnPenalty,
) -> None:
    """X-16, S4-38: money that moved before all cancellations: what is kept bears the same commission, and notes come to the same,
    whether it was told before them or after."""
    offered = tuple(replace(one, commission_on_penalty=knob) for one in (FLEXIBLE, NANR))
    worlds = []
    for late in (False, True):
        lines = line("1", prices[0]), line("2", prices[1], terms="outdoor/nanr")
        stay = leaving(0, *lines, offered=offered, commission_rate=rate, service_fee=0)
        pay_in_may(stay, [] if late else paid)
        for number, (name, days) in enumerate(ends):
            with contextlib.suppress(HubError):
                stay.leave(*([name] if name else []), request=f"R{number}", at=before(days))
        pay_in_may(stay, paid if late else [])
        notes = [part for one in stay.said if isinstance(one, CommissionCreditNoteRequested) for part in one.lines]
        worlds.append([(one.commission_free, sum(n.amount for n in notes if n.line == one.line)) for one in stay.folio.lines])

    assert worlds[0] == worlds[1]


def pay_in_may(stay: Leaving, paid: list[int]) -> None:
    """By card, before any cancellation."""
    for number, amount in enumerate(paid):
        stay.card(amount, f"P{number}", occurred_at="2026-05-20T10:00:00+02:00")


def test_x_16_s4_38_the_commission_of_what_is_kept_after_all_is_due_again() -> None:
    """All of it was credited, since nothing was paid: half of the price is kept after all."""
    stay = leaving(0, line(price=20_000), commission_rate="10 %", service_fee=0)
    first = fact(stay.leave(at=before(3)), CommissionCreditNoteRequested)
    second = fact(stay.card(20_000, occurred_at=before(9)), CommissionCreditNoteRequested)

    assert (first.amount, second.amount) == (2_000, -1_000)
    assert [(one.line, one.base, one.amount) for one in second.lines] == [("1", -10_000, -1_000)]


def test_a_4_a_30_the_commission_that_was_waived_is_not_due_again() -> None:
    """A-4: half of what was collected is kept, of late money too; it bears none (A-30)."""
    terms = (replace(FLEXIBLE, refund_base=RefundBase.COLLECTED, commission_on_penalty=CommissionOnPenalty.WAIVED),)
    stay = leaving(6_000, line(price=20_000), offered=terms, commission_rate="10 %", service_fee=0)
    stay.leave(at=before(3))
    out = stay.card(4_000, "P2", occurred_at=before(9))

    assert (stay.folio.lines[0].kept, stay.folio.lines[0].commission_free) == (5_000, 5_000)
    assert "CommissionCreditNoteRequested" not in kinds(out)
