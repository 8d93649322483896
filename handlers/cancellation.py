"""Cancellations asked of the hub: quoted, confirmed, withdrawn, expired (S4-25 to S4-46).

What the system of record says is `handlers.cancellation_record`; the arithmetic is `handlers.quote`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from handlers import account
from handlers.cancellation_right import HOUSE, check_cause, check_proof, check_requester, may_cancel, refused_to, who
from handlers.confirmation import confirm, versions
from handlers.entitlement import Feature, check_feature
from handlers.frozen import local
from handlers.goodwill import overridden
from handlers.outcome import Facts, Outcome, Step, Timer
from handlers.penalty import next_limit
from handlers.quote import Computation, compute, quoted
from handlers.refund_parts import replace_request, request_of
from handlers.voucher_decline import everything_back
from schemas.cancellation import (
    CancellationConfirm,
    CancellationQuoted,
    CancellationRefused,
    CancellationRequest,
    CancellationWithdraw,
    CancellationWithdrawn,
    Cause,
    LineChoice,
    QuoteExpired,
)
from schemas.common import Actor
from schemas.errors import Rejected, Stale
from schemas.folio import CancelRequest, Folio, FolioQuote, FolioStatus, RequestStatus
from schemas.operations import TimerFired

OPEN = frozenset({RequestStatus.QUOTED, RequestStatus.QUOTE_EXPIRED})
"""S4-30: a request that may still be confirmed; an expired quote by the act's instant, not by when its timer fired (X-16)."""
DONE = frozenset({RequestStatus.CONFIRMED, RequestStatus.REFUNDING, RequestStatus.REFUNDED, RequestStatus.REFUND_FAILED})
EXPIRY = "quote"
"""Kind of the timer `quote:<request>`."""


def decide_request(message: CancellationRequest, facts: Facts) -> Outcome:
    """`cancellation.request` (S0-25, S4-25, S4-26, S4-31, S4-36, S4-37): a quote; with `confirm`, quote and confirmation in one decision.
    A merchant too cancels so, for the causes that `who_may_cancel` gives him.

    The same `request` again: the same quote if nothing changed and it still runs, else a new one. Raises Rejected `unknown_folio`,
    `already_cancelled`, `feature_not_available`, `proof_not_a_reference`, `not_cancellable_by_requester`, and what `check_cause` and
    `compute` refuse.
    """
    folio = _known(facts)
    check_feature(Feature.CANCEL_BOOKING, facts, local(facts, folio).zone)
    before = request_of(folio, message.request)
    _check_live(folio, message.request, before)
    check_requester(folio, message.actor, message.cause, facts)
    check_proof(message.proof)
    choices = tuple([LineChoice(line=choice) if isinstance(choice, str) else choice for choice in message.lines])
    check_cause(folio, choices, message.cause, message.proof, facts)
    computation = _computed(folio, choices, message.cause, facts)
    request = CancelRequest(
        request=message.request,
        status=RequestStatus.QUOTED,
        cause=message.cause,
        requested_at=facts.act,
        lines=choices,
        proof=message.proof,
        destination=message.destination,
        asked_by=who(message.actor),
    )
    if before is not None and before.quote is not None and _still(before, request, computation, facts):
        request = before
    else:
        request = replace(request, quote=quoted(computation, folio, facts, valid_until(folio, computation, message.cause)))
    if not message.confirm:
        return _quoted(folio, request, computation)
    done = confirm(folio, request, computation, facts, asked_by=request.asked_by)
    return replace(done, facts=(_told(request, folio), *done.facts))


def decide_confirm(message: CancellationConfirm, facts: Facts) -> Outcome:
    """`cancellation.confirm` (S4-28, S4-31, S4-41, S4-46).

    An expired quote, or one whose refund has changed, is refused in the outcome (`quote_expired`, `quote_changed`) and quoted again.
    Raises Rejected `unknown_folio`, `feature_not_available`, `unknown_request`, `already_cancelled`, `request_withdrawn`,
    `not_cancellable_by_requester`, `amount_above_total`, `override_below_refund`.
    """
    folio = _known(facts)
    check_feature(Feature.CANCEL_BOOKING, facts, local(facts, folio).zone)
    request = _request(folio, message.request)
    _check_live(folio, message.request, request)
    if request.status not in OPEN or request.quote is None:
        text = f"request {message.request} is {request.status.value}: ask again"
        raise Rejected(text, code="request_withdrawn", rule="S4-30", field="request", value=message.request)
    _check_confirmer(folio, request, message, facts)
    computation = _computed(folio, request.lines, request.cause, facts)
    code = _no_longer(request.quote, message.quote, computation, facts)
    if code:
        return _again(folio, request, computation, code, facts)
    approve = ""
    if message.override is not None:
        computation, approve = overridden(folio, computation, message.override, message.actor, facts)
    return confirm(folio, request, computation, facts, asked_by=who(message.actor), approve=approve)


def decide_withdraw(message: CancellationWithdraw, facts: Facts) -> Outcome:
    """`cancellation.withdraw` (S4-30). Raises Rejected `unknown_folio`, `unknown_request`, `already_cancelled`,
    `not_cancellable_by_requester`, Stale if it is withdrawn already."""
    folio = _known(facts)
    request = _request(folio, message.request)
    if request.status in DONE:
        raise _already(f"request {message.request} is confirmed: it cannot be withdrawn", message.request)
    if request.status is RequestStatus.WITHDRAWN:
        raise Stale(f"request {message.request} is withdrawn already", field="request", value=message.request)
    if not _same_side(folio, request, message.actor, facts) and message.actor.kind not in HOUSE:
        raise refused_to(message.actor, request.cause)
    return Outcome(
        state=replace_request(folio, replace(request, status=RequestStatus.WITHDRAWN)),
        facts=(CancellationWithdrawn(request=message.request),),
        cancel=(timer(message.request),),
        trace=(Step("S4-30", f"request {message.request} withdrawn by {who(message.actor)}"),),
        policy_version=folio.policy,
    )


def decide_expired(message: TimerFired, facts: Facts) -> Outcome:
    """`quote:<request>` came due (S4-31): told once, nothing else changes. Raises Stale for a quote that is not waiting any more."""
    folio = facts.folio
    request = request_of(folio, message.subject) if folio is not None else None
    waits = request is not None and request.status is RequestStatus.QUOTED and request.quote is not None
    if folio is None or request is None or request.quote is None or not waits or message.due < request.quote.valid_until:
        raise Stale(f"request {message.subject} has no quote that ends now", field="subject", value=message.subject)
    return Outcome(
        state=replace_request(folio, replace(request, status=RequestStatus.QUOTE_EXPIRED)),
        facts=(QuoteExpired(request=request.request, quote=request.quote.quote),),
        trace=(Step("S4-31", f"quote {request.quote.quote} was valid until {request.quote.valid_until.isoformat()}"),),
        policy_version=folio.policy,
    )


def timer(request: str) -> str:
    """The name of a quote's end."""
    return f"{EXPIRY}:{request}"


def valid_until(folio: Folio, computation: Computation, cause: Cause) -> datetime:
    """S4-31: `quote_minutes` after the act, never past the next instant at which a line's rate changes."""
    here = computation.here
    until = here.act + timedelta(minutes=here.policy.quote_minutes)
    if cause is not Cause.GUEST:
        return until
    for one in computation.ended:
        terms, arrival = one.terms, account.arrival_of(folio, one.line)
        limit = next_limit(terms, arrival, here.act, here.zone) if terms is not None and arrival is not None else None
        if limit is not None and limit < until:
            until = limit
    return until


def _computed(folio: Folio, choices: tuple[LineChoice, ...], cause: Cause, facts: Facts) -> Computation:
    """By the terms; S0-19: while a top-up is awaited the guest may withdraw from the whole booking for nothing."""
    if folio.top_up_until is not None and cause is Cause.GUEST and not choices:
        return everything_back(folio, facts, "a top-up is awaited, the guest withdraws")
    return compute(folio, choices, cause, facts)


def _known(facts: Facts) -> Folio:
    if facts.folio is None:
        raise Rejected(f"folio {facts.key!r} is not known", code="unknown_folio", rule="X-2", field="folio", value=facts.key)
    return facts.folio


def _request(folio: Folio, request: str) -> CancelRequest:
    known = request_of(folio, request)
    if known is None:
        text = f"{folio.folio} has no cancellation request {request!r}"
        raise Rejected(text, code="unknown_request", rule="S4-30", field="request", value=request)
    return known


def _already(text: str, request: str) -> Rejected:
    return Rejected(text, code="already_cancelled", rule="S4-41", field="request", value=request)


def _check_live(folio: Folio, request: str, known: CancelRequest | None) -> None:
    """S4-41: confirmed once; a second click or message finds it done."""
    if known is not None and known.status in DONE:
        raise _already(f"request {request} is confirmed already", request)
    if folio.status is FolioStatus.CANCELLED:
        raise _already(f"{folio.folio} is cancelled already", request)


def _same_side(folio: Folio, request: CancelRequest, actor: Actor, facts: Facts) -> bool:
    return request.asked_by.partition(":")[0] == actor.kind or may_cancel(folio, actor.kind, request.cause, facts)


def _check_confirmer(folio: Folio, request: CancelRequest, message: CancellationConfirm, facts: Facts) -> None:
    """S4-25: who asked, or may ask for that cause, confirms; goodwill is only the house's to give (S4-46)."""
    house = message.actor.kind in HOUSE
    if (message.override is None or not house) and not _same_side(folio, request, message.actor, facts):
        raise refused_to(message.actor, request.cause)
    if message.override is not None and not house:
        text = f"{message.actor.kind.value} may not set the refund of its own cancellation"
        raise Rejected(text, code="not_cancellable_by_requester", rule="S4-46", field="override", value=message.override.amount)


def _same_result(quote: FolioQuote, computation: Computation) -> bool:
    """S4-31: whether the quote still says what cancelling gives; a change of the folio that changes nothing of it is none."""
    return (quote.refund, quote.claim, quote.lines) == (computation.refund, computation.claim, computation.lines())


def _still(before: CancelRequest, now: CancelRequest, computation: Computation, facts: Facts) -> bool:
    """X-1: the same request for the same thing while its quote runs."""
    quote = before.quote
    wanted = (before.cause, before.lines, before.proof, before.destination) == (now.cause, now.lines, now.proof, now.destination)
    running = quote is not None and facts.act < quote.valid_until and before.status is RequestStatus.QUOTED
    return wanted and running and quote is not None and _same_result(quote, computation) and quote.kept == computation.kept


def _no_longer(quote: FolioQuote, named: str, computation: Computation, facts: Facts) -> str:
    """S4-31: why this quote cannot be confirmed at `facts.act`; empty if it can."""
    if facts.act >= quote.valid_until:
        return "quote_expired"
    if (named and named != quote.quote) or not _same_result(quote, computation):
        return "quote_changed"
    return ""


def _told(request: CancelRequest, folio: Folio) -> CancellationQuoted:
    quote = request.quote
    assert quote is not None, f"request {request.request} has no quote"
    return CancellationQuoted(
        request=request.request,
        quote=quote.quote,
        valid_until=quote.valid_until,
        lines=quote.lines,
        penalty=quote.penalty,
        refund=quote.refund,
        claim=quote.claim,
        kept=quote.kept,
        currency=folio.currency,
    )


def _quoted(folio: Folio, request: CancelRequest, computation: Computation) -> Outcome:
    quote = request.quote
    assert quote is not None, f"request {request.request} has no quote"
    until = Step("S4-31", f"quote {quote.quote} valid until {quote.valid_until.isoformat()}")
    return Outcome(
        state=replace_request(folio, request),
        facts=(_told(request, folio),),
        timers=(Timer(name=timer(request.request), due=quote.valid_until, kind=EXPIRY, subject=request.request),),
        trace=(*computation.trace, until),
        policy_version=versions(folio, computation),
    )


def _again(folio: Folio, request: CancelRequest, computation: Computation, code: str, facts: Facts) -> Outcome:
    """S4-31: refused, and what cancelling gives now is shown."""
    old = request.quote
    assert old is not None, f"request {request.request} has no quote"
    why = f"quote {old.quote} was valid until {old.valid_until.isoformat()}"
    if code == "quote_changed":
        was, now = (account.text(minor, folio.currency) for minor in (old.refund, computation.refund))
        why = f"quote {old.quote} gave {was}, cancelling now gives {now}" if was != now else f"the latest quote is {old.quote}"
    refused = CancellationRefused(
        request=request.request, code=code, field="quote", value=old.quote, message=why, input=facts.input_id
    )
    fresh = replace(
        request,
        status=RequestStatus.QUOTED,
        quote=quoted(computation, folio, facts, valid_until(folio, computation, request.cause)),
    )
    told = _quoted(folio, fresh, computation)
    return replace(told, facts=(refused, *told.facts), trace=(Step("S4-31", f"{code}: {why}"), *told.trace))
