"""How a guest answers a balance request, and what the merchant reports of it (S1-15, S1-21 to S1-28, S1-45, X-21).

A card is a token here and never a number. What is collected is booked once: by the report, or by the payment message that tells the same
money (`handlers.balance_told`), also where its request has ended meanwhile (S1-35). Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from handlers import account
from handlers.balance import QUEUES, acted_by, wrong_queue
from handlers.balance_here import Here
from handlers.balance_record import in_flight, linked, open_attempt, to_collect, with_attempt, with_request
from handlers.balance_told import told_before
from handlers.cancellation_right import HOUSE, who
from handlers.card_use import used
from handlers.collecting import captured, concluded, homeless
from handlers.outcome import Facts, Outcome, Step, merge
from handlers.voucher_told import check_reported
from schemas.balance import (
    BalanceChooseMethod,
    BalanceDisfunction,
    BalanceReplied,
    BalanceReportCollected,
    BalanceReportDisfunction,
)
from schemas.balance_request import AttemptState, BalanceAttempt, BalanceRequest, BalanceStatus
from schemas.cards import CARD, CODE
from schemas.common import ActorKind
from schemas.errors import Rejected
from schemas.folio import FolioPayment, PaymentStatus
from schemas.payment import Initiation, Tender, Through

ANYBODY: Final = frozenset(ActorKind)

INITIATION: Final[Mapping[tuple[Through, bool], Initiation]] = {
    (Through.WEB, False): Initiation.CIT,
    (Through.WEB, True): Initiation.MIT,
    (Through.PHONE, False): Initiation.MOTO,
    (Through.PHONE, True): Initiation.MOTO,
    (Through.MAIL, False): Initiation.MOTO,
    (Through.MAIL, True): Initiation.MOTO,
}
"""X-21, by which way the guest answered and whether there is a token with a mandate: he pays on the provider's page or gives the token
himself, the merchant charges the token later by his consent, or it is a mail or telephone order."""

REASONS: Final[frozenset[str]] = frozenset({"insufficient_funds", "card_data_invalid"})
"""S1-24, S1-26: anything else is `other`."""


def decide_choose_method(message: BalanceChooseMethod, facts: Facts) -> Outcome:
    """`balance.choose_method` (S1-12, S1-15, S1-28, A-13, X-21): the guest has answered, an attempt begins, the merchant is told. A
    card is only ever a token, checked by its provider. The same answer again changes nothing (X-1); another one takes its place as another
    attempt, while no payment is on its way (S1-20, S1-45).

    Raises Rejected `method_not_offered`, `mandate_required`, `token_without_card`, `card_number_removed`, `payment_in_flight`,
    `wrong_queue`.
    """
    request, here = acted_by(message, facts, ANYBODY)
    method = _method(message, here)
    _check_token(message, method)
    by_mandate = bool(message.token and message.mandate)
    initiation = INITIATION[message.through, by_mandate] if method is Tender.CARD else Initiation.UNKNOWN
    attempt = BalanceAttempt(
        number=len(request.attempts) + 1,
        method=method,
        amount=request.amount,
        at=facts.act,
        initiation=initiation,
        through=message.through if method is Tender.CARD else None,
        token=message.token,
        mandate=message.mandate,
        mandate_version=message.mandate_version,
    )
    under_way = open_attempt(request)
    if under_way is not None and _same(under_way, attempt):
        return _nothing(here, f"attempt {under_way.number} of balance request {request.request} is this answer")
    if under_way is not None:
        _check_not_paying(request, under_way, here)
        request = replace(request, attempts=with_attempt(request, replace(under_way, state=AttemptState.REPLACED, token="")))
    else:
        _check_queue(request, facts)
    after = replace(request, status=BalanceStatus.SENT_REPLIED, attempts=with_attempt(request, attempt), wake_at=None)
    told = BalanceReplied(
        request=request.request,
        attempt=attempt.number,
        method=method.value,
        initiation=initiation.value,
        amount=request.amount,
        currency=here.folio.currency,
        deadline=request.deadline,
    )
    how = f"{method.value} {initiation.value}".rstrip()
    step = Step("S1-15", f"balance request {request.request}: {who(message.actor)} has chosen {how}, attempt {attempt.number}")
    return replace(_outcome(here, after, step), facts=(told,))


def _check_token(message: BalanceChooseMethod, method: Tender) -> None:
    """A-13, S1-25, X-21: a provider's name for a card, given by the guest, or with his consent; a card's own number, which the door took
    out by its check digit (`schemas.cards.scrub`), is none, and no mandate either, so that no attempt fails for a wrong one. Raises
    Rejected `card_number_removed`, `token_without_card`, `mandate_required`."""
    for field, said, instead in (
        ("token", message.token, "send the name that the provider gives the card"),
        ("mandate", message.mandate, "name the guest's consent by a reference with letters in it"),
    ):
        if CARD in said or CODE in said:
            text = f"what looks like a card number came as {field} and was taken out: {instead}"
            raise Rejected(text, code="card_number_removed", rule="A-13", field=field, value=said)
    if not message.token:
        return
    if method is not Tender.CARD:
        text = f"{method.value} is paid without a token"
        raise Rejected(text, code="token_without_card", rule="X-21", field="method", value=method.value)
    if message.through is Through.WEB and message.actor.kind is not ActorKind.GUEST and not message.mandate:
        text = "a card that is charged without the guest needs his consent: name the mandate"
        raise Rejected(text, code="mandate_required", rule="X-21", field="mandate", value="")


def _same(known: BalanceAttempt, new: BalanceAttempt) -> bool:
    return (known.method, known.token, known.mandate, known.initiation) == (new.method, new.token, new.mandate, new.initiation)


def _check_not_paying(request: BalanceRequest, under_way: BalanceAttempt, here: Here) -> None:
    """S1-20: a payment in progress is left in peace. Raises Rejected `payment_in_flight`."""
    flies = next((one for one in here.folio.payments if in_flight(one, request)), None)
    if flies is not None:
        text = f"payment {flies.payment} of attempt {under_way.number} is {flies.status.value}: wait until it has come to something"
        raise Rejected(text, code="payment_in_flight", rule="S1-20", field="method", value=under_way.method.value)


def _method(message: BalanceChooseMethod, here: Here) -> Tender:
    """S1-6: one of those that the property offers for balances."""
    method = next((one for one in here.policy.methods if one.value == message.method), None)
    if method is None:
        offered = ", ".join(one.value for one in here.policy.methods)
        text = f"{message.method!r} is not offered for balances here; choose one of {offered}"
        raise Rejected(text, code="method_not_offered", rule="S1-6", field="method", value=message.method)
    return method


def decide_report_collected(message: BalanceReportCollected, facts: Facts) -> Outcome:
    """`balance.report_collected` (S1-21, S1-45): the merchant has the money, of a card by his own terminal: booked as a payment by the
    chosen method, unless a payment message has told it. Reported again, it changes nothing. Money of an attempt that was open when its
    request ended, with the booking (S1-35) or without it (S1-20), is booked as well, as money that comes late is (X-16).

    Raises Rejected `unknown_attempt`, `wrong_queue`, `already_collected`, `duplicate_identity`, `voucher_entered`, `own_voucher`.
    """
    request, here = acted_by(message, facts, HOUSE)
    attempt = _attempt(message.attempt, request)
    if attempt is not None and attempt.state is AttemptState.COLLECTED:
        return _repeated(message, request, attempt, here)
    attempt = _collects(request, attempt, facts)
    folio, amount = here.folio, message.amount or to_collect(request, attempt)
    if attempt.state is AttemptState.RELEASED:
        told = told_before(message, folio, request, attempt, amount)
        if told is not None:
            text = f"balance request {request.request}: what is reported of attempt {attempt.number} is payment {told.payment}"
            return _outcome(here, _brought(request, attempt, told.payment), Step("S1-45", f"{text}: counted once"))
    name = message.payment or f"{request.request}/{attempt.number}"
    if (known := account.payment_of(folio, name)) is not None:
        text = f"payment {name} is {known.status.value} with {known.captured}: it is not the money of attempt {attempt.number}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="payment", value=name)
    if attempt.method is Tender.VOUCHER:
        check_reported(message, folio, facts.voucher)
    if attempt.state is AttemptState.RELEASED:
        folio = with_request(folio, _brought(request, attempt, name))
    payment = FolioPayment(
        payment=name,
        tender=attempt.method,
        status=PaymentStatus.CAPTURED,
        position=max([other.position for other in folio.payments], default=-1) + 1,
        captured=amount,
        occurred_at=facts.act,
        provider=message.provider,
        merchant=message.merchant,
        reference=message.provider_reference,
        initiation=attempt.initiation,
        through=attempt.through,
        mandate=attempt.mandate,
        mandate_version=attempt.mandate_version,
        reported=True,
        unapplied=homeless(folio, facts.act),
    )
    payment, use = used(folio, payment)
    booked = concluded(folio, merge(use, captured(folio, payment, amount)), name, facts)
    text = f"balance request {request.request}: {who(message.actor)} reports {account.text(amount, folio.currency)} collected"
    return replace(booked, trace=(Step("S1-45", f"{text} by {attempt.method.value}, attempt {attempt.number}"), *booked.trace))


def _collects(request: BalanceRequest, attempt: BalanceAttempt | None, facts: Facts) -> BalanceAttempt:
    """The attempt whose money it is: the one that is under way, or that was when its request ended (S1-20, S1-35). Raises Rejected
    `wrong_queue`, `unknown_attempt`."""
    if attempt is not None and attempt.state is AttemptState.RELEASED:
        return attempt
    _check_queue(request, facts, "; name the request whose money it is, or tell it as payment.received")
    if attempt is None or attempt.state is not AttemptState.CHOSEN:
        raise _not_open(request, attempt)
    return attempt


def _brought(request: BalanceRequest, attempt: BalanceAttempt, payment: str) -> BalanceRequest:
    """The request, which is over and stays so, once this payment brought the money of an attempt of it."""
    done = replace(attempt, state=AttemptState.COLLECTED, payment=payment)
    return replace(request, attempts=with_attempt(request, done))


def _repeated(message: BalanceReportCollected, request: BalanceRequest, attempt: BalanceAttempt, here: Here) -> Outcome:
    """X-1: said again, it changes nothing. Raises Rejected `already_collected` for another amount or payment: that is other money."""
    known, text = account.payment_of(here.folio, attempt.payment), f"attempt {attempt.number} of balance request {request.request}"
    named = account.payment_of(here.folio, message.payment) if message.payment else known
    if known is not None and (named is not known or message.amount not in (None, known.captured)):
        text = f"{text} is collected by payment {known.payment} with {known.captured}: tell other money as payment.received"
        raise Rejected(text, code="already_collected", rule="S1-27", field="attempt", value=attempt.number)
    return _nothing(here, f"{text} is collected ({attempt.payment})")


def decide_report_disfunction(message: BalanceReportDisfunction, facts: Facts) -> Outcome:
    """`balance.report_disfunction` (S1-22, S1-23, S1-24, S1-26, S1-27): the attempt has failed, the guest is told and invited by a new
    link, and the request is back among those without reply. Reported again of one attempt, it changes nothing.

    Raises Rejected `unknown_attempt`, `already_collected`, `wrong_queue`.
    """
    request, here = acted_by(message, facts, HOUSE)
    attempt = _attempt(message.attempt, request)
    if attempt is not None and attempt.state is AttemptState.COLLECTED:
        text = f"attempt {attempt.number} is collected ({attempt.payment}): tell money that was taken back as payment.reversed"
        raise Rejected(text, code="already_collected", rule="S1-27", field="attempt", value=attempt.number)
    if attempt is not None and attempt.state is AttemptState.FAILED:
        return _nothing(here, f"attempt {attempt.number} of balance request {request.request} has failed already")
    _check_queue(request, facts)
    if attempt is None or attempt.state is not AttemptState.CHOSEN:
        raise _not_open(request, attempt)
    reason = message.reason if message.reason in REASONS else "other"
    failed = replace(attempt, state=AttemptState.FAILED, reason=reason, token="")
    back = replace(request, status=BalanceStatus.SENT_NO_REPLY, attempts=with_attempt(request, failed))
    after = linked(back, here.folio, facts.act) if here.asks() else replace(back, link=0, asked=None)
    told = BalanceDisfunction(
        request=request.request,
        attempt=attempt.number,
        method=attempt.method.value,
        reason=reason,
        said=message.reason,
        amount=request.amount,
        currency=here.folio.currency,
        link=after.link,
        deadline=request.deadline,
        methods=tuple([method.value for method in here.policy.methods]),
    )
    text = f"balance request {request.request}: attempt {attempt.number} failed ({reason}), told by {who(message.actor)}"
    return replace(_outcome(here, after, Step("S1-23", text)), facts=(told,))


def _attempt(number: int | None, request: BalanceRequest) -> BalanceAttempt | None:
    """The attempt of that number; none: the last. Raises Rejected `unknown_attempt`."""
    if number is None:
        return request.attempts[-1] if request.attempts else None
    found = next((one for one in request.attempts if one.number == number), None)
    if found is None:
        text = f"balance request {request.request} has {len(request.attempts)} attempts"
        raise Rejected(text, code="unknown_attempt", rule="S1-27", field="attempt", value=number)
    return found


def _not_open(request: BalanceRequest, attempt: BalanceAttempt | None) -> Rejected:
    state = attempt.state.value if attempt is not None else "none"
    text = f"balance request {request.request}: that attempt is not under way ({state}); tell money as payment.received"
    return Rejected(
        text, code="unknown_attempt", rule="S1-27", field="attempt", value=attempt.number if attempt is not None else ""
    )


def _check_queue(request: BalanceRequest, facts: Facts, instead: str = "") -> None:
    """S1-16. Raises Rejected `wrong_queue`."""
    if request.status not in QUEUES[facts.name]:
        raise wrong_queue(request, facts.name, QUEUES[facts.name], instead)


def _nothing(here: Here, text: str) -> Outcome:
    return Outcome(trace=(Step("X-1", f"{text}: nothing changes"),), policy_version=here.folio.policy)


def _outcome(here: Here, request: BalanceRequest, step: Step) -> Outcome:
    return Outcome(state=with_request(here.folio, request), trace=(step,), policy_version=here.folio.policy)
