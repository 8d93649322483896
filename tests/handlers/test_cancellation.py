"""Cancellations asked of the hub: who, when, quote, confirmation, withdrawal, expiry, goodwill."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import cancellation
from schemas.booking import BalanceChanged
from schemas.cancellation import (
    CancellationConfirmed,
    CancellationQuoted,
    CancellationRefused,
    CancellationRequest,
    CancellationWithdrawn,
    Cause,
    QuoteExpired,
)
from schemas.commission import CommissionCreditNoteRequested
from schemas.common import Actor, ActorKind
from schemas.errors import Rejected, Stale
from schemas.folio import Area, AreaEvent, RequestStatus
from schemas.operations import ApprovalRequested, TimerFired
from schemas.policy import CommissionOnPenalty
from schemas.refund import RefundDecided, RefundRequested
from schemas.stock import StockReleased
from tests.handlers.campsite import CAMP, FLEXIBLE, NANR, TWO_LINES, Stay, fact, kinds, line, ordered
from tests.handlers.cancelling import ARRIVAL, GUEST, MERCHANT, OPERATOR, Leaving, before, leaving

CHANNEL = {"kind": "channel", "id": "demo"}
PLATFORM = {"kind": "platform", "id": "pf"}
SYSTEM = {"kind": "system", "id": "thais"}


def status(stay: Leaving, request: str = "R1") -> RequestStatus:
    """Where a request stands."""
    return {one.request: one.status for one in stay.folio.requests}[request]


def test_s4_28_s4_30_outcomes_in_order() -> None:
    """Quote, confirmation, stock, commission, balance, refund: all on the confirmation, none on the bank's success."""
    stay = leaving(20_500, *TWO_LINES, commission_rate="10 %")
    out = stay.leave(at=before(3))

    assert kinds(out) == [
        "CancellationQuoted", "CancellationConfirmed", "StockReleased", "CommissionCreditNoteRequested", "BalanceChanged",
        "RefundDecided", "RefundRequested",
    ]  # fmt: skip
    assert BalanceChanged(ordered=14_500, collected=14_500, balance=0, currency="EUR") == fact(out, BalanceChanged)
    assert [("1", date(2026, 7, 24), date(2026, 7, 31)), ("2", date(2026, 7, 24), date(2026, 7, 31))] == [
        (one.line, one.arrival, one.departure) for one in fact(out, StockReleased).lines
    ]
    decided, requested = fact(out, RefundDecided), fact(out, RefundRequested)
    assert (decided.amount, [one.destination for one in decided.destinations]) == (6_000, ["original_card"])
    assert decided.refund_due_by == datetime.fromisoformat(before(3)) + timedelta(days=14)
    (request,) = out.requests
    assert (request.effect, request.refund) == (requested.effect, requested.refund)
    assert out.cancel == ("quote:R1", "second_payment:due")
    assert status(stay) is RequestStatus.REFUNDING


def test_s4_26_asking_changes_nothing_but_the_request() -> None:
    """A quote: no entry, no request, a timer at its end."""
    stay = leaving()
    out = stay.ask(at=before(10))

    assert (out.entries, out.requests, out.moves, kinds(out)) == ((), (), (), ["CancellationQuoted"])
    (timer,) = out.timers
    assert ("quote:R1", datetime.fromisoformat(before(10)) + timedelta(minutes=30)) == (timer.name, timer.due)
    assert timer.due == fact(out, CancellationQuoted).valid_until
    assert status(stay) is RequestStatus.QUOTED


@pytest.mark.parametrize("decide", ["request", "confirm", "withdraw"])
def test_unknown_folio_is_refused_at_once(decide: str) -> None:
    """Nothing to park."""
    stay = Leaving()
    stay.holds = lambda: None  # type: ignore[method-assign]  # there is no folio to look at
    with pytest.raises(Rejected) as why:
        {"request": stay.ask, "confirm": stay.confirm, "withdraw": stay.withdraw}[decide]()

    assert (why.value.code, why.value.field) == ("unknown_folio", "folio")


WHO = [
    (cause, actor, may)
    for cause, mays in {
        "guest": (GUEST, CHANNEL),
        "no_show": (MERCHANT, PLATFORM, OPERATOR),
        "force_majeure": (GUEST, CHANNEL, MERCHANT, PLATFORM, OPERATOR),
        "owner": (MERCHANT, PLATFORM, OPERATOR),
    }.items()
    for actor in (GUEST, CHANNEL, MERCHANT, PLATFORM, OPERATOR, SYSTEM)
    for may in (actor in mays,)
]


@pytest.mark.parametrize(("cause", "actor", "may"), WHO)
def test_s4_25_who_may_cancel(cause: str, actor: dict[str, str], may: bool) -> None:
    """By cause; the default table of the policy."""
    stay = leaving()
    if may:
        assert "CancellationQuoted" in kinds(stay.ask(at=before(-1), cause=cause, actor=actor, proof="p"))
        return
    with pytest.raises(Rejected) as why:
        stay.ask(at=before(-1), cause=cause, actor=actor, proof="p")
    assert why.value.code == "not_cancellable_by_requester"


def test_s4_25_knob_who_may_cancel() -> None:
    """Only the guest, for a guest's reason: the state of today."""
    only_guest = {Cause.GUEST: (ActorKind.GUEST,)}
    stay = leaving(camp=replace(CAMP, who_may_cancel=only_guest))
    with pytest.raises(Rejected, match="may not cancel"):
        stay.ask(actor=CHANNEL)
    assert kinds(stay.ask(at=before(9))) == ["CancellationQuoted"]


@pytest.mark.parametrize(
    ("at", "may"),
    [
        pytest.param("2026-07-24T23:59:59+02:00", False, id="the arrival day is not over"),
        pytest.param("2026-07-25T00:00:00+02:00", True, id="it is"),
        pytest.param("2026-07-24T22:30:00+00:00", True, id="by the property's clock"),
    ],
)
def test_s4_36_no_show_after_the_arrival_day(at: str, may: bool) -> None:
    """In the property's zone."""
    stay = leaving()
    if may:
        assert fact(stay.ask(at=at, cause="no_show", actor=MERCHANT), CancellationQuoted).refund == 0
        return
    with pytest.raises(Rejected) as why:
        stay.ask(at=at, cause="no_show", actor=MERCHANT)
    assert why.value.code == "no_show_too_early"


@pytest.mark.parametrize(
    ("area", "start", "end", "may"),
    [
        pytest.param("var", "2026-07-20", "2026-07-23", False, id="over before the stay"),
        pytest.param("var", "2026-07-20", "2026-07-24", True, id="first day"),
        pytest.param("var", "2026-07-31", "2026-08-02", True, id="last day"),
        pytest.param("var", "2026-08-01", "2026-08-02", False, id="after the stay"),
        pytest.param("lot", "2026-07-20", "2026-08-02", False, id="another area"),
    ],
)
def test_s4_36_force_majeure_needs_an_open_event(area: str, start: str, end: str, may: bool) -> None:
    """Declared for an area of the property, on a day of the stay; or a proof."""
    stay = leaving(camp=replace(CAMP, areas=("var",)))
    event = AreaEvent(event="E", start=date.fromisoformat(start), end=date.fromisoformat(end))
    stay.areas = (Area(area=area, events=(event,)),)
    if may:
        assert fact(stay.ask(at=before(0), cause="force_majeure"), CancellationQuoted).refund == 20_000
        return
    with pytest.raises(Rejected) as why:
        stay.ask(at=before(0), cause="force_majeure")
    assert why.value.code == "no_force_majeure"
    assert fact(stay.ask(at=before(0), cause="force_majeure", proof="doc-7"), CancellationQuoted).refund == 20_000


def test_s4_36_only_services_are_asked_whether_they_were_hit() -> None:
    """A tax that stands with another day is no stay; of several stays those that are named count."""
    tax = line("2", 700, kind="tourist_tax", terms="", arrival="2026-09-01", departure="2026-09-02")
    autumn = line("3", 5_000, arrival="2026-09-01", departure="2026-09-02")
    event = AreaEvent(event="E", start=date(2026, 7, 20), end=date(2026, 8, 2))

    def stay(*lines: dict[str, Any]) -> Leaving:
        made = leaving(20_000, *lines, camp=replace(CAMP, areas=("var",)))
        made.areas = (Area(area="var", events=(event,)),)
        return made

    assert "CancellationQuoted" in kinds(stay(line("1"), tax).ask(at=before(0), cause="force_majeure"))
    assert "CancellationQuoted" in kinds(stay(line("1"), autumn).ask("1", at=before(0), cause="force_majeure"))
    for named in ((), ("3",)):
        with pytest.raises(Rejected) as why:
            stay(line("1"), autumn).ask(*named, at=before(0), cause="force_majeure")
        assert why.value.code == "no_force_majeure"


@pytest.mark.parametrize(
    ("at", "until"),
    [
        pytest.param("2026-07-15T10:00+02:00", "2026-07-15T10:30+02:00", id="30 minutes"),
        pytest.param("2026-07-20T23:45+02:00", "2026-07-21T00:00+02:00", id="never past the end of the last 100 % day"),
        pytest.param("2026-07-23T23:59+02:00", "2026-07-24T00:00+02:00", id="nor of the last 50 % day"),
        pytest.param("2026-07-24T23:59+02:00", "2026-07-25T00:29+02:00", id="no limit after that"),
    ],
)
def test_s4_31_how_long_a_quote_holds(at: str, until: str) -> None:
    """quote_minutes, never past a tranche limit."""
    assert datetime.fromisoformat(until) == fact(leaving().ask(at=at), CancellationQuoted).valid_until


def test_s4_31_limits_in_another_zone() -> None:
    """Martinique: the last 100 % day ends at 04:00 UTC."""
    stay = leaving(camp=replace(CAMP, zone="America/Martinique"))

    assert fact(stay.ask(at="2026-07-21T03:45:00+00:00"), CancellationQuoted).valid_until.isoformat() == "2026-07-21T04:00:00+00:00"
    assert fact(stay.ask(at="2026-07-21T03:46:00+00:00", request="R2"), CancellationQuoted).refund == 20_000


def test_s4_31_a_limit_of_a_line_that_is_not_cancelled_does_not_matter() -> None:
    """Only the non-refundable line: its rate never changes."""
    stay = leaving(20_500, *TWO_LINES)

    assert fact(stay.ask("2", at="2026-07-20T23:45+02:00"), CancellationQuoted).valid_until == datetime.fromisoformat(
        "2026-07-21T00:15+02:00"
    )


def test_s4_31_shown_at_2359_confirmed_at_0001() -> None:
    """Refused `quote_expired`, then shown again with what it gives now; nothing is cancelled; then that one holds."""
    stay = leaving()
    first = fact(stay.ask(at="2026-07-20T23:59+02:00"), CancellationQuoted)
    out = stay.confirm(at="2026-07-21T00:01+02:00")

    assert kinds(out) == ["CancellationRefused", "CancellationQuoted"]
    refused, again = fact(out, CancellationRefused), fact(out, CancellationQuoted)
    assert ("quote_expired", "quote", first.quote, "R1") == (refused.code, refused.field, refused.value, refused.request)
    assert refused.input
    assert (first.refund, again.refund) == (20_000, 10_000)
    assert first.quote != again.quote
    assert not stay.folio.refunds
    assert fact(stay.confirm(at="2026-07-21T00:02+02:00"), CancellationConfirmed).refund == 10_000


@pytest.mark.parametrize(("second", "code"), [("10:29:59.999999", ""), ("10:30:00", "quote_expired")])
def test_s4_31_validity_ends_at_its_instant(second: str, code: str) -> None:
    """Half open."""
    stay = leaving()
    stay.ask(at="2026-07-10T10:00:00+02:00")
    out = stay.confirm(at=f"2026-07-10T{second}+02:00")

    assert [code] * bool(code) == [f.code for f in out.facts if isinstance(f, CancellationRefused)]


def test_s4_31_expired_is_told_once() -> None:
    """The timer tells; a second one, or one of an older quote, does not."""
    stay = leaving()
    asked = stay.ask(at=before(10))
    out = stay.fire(asked, "quote")

    assert [QuoteExpired(request="R1", quote=fact(asked, CancellationQuoted).quote)] == list(out.facts)
    assert status(stay) is RequestStatus.QUOTE_EXPIRED
    with pytest.raises(Stale):
        stay.fire(asked, "quote")


def test_s4_31_timer_of_an_older_quote_is_stale() -> None:
    """The request was quoted again since."""
    stay = leaving()
    asked = stay.ask(at="2026-07-10T10:00:00+02:00")
    stay.ask("1", at="2026-07-10T10:10:00+02:00")
    with pytest.raises(Stale):
        stay.fire(asked, "quote")
    assert status(stay) is RequestStatus.QUOTED


def test_x_16_confirmed_in_time_and_decided_after_the_timer() -> None:
    """An outage: the timer was handled first, but the guest confirmed at 10:20: judged at 10:20."""
    stay = leaving()
    stay.fire(stay.ask(at="2026-07-10T10:00:00+02:00"), "quote")
    out = stay.confirm(at="2026-07-10T10:20:00+02:00")

    assert fact(out, CancellationConfirmed).refund == 20_000


def test_s4_31_quote_changed_by_money() -> None:
    """A payment came in between: refused, and shown again."""
    stay = leaving(10_500)
    stay.ask(at=before(10))
    stay.card(10_000, "P2")
    out = stay.confirm(at=before(10))

    assert kinds(out) == ["CancellationRefused", "CancellationQuoted"]
    assert (fact(out, CancellationRefused).code, fact(out, CancellationQuoted).refund) == ("quote_changed", 20_000)
    assert fact(stay.confirm(), CancellationConfirmed).refund == 20_000


def test_s4_31_a_change_that_changes_nothing_of_the_quote_is_none() -> None:
    """Same refund, claim and lines: the quote holds."""
    stay = leaving(5_000)
    quote = fact(stay.ask(at=before(3)), CancellationQuoted)
    stay.card(1_000, "P2")

    assert fact(stay.confirm(), CancellationConfirmed).quote == quote.quote


def test_s4_31_another_quote_than_the_latest() -> None:
    """Named by id: refused `quote_changed`, shown again."""
    stay = leaving(20_500, *TWO_LINES)
    old = fact(stay.ask("1", at=before(10)), CancellationQuoted)
    new = fact(stay.ask(at=before(10, 11)), CancellationQuoted)
    assert fact(stay.confirm(quote=old.quote), CancellationRefused).code == "quote_changed"
    assert old.quote != new.quote


def test_x_1_the_same_request_again_is_the_same_quote() -> None:
    """While it runs and nothing changed; then a new one."""
    stay = leaving()
    first = stay.ask(at="2026-07-10T10:00:00+02:00")
    again = stay.ask(at="2026-07-10T10:10:00+02:00")
    later = stay.ask(at="2026-07-10T10:31:00+02:00")

    assert first.facts == again.facts
    assert fact(first, CancellationQuoted).quote != fact(later, CancellationQuoted).quote


def test_s4_31_the_same_request_shows_what_is_kept_now() -> None:
    """The refund is the same, what is kept is not: a new quote."""
    stay = leaving(5_000)
    stay.ask(at=before(3))
    stay.card(1_000, "P2")

    assert fact(stay.ask(), CancellationQuoted).kept == 6_000


def test_s4_31_no_limit_for_a_cause_that_knows_none() -> None:
    """The owner gives everything back before and after midnight."""
    quote = fact(leaving().ask(at="2026-07-20T23:45+02:00", cause="owner", actor=MERCHANT), CancellationQuoted)

    assert quote.valid_until == datetime.fromisoformat("2026-07-21T00:15+02:00")


def test_s4_41_confirmed_twice_is_one_refund() -> None:
    """Double click: `already_cancelled`, whatever repeats it."""
    stay = leaving()
    stay.ask(at=before(10))
    stay.confirm()
    for again in (stay.confirm, stay.leave, stay.ask, stay.withdraw, lambda: stay.leave(request="R2")):
        with pytest.raises(Rejected) as why:
            again()
        assert why.value.code == "already_cancelled"
    assert [request.minor for request in stay.requests] == [20_000]


@given(st.lists(st.sampled_from(["ask", "confirm", "leave", "withdraw", "pay", "expire"]), max_size=12), st.integers(-1, 6))
def test_s4_41_one_refund_whatever_is_repeated(acts: list[str], days: int) -> None:
    """Any order and number of messages of one request: at most one refund is decided for the request, within what was paid."""
    stay = leaving(10_500)
    stay.now = before(days)
    for n, act in enumerate(acts):
        try:
            match act:
                case "pay":
                    stay.card(1_000, f"P{n + 2}", occurred_at=stay.now)
                case "expire":
                    stay.now = (datetime.fromisoformat(stay.now) + timedelta(minutes=31)).isoformat()
                case _:
                    getattr(stay, act)()
        except (Rejected, Stale):
            pass
    confirmed = [f for f in stay.said if isinstance(f, CancellationConfirmed)]
    assert len(confirmed) <= 1
    assert sum(request.minor for request in stay.requests) <= sum(payment.captured for payment in stay.folio.payments)


def test_s4_30_withdrawn() -> None:
    """Told, its timer gone; it cannot be confirmed; asking again starts anew."""
    stay = leaving()
    stay.ask(at=before(10))
    out = stay.withdraw()
    assert ((CancellationWithdrawn(request="R1"),), ("quote:R1",)) == (out.facts, out.cancel)
    with pytest.raises(Rejected) as why:
        stay.confirm()
    assert why.value.code == "request_withdrawn"
    with pytest.raises(Stale):
        stay.withdraw()
    assert fact(stay.leave(), CancellationConfirmed).refund == 20_000


@pytest.mark.parametrize("act", ["confirm", "withdraw"])
def test_unknown_request(act: str) -> None:
    """Nothing was asked under that name."""
    with pytest.raises(Rejected) as why:
        getattr(leaving(), act)("R9")
    assert (why.value.code, why.value.field) == ("unknown_request", "request")


@pytest.mark.parametrize("act", ["confirm", "withdraw"])
def test_s4_25_a_stranger_neither_confirms_nor_withdraws(act: str) -> None:
    """A system of record is no guest; the merchant does not confirm a guest's wish."""
    stay = leaving()
    stay.ask(at=before(10))
    with pytest.raises(Rejected) as why:
        getattr(stay, act)(actor=SYSTEM)
    assert why.value.code == "not_cancellable_by_requester"
    with pytest.raises(Rejected):
        stay.confirm(actor=MERCHANT)


def test_s4_41_a_line_is_cancelled_once() -> None:
    """Two requests for the same line: the second one's confirmation finds it done."""
    stay = leaving(20_500, *TWO_LINES)
    stay.ask("1", at=before(3))
    stay.ask("1", at=before(3), request="R2")
    stay.confirm()
    with pytest.raises(Rejected) as why:
        stay.confirm("R2")
    assert why.value.code == "already_cancelled"


def test_s4_46_goodwill() -> None:
    """The whole refund is 120 where the terms give 0: a line of its own in trace and book, the penalty as it was."""
    stay = leaving()
    stay.ask(at=before(0))
    out = stay.confirm(actor=MERCHANT, override={"amount": 12_000, "reason": "storm in the night"})

    done = fact(out, CancellationConfirmed)
    assert (done.penalty, done.refund, done.kept) == (20_000, 12_000, 8_500)
    assert [(one.debit, one.minor) for one in out.entries if one.entry == "goodwill"] == [("goodwill:camp-azur", 12_000)]
    assert [step.text for step in out.trace if step.rule == "S4-46"] == [
        "120.00 EUR − 0.00 EUR by the terms = 120.00 EUR goodwill of merchant:m-1: storm in the night"
    ]
    assert (stay.owes(), stay.requests[0].minor) == (0, 12_000)


@pytest.mark.parametrize(
    ("amount", "actor", "code"),
    [
        pytest.param(20_501, MERCHANT, "amount_above_total", id="X-3 above what was collected"),
        pytest.param(9_999, MERCHANT, "override_below_refund", id="below the terms"),
        pytest.param(20_000, GUEST, "not_cancellable_by_requester", id="by the guest"),
        pytest.param(20_000, SYSTEM, "not_cancellable_by_requester", id="by a system"),
    ],
)
def test_s4_46_goodwill_that_cannot_be(amount: int, actor: dict[str, str], code: str) -> None:
    """Refused; the request stands."""
    stay = leaving()
    stay.ask(at=before(3))
    with pytest.raises(Rejected) as why:
        stay.confirm(actor=actor, override={"amount": amount, "reason": "r"})
    assert why.value.code == code
    assert status(stay) is RequestStatus.QUOTED


@pytest.mark.parametrize(("amount", "fits"), [(6_001 + 6_000, False), (12_000, True)])
def test_s4_46_goodwill_on_a_part_is_at_most_what_it_keeps(amount: int, fits: bool) -> None:
    """The other line's money is not given away."""
    stay = leaving(20_500, *TWO_LINES)
    stay.ask("1", at=before(3))
    if fits:
        stay.confirm(actor=MERCHANT, override={"amount": amount, "reason": "r"})
        assert (stay.owes(), fact(stay.ask("2", request="R2"), CancellationQuoted).kept) == (0, 8_500)
        return
    with pytest.raises(Rejected):
        stay.confirm(actor=MERCHANT, override={"amount": amount, "reason": "r"})


def test_s4_46_goodwill_gives_a_claim_up() -> None:
    """Acompte, 105 paid of 205, same day: 50 given, the 100 are not claimed any more."""
    stay = leaving(10_500, deposit_nature="acompte")
    stay.ask(at=before(0))
    done = fact(stay.confirm(actor=MERCHANT, override={"amount": 5_000, "reason": "r"}), CancellationConfirmed)

    assert (done.claim, done.refund, done.kept) == (0, 5_000, 5_500)
    assert (stay.folio.claim, stay.owes()) == (0, 0)


def test_s4_46_goodwill_for_the_whole_gives_earlier_claims_up_too() -> None:
    """Acompte, nothing paid: 60 claimed of the first line, 80 of the second; the house gives the rest up with a refund of nothing."""
    stay = leaving(0, *TWO_LINES, deposit_nature="acompte", service_fee=0)
    stay.leave("1", request="R1", at=before(3))
    stay.ask("2", request="R2")
    done = fact(stay.confirm("R2", actor=MERCHANT, override={"amount": 0, "reason": "r"}), CancellationConfirmed)

    assert (done.claim, stay.folio.claim, stay.owes()) == (0, 0, 0)


@pytest.mark.parametrize(("limit", "asks"), [(1_999, True), (2_000, False), (None, False), (CAMP.override_above, False)])
def test_s4_46_a_second_person_above_a_limit(limit: int | None, asks: bool) -> None:
    """override_above, by the goodwill (120 - 100)."""
    stay = leaving(camp=replace(CAMP, override_above=limit))
    stay.ask(at=before(3))
    out = stay.confirm(actor=MERCHANT, override={"amount": 12_000, "reason": "r"})

    assert [asks] == [request.needs_approval for request in out.requests]
    assert asks == ("ApprovalRequested" in kinds(out)) != ("RefundRequested" in kinds(out))
    if asks:
        assert (out.requests[0].effect, "merchant:m-1") == (
            fact(out, ApprovalRequested).subject,
            fact(out, ApprovalRequested).asked_by,
        )


@pytest.mark.parametrize(("goodwill", "asks"), [(10_000, False), (10_001, True)])
def test_s4_46_a_second_person_where_nothing_is_settled(goodwill: int, asks: bool) -> None:
    """100.00 is for one person to give."""
    stay = leaving(40_500, line(price=40_000))
    stay.ask(at=before(3))
    out = stay.confirm(actor=MERCHANT, override={"amount": 20_000 + goodwill, "reason": "r"})

    assert [asks] == [request.needs_approval for request in out.requests]


@pytest.mark.parametrize(
    ("knob", "paid", "days", "amounts"),
    [
        pytest.param(CommissionOnPenalty.STAYS_DUE, 20_500, 10, [1_500, 0], id="S4-38 all of line 1"),
        pytest.param(CommissionOnPenalty.STAYS_DUE, 20_500, 3, [750, 0], id="S4-38 half of it"),
        pytest.param(CommissionOnPenalty.WAIVED, 20_500, 3, [1_500, 1_000], id="A-30 waived"),
        pytest.param(CommissionOnPenalty.STAYS_DUE, 10_500, 0, [750, 500], id="what arrhes do not claim bears none"),
    ],
)
def test_s4_38_a_30_commission(knob: CommissionOnPenalty, paid: int, days: int, amounts: list[int]) -> None:
    """12.5 % of what is not kept."""
    offered = tuple(replace(one, commission_on_penalty=knob) for one in (FLEXIBLE, NANR))
    stay = leaving(paid, *TWO_LINES, offered=offered, commission_rate="12.5 %")
    note = fact(stay.leave(at=before(days)), CommissionCreditNoteRequested)

    assert sum(amounts) == note.amount
    assert [amount for amount in amounts if amount] == [one.amount for one in note.lines]


def test_s4_38_no_commission_no_note() -> None:
    """Without a rate, or with nothing to give back."""
    assert "CommissionCreditNoteRequested" not in kinds(leaving().leave(at=before(10)))
    assert "CommissionCreditNoteRequested" not in kinds(leaving(commission_rate="10 %").leave(at=before(0)))


@pytest.mark.parametrize("days", [pytest.param(3, id="before it"), pytest.param(-2, id="after it")])
def test_s4_28_stock_of_a_day(days: int) -> None:
    """What is booked for a day and not for nights is free on that day, whenever that is; taxes free nothing."""
    day = line("2", 500, kind="service", arrival="2026-07-24", departure="2026-07-24")
    stay = leaving(21_000, line(), day, line("tax", 700, kind="tourist_tax", terms=""))
    released = fact(stay.leave(at=before(days)), StockReleased).lines

    assert [(one.line, one.departure) for one in released] == [("1", date(2026, 7, 31)), ("2", date(2026, 7, 24))]
    assert released[1].arrival == date(2026, 7, 24)


@pytest.mark.parametrize(
    ("days", "chosen", "nights"),
    [
        pytest.param(3, (), ("2026-07-24", "2026-07-31"), id="all"),
        pytest.param(-2, (), ("2026-07-26", "2026-07-31"), id="what is left of a stay that began"),
        pytest.param(
            3, ({"line": "1", "new_departure": "2026-07-28", "new_price": 1},), ("2026-07-28", "2026-07-31"), id="the freed nights"
        ),
        pytest.param(-9, (), None, id="nothing once it is over"),
    ],
)
def test_s4_28_stock(days: int, chosen: tuple[object, ...], nights: tuple[str, str] | None) -> None:
    """Released on confirmation."""
    out = leaving(20_500, line(accommodation="pitch-12", quantity=2)).leave(*chosen, at=before(days))
    found = [
        (str(one.arrival), str(one.departure), one.accommodation, one.quantity)
        for f in out.facts
        if isinstance(f, StockReleased)
        for one in f.lines
    ]

    assert [(*nights, "pitch-12", 2)] * bool(nights) == found if nights else not found


def test_s4_45_after_a_move_by_messages() -> None:
    """Moved at three days to a month later: half stays the best."""
    stay = leaving()
    stay.now = before(3)
    stay.book(ordered(line(arrival="2026-08-24", departure="2026-08-31"), revision=2), "booking.changed")

    assert fact(stay.ask(), CancellationQuoted).refund == 10_000


def test_s4_31_what_is_asked_is_kept() -> None:
    """The request says who asked, why, and for what."""
    stay = leaving(20_500, *TWO_LINES)
    stay.ask("1", at=before(3), cause="force_majeure", proof="doc-7")
    (kept,) = stay.folio.requests

    assert (kept.asked_by, kept.cause, kept.proof, [one.line for one in kept.lines]) == (
        "guest:p-77",
        Cause.FORCE_MAJEURE,
        "doc-7",
        ["1"],
    )
    assert kept.requested_at.timestamp() == (ARRIVAL - timedelta(days=3)).timestamp() + 36_000


def test_x_1_ids_come_from_the_message() -> None:
    """The same message decided twice gives the same outcome."""
    stay = leaving()
    stay.now = before(3)
    facts = stay.facts("cancellation.request")
    message = CancellationRequest(actor=Actor(kind=ActorKind.GUEST), request="R1", confirm=True)

    assert cancellation.decide_request(message, facts) == cancellation.decide_request(message, facts)


def test_unused_timer_of_no_folio_is_stale() -> None:
    """A timer whose folio was never decided."""
    fired = TimerFired(name="quote:R1", due=ARRIVAL, kind="quote", subject="R1")
    with pytest.raises(Stale):
        cancellation.decide_expired(fired, Stay().facts("timer.fired"))
