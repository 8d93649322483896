"""Which payment gives which part of a refund, where it goes, and how a folio's parts are found and replaced.

Amounts are minor units of the folio's currency. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from schemas.booking import CollectedBy
from schemas.effect import EffectState
from schemas.folio import CancelRequest, Folio, FolioPayment, FolioRefund, PartStatus, RefundPart, RequestStatus
from schemas.money import allocate
from schemas.payment import Tender
from schemas.policy import PropertyPolicy, TenderOrder, WithinTender
from schemas.refund import Destination

BY_HAND = frozenset({PartStatus.MANUAL, PartStatus.REFUSED, PartStatus.REVERSED, PartStatus.HELD})
"""Parts whose money waits for a person's hands, or for the end of a dispute; `refund.executed_externally` closes them."""
CLOSED = frozenset({PartStatus.EXECUTED, PartStatus.DROPPED})
"""Parts that nobody waits for."""
FAILED = frozenset({PartStatus.REFUSED, PartStatus.REVERSED})
"""Parts that the provider did not make, or undid."""
FINAL = frozenset({EffectState.CONFIRMED, EffectState.REFUSED, EffectState.REVERSED})
"""Effects that are waited for no longer."""
ORIGINAL_CARD, MANUAL, VOUCHER = Destination.ORIGINAL_CARD, Destination.MANUAL, Destination.VOUCHER
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def allocation(folio: Folio, minor: int, policy: PropertyPolicy) -> tuple[tuple[FolioPayment, int], ...]:
    """A-17, S0-30, X-18, X-3: `minor` over the payments that can still give, none above its remainder.

    Between tenders by `tender_order` (proportional to what each can give, exact by largest remainder), inside one by
    `within_tender`. Raises ValueError if they cannot give so much: a defect of the caller.
    """
    able = [payment for payment in folio.payments if payment.refundable() > 0 and not payment.unapplied]
    if len(able) == 1 and 0 < minor <= able[0].refundable():
        return ((able[0], minor),)
    if minor > sum(payment.refundable() for payment in able):
        raise ValueError(f"{folio.folio}: {minor} is above what was captured and is still here")
    inside = policy.within_tender is WithinTender.LAST_PAID
    match policy.tender_order:
        case TenderOrder.PROPORTIONAL:
            return _proportional(able, minor, inside)
        case TenderOrder.FIRST_PAID | TenderOrder.LAST_PAID:
            return _greedy(_by_time(able, policy.tender_order is TenderOrder.LAST_PAID), minor)
        case TenderOrder.CARD_FIRST | TenderOrder.VOUCHER_FIRST:
            first = Tender.CARD if policy.tender_order is TenderOrder.CARD_FIRST else Tender.VOUCHER
            groups = sorted(_by_tender(able), key=lambda group: group[0].tender is not first)
            return _greedy([payment for group in groups for payment in _by_time(group, inside)], minor)


def _proportional(able: Sequence[FolioPayment], minor: int, last_first: bool) -> tuple[tuple[FolioPayment, int], ...]:
    groups = _by_tender(able)
    if not groups or not minor:
        return ()
    shares = allocate(minor, [sum(payment.refundable() for payment in group) for group in groups])
    parts = [_greedy(_by_time(group, last_first), share) for group, share in zip(groups, shares, strict=True)]
    return tuple(part for group in parts for part in group)


def _by_tender(payments: Iterable[FolioPayment]) -> list[list[FolioPayment]]:
    groups: dict[Tender, list[FolioPayment]] = {}
    for payment in payments:
        groups.setdefault(payment.tender, []).append(payment)
    return list(groups.values())


def _by_time(payments: Iterable[FolioPayment], last_first: bool) -> list[FolioPayment]:
    return sorted(payments, key=lambda payment: (payment.occurred_at or _LONG_AGO, payment.position), reverse=last_first)


def _greedy(payments: Iterable[FolioPayment], minor: int) -> tuple[tuple[FolioPayment, int], ...]:
    parts = []
    for payment in payments:
        part = min(minor, payment.refundable())
        if part:
            parts.append((payment, part))
        minor -= part
    return tuple(parts)


def destination(folio: Folio, payment: FolioPayment) -> tuple[Destination, str]:
    """S4-28, X-19, X-20: the original card where a provider holds the payment; else a person's hands, with the reason. X-20: by who
    collected that payment, whoever collects now. S0-29: what was paid by a voucher goes back to it, whoever collected the rest: by hand
    where it was told as a payment, and no book of it is known."""
    if payment.tender is Tender.VOUCHER:
        return (
            VOUCHER,
            "" if payment.voucher else "paid by a voucher whose value the hub does not keep: issue it again, never as money",
        )
    collector = payment.taken_by or folio.collected_by
    if collector is not CollectedBy.PROPERTY:
        return MANUAL, f"collected by {collector.value}: settle it there, not with the guest"
    if payment.tender is not Tender.CARD:
        return MANUAL, f"paid by {payment.tender.value}: no provider gives it back"
    if not payment.provider or not payment.reference:
        return MANUAL, "card payment without a provider's reference"
    return ORIGINAL_CARD, ""


def not_sent(folio: Folio, stored: Mapping[str, EffectState]) -> Callable[[RefundPart], bool]:
    """Tells parts that can still be dropped: they wait for a person's hands, or are planned. What is `stored` of an effect is known
    before the folio hears of it."""
    states = {effect.effect: stored.get(effect.effect, effect.state) for effect in folio.effects}

    def tells(part: RefundPart) -> bool:
        planned = part.status is PartStatus.REQUESTED and states.get(part.effect) is EffectState.PLANNED
        return planned or part.status in BY_HAND

    return tells


def refund_of(folio: Folio, refund: str) -> FolioRefund | None:
    """The refund of that id, or None."""
    for known in folio.refunds:
        if known.refund == refund:
            return known
    return None


def part_of_effect(folio: Folio, effect: str) -> tuple[FolioRefund, RefundPart] | None:
    """The part that this request to the provider is for, or None."""
    for refund in folio.refunds:
        for part in refund.parts:
            if part.effect == effect:
                return refund, part
    return None


def replace_part(folio: Folio, refund: FolioRefund, part: RefundPart) -> Folio:
    """The folio with this part in place of the one of its payment and number, and the request's state that follows (S4-30)."""
    refunds = with_part(folio.refunds, refund, part)
    return replace(folio, refunds=refunds, requests=with_state(folio.requests, refunds, refund.request))


def with_part(refunds: Iterable[FolioRefund], refund: FolioRefund, part: RefundPart) -> tuple[FolioRefund, ...]:
    """These refunds with this part of one of them in place of the one of its payment and number."""
    parts = [part if known.number == part.number and known.payment == part.payment else known for known in refund.parts]
    after = replace(refund, parts=tuple(parts))
    return tuple([after if known.refund == refund.refund else known for known in refunds])


def open_minor(refund: FolioRefund) -> int:
    """What of a refund is decided and not yet with the guest, minor units."""
    return sum(part.minor for part in refund.parts if part.status not in CLOSED and part.status is not PartStatus.WAITING)


def request_of(folio: Folio, request: str) -> CancelRequest | None:
    """The cancellation request of that id, or None."""
    for known in folio.requests:
        if known.request == request:
            return known
    return None


def replace_request(folio: Folio, request: CancelRequest) -> Folio:
    """The folio with this request in place of the one of its id, or added last."""
    return replace(folio, requests=with_request(folio.requests, request))


def with_request(requests: tuple[CancelRequest, ...], request: CancelRequest) -> tuple[CancelRequest, ...]:
    """These requests with this one in place of the one of its id, or added last."""
    for place, known in enumerate(requests):
        if known.request == request.request:
            return (*requests[:place], request, *requests[place + 1 :])
    return (*requests, request)


def with_request_state(folio: Folio, request: str) -> Folio:
    """The folio with this request's state as its refunds say."""
    return replace(folio, requests=with_state(folio.requests, folio.refunds, request))


def with_state(requests: tuple[CancelRequest, ...], refunds: Iterable[FolioRefund], request: str) -> tuple[CancelRequest, ...]:
    """S4-30: confirmed -> refunding -> refunded, or refund_failed while a part that failed is open, by the parts of its refunds."""
    for known in requests:
        if known.request == request:
            status = _state_of([part.status for refund in refunds if refund.request == request for part in refund.parts])
            return requests if known.status is status else with_request(requests, replace(known, status=status))
    return requests


def _state_of(parts: Iterable[PartStatus]) -> RequestStatus:
    states = frozenset(parts)
    if states <= CLOSED:
        return RequestStatus.REFUNDED if PartStatus.EXECUTED in states else RequestStatus.CONFIRMED
    return RequestStatus.REFUND_FAILED if states & FAILED else RequestStatus.REFUNDING


def without_effect(folio: Folio, effect: str) -> Folio:
    """The folio once an effect is final."""
    return replace(folio, effects=tuple([known for known in folio.effects if known.effect != effect]))


def noted(folio: Folio, effect: str, state: EffectState) -> Folio:
    """The folio once an effect has come to this state; a final one is waited for no longer."""
    if state in FINAL:
        return without_effect(folio, effect)
    effects = [replace(known, state=state) if known.effect == effect else known for known in folio.effects]
    return replace(folio, effects=tuple(effects))
