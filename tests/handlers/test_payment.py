"""Payments: promised, taken, taken back; once, in any order, and after a cancellation."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import account
from handlers.payment_states import NEXT, Halt, Told
from ledger.balance import balance, out_of_balance, trial_balance
from schemas.booking import BalanceChanged, Overpaid
from schemas.common import Fact
from schemas.errors import Early, HubError, Rejected, Stale
from schemas.folio import FolioPayment, FolioRefund, PartStatus, PaymentStatus, RefundPart
from schemas.operations import EffectNeedsPerson
from schemas.payment import Initiation, PaymentCaptured, PaymentVoided, Tender, UnappliedReceipt
from schemas.refund import RefundDecided
from tests.handlers.campsite import Stay, fact, kinds, line, ordered, paid
from tests.handlers.cancelling import before, leaving
from tests.handlers.house import ordered as ordered_house


@pytest.fixture
def stay() -> Stay:
    """200 and fee 5, nothing paid."""
    stay = Stay()
    stay.book()
    return stay


def the(stay: Stay, payment: str = "P1") -> FolioPayment:
    """A payment as the folio knows it."""
    found = account.payment_of(stay.folio, payment)
    assert found is not None
    return found


def test_x_17_received_is_collected(stay: Stay) -> None:
    """105 of 205: 100 open, in the book too."""
    out = stay.pay(paid(10_500, provider="ogone", merchant="azur", provider_reference="3001", status="9"))

    captured = PaymentCaptured(payment="P1", tender="card", amount=10_500, currency="EUR")
    assert (captured, BalanceChanged(ordered=20_500, collected=10_500, balance=10_000, currency="EUR")) == out.facts
    assert stay.owes() == 10_000
    assert balance(stay.entries, "money:ogone/azur", "EUR") == 10_500


@pytest.mark.parametrize("tender", list(Tender))
def test_every_tender_is_collected(stay: Stay, tender: Tender) -> None:
    """A voucher pays as a card does."""
    stay.pay(paid(20_500, tender=tender.value))

    assert stay.owes() == 0
    assert balance(stay.entries, f"till:{tender.value}", "EUR") == 20_500


def test_x_2_payment_before_its_booking_is_early() -> None:
    """Parked until the booking is there."""
    with pytest.raises(Early) as caught:
        Stay().pay(paid(1))
    assert caught.value.waits_for == "booking"


def test_another_currency_is_refused(stay: Stay) -> None:
    """Yen do not pay euros."""
    with pytest.raises(Rejected) as caught:
        stay.pay(paid(1, currency="JPY"))
    assert (caught.value.code, caught.value.field, caught.value.value) == ("currency_mismatch", "currency", "JPY")


def test_x_17_authorised_is_not_collected(stay: Stay) -> None:
    """Promised money moves nothing; its capture, of less too, does."""
    out = stay.pay(paid(20_500), "payment.authorised")
    assert (out.facts, out.entries) == ((), ())
    assert stay.owes() == 20_500
    stay.pay(paid(10_500))
    assert (the(stay).status, the(stay).authorised, the(stay).captured) == (PaymentStatus.CAPTURED, 20_500, 10_500)
    assert stay.owes() == 10_000


@pytest.mark.parametrize("status", ["51", "91", "52", "92"])
@pytest.mark.parametrize("name", ["payment.received", "payment.authorised"])
def test_x_17_pending_is_not_collected(stay: Stay, status: str, name: str) -> None:
    """Taken and not final at Ogone: it waits; final, it is collected."""
    stay.pay(paid(20_500, provider="ogone", status=status), name)
    assert (the(stay).status, stay.owes()) == (PaymentStatus.PENDING, 20_500)
    stay.pay(paid(20_500, provider="ogone", status="9"))
    assert (the(stay).status, stay.owes()) == (PaymentStatus.CAPTURED, 0)


def test_pending_words_are_ogones(stay: Stay) -> None:
    """Another provider's 91 is another word: the message's name counts."""
    stay.pay(paid(20_500, provider="other", status="91"))

    assert stay.owes() == 0


@pytest.mark.parametrize("tender", [Tender.CASH, Tender.CHEQUE, Tender.BANK_TRANSFER])
def test_x_17_s0_19_what_cannot_be_authorised_is_refused(tender: Tender) -> None:
    """It is there or not; beside a voucher too, where it would stand for the deposit."""
    house = ordered_house()
    house.enter(10_000)
    with pytest.raises(Rejected) as why:
        house.authorise(5_000, tender=tender.value, provider="", merchant="", provider_reference="")

    assert (why.value.code, why.value.field, why.value.rule) == ("tender_not_authorisable", "tender", "X-17")
    assert house.folio().payments == ()
    house.pay(5_000, tender=tender.value, provider="", merchant="", provider_reference="")
    assert account.collected(house.folio()) == 5_000


def test_x_17_pending_then_refused(stay: Stay) -> None:
    """93: it will not come; the balance never moved. Without anything before, there is nothing to record."""
    stay.pay(paid(20_500, provider="ogone", status="91"))
    out = stay.pay(paid(20_500, provider="ogone", status="93"))
    assert (PaymentVoided(payment="P1", amount=20_500, currency="EUR"),) == out.facts
    with pytest.raises(Rejected) as caught:
        stay.pay(paid(20_500, "P2", provider="ogone", status="93"))
    assert (caught.value.code, caught.value.field, caught.value.value) == ("payment_failed", "status", "93")


def test_what_is_known_of_a_payment_is_kept(stay: Stay) -> None:
    """Who paid was said when it was authorised; the capture does not say it again, or says another."""
    stay.pay(paid(20_500, payer="agency"), "payment.authorised")
    stay.pay(paid(20_500, payer="somebody else"))

    assert the(stay).payer == "agency"


@pytest.mark.parametrize("status", ["0", "1", "2", "93"])
def test_x_17_words_of_ogone_for_what_failed(stay: Stay, status: str) -> None:
    """Refused, cancelled by the guest, not authorised, refused at the capture: no money, whatever the message is called."""
    with pytest.raises(Rejected) as caught:
        stay.pay(paid(20_500, provider="ogone", status=status))
    assert (caught.value.code, stay.owes()) == ("payment_failed", 20_500)


def test_x_1_the_same_payment_again_is_stale(stay: Stay) -> None:
    """Another message about the same payment: recorded, nothing changes."""
    stay.pay(paid(10_500))
    for message, name in ((paid(10_500), "payment.received"), (paid(10_500), "payment.authorised")):
        with pytest.raises(Stale):
            stay.pay(message, name)
    assert stay.owes() == 10_000


@pytest.mark.parametrize(
    ("first", "then", "field"),
    [
        pytest.param({}, {"amount": 10_501}, "amount", id="another amount"),
        pytest.param({"provider_reference": "1"}, {"provider_reference": "2"}, "provider_reference", id="another PAYID"),
    ],
)
def test_x_1_another_body_under_the_same_id(stay: Stay, first: dict[str, Any], then: dict[str, Any], field: str) -> None:
    """Kept and shown, never merged."""
    base: dict[str, Any] = {"amount": 10_500}
    stay.pay(paid(**base | first))
    with pytest.raises(Rejected) as caught:
        stay.pay(paid(**base | then))
    assert ("duplicate_identity", field) == (caught.value.code, caught.value.field)


def test_more_than_authorised_is_refused(stay: Stay) -> None:
    """A capture is never above its authorisation."""
    stay.pay(paid(10_000), "payment.authorised")
    with pytest.raises(Rejected) as caught:
        stay.pay(paid(10_001))
    assert caught.value.code == "amount_above_authorised"


def test_the_providers_id_may_come_later(stay: Stay) -> None:
    """The PMS told the payment, the PSP tells its PAYID: known from then on, and nothing else moved."""
    stay.pay(paid(10_500))
    out = stay.pay(paid(10_500, provider="ogone", merchant="azur", provider_reference="3001"))

    assert (out.facts, out.entries) == ((), ())
    assert the(stay).reference == "3001"


def test_x_21_how_it_was_paid_is_kept(stay: Stay) -> None:
    """Initiation, strong authentication, mandate."""
    said = {
        "initiation": "mit",
        "sca": "exempt",
        "eci": "07",
        "scheme_transaction": "T9",
        "mandate": "M1",
        "mandate_version": "fr/3",
    }
    stay.pay(paid(100, **said))

    one = the(stay)
    assert (
        one.initiation, one.sca, one.eci, one.scheme_transaction, one.mandate, one.mandate_version,
    ) == (Initiation.MIT, "exempt", "07", "T9", "M1", "fr/3")  # fmt: skip


def test_s1_33_overpaid(stay: Stay) -> None:
    """Exactly paid is not; a cent more is."""
    assert "Overpaid" not in kinds(stay.pay(paid(20_500)))
    assert Overpaid(amount=1, currency="EUR") == fact(stay.pay(paid(1, "P2")), Overpaid)


@pytest.mark.parametrize(
    ("amount", "status", "owed"), [(20_500, PaymentStatus.REVERSED, 20_500), (500, PaymentStatus.CAPTURED, 500)]
)
def test_x_19_a_bounced_cheque_reopens_the_balance(stay: Stay, amount: int, status: PaymentStatus, owed: int) -> None:
    """Whole or in part; what is reversed as a whole and told again is stale."""
    stay.pay(paid(20_500, tender="cheque"))
    out = stay.pay(paid(amount, tender="cheque"), "payment.reversed")

    assert BalanceChanged(ordered=20_500, collected=20_500 - amount, balance=owed, currency="EUR") == fact(out, BalanceChanged)
    assert (status, owed) == (the(stay).status, stay.owes())
    if status is PaymentStatus.REVERSED:
        for name in ("payment.reversed", "payment.received"):
            with pytest.raises(Stale):
                stay.pay(paid(20_500, tender="cheque"), name)


def test_x_3_not_more_is_taken_back_than_was_taken(stay: Stay) -> None:
    """100 paid, 60 taken back: 41 more are not."""
    stay.pay(paid(10_000))
    stay.pay(paid(6_000), "payment.reversed")
    with pytest.raises(Rejected) as caught:
        stay.pay(paid(4_100), "payment.reversed")
    assert caught.value.code == "amount_above_captured"


def test_x_2_a_reversal_before_its_payment_waits_for_it(stay: Stay) -> None:
    """And the payment says that it is here."""
    with pytest.raises(Early) as caught:
        stay.pay(paid(1), "payment.reversed")
    assert (caught.value.waits_for,) == stay.pay(paid(1)).unparks


@pytest.mark.parametrize(("amount", "left"), [(20_500, None), (500, 20_000)])
def test_x_17_an_authorisation_is_released(stay: Stay, amount: int, left: int | None) -> None:
    """Whole: voided. In part: the rest can still be taken."""
    stay.pay(paid(20_500), "payment.authorised")
    out = stay.pay(paid(amount), "payment.reversed")

    assert (PaymentVoided(payment="P1", amount=amount, currency="EUR"),) == out.facts
    assert left is None or (PaymentStatus.AUTHORISED, left) == (the(stay).status, the(stay).authorised)
    assert left is not None or PaymentStatus.VOIDED is the(stay).status


@pytest.mark.parametrize(
    ("amount", "entries", "part", "refunding", "owed"),
    [
        pytest.param(20_500, ["capture_reversed", "refund_dropped"], PartStatus.DROPPED, 0, 20_500, id="all bounced"),
        pytest.param(10_500, ["capture_reversed"], PartStatus.MANUAL, 10_000, 20_500, id="what is left covers it"),
        pytest.param(10_501, ["capture_reversed", "refund_dropped"], PartStatus.DROPPED, 0, 10_501, id="a cent short"),
    ],
)
def test_x_19_refunds_by_hand_of_money_that_bounced_are_dropped(
    stay: Stay, amount: int, entries: list[str], part: PartStatus, refunding: int, owed: int
) -> None:
    """205 by cheque, 100 of it to be given back by hand: nobody gives back what bounced."""
    stay.pay(paid(20_500, tender="cheque"))
    manual = RefundPart(payment="P1", tender=Tender.CHEQUE, minor=10_000, destination="manual", status=PartStatus.MANUAL, number=1)
    refund = FolioRefund(refund="R1", minor=10_000, due_by=stay.folio.booked_at, parts=(manual,))
    stay.state = replace(account.replace_payment(stay.folio, replace(the(stay), refunding=10_000)), refunds=(refund,))
    out = stay.pay(paid(amount, tender="cheque"), "payment.reversed")

    assert [entry.entry for entry in out.entries] == entries
    assert (stay.folio.refunds[0].parts[0].status, the(stay).refunding) == (part, refunding)
    assert account.balance(stay.folio) == owed


def test_x_19_a_refund_by_hand_of_another_payment_stays(stay: Stay) -> None:
    """Two cheques, both to be given back by hand; one of them bounces."""
    for payment in ("P1", "P2"):
        stay.pay(paid(10_000, payment, tender="cheque"))
    parts = tuple(
        RefundPart(payment=payment, tender=Tender.CHEQUE, minor=9_000, destination="manual", status=PartStatus.MANUAL, number=1)
        for payment in ("P1", "P2")
    )
    payments = tuple(replace(payment, refunding=9_000) for payment in stay.folio.payments)
    refund = FolioRefund(refund="R1", minor=18_000, due_by=stay.folio.booked_at, parts=parts)
    stay.state = replace(stay.folio, payments=payments, refunds=(refund,))
    out = stay.pay(paid(10_000, "P2", tender="cheque"), "payment.reversed")

    assert [part.status for part in stay.folio.refunds[0].parts] == [PartStatus.MANUAL, PartStatus.DROPPED]
    assert [payment.refunding for payment in stay.folio.payments] == [9_000, 0]
    assert [(entry.entry, entry.minor) for entry in out.entries] == [("capture_reversed", 10_000), ("refund_dropped", 9_000)]


def test_s4_22_what_is_waived_or_goodwill_is_not_ordered(stay: Stay) -> None:
    """205 ordered, 20 not claimed (S4-34), 1 given (S4-46), 3 of the fee returned: 181."""
    stay.state = replace(stay.folio, waived=2_000, goodwill=100, fee_returned=300)

    assert (account.ordered(stay.folio), account.balance(stay.folio)) == (18_100, 18_100)


def test_a_charge_back_after_a_refund_is_a_loss_that_shows(stay: Stay) -> None:
    """100 of 205 was refunded, then all was charged back: 100 more are owed than were ordered."""
    stay.pay(paid(20_500))
    stay.state = account.replace_payment(stay.folio, replace(the(stay), refunded=10_000))
    stay.pay(paid(20_500), "payment.reversed")

    assert (account.balance(stay.folio), the(stay).refundable()) == (30_500, 0)


@pytest.mark.parametrize(
    ("occurred_at", "unapplied"),
    [
        pytest.param("2026-07-01T10:00:00+00:00", False, id="at the instant: collected"),
        pytest.param("2026-07-01T10:00:00.000001+00:00", True, id="after: no home"),
        pytest.param("2026-06-30T10:00:00+00:00", False, id="before: collected"),
    ],
)
def test_x_16_a_payment_after_the_cancellation(stay: Stay, occurred_at: str, unapplied: bool) -> None:
    """When it happened decides, not when it came; the book has it either way."""
    stay.cancel("2026-07-01T10:00:00+00:00")
    out = stay.pay(paid(20_500, occurred_at=occurred_at))

    assert unapplied is the(stay).unapplied
    assert unapplied is ("UnappliedReceipt" in kinds(out))
    assert (-20_500 if unapplied else 0) == balance(out.entries, "suspense:B-1", "EUR")


def test_x_16_money_from_before_a_cancellation_is_decided_anew(stay: Stay) -> None:
    """205 paid before, told after: the fee is kept, 200 go back, the balance is told once and at the end."""
    stay.cancel("2026-07-01T10:00:00+00:00")
    out = stay.pay(paid(20_500, tender="cash", occurred_at="2026-06-30T10:00:00+00:00"))

    assert fact(out, RefundDecided).amount == 20_000
    assert fact(out, BalanceChanged) == BalanceChanged(ordered=500, collected=500, balance=0, currency="EUR") == out.facts[-1]
    assert stay.owes() == 0


def test_s1_33_overpaid_is_told_when_it_moves(stay: Stay) -> None:
    """Both sums moved, the difference did not: told already."""
    stay.pay(paid(20_600))
    after = replace(account.replace_payment(stay.folio, replace(the(stay), captured=20_700)), service_fee=600)

    assert [type(one) for one in account.balance_facts(stay.folio, after)] == [BalanceChanged]
    assert [type(one) for one in account.balance_facts(None, after)] == [BalanceChanged, Overpaid]


def test_x_16_instants_of_a_reason_are_whole_seconds(stay: Stay) -> None:
    """People read them."""
    stay.cancel("2026-07-01T10:00:00.250001+00:00")
    out = stay.pay(paid(20_500, occurred_at="2026-07-02T06:05:04.650115+00:00"))
    (homeless,) = [fact for fact in out.facts if isinstance(fact, UnappliedReceipt)]

    assert homeless.reason == "happened 2026-07-02 06:05:04+00:00, after the booking was cancelled 2026-07-01 10:00:00+00:00"


def test_x_16_an_unapplied_receipt_is_taken_back(stay: Stay) -> None:
    """The guest's debt was and is untouched."""
    stay.cancel("2026-07-01T10:00:00+00:00")
    late = {"occurred_at": "2026-07-02T10:00:00+00:00"}
    assert fact(stay.pay(paid(20_500, **late)), UnappliedReceipt).amount == 20_500
    owed = account.balance(stay.folio)
    out = stay.pay(paid(20_500, **late), "payment.reversed")

    assert "unapplied_reversed" in [entry.entry for entry in out.entries]
    assert owed == account.balance(stay.folio)


def test_the_table_is_whole() -> None:
    """Every state meets every word; a repeated word is never a second deed."""
    assert {(known, said) for known in (None, *PaymentStatus) for said in Told} == set(NEXT)
    for status in PaymentStatus:
        assert not isinstance(NEXT[status, Told.CAPTURED], PaymentStatus) or status is not PaymentStatus.CAPTURED
    assert Halt.EARLY is NEXT[None, Told.REVERSED]


NAMES = ("payment.authorised", "payment.received", "payment.reversed")
told = st.lists(
    st.tuples(
        st.sampled_from(["P1", "P2", "P3"]), st.sampled_from(NAMES), st.integers(1, 300), st.sampled_from(["", "9", "91", "52", "93"]),
        st.sampled_from(["card", "cheque"]),
    ),
    max_size=12,
)  # fmt: skip


@given(told, st.lists(st.integers(1, 400), max_size=3))
def test_x_4_folio_and_book_say_the_same(messages: list[Any], prices: list[int]) -> None:
    """After any sequence of bookings and payments, refused ones included: guest account = balance, the book is balanced,
    nothing is given back that was not taken."""
    stay = Stay()
    stay.book()
    facts: list[Fact] = []
    for n, (payment, name, amount, status, tender) in enumerate(messages):
        if n < len(prices):
            facts += stay.book(ordered(line(price=prices[n]))).facts
        try:
            facts += stay.pay(paid(amount, payment, status=status, provider="ogone", tender=tender), name).facts
        except HubError:
            continue
        stay.owes()

    assert out_of_balance(trial_balance(stay.entries)) == {}
    assert all(0 <= one.reversed <= one.captured for one in stay.folio.payments)
    told_last = [one for one in stay.said if isinstance(one, BalanceChanged)][-1]
    assert (account.ordered(stay.folio), account.collected(stay.folio)) == (told_last.ordered, told_last.collected)


def played(steps: tuple[tuple[str, Any], ...]) -> tuple[Any, ...]:
    """Messages in this order, the early ones parked and taken up when what they wait for is there, as the engine does."""
    stay, parked = Stay(), list[tuple[str, str, Any]]()
    queue = list(steps)
    while queue:
        name, message = queue.pop(0)
        try:
            out = stay.book(message, name) if name.startswith("booking") else stay.pay(message, name)
        except Early as early:
            parked.append((early.waits_for, name, message))
            continue
        except Stale:
            continue
        queue[:0] = [(one, body) for waits, one, body in parked if waits in out.unparks]
        parked = [one for one in parked if one[0] not in out.unparks]
    assert not parked
    payments = sorted((one.payment, one.status, one.captured, one.reversed) for one in stay.folio.payments)
    return stay.owes(), stay.folio.lines, stay.folio.status, payments


def test_x_2_arrival_order_does_not_matter() -> None:
    """A booking, its newer version, a payment, its authorisation, a cheque and its bounce: all 720 orders end the same."""
    steps: tuple[tuple[str, Any], ...] = (
        ("booking.confirmed", ordered(revision=1)),
        ("booking.changed", ordered(line(price=30_000), revision=2)),
        ("payment.authorised", paid(10_500)),
        ("payment.received", paid(10_500)),
        ("payment.received", paid(5_000, "P2", tender="cheque")),
        ("payment.reversed", paid(5_000, "P2", tender="cheque")),
    )
    ends = [played(order) for order in permutations(steps)]

    assert ends[0][0] == 20_000
    assert all(end == ends[0] for end in ends)


def test_the_table_is_documented() -> None:
    """docs/rules/payment.md shows this very table."""
    page = Path(__file__).parents[2].joinpath("docs/rules/payment.md").read_text(encoding="utf-8")
    for known in (None, *PaymentStatus):
        cells = [NEXT[known, said].value for said in Told]
        assert f"| {known.value if known else 'nothing'} | {' | '.join(cells)} |\n" in page


def test_x_17_x_19_what_is_owed_again_is_told_without_what_is_dropped() -> None:
    """A cheque bounces after its refund was decided: that falls, and the person hears of what the book says."""
    stay = leaving(0)
    stay.pay(paid(20_500, tender="cheque"))
    stay.leave(at=before(3))
    out = stay.pay(paid(20_500, tender="cheque"), "payment.reversed")

    assert fact(out, EffectNeedsPerson).amount == account.balance(stay.folio) == 10_500
