"""Every refusal in full: its code, the rule that says no, the field and the value that it is about. Senders act on these."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from schemas.errors import Early, HubError, Rejected, Stale
from tests.handlers.campsite import CAMP, TWO_LINES, line, ordered, paid
from tests.handlers.cancelling import CARD, GUEST, MERCHANT, OPERATOR, PLATFORM, Leaving, before, leaving

Act = Callable[[], object]


def booked(*lines: dict[str, object], **more: object) -> Act:
    return lambda: Leaving().book(ordered(*lines, **more))


def then(made: Callable[[], Leaving], *acts: Callable[[Leaving], object]) -> Act:
    """On a stay, one after the other; the last one is refused."""

    def act() -> object:
        stay = made()
        for one in acts[:-1]:
            one(stay)
        return acts[-1](stay)

    return act


def unpaid() -> Leaving:
    return leaving(0)


def promised() -> Leaving:
    stay = leaving(0)
    stay.card(5_000, name="payment.authorised")
    return stay


def asked() -> Leaving:
    stay = leaving()
    stay.ask(at=before(10))
    return stay


def gone() -> Leaving:
    stay = leaving()
    stay.leave(at=before(10))
    return stay


def dear() -> Leaving:
    """Above what goes without a second person."""
    stay = leaving(camp=replace(CAMP, approval_above=100))
    stay.leave(at=before(10))
    return stay


REFUSALS: dict[str, tuple[Act, type[HubError], tuple[object, ...]]] = {
    "another currency": (booked(currency="USD"), Rejected, ("currency_mismatch", "X-4", "currency", "USD")),
    "no currency at all": (booked(currency="ABC"), Rejected, ("unknown_currency", "X-4", "currency", "ABC")),
    "no such property": (booked(property="nowhere"), Rejected, ("unknown_property", "X-12", "property", "nowhere")),
    "no such terms": (booked(line(terms="outdoor/none")), Rejected, ("unknown_terms", "S4-9", "lines[0].terms", "outdoor/none")),
    "departure before arrival": (
        booked(line(), line("2", departure="2026-07-23")), Rejected, ("dates_out_of_order", "X-9", "lines[1].departure", "2026-07-23"),
    ),
    "no arrival anywhere": (
        booked(line(arrival=None, departure=None)), Rejected, ("arrival_missing", "S4-7", "lines[0].arrival", ""),
    ),
    "two lines of one name": (
        booked(line("1"), line("1", 100)), Rejected, ("duplicate_line", "S4-9", "lines[1].line", "1"),
    ),
    "a commission that is no rate": (booked(commission_rate="12,5 %"), Rejected, ("rate_out_of_range", "X-5", "commission_rate", "12,5 %")),
    "a tax above all": (booked(line(vat_rate="101 %")), Rejected, ("rate_out_of_range", "X-5", "lines[0].vat_rate", "101 %")),
    "departs and never arrives": (
        booked(line(), line("2", arrival=None)), Rejected, ("arrival_missing", "S4-7", "lines[1].arrival", ""),
    ),
    "too much in advance": (
        booked(max_advance_rate="25 %"), Rejected, ("advance_above_maximum", "X-25", "payment_plan", "full"),
    ),
    "nowhere on earth": (
        lambda: Leaving(camp=replace(CAMP, zone="Europe/Atlantis")).book(), Rejected,
        ("unknown_zone", "A-32", "zone", "Europe/Atlantis"),
    ),
    "booked elsewhere before": (
        then(unpaid, lambda stay: stay.book(ordered(property="camp-vert", revision=None))), Rejected,
        ("property_mismatch", "S4-40", "property", "camp-vert"),
    ),
    "booked and cancelled": (
        then(gone, lambda stay: stay.book()), Rejected, ("already_cancelled", "S4-25", "folio", "B-1"),
    ),
    "paid in another currency": (
        then(unpaid, lambda stay: stay.pay(paid(100, currency="USD"))), Rejected, ("currency_mismatch", "X-4", "currency", "USD"),
    ),
    "taken more than authorised": (
        then(promised, lambda stay: stay.card(5_001)), Rejected, ("amount_above_authorised", "X-3", "amount", 5_001),
    ),
    "a payment that failed": (
        then(unpaid, lambda stay: stay.card(5_000, status="2")), Rejected, ("payment_failed", "X-17", "status", "2"),
    ),
    "a payment that is said to have failed": (
        then(leaving, lambda stay: stay.card(20_500, status="2")), Rejected, ("payment_failed", "X-17", "status", "2"),
    ),
    "pending with another amount": (
        then(unpaid, lambda stay: stay.card(5_000, name="payment.authorised", status="51"),
             lambda stay: stay.card(4_999, name="payment.authorised")),
        Rejected, ("duplicate_identity", "X-1", "amount", 4_999),
    ),
    "the same payment with another amount": (
        then(leaving, lambda stay: stay.card(20_501)), Rejected, ("duplicate_identity", "X-1", "amount", 20_501),
    ),
    "the same payment with another number": (
        then(leaving, lambda stay: stay.card(20_500, provider_reference="999")), Rejected,
        ("duplicate_identity", "X-1", "provider_reference", "999"),
    ),
    "taken back more than there was": (
        then(leaving, lambda stay: stay.card(20_501, name="payment.reversed")), Rejected,
        ("amount_above_captured", "X-3", "amount", 20_501),
    ),
    "no such line": (
        then(leaving, lambda stay: stay.ask({"line": "9"}, at=before(10))), Rejected,
        ("unknown_line", "S4-37", "lines[0].line", "9"),
    ),
    "a line that is gone": (
        then(lambda: leaving(20_500, *TWO_LINES), lambda stay: stay.leave({"line": "1"}, at=before(10)),
             lambda stay: stay.ask({"line": "2"}, {"line": "1"}, request="R2", at=before(9))),
        Rejected, ("already_cancelled", "S4-41", "lines[1].line", "1"),
    ),
    "fewer nights without a price": (
        then(leaving, lambda stay: stay.ask({"line": "1", "new_departure": "2026-07-28"}, at=before(10))), Rejected,
        ("not_fewer_nights", "S4-37", "lines[0]", "1"),
    ),
    "more nights": (
        then(leaving, lambda stay: stay.ask({"line": "1", "new_departure": "2026-08-01", "new_price": 1}, at=before(10))), Rejected,
        ("not_fewer_nights", "S4-37", "lines[0].new_departure"),
    ),
    "no nights": (
        then(leaving, lambda stay: stay.ask({"line": "1", "new_departure": "2026-07-24", "new_price": 1}, at=before(10))), Rejected,
        ("not_fewer_nights", "S4-37", "lines[0].new_departure"),
    ),
    "fewer nights for more": (
        then(leaving, lambda stay: stay.ask({"line": "1", "new_departure": "2026-07-28", "new_price": 20_001}, at=before(10))), Rejected,
        ("amount_above_total", "S4-37", "lines[0].new_price", 20_001),
    ),
    "a no-show on the day": (
        then(leaving, lambda stay: stay.ask(actor=MERCHANT, cause="no_show", at=before(0, 23))), Rejected,
        ("no_show_too_early", "S4-36", "cause", "no_show"),
    ),
    "force majeure of nothing": (
        then(leaving, lambda stay: stay.ask(cause="force_majeure", at=before(10))), Rejected,
        ("no_force_majeure", "S4-36", "cause", "force_majeure"),
    ),
    "who may not ask": (
        then(leaving, lambda stay: stay.ask(cause="owner", at=before(10))), Rejected,
        ("not_cancellable_by_requester", "S4-25", "actor", "guest"),
    ),
    "asked twice over": (
        then(gone, lambda stay: stay.ask(at=before(9))), Rejected, ("already_cancelled", "S4-41", "request", "R1"),
    ),
    "confirmed twice": (
        then(gone, lambda stay: stay.confirm(at=before(9))), Rejected, ("already_cancelled", "S4-41", "request", "R1"),
    ),
    "another request after all is gone": (
        then(gone, lambda stay: stay.ask(request="R2", at=before(9))), Rejected, ("already_cancelled", "S4-41", "request", "R2"),
    ),
    "nothing asked": (
        then(leaving, lambda stay: stay.confirm("R7", at=before(9))), Rejected, ("unknown_request", "S4-30", "request", "R7"),
    ),
    "withdrawn and confirmed": (
        then(asked, lambda stay: stay.withdraw(), lambda stay: stay.confirm(at=before(10))), Rejected,
        ("request_withdrawn", "S4-30", "request", "R1"),
    ),
    "withdrawn after it was confirmed": (
        then(gone, lambda stay: stay.withdraw()), Rejected, ("already_cancelled", "S4-41", "request", "R1"),
    ),
    "withdrawn twice": (
        then(asked, lambda stay: stay.withdraw(), lambda stay: stay.withdraw()), Stale, ("stale", "", "request", "R1"),
    ),
    "a guest's own goodwill": (
        then(asked, lambda stay: stay.confirm(at=before(10), override={"amount": 20_500, "reason": "please"})), Rejected,
        ("not_cancellable_by_requester", "S4-46", "override", 20_500),
    ),
    "goodwill below the terms": (
        then(asked, lambda stay: stay.confirm(actor=MERCHANT, at=before(10), override={"amount": 19_999, "reason": "no"})), Rejected,
        ("override_below_refund", "S4-46", "override.amount", 19_999),
    ),
    "goodwill above what is there": (
        then(asked, lambda stay: stay.confirm(actor=MERCHANT, at=before(10), override={"amount": 20_501, "reason": "all"})), Rejected,
        ("amount_above_total", "X-3", "override.amount", 20_501),
    ),
    "a refund of nobody's": (
        then(leaving, lambda stay: stay.by_hand(1)), Rejected, ("refund_or_payment_missing", "X-19", "refund", ""),
    ),
    "no such refund": (
        then(leaving, lambda stay: stay.by_hand(1, refund="nothing")), Rejected, ("unknown_refund", "X-19", "refund", "nothing"),
    ),
    "more by hand than there is": (
        then(leaving, lambda stay: stay.by_hand(20_501, payment="P1")), Rejected, ("amount_above_total", "X-3", "amount", 20_501),
    ),
    "by hand what the provider gives": (
        then(gone, lambda stay: stay.by_hand(20_000, refund=stay.folio.refunds[0].refund)), Rejected,
        ("amount_mismatch", "X-19", "amount", 20_000),
    ),
    "a callback of nothing": (
        then(leaving, lambda stay: stay.notified()), Rejected, ("unknown_payment", "X-6", "provider_reference", ""),
    ),
    "approval of nothing": (
        then(leaving, lambda stay: stay.operate("approval.grant", "nothing")), Rejected, ("unknown_effect", "X-15", "subject", "nothing"),
    ),
    "approval that nobody asked for": (
        then(gone, lambda stay: stay.operate("approval.grant", stay.requests[0].effect)), Rejected,
        ("approval_not_needed", "X-27", "subject"),
    ),
    "approved by a guest": (
        then(dear, lambda stay: stay.operate("approval.grant", stay.requests[0].effect, actor=GUEST)), Rejected,
        ("approval_required", "X-27", "actor", "guest:p-77"),
    ),
    "approved by whoever asked": (
        then(dear, lambda stay: stay.operate("approval.grant", stay.requests[0].effect, actor={"kind": "operator", "id": " P-77"})),
        Rejected, ("approval_required", "X-27", "actor", "operator: P-77"),
    ),
    "settled by a guest": (
        then(gone, lambda stay: stay.reply("unknown"), lambda stay: stay.settle(stay.requests[0].effect, "confirmed", actor=GUEST)),
        Rejected, ("not_allowed", "X-15", "actor", "guest"),
    ),
    "settled before it was sent": (
        then(gone, lambda stay: stay.settle(stay.requests[0].effect, "confirmed")), Rejected, ("effect_not_open", "X-15", "subject"),
    ),
    "settled, and there is none": (
        then(leaving, lambda stay: stay.settle("nothing", "confirmed", actor=OPERATOR)), Rejected,
        ("unknown_effect", "X-15", "subject", "nothing"),
    ),
    "the booking comes later": (lambda: Leaving().ask(actor=PLATFORM, at=before(10)), Rejected, ("unknown_folio", "X-2", "folio", "B-1")),
    "the payment comes later": (
        then(leaving, lambda stay: stay.by_hand(1, payment="P9")), Early, ("early", "", "waits_for", "payment:P9"),
    ),
    "an older booking": (
        then(lambda: leaving(0, revision=3), lambda stay: stay.book(ordered(revision=2))), Stale, ("stale", "", "revision", 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_says_everything(what: str) -> None:
    """Code, rule, field, value; what is early says what it waits for (X-2)."""
    act, kind, said = REFUSALS[what]
    with pytest.raises(HubError) as wrong:
        act()
    error = wrong.value
    found = (error.code, getattr(error, "rule", ""), error.field, error.value)

    assert type(error) is kind
    if isinstance(error, Early):
        assert (error.code, error.waits_for) == (said[0], said[3])
    else:
        assert found[: len(said)] == tuple(str(one) for one in said), error.message


def test_each_payment_carries_what_it_came_with() -> None:
    """The same message again changes nothing; one that says less takes nothing away."""
    stay = leaving(0)
    stay.pay(paid(100, **CARD, provider_reference="301", occurred_at="2026-05-02T10:00:00Z"))
    with pytest.raises(Stale):
        stay.pay(paid(100, **CARD, provider_reference="301"))

    assert stay.payment().occurred_at is not None
    assert stay.payment().occurred_at.isoformat() == "2026-05-02T10:00:00+00:00"


def test_a_payment_without_an_instant_happened_when_it_was_told() -> None:
    """By the clock by which its message is judged."""
    stay = leaving(0)
    stay.now = "2026-05-03T09:30:00+00:00"
    stay.pay(paid(100))

    assert stay.payment().occurred_at is not None
    assert stay.payment().occurred_at.isoformat() == "2026-05-03T09:30:00+00:00"
