"""What a cancellation gives: golden vectors, knobs, partial cancellation, authorised and pending money, and properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import account
from ledger.balance import balance
from schemas.cancellation import CancellationConfirmed, CancellationQuoted, Cause
from schemas.effect import EffectKind, EffectState
from schemas.errors import Rejected
from schemas.folio import FolioStatus, PartStatus, PaymentStatus
from schemas.payment import PaymentCaptured, PaymentVoided
from schemas.policy import RefundBase, Terms
from schemas.refund import RefundDecided
from tests.handlers.campsite import CAMP, FLEXIBLE, NANR, TWO_LINES, fact, kinds, line, terms
from tests.handlers.cancelling import GUEST, MERCHANT, Leaving, before, leaving

BY_COLLECTED = replace(FLEXIBLE, refund_base=RefundBase.COLLECTED, version="outdoor/flexible/c")


def quoted(stay: Leaving, *lines: object, days: int = 10, **more: Any) -> CancellationQuoted:
    """The quote so many days before arrival."""
    found = fact(stay.ask(*lines, at=before(days), **more), CancellationQuoted)
    assert isinstance(found, CancellationQuoted)
    return found


@pytest.mark.parametrize(
    ("paid", "days", "refund", "nature", "claim"),
    [
        pytest.param(20_500, 10, 20_000, "arrhes", 0, id="S4-33 ten days"),
        pytest.param(20_500, 4, 20_000, "arrhes", 0, id="V15 four days"),
        pytest.param(20_500, 3, 10_000, "arrhes", 0, id="V15 three days"),
        pytest.param(20_500, 1, 10_000, "arrhes", 0, id="V15 one day"),
        pytest.param(20_500, 0, 0, "arrhes", 0, id="V15 same day"),
        pytest.param(20_500, -5, 0, "arrhes", 0, id="V15 S4-42 five days after arrival"),
        pytest.param(10_500, 4, 10_000, "arrhes", 0, id="V16 four days"),
        pytest.param(10_500, 3, 0, "arrhes", 0, id="V16 three days"),
        pytest.param(10_500, 0, 0, "arrhes", 0, id="V16 same day, arrhes"),
        pytest.param(10_500, 0, 0, "acompte", 10_000, id="V16 same day, acompte"),
        pytest.param(10_500, 3, 0, "acompte", 0, id="V16 three days, acompte"),
        pytest.param(0, 3, 0, "arrhes", 0, id="S4-34 nothing paid, nothing claimed"),
        pytest.param(0, 3, 0, "acompte", 10_500, id="S4-34 nothing paid, penalty and fee claimed"),
        pytest.param(20_700, 3, 10_200, "arrhes", 0, id="S4-37 what was overpaid comes back too"),
    ],
)
def test_v15_v16_s4_32_refund_by_subtraction(paid: int, days: int, refund: int, nature: str, claim: int) -> None:
    """Price 200, fee 5: refund = collected - fee - penalty, floor 0; the quote and what is confirmed say the same."""
    stay = leaving(paid, deposit_nature=nature)
    quote = quoted(stay, days=days)
    out = stay.confirm()

    assert (refund, claim, paid - refund) == (quote.refund, quote.claim, quote.kept)
    done = fact(out, CancellationConfirmed)
    assert (refund, claim, paid - refund, quote.penalty) == (done.refund, done.claim, done.kept, done.penalty)
    assert claim == account.balance(stay.folio) == stay.folio.claim
    assert stay.folio.status is FolioStatus.CANCELLED
    assert refund == sum(request.minor for request in stay.requests)


@pytest.mark.parametrize(("paid", "refund"), [(5_001, 0), (10_001, 5_000)])
def test_v24_half_a_cent_is_kept(paid: int, refund: int) -> None:
    """Price 100.01, no fee, three days: penalty 50.01."""
    stay = leaving(paid, line(price=10_001), service_fee=0)
    quote = quoted(stay, days=3)

    assert (5_001, refund) == (quote.penalty, quote.refund)


def test_v19_two_services_with_their_own_terms() -> None:
    """S4-9: 120 at 50 % and 80 not refundable: 60 back."""
    stay = leaving(20_500, *TWO_LINES)
    quote = quoted(stay, days=3)

    assert [(one.line, one.refund_rate, one.penalty) for one in quote.lines] == [("1", "50 %", 6_000), ("2", "0 %", 8_000)]
    assert (quote.penalty, quote.refund, quote.kept) == (14_000, 6_000, 14_500)


@pytest.mark.parametrize(("paid", "refund", "open_"), [(14_500, 0, 0), (20_500, 6_000, 0), (10_500, 0, 4_000)])
def test_v25_one_service_of_two(paid: int, refund: int, open_: int) -> None:
    """S4-37: ordered after = 80 + 60 + 5; the rest keeps its terms and its balance."""
    stay = leaving(paid, *TWO_LINES)
    out = stay.leave("1", at=before(3))

    assert refund == fact(out, CancellationConfirmed).refund
    assert (14_500, open_) == (account.ordered(stay.folio), stay.owes())
    assert stay.folio.status is FolioStatus.CONFIRMED
    assert [line.line for line in account.live_lines(stay.folio)] == ["2"]


def test_v25_the_second_half_later_is_the_whole() -> None:
    """S4-37: full cancellation is the special case: the first line keeps its 60, then the second its 80."""
    stay = leaving(20_500, *TWO_LINES)
    stay.leave("1", at=before(3))
    out = stay.leave("2", at=before(3), request="R2")

    assert (fact(out, CancellationConfirmed).refund, fact(out, CancellationConfirmed).penalty) == (0, 8_000)
    assert (stay.owes(), stay.folio.status) == (0, FolioStatus.CANCELLED)


@pytest.mark.parametrize(
    ("between", "first", "second", "claim"),
    [
        pytest.param(0, 6_000, 8_000, 14_000, id="nothing paid: each its own penalty"),
        pytest.param(3_000, 6_000, 5_000, 11_000, id="paid in between: it covers the second one's first"),
        pytest.param(12_000, 6_000, 0, 2_000, id="and of the first one's what is left"),
        pytest.param(20_000, 6_000, 0, 0, id="everything paid: nothing is claimed any more"),
    ],
)
@pytest.mark.parametrize("live", [False, True], ids=["the last line", "another line lives on"])
def test_s4_34_what_is_claimed_already_is_not_claimed_again(between: int, first: int, second: int, claim: int, live: bool) -> None:
    """Acompte, one line after the other: a confirmation says what it adds, the folio what is claimed of all that is kept."""
    rest = [line("3", 1_000)] if live else []
    stay = leaving(0, *TWO_LINES, *rest, deposit_nature="acompte", service_fee=0)
    one = fact(stay.leave("1", request="R1", at=before(3)), CancellationConfirmed)
    if between:
        stay.card(between, occurred_at=before(3, 11))
    two = fact(stay.leave("2", request="R2", at=before(3, 12)), CancellationConfirmed)

    assert (one.claim, two.claim, stay.folio.claim) == (first, second, claim)
    if not live:
        assert stay.owes() == claim


def test_s4_34_part_of_a_stay_hardly_paid() -> None:
    """20 collected, 5 of it fee: 15 of the penalty of 60 are covered, 45 not claimed; the other line is still due."""
    stay = leaving(2_000, *TWO_LINES)
    quote = quoted(stay, "1", days=3)
    stay.confirm()

    assert (quote.penalty, quote.claim, quote.refund) == (6_000, 0, 0)
    assert (stay.folio.waived, stay.owes()) == (4_500, 8_000)


@pytest.mark.parametrize(("days", "refund"), [(3, 5_000), (4, 10_000), (0, 0)])
def test_v28_a_4_rate_of_what_was_collected(days: int, refund: int) -> None:
    """Knob refund_base = collected: 105 paid, 5 of it fee: the rate × 100."""
    stay = leaving(10_500, offered=(BY_COLLECTED,))

    assert refund == quoted(stay, days=days).refund
    stay.confirm()
    assert stay.owes() == 0


def test_a_4_x_5_collected_is_spread_by_price() -> None:
    """Two lines, 105 of 205 paid: 100 stand as 60 and 40; 50 % and 0 % of them."""
    nanr = replace(NANR, refund_base=RefundBase.COLLECTED, version="outdoor/nanr/c")
    stay = leaving(10_500, *TWO_LINES, offered=(BY_COLLECTED, nanr))
    quote = quoted(stay, days=3)

    assert [one.penalty for one in quote.lines] == [3_000, 4_000]
    assert quote.refund == 3_000


def test_a_4_each_line_by_its_own_base() -> None:
    """The same, but the second line's terms go by its price: 0 % of 80 that are not all paid."""
    stay = leaving(10_500, *TWO_LINES, offered=(BY_COLLECTED, NANR))

    assert [one.penalty for one in quoted(stay, days=3).lines] == [3_000, 8_000]


@pytest.mark.parametrize(
    ("cause", "fee_back_on", "package", "refund"),
    [
        pytest.param("owner", (Cause.OWNER,), False, 20_500, id="S4-44 owner gives everything back"),
        pytest.param("owner", (), False, 20_000, id="S4-44 knob off"),
        pytest.param("force_majeure", (Cause.OWNER,), False, 20_000, id="S4-35 A-7 force majeure keeps the fee"),
        pytest.param("force_majeure", (Cause.FORCE_MAJEURE,), False, 20_500, id="A-7 knob"),
        pytest.param("force_majeure", (), True, 20_500, id="X-24 a package gives the fee back"),
        pytest.param("no_show", (Cause.OWNER,), False, 0, id="S4-35 no-show is tranche 3"),
        pytest.param("no_show", (), True, 0, id="X-24 a no-show of a package is none of its causes"),
    ],
)
def test_s4_35_s4_44_causes(cause: str, fee_back_on: tuple[Cause, ...], package: bool, refund: int) -> None:
    """Asked by the house the day after the arrival (the only day on which all are possible)."""
    stay = leaving(20_500, camp=replace(CAMP, fee_refundable_on=fee_back_on), is_package=package)
    quote = quoted(stay, days=-1, cause=cause, actor=MERCHANT, proof="meteo")
    stay.confirm(actor=MERCHANT)

    assert refund == quote.refund
    assert stay.owes() == 0


def test_s4_44_fee_stays_while_other_lines_live() -> None:
    """The owner cancels one line of two: its price comes back, the fee is of the booking."""
    stay = leaving(20_500, *TWO_LINES)

    assert quoted(stay, "1", days=3, cause="owner", actor=MERCHANT).refund == 12_000


def test_x_24_fee_of_a_package_stays_while_other_lines_live() -> None:
    """As without a package."""
    stay = leaving(20_500, *TWO_LINES, is_package=True)

    assert quoted(stay, "1", days=3, cause="owner", actor=MERCHANT).refund == 12_000


@pytest.mark.parametrize(("paid", "double"), [(20_500, 10_000), (10_500, 10_000), (4_500, 4_000), (500, 0)])
def test_s4_44_arrhes_returned_double(paid: int, double: int) -> None:
    """Knob arrhes_double: once more the arrhes that were collected, by hand, since no payment gives more (X-3), beside the refund."""
    stay = leaving(paid, camp=replace(CAMP, arrhes_double=True))
    out = stay.leave(at=before(3), cause="owner", actor=MERCHANT)

    assert [paid, double] == [f.amount for f in out.facts if isinstance(f, RefundDecided)] + [0] * (not double)
    if double:
        stay.by_hand(double, refund=stay.folio.refunds[-1].refund)
    assert stay.owes() == 0


def test_s4_45_never_better_than_at_the_move() -> None:
    """A cap on the line lowers the rate and says so."""
    stay = leaving(20_500)
    stay.state = replace(stay.folio, lines=(replace(stay.folio.lines[0], rate_cap="50 %"),))
    out = stay.ask(at=before(10))

    assert (fact(out, CancellationQuoted).lines[0].refund_rate, fact(out, CancellationQuoted).refund) == ("50 %", 10_000)
    assert any("S4-45" in step.text for step in out.trace)


FEWER = {"line": "1", "new_departure": "2026-07-28", "new_price": 12_000}


@pytest.mark.parametrize(
    ("days", "penalty", "refund"),
    [
        pytest.param(10, 0, 8_000, id="all of the difference"),
        pytest.param(3, 4_000, 4_000, id="half of it: days to the original arrival"),
        pytest.param(-2, 8_000, 0, id="during the stay: tranche 3"),
    ],
)
def test_s4_37_fewer_nights(days: int, penalty: int, refund: int) -> None:
    """200 becomes 120: the line lives on with its new price and departure, and keeps the penalty beside."""
    stay = leaving(20_500)
    quote = quoted(stay, FEWER, days=days)
    stay.confirm()

    assert (penalty, refund) == (quote.penalty, quote.refund)
    (left,) = account.live_lines(stay.folio)
    assert (12_000, "2026-07-28", penalty) == (left.price, str(left.departure), left.kept)
    assert stay.owes() == 0


def test_a_4_fewer_nights_of_what_was_collected() -> None:
    """100 stand on the 200; of them 40 on the nights lost: half is kept."""
    quote = quoted(leaving(10_500, offered=(BY_COLLECTED,)), FEWER, days=3)

    assert (quote.penalty, quote.refund) == (2_000, 0)


def test_s4_37_fewer_nights_then_all() -> None:
    """At 3 days: 40 kept of the nights, then 60 of the rest: as much as half of 200."""
    stay = leaving(20_500)
    stay.leave(FEWER, at=before(3))
    out = stay.leave(at=before(3), request="R2")

    assert fact(out, CancellationConfirmed).refund == 6_000
    assert account.ordered(stay.folio) == 10_500


@pytest.mark.parametrize(
    ("choice", "code", "field"),
    [
        ({"line": "9"}, "unknown_line", "lines[0].line"),
        ({"line": "1", "new_departure": "2026-07-28"}, "not_fewer_nights", "lines[0]"),
        ({"line": "1", "new_price": 100}, "not_fewer_nights", "lines[0]"),
        ({"line": "1", "new_departure": "2026-07-31", "new_price": 100}, "not_fewer_nights", "lines[0].new_departure"),
        ({"line": "1", "new_departure": "2026-07-24", "new_price": 100}, "not_fewer_nights", "lines[0].new_departure"),
        ({"line": "1", "new_departure": "2026-07-28", "new_price": 20_001}, "amount_above_total", "lines[0].new_price"),
    ],
)
def test_s4_37_choices_that_cannot_be(choice: dict[str, object], code: str, field: str) -> None:
    """Refused, naming the field."""
    stay = leaving()
    with pytest.raises(Rejected) as why:
        stay.ask(choice, at=before(10))

    assert (code, field) == (why.value.code, why.value.field)


ASIDE = (line(), line("tax", 700, kind="tourist_tax", terms=""), line("ins", 900, kind="insurance", terms=""))


@pytest.mark.parametrize(
    ("days", "cause", "actor", "refund"),
    [
        pytest.param(3, "guest", GUEST, 10_700, id="half of the stay and all of the tax"),
        pytest.param(0, "guest", GUEST, 700, id="nobody has stayed on the arrival day"),
        pytest.param(-1, "guest", GUEST, 0, id="somebody stayed"),
        pytest.param(-1, "no_show", MERCHANT, 700, id="nobody came"),
        pytest.param(3, "owner", MERCHANT, 22_100, id="the owner gives insurance and fee back too"),
    ],
)
def test_x_23_tourist_tax_and_insurance(days: int, cause: str, actor: dict[str, str], refund: int) -> None:
    """Outside penalty: tax comes back when nobody stayed, insurance stands apart."""
    stay = leaving(22_100, *ASIDE)
    quote = quoted(stay, days=days, cause=cause, actor=actor)

    assert refund == quote.refund
    assert [one.penalty for one in quote.lines if one.line != "1"] == [0, 0]
    stay.confirm(actor=actor)
    assert stay.owes() == 0


@pytest.mark.parametrize("days", [pytest.param(1, id="the day before"), pytest.param(-1, id="after one night")])
def test_x_23_tourist_tax_of_nights_that_nobody_stays(days: int) -> None:
    """Fewer nights: what is taken off comes back whole, also when somebody stays the others."""
    tax = line("tax", 700, kind="tourist_tax", terms="")
    stay = leaving(21_200, line(), tax)
    fewer = {"line": "tax", "new_departure": "2026-07-28", "new_price": 400}
    quote = fact(stay.ask(fewer, at=before(days)), CancellationQuoted)

    assert [(one.line, one.refund_rate, one.penalty) for one in quote.lines] == [("tax", "100 %", 0)]
    assert quote.refund == 300


def test_x_23_with_fewer_nights_tax_and_insurance_stay() -> None:
    """The service goes on, so that what stands beside it does too."""
    stay = leaving(22_100, *ASIDE)
    fewer = {"line": "1", "new_departure": "2026-07-28", "new_price": 12_000}
    quote = fact(stay.ask(fewer, at=before(10)), CancellationQuoted)

    assert [(one.line, one.penalty) for one in quote.lines] == [("1", 0)]
    assert quote.refund == 8_000


@pytest.mark.parametrize(("package", "refund"), [(False, 20_700), (True, 22_100)])
def test_x_23_x_24_insurance_and_force_majeure(package: bool, refund: int) -> None:
    """It stays with the insurer, but a package comes back whole, with its fee."""
    stay = leaving(22_100, *ASIDE, is_package=package)
    stay.told_cancelled(at=before(3), reason="force_majeure", refund="policy")

    assert stay.folio.refunds[0].minor == refund


@pytest.mark.parametrize(("nature", "said"), [("acompte", "is a claim, not collected"), ("arrhes", "is not claimed")])
def test_s4_34_the_trace_says_what_becomes_of_it(nature: str, said: str) -> None:
    """100 are kept of 200 where 50 were paid."""
    stay = leaving(5_000, service_fee=0, deposit_nature=nature)
    out = stay.ask(at=before(3))

    assert [step.text for step in out.trace if step.rule == "S4-34"] == [f"50.00 EUR beyond what was collected {said} ({nature})"]


def test_x_23_what_stays_of_tax_and_insurance_is_no_income() -> None:
    """It is the municipality's and the insurer's."""
    stay = leaving(22_100, *ASIDE)
    stay.leave(at=before(-1))

    owed = [balance(stay.entries, account, "EUR") for account in ("taxes:B-1", "insurance:B-1", "penalties:camp-azur")]
    assert owed == [-700, -900, -20_000]


def test_x_23_with_the_last_service_go_tax_and_insurance() -> None:
    """Naming the only stay is cancelling everything."""
    stay = leaving(22_100, *ASIDE)
    stay.leave("1", at=before(3))

    assert stay.folio.status is FolioStatus.CANCELLED
    assert stay.folio.refunds[0].minor == 10_700


@pytest.mark.parametrize(
    ("days", "kind", "minor"),
    [
        pytest.param(3, EffectKind.CAPTURE, 10_500, id="fee and penalty are taken"),
        pytest.param(10, EffectKind.CAPTURE, 500, id="only the fee"),
    ],
)
def test_x_17_authorised_money_is_taken_as_needed(days: int, kind: EffectKind, minor: int) -> None:
    """SAS, last, releases the rest; nothing was collected, so nothing is refunded."""
    stay = leaving(0)
    stay.card(20_500, name="payment.authorised")
    out = stay.leave(at=before(days))

    (request,) = out.requests
    assert (kind, minor, True, "B-1/P1/capture") == (request.kind, request.minor, request.last, request.business_key)
    assert (fact(out, CancellationConfirmed).refund, fact(out, CancellationConfirmed).claim) == (0, 0)
    reply = stay.reply("confirmed")
    assert [PaymentCaptured, PaymentVoided] == [type(f) for f in reply.facts[:2]]
    assert (minor, 20_500 - minor) == (fact(reply, PaymentCaptured).amount, fact(reply, PaymentVoided).amount)
    assert (0, minor) == (stay.owes(), account.collected(stay.folio))
    assert stay.reply("confirmed").facts == () if stay.folio.effects else True


def test_x_17_two_authorisations_are_taken_in_the_order_they_came() -> None:
    """105 needed of 60 and 145: all of the first, 45 of the second."""
    stay = leaving(0)
    stay.card(6_000, name="payment.authorised")
    stay.card(14_500, "P2", name="payment.authorised")
    out = stay.leave(at=before(3))

    assert [(request.payment, request.minor) for request in out.requests] == [("P1", 6_000), ("P2", 4_500)]


def test_x_17_captured_by_somebody_else_meanwhile() -> None:
    """All of it, told by the PMS while our capture of a part is on its way: counted once, the surplus comes back."""
    stay = leaving(0)
    stay.card(20_500, name="payment.authorised", occurred_at=before(9))
    stay.leave(at=before(3))
    capture = stay.requests[0]
    stay.stored = {capture.effect: EffectState.SENDING}
    told = stay.card(20_500, occurred_at=before(9))
    out = stay.reply("confirmed", capture)

    assert (out.facts, out.entries) == ((), ())
    assert [request.minor for request in told.requests] == [10_000]
    assert (stay.payment().captured, stay.owes()) == (20_500, 0)


def test_x_17_captured_by_somebody_else_instead_of_voided() -> None:
    """The void's yes comes after the PMS told of the capture: the money stays collected, goes back, and a person is told."""
    stay = leaving(0, service_fee=0)
    stay.card(20_000, name="payment.authorised", occurred_at=before(12))
    stay.leave(at=before(10))
    void = stay.requests[0]
    stay.stored = {void.effect: EffectState.SENDING}
    stay.card(20_000, occurred_at=before(12))

    assert kinds(stay.reply("confirmed", void)) == ["EffectNeedsPerson"]
    assert (stay.payment().status, stay.payment().refunding) == (PaymentStatus.CAPTURED, 20_000)


def test_x_17_authorised_money_is_voided_when_nothing_is_needed() -> None:
    """No fee, ten days: void."""
    stay = leaving(0, service_fee=0)
    stay.card(20_000, name="payment.authorised")
    (request,) = stay.leave(at=before(10)).requests

    assert (request.kind, request.minor, request.business_key) == (EffectKind.VOID, 20_000, "B-1/P1/void")
    assert fact(stay.reply("confirmed"), PaymentVoided).amount == 20_000
    assert stay.payment().status is PaymentStatus.VOIDED


def test_x_17_a_refused_capture_is_not_claimed_with_arrhes() -> None:
    """S4-34: what could not be taken is waived, and a person is told."""
    stay = leaving(0)
    stay.card(20_500, name="payment.authorised")
    stay.leave(at=before(3))
    out = stay.reply("refused", code="30001001")

    assert "EffectNeedsPerson" in kinds(out)
    assert (stay.owes(), stay.folio.waived) == (0, 10_500)


def test_x_17_pending_money_waits() -> None:
    """105 final, 100 pending (91): 0 now; final: the 100; the rate is that of the cancellation, however late the word."""
    stay = leaving(10_500)
    stay.card(10_000, "P2", status="91")
    out = stay.leave(at=before(3))
    assert (fact(out, CancellationConfirmed).refund, out.requests) == (0, ())
    assert [part.status for part in stay.parts()] == [PartStatus.WAITING]

    stay.now = before(-3)
    late = stay.card(10_000, "P2", status="9")
    assert [(request.payment, request.minor) for request in late.requests] == [("P2", 10_000)]
    assert fact(late, RefundDecided).amount == 10_000
    assert stay.owes() == 0


def test_x_17_pending_money_that_fails_drops_what_waited() -> None:
    """93 after 91: nothing to give back, nothing owed."""
    stay = leaving(10_500)
    stay.card(10_000, "P2", status="91")
    stay.leave(at=before(3))
    late = stay.card(10_000, "P2", status="93")

    assert (late.requests, [part.status for part in stay.parts()], stay.owes()) == ((), [PartStatus.DROPPED], 0)


def test_x_17_part_of_a_stay_with_pending_money() -> None:
    """V25: 145 final, 60 pending; the 60 of the 120 come back when the pending 60 are final."""
    stay = leaving(14_500, *TWO_LINES)
    stay.card(6_000, "P2", status="91")
    stay.leave("1", at=before(3))
    late = stay.card(6_000, "P2", status="9")

    assert [request.minor for request in late.requests] == [6_000]
    assert stay.owes() == 0


@given(
    prices=st.lists(st.integers(0, 50_000), min_size=1, max_size=5),
    names=st.lists(st.sampled_from(["outdoor/flexible", "outdoor/nanr", "outdoor/strict"]), min_size=5, max_size=5),
    fee=st.integers(0, 2_000),
    paid=st.integers(0, 300_000),
    days=st.integers(-3, 12),
    nature=st.sampled_from(["arrhes", "acompte"]),
    base=st.sampled_from(list(RefundBase)),
)
def test_s4_32_refund_and_kept_are_what_was_collected(
    prices: list[int], names: list[str], fee: int, paid: int, days: int, nature: str, base: RefundBase
) -> None:
    """refund + kept = collected, 0 <= refund <= collected, and after it the guest owes the claim and nothing else."""
    offered = tuple(replace(one, refund_base=base) for one in (FLEXIBLE, NANR, terms("outdoor/strict", "1", "1/4", "0")))
    lines = [line(str(n), price, terms=name) for n, (price, name) in enumerate(zip(prices, names, strict=False))]
    stay = leaving(paid, *lines, offered=offered, service_fee=fee, deposit_nature=nature)
    out = stay.leave(at=before(days))

    done = fact(out, CancellationConfirmed)
    assert done.refund + done.kept == paid
    assert 0 <= done.refund <= paid
    assert done.claim == stay.owes()
    assert sum(one.penalty for one in done.lines) == done.penalty <= sum(prices)
    assert done.refund == sum(part.minor for part in stay.parts())


@given(
    moments=st.lists(st.integers(-120, 24 * 20), min_size=2, max_size=5),
    paid=st.integers(0, 25_000),
    base=st.sampled_from(list(RefundBase)),
)
def test_s4_4_penalty_never_falls_as_arrival_nears(moments: list[int], paid: int, base: RefundBase) -> None:
    """Monotone in notice: later, not less is kept and not more comes back."""
    offered = (replace(FLEXIBLE, refund_base=base), NANR)
    start = datetime(2026, 7, 24, tzinfo=UTC)
    quotes = []
    for hours in sorted(moments, reverse=True):
        stay = leaving(paid, *TWO_LINES, offered=offered)
        quotes.append(fact(stay.ask(at=(start - timedelta(hours=hours)).isoformat()), CancellationQuoted))

    assert [q.penalty for q in quotes] == sorted(q.penalty for q in quotes)
    assert [q.refund for q in quotes] == sorted((q.refund for q in quotes), reverse=True)


def test_x_7_the_trace_can_be_followed() -> None:
    """V19: each line, the fee, and the subtraction, in words and figures."""
    stay = leaving(20_500, *TWO_LINES)
    out = stay.ask(at=before(3))
    steps = [(step.rule, step.text) for step in out.trace]

    assert (
        "S4-32",
        "line 1: 120.00 EUR × (1 − 50 %) = 60.00 EUR kept (outdoor/flexible/1: 3 days before 2026-07-24 in Europe/Paris)",
    ) in steps
    assert ("S4-5", "service fee 5.00 EUR is kept") in steps
    assert ("S4-37", "refund = max(0, 205.00 EUR collected − 145.00 EUR still ordered) = 60.00 EUR") in steps
    assert out.policy_version == "camp-azur/1 outdoor/flexible/1 outdoor/nanr/1"


def test_s4_40_frozen_terms_are_read() -> None:
    """What is offered now does not matter."""
    stay = leaving(20_500)
    stay.offer(Terms(name="outdoor/flexible", version="outdoor/flexible/2", trade="outdoor", tranches=NANR.tranches))

    assert quoted(stay, days=10).refund == 20_000
