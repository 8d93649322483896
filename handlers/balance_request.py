"""What a decision about a folio means for its balance requests: scheduled, changed, paid, cancelled (S1-10 to S1-12, S1-33 to S1-45).

`following` is applied to every decision that may change what a booking orders or what was collected. It looks at the folio as it stands
and not at how it came there, so that no order of arrival changes the result (X-2). Who acts on a request is `handlers.balance`; when a
mail goes is `handlers.balance_timers`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache, wraps
from typing import Any

from msgspec.structs import replace

from handlers import account
from handlers.balance_amounts import Wanted, first, open_later, wanted
from handlers.balance_dates import DAY, arrival_of, at_send_time, mail_day, mail_instant, next_look, on_site, put_off
from handlers.balance_here import Here, here_of
from handlers.balance_record import (
    BY_HAND,
    LIVE,
    cancelled,
    open_attempt,
    paying,
    released,
    scheduled,
    since_asked,
    timers,
    with_attempt,
)
from handlers.outcome import Facts, Outcome, Step
from handlers.overpaid import given_back
from handlers.voucher_schedule import waiting
from schemas.balance import BalancePaid
from schemas.balance_request import AttemptState, BalanceRequest, BalanceStatus
from schemas.booking import CollectedBy
from schemas.common import Fact
from schemas.folio import Folio, FolioStatus

Decision = Callable[[Any, Facts], Outcome]


@cache  # one for each decision
def follows(decide: Decision) -> Decision:
    """That decision, and what it means for what was overpaid and for the folio's balance requests; made once of each, since every message
    asks."""

    @wraps(decide)
    def decided(message: Any, facts: Facts) -> Outcome:
        return following(given_back(decide(message, facts), facts), facts)

    return decided


def following(out: Outcome, facts: Facts) -> Outcome:
    """The outcome of a decision about a folio, with what it means for its balance requests; nothing where the property asks for none."""
    folio = out.state
    if not isinstance(folio, Folio):
        return out
    here = here_of(folio, facts, facts.folio)
    return out if here is None else brought_up(out, here)


def brought_up(out: Outcome, here: Here) -> Outcome:
    """The same, once its settings are known."""
    requests, told, steps = _requests(here)
    before = here.before.balance_requests if here.before is not None else ()
    if requests == here.folio.balance_requests and before is here.folio.balance_requests:
        return out
    set_, cancel = timers(before, requests, here.policy, here.zone)
    return replace(
        out,
        state=replace(here.folio, balance_requests=requests),
        facts=out.facts + told,
        timers=out.timers + set_,
        cancel=out.cancel + cancel,
        trace=out.trace + steps,
    )


def _requests(here: Here) -> tuple[tuple[BalanceRequest, ...], tuple[Fact, ...], tuple[Step, ...]]:
    folio = here.folio
    if not any(request.status in LIVE for request in folio.balance_requests) and not open_later(folio):
        return folio.balance_requests, (), ()  # nobody is asked, and nothing is left to ask for
    over = _over(folio)
    asked = {} if over else {one.accommodation: one for one in wanted(folio, here.policy, here.zone)}
    requests: list[BalanceRequest] = []
    told: list[Fact] = []
    steps: list[Step] = []
    for request in folio.balance_requests:
        if request.status in LIVE:
            after, facts, trace = _brought_up(request, asked.get(request.accommodation), over, here)
            requests.append(after)
            told += facts
            steps += trace
        else:
            requests.append(request)
    for want in asked.values():
        if _may_open(want, here):
            request, trace = opened(want, here, number=len(requests))
            requests.append(request)
            told.append(scheduled(request, folio))
            steps += trace
    return tuple(requests), tuple(told), tuple(steps)


def _over(folio: Folio) -> str:
    """Why nobody is asked for anything; empty: somebody may be (S1-35, X-20)."""
    if folio.status is FolioStatus.CANCELLED:
        return "booking_cancelled"
    return "collected_by_channel" if folio.collected_by is CollectedBy.CHANNEL else ""


def _may_open(want: Wanted, here: Here) -> bool:
    """S0-19, S1-1, S1-18, S1-33, S1-38: a confirmed booking owes something later on, nobody asks for it yet, and none said that nobody
    should."""
    if here.folio.status is not FolioStatus.CONFIRMED or want.amount <= 0 or not here.asks():
        return False
    known = [request for request in here.folio.balance_requests if request.accommodation == want.accommodation]
    return not known or (known[-1].status not in LIVE and known[-1].reason != BY_HAND)


def opened(want: Wanted, here: Here, *, number: int) -> tuple[BalanceRequest, tuple[Step, ...]]:
    """S1-4, S1-9 (A-9): a new request, its mail at `send_time` of its day, or at once where that has passed."""
    policy, today = here.policy, here.today
    mail = mail_day(want.planned, policy)
    request = BalanceRequest(
        request=here.facts.id(f"balance-{number}"),
        status=BalanceStatus.PENDING,
        amount=want.amount,
        planned=want.planned,
        deadline=max(want.planned, today),
        send_on=max(mail, today),
        accommodation=want.accommodation,
        policy=here.version,
        left=0 if policy.per_accommodation else want.left,
        own_left=want.left if policy.per_accommodation else 0,
        wake_at=max(mail_instant(want.planned, None, policy, here.zone), here.act),
    )
    amount = account.text(request.amount, here.folio.currency)
    dates = f"deadline {want.planned}, mail {want.planned} − {policy.notice_days} days = {mail}"
    steps = [Step("S1-4", f"balance {amount} is asked for: {dates} ({here.zone.key})")]
    if mail < today:
        steps.append(Step("S1-9", f"{mail} has passed: the mail goes at once"))
    return request, tuple(steps)


def _brought_up(
    request: BalanceRequest, want: Wanted | None, over: str, here: Here
) -> tuple[BalanceRequest, tuple[Fact, ...], tuple[Step, ...]]:
    """One live request as the folio now wants it."""
    want = _in_peace(request, want, here)
    if over or want is None or want.amount <= 0:
        return _closed(request, want, over, here)
    after, steps = _redated(replace(request, amount=want.amount, clamped=want.clamped), want, here)
    after = _woken(_attempted(_heard(after, request, here), here), here)
    news = _plan(after) != _plan(request)
    if after.amount != request.amount:
        was, now = (account.text(minor, here.folio.currency) for minor in (request.amount, after.amount))
        steps = (*steps, Step("S1-34", f"balance request {request.request}: {was} → {now}{_why(after)}"))
    return after, (scheduled(after, here.folio),) if news else (), steps


def _in_peace(request: BalanceRequest, want: Wanted | None, here: Here) -> Wanted | None:
    """S1-20: vouchers that nobody has accepted yet end no request whose attempt is open: it stays as it was until that has come to
    something."""
    if (want is not None and want.amount > 0) or not waiting(here.folio) or open_attempt(_attempted(request, here)) is None:
        return want
    without = wanted(replace(here.folio, vouchers=()), here.policy, here.zone)
    found = next((one for one in without if one.accommodation == request.accommodation), None)
    return want if found is None else found._replace(amount=min(found.amount, request.amount))


def _why(request: BalanceRequest) -> str:
    if request.clamped:
        return ", all that is owed of the amount that an operator set"
    return ", of the amount that an operator set" if request.fixed_to is not None else ""


def _plan(request: BalanceRequest) -> tuple[object, ...]:
    return request.amount, request.deadline, request.send_on, request.clamped, request.fixed_to, request.due_on_site


def _closed(
    request: BalanceRequest, want: Wanted | None, over: str, here: Here
) -> tuple[BalanceRequest, tuple[Fact, ...], tuple[Step, ...]]:
    """S1-33, S1-35, S1-42: paid, if money came that covers it; else cancelled."""
    folio, left = here.folio, open_later(here.folio)
    if not over and here.before is not None and account.collected(folio) > account.collected(here.before):
        on_time = _last_money(here) <= request.deadline
        attempted = _attempted(request, here).attempts
        attempts = tuple([released(one) for one in attempted])
        own = want.left if want is not None and here.policy.per_accommodation else 0
        after = replace(request, status=BalanceStatus.PAID, attempts=attempts, left=left, own_left=own)
        after = replace(after, link=0, wake_at=None, suspended_until=None)
        told = BalancePaid(request=request.request, amount=request.amount, currency=folio.currency, on_time=on_time)
        amount = account.text(request.amount, folio.currency)
        return after, (told,), (Step("S1-42", f"balance request {request.request}: the {amount} that were open are collected"),)
    after, told_, step = cancelled(request, over or "nothing_owed", folio)
    if not over and request.fixed_to is not None:
        after = replace(after, left=left)
    return after, (told_,), (step,)


def _last_money(here: Here) -> date:
    """The local day on which the last applied money moved (S1-44)."""
    moved = [known.occurred_at for known in here.folio.payments if known.collected() > 0 and not known.unapplied]
    return max([at.astimezone(here.zone).date() for at in moved if at is not None], default=here.today)


def _redated(request: BalanceRequest, want: Wanted, here: Here) -> tuple[BalanceRequest, tuple[Step, ...]]:
    """S1-34: another arrival gives another deadline and mail day; what comes too late for its new deadline has until the end of today."""
    if want.planned == request.planned:
        return request, ()
    policy, today, arrival = here.policy, here.today, arrival_of(here.folio)
    deadline = max(want.planned, today)
    if request.suspended_until is not None and arrival is not None:
        deadline = max(deadline, put_off(want.planned, request.suspended_until, arrival, policy))
    after = replace(
        request,
        planned=want.planned,
        deadline=deadline,
        send_on=max(mail_day(want.planned, policy), today),
        due_on_site=on_site(request.suspended_until, arrival),
        overdue_since=None,
    )
    if request.status is BalanceStatus.PENDING:
        until = request.suspended_until
        kept_back = request.by_property and until is not None and until > today
        due = (
            next_look(today, policy, here.zone)
            if kept_back
            else max(mail_instant(want.planned, until, policy, here.zone), here.act)
        )
        after = replace(after, wake_at=None if after.due_on_site and not kept_back else due)
    return after, (Step("S1-34", f"balance request {request.request}: deadline {request.deadline} → {deadline}"),)


def _heard(request: BalanceRequest, before: BalanceRequest, here: Here) -> BalanceRequest:
    """S1-20, S1-34: money that came beyond what is due at purchase answers what was asked last of the requests that it pays; what is still
    open of them is another question."""
    if here.before is None or request.asked is None or request.amount == before.amount:
        return request
    return replace(request, asked=None) if first(here.folio) > first(here.before) else request


def _attempted(request: BalanceRequest, here: Here) -> BalanceRequest:
    """S1-34, S1-42, S1-45: money by the chosen method, which moved since the guest was asked, ends the attempt; what it leaves open is
    asked for anew."""
    open_ = open_attempt(request)
    if open_ is None or here.before is None:
        return request
    brought = {known.payment: known.collected() for known in here.before.payments if not known.unapplied}
    others = {one.payment for known in here.folio.balance_requests if known.status not in LIVE for one in known.attempts}
    found = [
        known.payment
        for known in here.folio.payments
        if known.tender is open_.method
        and since_asked(known, request)
        and known.collected() > brought.get(known.payment, 0)
        and known.payment not in others
    ]
    if not found:
        return request
    done = replace(open_, state=AttemptState.COLLECTED, payment=found[-1])
    return replace(request, status=BalanceStatus.SENT_NO_REPLY, attempts=with_attempt(request, done))


def _woken(request: BalanceRequest, here: Here) -> BalanceRequest:
    """S0-19, S1-34: a guest who was asked for something else than is owed now is asked anew, by a new link, at once, or when a suspension
    or the check of his vouchers ends; one who is paying is left in peace until that has come to something."""
    if request.status is BalanceStatus.PENDING:
        return _checked(request, here)
    if request.status is not BalanceStatus.SENT_NO_REPLY:
        return request
    if request.asked == (request.amount, request.deadline) or not here.mails() or paying(request, here.folio):
        return replace(request, wake_at=None) if request.asked == (request.amount, request.deadline) else request
    unlinked = replace(request, link=0, asked=None)
    if not here.asks():
        return replace(unlinked, wake_at=None)
    due = here.act
    if request.suspended_until is not None and request.suspended_until > here.today:
        day = here.today + DAY if request.by_property else request.suspended_until
        due = at_send_time(day, here.policy, here.zone)
    return replace(unlinked, wake_at=request.wake_at or due)


def _checked(request: BalanceRequest, here: Here) -> BalanceRequest:
    """S0-19: a mail whose instant came while the merchant had not accepted the vouchers goes once he has."""
    if here.before is None or not waiting(here.before) or not here.asks() or request.wake_at is not None or request.due_on_site:
        return request
    due = mail_instant(request.planned, request.suspended_until, here.policy, here.zone)
    return replace(request, wake_at=max(due, here.act))
