"""Known mistakes with balances, vouchers and mail, each in the one place where somebody could have made it."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from engine.clock import ManualClock
from engine.notices import NoticeRunner
from engine.routes import ROUTES
from engine.store.contract import Fenced
from engine.store.notices import Notice
from handlers import (
    balance,
    balance_amounts,
    balance_dates,
    balance_record,
    balance_request,
    balance_timers,
    dispute,
    notice_resend,
    refund_asked,
    refund_parts,
    voucher_book,
    voucher_credit,
    voucher_schedule,
    voucher_told,
)
from handlers.outcome import Facts, Outcome
from schemas.errors import Early, Stale
from schemas.folio import Folio, FolioLine, FolioPayment, FolioStatus
from schemas.folio_voucher import IssuedVoucher
from schemas.notice import NoticeState
from schemas.payment import Tender
from schemas.policy import BalancePolicy
from schemas.refund import Destination
from schemas.voucher import VoucherCheck
from schemas.voucher_book import Voucher, VoucherHold
from schemas.voucher_talk import VoucherAsked
from tests.simulation.planted.bugs import Bug

SEEDS: Final = 12
RARE: Final = 25  # from here on, for what seldom meets with its chance


def mail_after_every_silence(patch: pytest.MonkeyPatch) -> None:
    """A mail of which nobody knows is sent again, whatever it is about and however often."""

    def again(self: NoticeRunner, notice: Notice, reason: str, now: int) -> Notice:
        doubted = notice._replace(code="unknown", reason=reason, doubts=notice.doubts + 1, fence=notice.fence + 1)
        return doubted._replace(state=NoticeState.PLANNED, next_at=now + self._distance(notice))

    patch.setattr(NoticeRunner, "_doubted", again)


def mail_before_its_mark(patch: pytest.MonkeyPatch) -> None:
    """What is sent is marked when it has been."""

    def take(self: NoticeRunner) -> Notice | None:
        now = self._clock.now()
        with self._store.transaction() as transaction:
            due = [one for one in transaction.due(now, 1) if one.state == NoticeState.PLANNED]
        return due[0]._replace(state=NoticeState.SENDING, next_at=now + 10**9, tries=due[0].tries + 1) if due else None

    def settle(self: NoticeRunner, notice: Notice, delivery: Any) -> None:
        with suppress(Fenced), self._store.transaction() as transaction:
            transaction.write(notice._replace(state=NoticeState.PLANNED), self._after(notice, delivery, self._clock.now()), [])

    patch.setattr(NoticeRunner, "take", take)
    patch.setattr(NoticeRunner, "settle", settle)


def mail_under_a_lapsed_lease(patch: pytest.MonkeyPatch) -> None:
    """A sender that slept past its lease hands in all the same."""
    hand_in = NoticeRunner.hand_in

    class Early(ManualClock):
        def now(self) -> int:
            return 0

    def anyway(self: NoticeRunner, notice: Notice) -> Any:
        clock, self._clock = self._clock, Early(0)
        try:
            return hand_in(self, notice)
        finally:
            self._clock = clock

    patch.setattr(NoticeRunner, "hand_in", anyway)


def asked_twice_at_once(patch: pytest.MonkeyPatch) -> None:
    """Whoever owes something is asked for it, even one who is asked already; three times at most, or it would never end."""
    patch.setattr(
        balance_request, "_may_open",
        lambda want, here: here.folio.status is FolioStatus.CONFIRMED and want.amount > 0 and len(here.folio.balance_requests) < 3,
    )  # fmt: skip


def link_outlives_its_request(patch: pytest.MonkeyPatch) -> None:
    """A cancelled request leaves its link where it was."""
    real = balance_record.cancelled

    def leaving(request: Any, reason: str, folio: Folio) -> Any:
        after, *more = real(request, reason, folio)
        return (replace(after, link=request.link), *more)

    for room in (balance, balance_request):
        patch.setattr(room, "cancelled", leaving)


def time_of_the_server(patch: pytest.MonkeyPatch) -> None:
    """Mails go at the send time of nobody's zone."""

    def by_utc(day: date, policy: BalancePolicy, zone: ZoneInfo) -> datetime:
        del zone
        return datetime.combine(day, policy.send_time, UTC)

    for room in (balance_dates, balance_request, balance_timers):
        patch.setattr(room, "at_send_time", by_utc)


def days_of_24_hours(patch: pytest.MonkeyPatch) -> None:
    """The mail goes so many times 24 hours before the deadline's send time, whatever the clocks do in between."""
    wake = balance_request.at_send_time

    def elapsed(planned: date, suspended_until: date | None, policy: BalancePolicy, zone: ZoneInfo) -> datetime:
        due = wake(planned, policy, zone) - policy.notice_days * timedelta(hours=24)
        return due if suspended_until is None else max(due, wake(suspended_until, policy, zone))

    patch.setattr(balance_request, "mail_instant", elapsed)


def voucher_spent_twice(patch: pytest.MonkeyPatch) -> None:
    """What a booking takes of a voucher stays on it, for the next one."""
    real = voucher_book._take

    def leaving(message: VoucherAsked, book: Voucher, hold: VoucherHold | None, facts: Facts) -> Outcome:
        out = real(message, book, hold, facts)
        assert isinstance(out.state, Voucher)
        return replace(out, state=replace(out.state, left=book.left))

    patch.setattr(voucher_book, "_take", leaving)


def voucher_told_and_entered(patch: pytest.MonkeyPatch) -> None:
    """A payment by a code of ours is taken at the word of who tells it; the code's own book hears nothing."""
    patch.setattr(voucher_told, "_check_own", lambda *given: None)


def cash_for_a_voucher(patch: pytest.MonkeyPatch) -> None:
    """What was paid by a voucher is given back by hand."""
    real = refund_parts.destination

    def by_hand(folio: Folio, payment: FolioPayment) -> tuple[Destination, str]:
        return (Destination.MANUAL, "in cash") if payment.voucher else real(folio, payment)

    for room in (refund_asked, refund_parts):
        patch.setattr(room, "destination", by_hand)


def excess_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A voucher above the deposit leaves the balance as it was."""
    patch.setattr(voucher_schedule, "split", lambda deposit, total, vouchers: (max(0, deposit - vouchers), total - deposit))


def without_leap_days(patch: pytest.MonkeyPatch) -> None:
    """A February has 28 days, whatever the year."""
    real = balance_dates.deadline_of

    def shorter(folio: Folio, lines: Iterable[FolioLine], policy: BalancePolicy) -> date | None:
        day = real(folio, lines, policy)
        arrives = balance_dates.arrival_of(folio)
        if day is None or arrives is None or not isleap(arrives.year) or not day <= date(arrives.year, 2, 29) < arrives:
            return day
        return day - timedelta(days=1)

    for room in (balance_dates, balance_amounts):
        patch.setattr(room, "deadline_of", shorter)


def early_check_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What the merchant says of a voucher that nobody has entered yet is nothing."""
    real = ROUTES["voucher.check"]

    def forgetting(message: VoucherCheck, facts: Facts) -> Outcome:
        try:
            return real(message, facts)
        except Early:
            raise Stale("there is no such voucher", field="number", value=message.number) from None

    patch.setitem(ROUTES, "voucher.check", forgetting)


def gift_for_cash(patch: pytest.MonkeyPatch) -> None:
    """What nobody used of a voucher goes back in money, whatever it was made of."""
    real = voucher_credit._reopened

    def all_of_it(folio: Folio, issued: IssuedVoucher, minor: int) -> tuple[Folio, list[tuple[str, int]]]:
        money = replace(folio, payments=tuple(replace(one, tender=Tender.CASH) for one in folio.payments))
        after, gave = real(money, issued, minor)
        tenders = {one.payment: one.tender for one in folio.payments}
        return replace(after, payments=tuple(replace(one, tender=tenders[one.payment]) for one in after.payments)), gave

    patch.setattr(voucher_credit, "_reopened", all_of_it)


def disputed_and_given_back(patch: pytest.MonkeyPatch) -> None:
    """A refund does not ask whether its payment is disputed."""
    patch.setattr(refund_asked, "open_disputes", lambda *given: ())
    patch.setattr(dispute, "held", lambda folio, *given: Outcome(state=folio))


def written_again_though_sent(patch: pytest.MonkeyPatch) -> None:
    """An operator may have any mail written once more."""
    patch.setattr(notice_resend, "REFUSED", {})


BUGS: Sequence[Bug] = (
    Bug("a mail again after every silence", mail_after_every_silence, (" came ",), SEEDS),
    Bug("a mail before its mark", mail_before_its_mark, ("handed in while",), SEEDS),
    Bug("a mail under a lapsed lease", mail_under_a_lapsed_lease, ("handed in while",), SEEDS),
    Bug("asked twice at once", asked_twice_at_once, ("live requests",), SEEDS),
    Bug("a link outlives its request", link_outlives_its_request, ("live links",), SEEDS),
    Bug("mails by the server's time", time_of_the_server, ("its mail goes at",), SEEDS),
    Bug("days of 24 hours", days_of_24_hours, ("its mail goes at",), SEEDS),
    Bug("a voucher spent twice", voucher_spent_twice, (" spent, ",), SEEDS, RARE),
    Bug("a voucher told and entered", voucher_told_and_entered, (" spent, ",), SEEDS),
    Bug("cash for a voucher", cash_for_a_voucher, ("is a voucher's",), SEEDS),
    Bug("what a voucher has too much is forgotten", excess_forgotten, ("are not",), SEEDS),
    Bug("years without leap days", without_leap_days, ("is planned for",), SEEDS),
    Bug("an early check is forgotten", early_check_forgotten, ("orders: ",), SEEDS),
    Bug("cash for a gift that nobody used", gift_for_cash, ("go back as money",), SEEDS, RARE),
    Bug("disputed, and given back", disputed_and_given_back, ("its payment is disputed",), SEEDS),
    Bug("a mail that was sent again", written_again_though_sent, ("written about again",), SEEDS),
)
"""Looked for in worlds of all families."""
