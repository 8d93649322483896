"""A balance request as a value: which one is meant, its ends, its timers, who is paying, and what is told of it (S1-12, S1-20, S1-27).

When each of these comes about is decided elsewhere. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from handlers import account
from handlers.balance_dates import collection_instant, overdue_instant
from handlers.outcome import Step, Timer
from handlers.payment_states import IN_FLIGHT
from schemas.balance import BalanceCancelled, BalanceScheduled, BalanceSent
from schemas.balance_request import AttemptState, BalanceAttempt, BalanceRequest, BalanceStatus
from schemas.folio import Folio, FolioPayment
from schemas.policy import BalancePolicy

LIVE: Final = frozenset({BalanceStatus.PENDING, BalanceStatus.SENT_NO_REPLY, BalanceStatus.SENT_REPLIED})
"""S1-12: the three queues."""
SENT: Final = frozenset({BalanceStatus.SENT_NO_REPLY, BalanceStatus.SENT_REPLIED})

BY_HAND: Final = "operator"
"""The one reason for which a cancelled request is not followed by another by itself (S1-18)."""

SEND, OVERDUE, COLLECTION = "balance_send", "balance_overdue", "balance_collection"
"""Kinds of the timers `<kind>:<request>`."""


def request_of(folio: Folio, request: str) -> BalanceRequest | None:
    """The request of that id, or None."""
    return next((known for known in folio.balance_requests if known.request == request), None)


def last_of(folio: Folio, accommodation: str) -> BalanceRequest | None:
    """The latest request of an accommodation (empty: of the whole booking)."""
    return next((known for known in reversed(folio.balance_requests) if known.accommodation == accommodation), None)


def asked(folio: Folio) -> bool:
    """Whether the guest has been asked and nothing has come of it yet."""
    return any(known.status in SENT for known in folio.balance_requests)


def with_request(folio: Folio, request: BalanceRequest) -> Folio:
    """The folio with this request in place of the one of its id, or added last."""
    requests = tuple([request if known.request == request.request else known for known in folio.balance_requests])
    return replace(folio, balance_requests=requests if request in requests else (*requests, request))


def open_attempt(request: BalanceRequest) -> BalanceAttempt | None:
    """The attempt that is under way, or None."""
    return next((one for one in request.attempts if one.state is AttemptState.CHOSEN), None)


def to_collect(request: BalanceRequest, attempt: BalanceAttempt) -> int:
    """S1-34: what an attempt takes where nobody says how much: what the guest chose to pay, and no more than is asked for since."""
    return min(attempt.amount, request.amount)


def with_attempt(request: BalanceRequest, attempt: BalanceAttempt) -> tuple[BalanceAttempt, ...]:
    """Its attempts with this one in place of the one of its number, or added last."""
    attempts = tuple([attempt if known.number == attempt.number else known for known in request.attempts])
    return attempts if attempt in attempts else (*attempts, attempt)


def released(attempt: BalanceAttempt) -> BalanceAttempt:
    """An attempt that nobody waits for any more, if it was open."""
    return replace(attempt, state=AttemptState.RELEASED) if attempt.state is AttemptState.CHOSEN else attempt


def since_asked(payment: FolioPayment, request: BalanceRequest) -> bool:
    """Whether this money, which has a home, moved since the guest was asked: what moved before, such as a deposit that is told late, was
    no answer."""
    at, sent = payment.occurred_at, request.sent_at
    return not payment.unapplied and at is not None and sent is not None and at >= sent


def paying(request: BalanceRequest, folio: Folio) -> bool:
    """S1-34: whether the guest has chosen, or has a payment on its way since he was asked."""
    if open_attempt(request) is not None:
        return True
    return any(in_flight(known, request) for known in folio.payments)


def in_flight(payment: FolioPayment, request: BalanceRequest) -> bool:
    """S1-20: whether this payment is on its way since the guest was asked."""
    return payment.status in IN_FLIGHT and since_asked(payment, request)


def next_link(folio: Folio) -> int:
    """S1-20: links are counted through the whole booking, so that none comes twice."""
    return sum([known.links for known in folio.balance_requests]) + 1


def next_notice(folio: Folio) -> int:
    """S1-41: so are the mails."""
    return sum([known.notices for known in folio.balance_requests]) + 1


def cancelled(request: BalanceRequest, reason: str, folio: Folio) -> tuple[BalanceRequest, BalanceCancelled, Step]:
    """S1-18, S1-35: nobody is asked by it any more, its link is dead; what the booking owes it still owes."""
    after = replace(
        request,
        status=BalanceStatus.CANCELLED,
        reason=reason,
        attempts=tuple([released(one) for one in request.attempts]),
        link=0,
        wake_at=None,
        suspended_until=None,
    )
    balance = account.balance(folio)
    told = BalanceCancelled(request=request.request, reason=reason, balance=balance, currency=folio.currency)
    rule = "S1-18" if reason in ("operator", "reapplied") else "S1-33" if reason == "nothing_owed" else "S1-35"
    if reason == "collected_by_channel":
        rule = "X-20"
    text = f"balance request {request.request} is cancelled ({reason}): {account.text(balance, folio.currency)} stay owed"
    return after, told, Step(rule, text)


def scheduled(request: BalanceRequest, folio: Folio) -> BalanceScheduled:
    """What it asks for from now on."""
    return BalanceScheduled(
        request=request.request,
        send_on=request.send_on,
        deadline=request.deadline,
        amount=request.amount,
        currency=folio.currency,
        accommodation=request.accommodation,
        fixed=request.fixed_to is not None,
        clamped=request.clamped,
        due_on_site=request.due_on_site,
    )


def linked(request: BalanceRequest, folio: Folio, act: datetime) -> BalanceRequest:
    """S1-20: the guest is asked by a new link, which kills the former one."""
    return replace(
        request,
        status=BalanceStatus.SENT_NO_REPLY,
        sent_at=act,
        link=next_link(folio),
        links=request.links + 1,
        notices=request.notices + 1,
        asked=(request.amount, request.deadline),
        wake_at=None,
    )


def sent(request: BalanceRequest, folio: Folio, policy: BalancePolicy, *, again: bool = False) -> BalanceSent:
    """What the mail of a request says that is as `linked` leaves it; `folio` is the one before."""
    return BalanceSent(
        request=request.request,
        link=request.link,
        attempt=next_notice(folio),
        amount=request.amount,
        currency=folio.currency,
        deadline=request.deadline,
        methods=tuple([method.value for method in policy.methods]),
        again=again,
    )


Timers = tuple[tuple[Timer, ...], tuple[str, ...]]


def timers(
    before: tuple[BalanceRequest, ...], after: tuple[BalanceRequest, ...], policy: BalancePolicy, zone: ZoneInfo
) -> Timers:  # fmt: skip
    """Timers to set, and names of those to cancel, between two moments of a folio's requests."""
    was = {timer.name: timer for request in before for timer in _timers(request, policy, zone)}
    now = {timer.name: timer for request in after for timer in _timers(request, policy, zone)}
    set_ = tuple([timer for name, timer in now.items() if was.get(name) != timer])
    return set_, tuple([name for name in was if name not in now])


def _timers(request: BalanceRequest, policy: BalancePolicy, zone: ZoneInfo) -> tuple[Timer, ...]:
    if request.status not in LIVE:
        return ()
    dues: list[tuple[str, datetime]] = []
    if request.wake_at is not None:
        dues.append((SEND, request.wake_at))
    if request.overdue_since is None:
        dues.append((OVERDUE, overdue_instant(request.deadline, zone)))
    attempt = open_attempt(request)
    if attempt is not None and not attempt.reminded:
        dues.append((COLLECTION, collection_instant(attempt.at, policy, zone)))
    return tuple([Timer(name=f"{kind}:{request.request}", due=due, kind=kind, subject=request.request) for kind, due in dues])
