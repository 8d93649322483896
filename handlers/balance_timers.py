"""When a request's mail goes, when it is overdue, and when the merchant is asked what came of it (S1-36 to S1-38, S1-43 to S1-45).

Each is a timer of the folio. "Sent" is decided here; the mail itself is a notice. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from msgspec.structs import replace

from handlers import account
from handlers.balance_dates import arrival_of, at_send_time, next_look, on_site, overdue_instant, put_off
from handlers.balance_here import Here, here_of
from handlers.balance_record import (
    LIVE,
    SENT,
    linked,
    open_attempt,
    paying,
    request_of,
    sent,
    to_collect,
    with_attempt,
    with_request,
)
from handlers.confirmation import confirm
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.quote import compute, quoted
from handlers.voucher_schedule import waiting
from schemas.balance import BalanceOverdue, BalanceSuspended, CollectionUnreported, Scope
from schemas.balance_request import BalanceRequest, BalanceStatus
from schemas.booking import LineKind
from schemas.cancellation import Cause
from schemas.errors import Stale
from schemas.folio import CancelRequest, Folio, RequestStatus
from schemas.operations import TimerFired
from schemas.payment import Tender
from schemas.property_settings import Suspension

UNPAID = "balance_overdue"
"""Stands for the request of a cancellation that nobody asked for: the balance was not paid (A-12)."""


def _found(message: TimerFired, facts: Facts) -> tuple[BalanceRequest, Here]:
    """The live request that a timer is about. Raises Stale for one that is over."""
    folio = facts.folio
    request = request_of(folio, message.subject) if folio is not None else None
    here = here_of(folio, facts, folio) if folio is not None else None
    if request is None or here is None or request.status not in LIVE:
        raise Stale(f"balance request {message.subject} is over", field="subject", value=message.subject)
    return request, here


def decide_send(message: TimerFired, facts: Facts) -> Outcome:
    """The mail's instant has come: sent, by a new link; put off while its property is suspended (S1-36), left while the guest is paying
    (S1-34) or the merchant has not accepted his vouchers (S0-19), and not sent once the stay has begun (S1-38) or it is too late for the
    deadline (S1-43). Raises Stale."""
    request, here = _found(message, facts)
    if request.wake_at != message.due or request.status is BalanceStatus.SENT_REPLIED:
        raise Stale(f"balance request {request.request} has no mail to send now", field="subject", value=request.request)
    if (suspension := suspension_of(here, facts)) is not None:
        return _put_off(request, suspension, here, facts)
    request, ended = _ended_sooner(request, here, facts)
    why, step = _not_sent(request, here, facts)
    if why is not None:
        return merge(ended, _outcome(with_request(here.folio, why), step))
    after = linked(request, here.folio, facts.act)
    told = sent(after, here.folio, here.policy)
    amount = account.text(after.amount, here.folio.currency)
    step = Step("S1-20", f"balance request {request.request}: {amount} until {after.deadline} is asked for by link {after.link}")
    return merge(ended, replace(_outcome(with_request(here.folio, after), step), facts=(told,)))


def _ended_sooner(request: BalanceRequest, here: Here, facts: Facts) -> tuple[BalanceRequest, Outcome]:
    """S1-36: what its property kept back until a later day, and does not any more, is brought forward: suspended until today, with the
    deadline that gives (A-11)."""
    today = _really(here, facts)
    if not request.by_property or request.suspended_until is None or request.suspended_until <= today:
        return request, Outcome()
    after = replace(suspended(request, today, here), by_property=False)
    text = f"balance request {request.request}: {here.folio.property} asks again, {request.suspended_until} is not waited for"
    return after, Outcome(facts=(told_suspended(after, here.folio.property),), trace=(Step("S1-36", text),))


def _not_sent(request: BalanceRequest, here: Here, facts: Facts) -> tuple[BalanceRequest | None, Step]:
    """What the request is instead of sent, and why; None: it is sent. Judged by when it is really decided, since a hub that was away must
    not ask too late: by the deadline, or by the end of a suspension that outlasts it (S1-36)."""
    day = _really(here, facts)
    arrival, asleep = arrival_of(here.folio), replace(request, wake_at=None)
    given_up = asleep if request.sent_at is None else replace(asleep, asked=(request.amount, request.deadline))
    if arrival is None or day >= arrival:
        text = f"balance request {request.request}: the stay began {arrival}, it is {day}: no mail"
        return replace(given_up, due_on_site=request.sent_at is None), Step("S1-38", text)
    late = max(request.deadline, request.suspended_until or request.deadline) + here.policy.grace_days * timedelta(days=1)
    if day > late:
        text = f"balance request {request.request}: its deadline {request.deadline} has gone by, it is {day}: no mail after {late}"
        return given_up, Step("S1-43", text)
    if paying(request, here.folio):
        return asleep, Step("S1-34", f"balance request {request.request}: the guest is paying, and is asked for the rest then")
    if waiting(here.folio):
        text = f"balance request {request.request}: the vouchers are not accepted: nothing is asked until then"
        return asleep, Step("S0-19", text)
    return None, Step("S1-4", "")


def _really(here: Here, facts: Facts) -> date:
    """The local day on which a timer's decision is made, later than it was due after an outage."""
    return max(here.today, (facts.decided_at or here.act).astimezone(here.zone).date())


def suspension_of(here: Here, facts: Facts) -> Suspension | None:
    """S1-36: what keeps its requests back on the act's day."""
    return keeping_back(here.folio, facts.suspensions, here.today)


def keeping_back(folio: Folio, suspensions: Iterable[Suspension], today: date) -> Suspension | None:
    """S1-36: of those of the folio's property, and of the types of its accommodations, that are not over, the one that ends last."""
    types = {line.accommodation_type for line in account.live_lines(folio) if line.kind is LineKind.STAY}
    found = [one for one in suspensions if _concerns(one, types) and one.until > today]
    return max(found, key=lambda one: (one.until, not one.accommodation_type), default=None)


def _concerns(suspension: Suspension, types: set[str]) -> bool:
    return not suspension.accommodation_type or suspension.accommodation_type in types


def suspended(request: BalanceRequest, until: date, here: Here) -> BalanceRequest:
    """S1-36, A-11: nothing is asked before local day `until`, at send time; the deadline moves with it. A link that is live stays so."""
    arrival = arrival_of(here.folio)
    site = on_site(until, arrival)
    first = request.deadline if request.suspended_until is None else request.planned
    deadline = put_off(first, until, arrival, here.policy) if arrival is not None else first
    due = max(at_send_time(max(until, request.send_on), here.policy, here.zone), here.act)
    waits = request.status is BalanceStatus.PENDING or request.wake_at is not None
    asked = (request.amount, deadline) if request.asked == (request.amount, request.deadline) else request.asked
    wake_at = due if waits and not site else None
    after = replace(
        request, suspended_until=until, by_property=False, deadline=deadline, due_on_site=site, wake_at=wake_at, asked=asked
    )
    return replace(after, overdue_since=None) if deadline >= here.today else after


def _put_off(request: BalanceRequest, suspension: Suspension, here: Here, facts: Facts) -> Outcome:
    """S1-36: not before the property's suspension ends; whether that ends sooner is looked at every day until the stay begins, since no
    operator's word about a property reaches each booking."""
    after = replace(suspended(request, suspension.until, here), by_property=True)
    today, arrival = _really(here, facts), arrival_of(here.folio)
    if request.wake_at is not None and arrival is not None and today + timedelta(days=1) < arrival:
        after = replace(after, wake_at=next_look(today, here.policy, here.zone))
    if replace(after, wake_at=None) == replace(request, wake_at=None):
        step = Step("S1-36", f"balance request {request.request}: still nothing before {suspension.until}")
        return _outcome(with_request(here.folio, after), step)
    what = f"{here.folio.property} {suspension.accommodation_type}".rstrip()
    step = Step("S1-36", f"balance request {request.request}: {what} asks for nothing before {suspension.until}")
    told = told_suspended(after, here.folio.property, suspension.accommodation_type)
    return replace(_outcome(with_request(here.folio, after), step), facts=(told,))


def told_suspended(request: BalanceRequest, property_: str = "", accommodation_type: str = "") -> BalanceSuspended:
    """What a suspension, of its own or of its property or type, made of a request."""
    assert request.suspended_until is not None
    scope = Scope.TYPE if accommodation_type else Scope.PROPERTY if property_ else Scope.BOOKING
    return BalanceSuspended(
        request=request.request,
        scope=scope.value,
        property=property_,
        accommodation_type=accommodation_type,
        until=request.suspended_until,
        deadline=request.deadline,
        due_on_site=request.due_on_site,
    )


def decide_overdue(message: TimerFired, facts: Facts) -> Outcome:
    """S1-37, S1-44: the deadline's local day is over and something is open: told; the booking is cancelled only where that is switched on
    (A-12), for a guest who was asked, has not answered and is not paying, by vouchers that are not checked neither. Raises Stale."""
    request, here = _found(message, facts)
    if request.overdue_since is not None or overdue_instant(request.deadline, here.zone) != message.due:
        raise Stale(f"balance request {request.request} is not overdue now", field="subject", value=request.request)
    suspension = suspension_of(here, facts)
    if suspension is not None and suspended(request, suspension.until, here).deadline > request.deadline:
        return _put_off(request, suspension, here, facts)
    after = replace(request, overdue_since=here.today)
    arrival, busy = arrival_of(here.folio), paying(request, here.folio) or bool(waiting(here.folio))
    quiet = suspension is not None or (request.suspended_until is not None and request.suspended_until > here.today)
    told = BalanceOverdue(
        request=request.request,
        deadline=request.deadline,
        amount=request.amount,
        currency=here.folio.currency,
        asked=request.status in SENT,
        remind=request.status in SENT and not busy and not quiet and arrival is not None and _really(here, facts) < arrival,
        link=request.link,
    )
    amount = account.text(request.amount, here.folio.currency)
    step = Step("S1-37", f"balance request {request.request}: {amount} were due by the end of {request.deadline}")
    out = replace(_outcome(with_request(here.folio, after), step), facts=(told,))
    if here.policy.auto_cancel_overdue and request.status is BalanceStatus.SENT_NO_REPLY and not busy:
        return merge(out, _cancel_booking(folio_of(out), facts))
    return out


def _cancel_booking(folio: Folio, facts: Facts) -> Outcome:
    """A-12: cancelled as if the guest had done it, by the terms."""
    computation = compute(folio, (), Cause.GUEST, facts)
    quote = quoted(computation, folio, facts)
    request = CancelRequest(
        request=UNPAID,
        status=RequestStatus.CONFIRMED,
        cause=Cause.GUEST,
        requested_at=facts.act,
        proof="balance not paid",
        asked_by="system:balance",
        quote=quote,
    )
    done = confirm(folio, request, computation, facts, asked_by="system:balance")
    return replace(done, trace=(Step("A-12", "auto_cancel_overdue is on: the booking is cancelled"), *done.trace))


def decide_collection(message: TimerFired, facts: Facts) -> Outcome:
    """S1-45: the guest chose `collection_days` ago, and nobody has said what came of it: the merchant is asked, once an attempt. Raises
    Stale."""
    request, here = _found(message, facts)
    attempt = open_attempt(request)
    if attempt is None or attempt.reminded:
        raise Stale(f"balance request {request.request} waits for no collection", field="subject", value=request.request)
    told = CollectionUnreported(
        request=request.request,
        attempt=attempt.number,
        method=attempt.method.value,
        amount=to_collect(request, attempt),
        currency=here.folio.currency,
        chosen_at=attempt.at,
    )
    after = replace(request, attempts=with_attempt(request, replace(attempt, reminded=True)))
    what = "charged the card" if attempt.method is Tender.CARD else "received the money"
    step = Step(
        "S1-45", f"balance request {request.request}: nobody has said whether the merchant has {what} (attempt {attempt.number})"
    )
    return replace(_outcome(with_request(here.folio, after), step), facts=(told,))


def _outcome(folio: Folio, step: Step) -> Outcome:
    return Outcome(state=folio, trace=(step,), policy_version=folio.policy)
