"""Bookings: accepted, frozen, changed; revisions; the second payment's day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.booking import SECOND_PAYMENT
from handlers.outcome import Timer
from schemas.booking import (
    BalanceChanged,
    BookingAccepted,
    CollectedBy,
    DepositNature,
    Overpaid,
    PaymentScheduleSet,
    SecondPaymentOverdue,
)
from schemas.errors import Early, Rejected, Stale
from schemas.folio import FolioStatus
from tests.handlers.campsite import CAMP, FLEXIBLE, NANR, STRICT, TENANT, TWO_LINES, Stay, fact, kinds, line, ordered, paid, terms


def booked(*lines: dict[str, Any], **more: Any) -> Stay:
    """A stay that stands, in split."""
    stay = Stay()
    stay.book(ordered(*lines, payment_plan="split", **more))
    return stay


def changed(stay: Stay, *lines: dict[str, Any], **more: Any) -> Any:
    """The whole new state, in split."""
    return stay.book(ordered(*lines, payment_plan="split", **more), "booking.changed")


def test_s4_9_accepted_with_its_sums() -> None:
    """120 + 80 + fee 5: what is ordered, what is due when, what is owed, and the timer after the second payment's day."""
    stay = Stay()
    out = stay.book(ordered(*TWO_LINES, payment_plan="split", revision=1))

    assert kinds(out) == ["BookingAccepted", "PaymentScheduleSet", "BalanceChanged"]
    accepted = fact(out, BookingAccepted)
    assert (accepted.revision, accepted.ordered, accepted.service_fee) == (1, 20_500, 500)
    assert accepted.terms == {"1": "outdoor/flexible/1", "2": "outdoor/nanr/1"}
    assert PaymentScheduleSet(due_now=14_500, second_payment=6_000, due_on=date(2026, 7, 23), currency="EUR") == out.facts[1]
    assert BalanceChanged(ordered=20_500, collected=0, balance=20_500, currency="EUR") == out.facts[2]
    due = datetime(2026, 7, 23, 22, 0, tzinfo=UTC)
    assert (Timer(name=SECOND_PAYMENT, due=due, kind=SECOND_PAYMENT, subject="2026-07-23"),) == out.timers
    assert stay.owes() == 20_500
    assert out.policy_version == "camp-azur/1"
    assert out.unparks == ("booking",)


def test_x_7_the_trace_spells_the_arithmetic() -> None:
    """A bank can follow it."""
    out = Stay().book(ordered(*TWO_LINES, payment_plan="split"))
    said = {step.rule: step.text for step in reversed(out.trace)}

    assert said["S4-14"] == "line 1: 120.00 EUR × (1 − 50 %) = 60.00 EUR now, outdoor/flexible/1 tranche 2"
    assert said["S4-20"] == "first payment 145.00 EUR; second 205.00 EUR − 145.00 EUR = 60.00 EUR"
    assert said["S4-22"] == "ordered 205.00 EUR − collected 0.00 EUR = balance 205.00 EUR"


def test_x_9_the_timer_knows_daylight_saving() -> None:
    """The second payment's day before the clocks go back: 23 h or 25 h, the end of the day is local midnight."""
    out = Stay().book(ordered(line(arrival="2026-10-26", departure="2026-10-28"), payment_plan="split"))

    assert datetime(2026, 10, 25, 23, 0, tzinfo=UTC) == out.timers[0].due


@pytest.mark.parametrize(
    ("more", "code", "field", "value"),
    [
        pytest.param({"property": "camp-rouge"}, "unknown_property", "property", "camp-rouge", id="property"),
        pytest.param({"currency": "GBP"}, "currency_mismatch", "currency", "GBP", id="currency it does not sell in"),
        pytest.param({"currency": "EUX"}, "unknown_currency", "currency", "EUX", id="no currency"),
        pytest.param({"commission_rate": "12,5 %"}, "rate_out_of_range", "commission_rate", "12,5 %", id="rate"),
        pytest.param({"max_advance_rate": "101 %"}, "rate_out_of_range", "max_advance_rate", "101 %", id="rate above 100 %"),
    ],
)
def test_refused_by_field(more: dict[str, Any], code: str, field: str, value: str) -> None:
    """A refusal says which field and what stood there."""
    with pytest.raises(Rejected) as caught:
        Stay().book(ordered(**more))
    assert (code, field, value) == (caught.value.code, caught.value.field, caught.value.value)


@pytest.mark.parametrize(
    ("lines", "code", "field", "value"),
    [
        pytest.param([line("1"), line("1")], "duplicate_line", "lines[1].line", "1", id="one id twice"),
        pytest.param(
            [line("1"), line("2", departure="2026-07-23")],
            "dates_out_of_order",
            "lines[1].departure",
            "2026-07-23",
            id="leaves first",
        ),
        pytest.param([line("1", arrival=None, departure=None)], "arrival_missing", "lines[0].arrival", "", id="no date at all"),
        pytest.param([line("1", arrival=None)], "arrival_missing", "lines[0].arrival", "", id="departure only"),
        pytest.param([line("1"), line("2", terms="")], "unknown_terms", "lines[1].terms", "", id="no terms"),
        pytest.param([line("1", terms="x/y")], "unknown_terms", "lines[0].terms", "x/y", id="terms nobody offers"),
        pytest.param([line("1", vat_rate="10")], "rate_out_of_range", "lines[0].vat_rate", "10", id="vat"),
    ],
)
def test_refused_by_line(lines: list[dict[str, Any]], code: str, field: str, value: str) -> None:
    """A refusal says which line."""
    with pytest.raises(Rejected) as caught:
        Stay().book(ordered(*lines))
    assert (code, field, value) == (caught.value.code, caught.value.field, caught.value.value)


def test_x_12_another_tenants_property_is_unknown() -> None:
    """Tenants never see each other."""
    with pytest.raises(Rejected) as caught:
        Stay(camp=replace(CAMP, tenant="rouge")).book()
    assert caught.value.code == "unknown_property"


def test_a_32_zone() -> None:
    """No zone and no tenant default: refused. A default set on purpose is used: in Martinique 22 July lasts six hours longer."""
    nowhere = replace(CAMP, zone="")
    with pytest.raises(Rejected) as caught:
        Stay(camp=nowhere).book()
    assert caught.value.code == "unknown_zone"
    with pytest.raises(Rejected) as caught:
        Stay(camp=replace(CAMP, zone="Europe/Atlantis")).book()
    assert caught.value.value == "Europe/Atlantis"
    stay = Stay(camp=nowhere, tenant=replace(TENANT, zone="America/Martinique"))
    stay.book(ordered(payment_plan="split", booked_at="2026-07-23T00:30:00+02:00"))
    assert stay.folio.second_payment == 10_000


def test_s4_40_terms_are_frozen_as_offered_on_the_day_of_booking() -> None:
    """X-8: a new version from June binds who books in June; a booking of May that arrives in June has May's."""
    may = replace(FLEXIBLE, valid_to=date(2026, 5, 31))
    june = terms("outdoor/flexible", "1/2", "1/4", "0", version="outdoor/flexible/2", valid_from=date(2026, 6, 1))
    versions = []
    for booked_at in ("2026-05-31T23:30:00+02:00", "2026-06-01T00:00:00+02:00"):
        stay = Stay(may, june)
        stay.now = "2026-06-02T08:00:00+00:00"
        stay.book(ordered(booked_at=booked_at))
        versions.append(stay.folio.lines[0].policy)

    assert versions == ["outdoor/flexible/1", "outdoor/flexible/2"]


def test_s4_40_a_later_policy_touches_no_booking() -> None:
    """The manager makes it harder: a known line keeps its terms through a change, a new line gets the new ones."""
    stay = booked(line("1", 12_000))
    stay.offer(terms("outdoor/flexible", "1/2", "0", "0", version="outdoor/flexible/2"))
    changed(stay, line("1", 13_000), line("2", 8_000))

    assert [one.policy for one in stay.folio.lines] == ["outdoor/flexible/1", "outdoor/flexible/2"]


def test_a_change_of_terms_gets_them_as_offered_then() -> None:
    """The line names other terms: these, from now on."""
    stay = booked()
    changed(stay, line(terms=STRICT.name))

    assert STRICT.version == stay.folio.lines[0].policy


def test_x_2_a_change_of_an_unknown_booking_is_early() -> None:
    """Parked until the booking is there."""
    with pytest.raises(Early) as caught:
        Stay().book(ordered(), "booking.changed")
    assert caught.value.waits_for == "booking"


@pytest.mark.parametrize(
    ("known", "told", "taken"),
    [(1, 2, True), (2, 2, False), (2, 1, False), (None, 0, True), (5, None, True)],
)
def test_x_2_revisions(known: int | None, told: int | None, taken: bool) -> None:
    """Older or equal is stale; without a number arrival order counts."""
    stay = booked(revision=known)
    if not taken:
        with pytest.raises(Stale):
            changed(stay, line(price=30_000), revision=told)
        assert stay.owes() == 20_500
        return
    changed(stay, line(price=30_000), revision=told)
    assert stay.owes() == 30_500


def test_x_2_revisions_are_each_sources_own() -> None:
    """A channel's 1 is not older than the PMS's 7."""
    stay = booked(revision=7)
    stay.book(ordered(line(price=30_000), revision=1), "booking.changed", source="ota.demo")

    assert stay.folio.revisions == {"pms.thais": 7, "ota.demo": 1}
    assert stay.owes() == 30_500


@pytest.mark.parametrize(
    ("name", "revision", "taken"),
    [
        ("booking.confirmed", 2, True),
        ("booking.confirmed", 1, False),
        ("booking.confirmed", 3, True),
        ("booking.requested", 2, False),
        ("booking.changed", 2, False),
    ],
)
def test_x_2_the_confirmation_of_a_request_may_carry_its_revision(name: str, revision: int, taken: bool) -> None:
    """That revision, and only its confirmation."""
    stay = Stay()
    stay.book(ordered(revision=2), "booking.requested")
    if not taken:
        with pytest.raises(Stale) as old:
            stay.book(ordered(revision=revision), name)
        assert (old.value.field, old.value.value) == ("revision", str(revision))
        return
    stay.book(ordered(revision=revision), name)
    assert stay.folio.status == "confirmed"


def test_a_request_without_revision_may_come_again() -> None:
    """Nothing says which of the two is older: the later one counts, as long as nobody has confirmed."""
    stay = Stay()
    stay.book(ordered(), "booking.requested")
    stay.book(ordered(line(price=30_000)), "booking.requested")

    assert (stay.folio.status, stay.owes()) == ("requested", 30_500)


def test_requested_then_confirmed() -> None:
    """The request stands; its confirmation confirms, also under the same revision; a second one is stale."""
    stay = Stay()
    stay.book(ordered(revision=1), "booking.requested")
    assert stay.folio.status == "requested"
    stay.book(ordered(revision=1, deposit_nature="acompte"))
    assert FolioStatus.CONFIRMED is stay.folio.status
    assert DepositNature.ACOMPTE is stay.folio.deposit_nature
    with pytest.raises(Stale):
        stay.book(ordered(revision=1))
    assert stay.owes() == 20_500


def test_x_2_a_late_request_does_not_undo_a_confirmation() -> None:
    """Without a revision the request is the older by what it is; with a newer one it is the newer state, still confirmed."""
    stay = booked()
    with pytest.raises(Stale):
        stay.book(ordered(line(price=1)), "booking.requested")
    stay.book(ordered(line(price=30_000), revision=9), "booking.requested")

    assert (stay.folio.status, stay.owes()) == (FolioStatus.CONFIRMED, 30_500)


def test_x_25_frozen_with_the_booking() -> None:
    """A change does not turn arrhes into acompte, nor who holds the funds."""
    stay = booked(fee_basis="per_stay", funds_holder="camp")
    changed(stay, deposit_nature="acompte", fee_basis="per_night", funds_holder="other", max_advance_rate="1 %")

    assert (
        stay.folio.deposit_nature,
        stay.folio.fee_basis,
        stay.folio.funds_holder,
        stay.folio.max_advance_rate,
    ) == (DepositNature.ARRHES, "per_stay", "camp", "")


def test_a_cancelled_booking_is_not_changed() -> None:
    """A newer change is refused, an older one is stale."""
    stay = booked(revision=2)
    stay.cancel("2026-07-01T10:00:00+00:00")
    with pytest.raises(Rejected) as caught:
        changed(stay, revision=3)
    assert caught.value.code == "already_cancelled"
    with pytest.raises(Stale):
        changed(stay, revision=1)


@pytest.mark.parametrize(
    ("field", "value", "code"), [("property", "b", "property_mismatch"), ("currency", "GBP", "currency_mismatch")]
)
def test_what_a_change_may_not_change(field: str, value: str, code: str) -> None:
    """Another property (S4-40) or currency is another booking."""
    with pytest.raises(Rejected) as caught:
        changed(booked(), **{field: value})
    assert (code, field) == (caught.value.code, caught.value.field)


def test_a_change_before_any_money_is_computed_anew() -> None:
    """300 in split: 150 + 5 now, 150 later; the book has the difference."""
    stay = booked()
    out = changed(stay, line(price=30_000))

    assert (15_500, 15_000, date(2026, 7, 23)) == stay.plan()
    assert [entry.entry for entry in out.entries] == ["ordered"]
    assert out.entries[0].minor == 10_000
    assert out.timers + out.cancel == ()


def test_s4_37_after_money_the_first_payment_stays() -> None:
    """105 was asked and paid: a dearer stay makes the second payment larger, a cheaper one smaller."""
    stay = booked()
    stay.pay(paid(10_500))
    changed(stay, line(price=30_000))
    assert (10_500, 20_000, date(2026, 7, 23)) == stay.plan()
    out = changed(stay, line(price=15_000))
    assert (10_500, 5_000, date(2026, 7, 23)) == stay.plan()
    assert BalanceChanged(ordered=15_500, collected=10_500, balance=5_000, currency="EUR") == fact(out, BalanceChanged)


def test_s4_37_threshold_is_not_computed_backwards() -> None:
    """What is left after a change is below the threshold: the first payment stays half."""
    stay = Stay(camp=replace(CAMP, split_thresholds={"outdoor": 15_000}))
    stay.book(ordered(*TWO_LINES, payment_plan="split"))
    stay.pay(paid(14_500))
    changed(stay, line("1", 14_000))

    assert stay.plan() == (14_500, 0, None)
    assert stay.owes() == 0


def test_s1_34_a_new_arrival_moves_the_second_payment() -> None:
    """To August: new date and timer. To tomorrow: everything is due now and the timer goes (S4-21)."""
    stay = booked()
    stay.pay(paid(10_500))
    out = changed(stay, line(arrival="2026-08-10", departure="2026-08-12"))
    assert date(2026, 8, 9) == stay.folio.second_payment_on
    assert [timer.subject for timer in out.timers] == ["2026-08-09"]
    stay.now = "2026-07-30T08:00:00+00:00"
    out = changed(stay, line(arrival="2026-07-31", departure="2026-08-12"))
    assert stay.plan() == (20_500, 0, None)
    assert out.cancel == (SECOND_PAYMENT,)


def test_s1_33_a_cheaper_stay_is_overpaid() -> None:
    """205 paid, 150 + 5 ordered: 50 too much, told once."""
    stay = booked()
    stay.pay(paid(20_500))
    out = changed(stay, line(price=15_000))

    assert Overpaid(amount=5_000, currency="EUR") == fact(out, Overpaid)
    assert stay.owes() == -5_000
    assert "Overpaid" not in kinds(changed(stay, line(price=15_000)))


def test_lines_left_out_are_not_ordered_any_more() -> None:
    """No penalty: the PMS changed the booking, nobody cancelled."""
    stay = booked(*TWO_LINES)
    out = changed(stay, TWO_LINES[0])

    assert [(entry.entry, entry.minor, entry.subject) for entry in out.entries] == [("unordered", 8_000, "2")]
    assert stay.owes() == 12_500


def test_s4_37_a_cancelled_line_stays_cancelled() -> None:
    """Named again or left out: it keeps what it kept."""
    stay = booked(*TWO_LINES)
    stay.pay(paid(20_500))
    first = replace(stay.folio.lines[0], cancelled=True, kept=6_000)
    stay.state = replace(stay.folio, lines=(first, stay.folio.lines[1]))
    for lines in (TWO_LINES, [TWO_LINES[1]]):
        changed(stay, *lines)
        kept = {one.line: (one.cancelled, one.kept) for one in stay.folio.lines}
        assert kept == {"1": (True, 6_000), "2": (False, 0)}


def test_s4_37_a_line_that_lost_nights_keeps_their_penalty() -> None:
    """It leaves the booking later: its price is not owed any more, the penalty of its lost nights is."""
    stay = booked(*TWO_LINES)
    stay.state = replace(stay.folio, lines=(replace(stay.folio.lines[0], price=9_000, kept=1_500), stay.folio.lines[1]))
    changed(stay, TWO_LINES[1])

    assert [(one.line, one.cancelled, one.kept) for one in stay.folio.lines] == [("2", False, 0), ("1", True, 1_500)]


def test_a_change_of_kind_moves_the_account() -> None:
    """X-23: what turns out to be tourist tax stands with the taxes."""
    stay = booked(line("1", 12_000), line("2", 1_000, kind="service"))
    out = changed(stay, line("1", 12_000), line("2", 1_000, kind="tourist_tax", terms=""))

    assert [(entry.entry, entry.debit if entry.entry == "unordered" else entry.credit) for entry in out.entries] == [
        ("unordered", "stays:B-1"),
        ("ordered", "taxes:B-1"),
    ]
    assert stay.owes() == 13_500


@pytest.mark.parametrize(
    ("moved_at", "cap"),
    [
        pytest.param("2026-07-20T10:00:00+02:00", "", id="at four days all came back: no cap"),
        pytest.param("2026-07-21T10:00:00+02:00", "50 %", id="at three days half"),
        pytest.param("2026-07-24T10:00:00+02:00", "0 %", id="on arrival day nothing"),
    ],
)
def test_s4_45_floor_on_move(moved_at: str, cap: str) -> None:
    """After a move, never a better rate than at the move."""
    stay = booked()
    stay.now = moved_at
    changed(stay, line(arrival="2026-09-10", departure="2026-09-12"))

    assert cap == stay.folio.lines[0].rate_cap


def test_s4_45_a_second_move_only_lowers() -> None:
    """50 % at the first move; the second, months ahead, does not lift it; a departure alone moves nothing."""
    stay = booked()
    stay.now = "2026-07-21T10:00:00+02:00"
    changed(stay, line(arrival="2026-09-10", departure="2026-09-12"))
    changed(stay, line(arrival="2026-10-10", departure="2026-10-12"))
    assert stay.folio.lines[0].rate_cap == "50 %"
    stay.now = "2026-10-10T10:00:00+02:00"
    changed(stay, line(arrival="2026-10-10", departure="2026-10-11"))
    assert stay.folio.lines[0].rate_cap == "50 %"


def test_s4_45_a_worse_cap_stays() -> None:
    """0 % at the first move, 50 % at the second: 0 %."""
    stay = booked()
    for moved_at, arrival in (("2026-07-24T10:00:00+02:00", "2026-09-10"), ("2026-09-08T10:00:00+02:00", "2026-10-10")):
        stay.now = moved_at
        changed(stay, line(arrival=arrival, departure="2026-10-12"))

    assert stay.folio.lines[0].rate_cap == "0 %"


def test_s4_45_off_or_by_the_property() -> None:
    """The knob off, or the merchant moves: no cap."""
    loose = Stay(camp=replace(CAMP, tranche_floor_on_move=False))
    loose.book()
    merchant = booked()
    for stay, actor in ((loose, {"kind": "guest"}), (merchant, {"kind": "merchant"})):
        stay.now = "2026-07-21T10:00:00+02:00"
        changed(stay, line(arrival="2026-09-10", departure="2026-09-12"), actor=actor)
        assert stay.folio.lines[0].rate_cap == ""


def test_x_20_what_a_channel_collects_is_not_asked() -> None:
    """No timer; and the timer goes when a change says so."""
    assert Stay().book(ordered(payment_plan="split", collected_by="channel")).timers == ()
    stay = booked()
    assert changed(stay, collected_by="channel").cancel == (SECOND_PAYMENT,)
    assert CollectedBy.CHANNEL is stay.folio.collected_by


@pytest.mark.parametrize(
    ("first", "late"),
    [pytest.param(10_500, 10_000, id="second payment open"), pytest.param(20_499, 1, id="a cent is open")],
)
def test_s1_37_overdue(first: int, late: int) -> None:
    """S4-13: told with the balance, nothing cancelled; on the day of arrival nobody is reminded any more (S1-38)."""
    stay = booked()
    stay.pay(paid(first))
    stay.now = "2026-07-24T00:00:00+02:00"
    out = stay.ring("2026-07-23")

    assert (SecondPaymentOverdue(due_on=date(2026, 7, 23), balance=late, currency="EUR", remind=False),) == out.facts
    assert FolioStatus.CONFIRMED is stay.folio.status


@pytest.mark.parametrize(
    ("now", "paying", "remind"),
    [
        pytest.param("2026-07-23T23:59:59+02:00", 0, True, id="the last second before the stay"),
        pytest.param("2026-07-24T00:00:00+02:00", 0, False, id="its first day"),
        pytest.param("2026-08-02T00:00:00+02:00", 0, False, id="after it, the hub was away"),
        pytest.param("2026-07-20T00:00:00+02:00", 10_000, False, id="he is paying"),
    ],
)
def test_s1_37_s1_38_who_is_late_is_reminded_before_his_stay_alone(now: str, paying: int, remind: bool) -> None:
    """S4-13: as of a balance."""
    stay = booked()
    stay.pay(paid(10_500))
    if paying:
        stay.pay(paid(paying, payment="P2"), name="payment.authorised")
    stay.now = now
    (told,) = stay.ring("2026-07-23").facts

    assert isinstance(told, SecondPaymentOverdue)
    assert told.remind is remind


def test_s1_44_not_overdue() -> None:
    """Paid, cancelled, or moved since: nothing to tell."""
    stay = booked()
    assert stay.ring("2026-07-22").facts == ()
    stay.pay(paid(20_500))
    assert stay.ring("2026-07-23").facts == ()
    other = booked()
    other.cancel("2026-07-01T10:00:00+00:00")
    assert other.ring("2026-07-23").facts == ()


states = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 9), st.integers(0, 10**6), st.sampled_from([FLEXIBLE.name, NANR.name]), st.sampled_from(["stay", "tourist_tax"])
        ),
        min_size=1, max_size=5, unique_by=lambda one: one[0],
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(states, st.lists(st.integers(0, 2_000), min_size=6, max_size=6), st.lists(st.integers(0, 6), max_size=6))
def test_x_4_the_book_follows_every_change(life: list[list[Any]], fees: list[int], numbers: list[int]) -> None:
    """Whatever is changed, in whatever order of revisions: folio and ledger say the same, and the highest revision's state stands."""
    stay = Stay()
    best = -1
    for n, (state, fee) in enumerate(zip(life, fees, strict=False)):
        lines = [line(str(name), price, terms=offer, kind=kind) for name, price, offer, kind in state]
        revision = numbers[n] if n < len(numbers) else None
        message = ordered(*lines, service_fee=fee, payment_plan="split", revision=revision)
        try:
            stay.book(message, "booking.confirmed")
        except Stale:
            assert revision is not None
            assert revision <= best
            continue
        best = best if revision is None else revision
        assert sum(one[1] for one in state) + fee == stay.owes()
