"""Known mistakes with balances, vouchers and mail, each in the one place where somebody could have made it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from engine.clock import ManualClock
from engine.notices import NoticeRunner
from engine.store.notices import Notice
from handlers import (
    balance,
    balance_dates,
    balance_record,
    balance_request,
    balance_timers,
    refund_asked,
    refund_parts,
    voucher_book,
    voucher_schedule,
)
from handlers.outcome import Facts, Outcome
from schemas.folio import Folio, FolioPayment, FolioStatus
from schemas.notice import NoticeState
from schemas.policy import BalancePolicy
from schemas.refund import Destination
from schemas.voucher_book import Voucher, VoucherHold
from schemas.voucher_talk import VoucherAsked
from tests.simulation.planted.bugs import Bug

SEEDS: Final = 12


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
        with self._store.transaction() as transaction:
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


BUGS: Sequence[Bug] = (
    Bug("a mail again after every silence", mail_after_every_silence, (" came ",), SEEDS),
    Bug("a mail before its mark", mail_before_its_mark, ("handed in while",), SEEDS),
    Bug("a mail under a lapsed lease", mail_under_a_lapsed_lease, ("handed in while",), SEEDS),
    Bug("asked twice at once", asked_twice_at_once, ("live requests",), SEEDS),
    Bug("a link outlives its request", link_outlives_its_request, ("live links",), SEEDS),
    Bug("mails by the server's time", time_of_the_server, ("its mail goes at",), SEEDS),
    Bug("days of 24 hours", days_of_24_hours, ("its mail goes at",), SEEDS),
    Bug("a voucher spent twice", voucher_spent_twice, (" spent, ",), SEEDS),
    Bug("cash for a voucher", cash_for_a_voucher, ("is a voucher's",), SEEDS),
    Bug("what a voucher has too much is forgotten", excess_forgotten, ("are not",), SEEDS),
)
"""Looked for in worlds of all families."""
