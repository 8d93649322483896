"""`booking.cancelled`: the system of record says that a booking is cancelled, and what it said of the money (S4-25).

A fact: always accepted, whoever could or could not have asked for it.
"""

from __future__ import annotations

from fractions import Fraction

from msgspec.structs import replace

from handlers import account
from handlers.cancellation_right import who
from handlers.confirmation import confirm
from handlers.frozen import Local, local, terms_of
from handlers.outcome import Facts, Outcome, Step, merge
from handlers.quote import Computation, compute, quoted, settle
from handlers.quote_lines import ASIDE, EVERYTHING_BACK, Ended, stayed
from handlers.refund import PACKAGE_DAYS
from schemas.booking import BookingCancelled, CollectedBy, LineKind
from schemas.cancellation import Cause
from schemas.errors import Early, Rejected, Stale
from schemas.folio import CancelRequest, Folio, FolioLine, FolioStatus, RequestStatus
from schemas.money import FULL_RATE, ZERO_RATE, allocate, rate_text
from schemas.operations import EffectNeedsPerson

RECORD = "record"
"""Stands for the request of a cancellation that nobody asked of the hub."""


def decide_record(message: BookingCancelled, facts: Facts) -> Outcome:
    """S4-25, X-2: cancelled, with `refund` policy (a `reason` that is a cause's word is that cause), full, none, or an amount.

    What is cancelled already stays as it was decided: the echo of a cancellation moves no money. Raises Early for an unknown booking,
    Stale for a revision older than what is known of its source, Rejected `already_cancelled` for money back beside a voucher (S0-31).
    """
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this cancels is not here yet", waits_for="booking")
    known = folio.revisions.get(facts.source)
    if message.revision is not None and known is not None and message.revision < known:
        raise Stale(f"revision {message.revision} of {facts.source}, known is {known}", field="revision", value=message.revision)
    if message.revision is not None:
        folio = replace(folio, revisions={**folio.revisions, facts.source: message.revision})
    _check_voucher(folio, message)
    if folio.status is FolioStatus.CANCELLED:
        text = f"{folio.folio} was cancelled {folio.cancelled_at} by {folio.cancelled_by}: nothing changes"
        return Outcome(state=folio, trace=(Step("S4-25", text),), policy_version=folio.policy)
    cause = Cause(message.reason) if message.reason in set(Cause) else Cause.GUEST
    computation = _computed(folio, message, cause, facts)
    quote = quoted(computation, folio, facts)
    request = CancelRequest(
        request=RECORD,
        status=RequestStatus.CONFIRMED,
        cause=cause,
        requested_at=facts.act,
        proof=message.reason,
        told_none=message.refund == "none",
        asked_by=who(message.actor),
        quote=quote,
    )
    done = confirm(folio, request, computation, facts, asked_by=who(message.actor))
    return merge(done, _kept_of_a_package(folio, computation, cause))


def _kept_of_a_package(folio: Folio, computation: Computation, cause: Cause) -> Outcome:
    """X-24: the record keeps money of a package that comes back whole: what it says stands, and a person is told."""
    if not folio.is_package or cause not in EVERYTHING_BACK or computation.kept <= 0:
        return Outcome()
    reason = f"package, {cause.value}: {_text(folio, computation.kept)} were kept, and all of it is due within {PACKAGE_DAYS} days"
    told = EffectNeedsPerson(effect=folio.folio, reason=reason, amount=computation.kept, currency=folio.currency)
    return Outcome(facts=(told,), trace=(Step("X-24", reason),))


def _check_voucher(folio: Folio, message: BookingCancelled) -> None:
    """S0-31: money that is wanted back after a cancellation with voucher is refused, never dropped in silence; an echo is none."""
    if folio.issued is not None and message.refund not in ("policy", "none"):
        text = f"{folio.folio} was cancelled with a voucher over {_text(folio, folio.issued.value)}: no money goes back beside it"
        raise Rejected(text, code="already_cancelled", rule="S0-31", field="refund", value=str(message.refund))


def _computed(folio: Folio, message: BookingCancelled, cause: Cause, facts: Facts) -> Computation:
    collected = _collected(folio)
    match message.refund:
        case "policy":
            said = Step("S4-25", f"cancelled by the system of record, refund by the terms ({cause.value})")
            computed = compute(folio, (), cause, facts)
        case "full":
            said = Step("S4-25", f"cancelled by the system of record, everything back: {_text(folio, collected)}")
            computed = computed_with_refund(folio, max(0, collected), cause, facts)
        case "none":
            said = Step("S4-25", "cancelled by the system of record, no refund")
            here = local(facts, folio)
            ended = tuple(_end(line, _most(folio, line, cause, here), facts) for line in account.live_lines(folio))
            computed = _refunding(settle(folio, ended, cause, here, _untaxed(folio, ended), fee_back=0), 0, folio)
            computed = replace(computed, waiting=0)
        case amount:
            given = max(0, min(int(amount), collected))
            beyond = f", {_text(folio, int(amount))} was said (X-3)" if given != amount else ""
            said = Step("S4-25", f"cancelled by the system of record, refund {_text(folio, given)}{beyond}")
            computed = computed_with_refund(folio, given, cause, facts)
    return replace(computed, trace=(said, *computed.trace))


def _text(folio: Folio, minor: int) -> str:
    return account.text(minor, folio.currency)


def computed_with_refund(folio: Folio, refund: int, cause: Cause, facts: Facts) -> Computation:
    """S4-25: kept = collected - refund: the fee first (A-5), then what was paid of insurance and of tourist tax that is due (X-23), then
    the services by price, exact (X-5), none above its price. What goes back of penalties of before is goodwill (S4-46)."""
    earlier = sum(line.kept for line in folio.lines) - folio.waived - folio.goodwill
    had = max(0, _collected(folio) - earlier)
    keep, fee, here = max(0, had - refund), account.fee_charged(folio), local(facts, folio)
    fee_kept = min(fee, keep)
    most = [(line, _most(folio, line, cause, here)) for line in account.live_lines(folio)]
    aside, services = ([(line, limit) for line, limit in most if (line.kind in ASIDE) is apart] for apart in (True, False))
    paid = max(0, had - fee - sum(limit for _, limit in services))
    first = min(keep - fee_kept, paid, sum(limit for _, limit in aside))
    kept = {**_spread(first, aside), **_spread(keep - fee_kept - first, services)}
    ended = tuple(_end(line, kept[line.line], facts) for line, _ in most)
    computed = settle(folio, ended, cause, here, _untaxed(folio, ended), fee_back=fee - fee_kept)
    return _refunding(_given(computed, refund - computed.refund, folio), refund, folio)


def _given(computed: Computation, minor: int, folio: Folio) -> Computation:
    """S4-25, S4-46: the record gives back so much of what earlier cancellations kept: nobody owes that penalty again."""
    if minor <= 0 or folio.collected_by is CollectedBy.CHANNEL:
        return computed
    step = Step("S4-46", f"{_text(folio, minor)} of what was kept before go back by the word of the record: goodwill")
    after = replace(computed.after, goodwill=computed.after.goodwill + minor)
    return replace(computed, after=after, goodwill=computed.goodwill + minor, trace=(*computed.trace, step))


def _most(folio: Folio, line: FolioLine, cause: Cause, here: Local) -> int:
    """X-23: what may be kept of a line: its price, but tourist tax of nights that nobody stayed falls due to nobody."""
    untaxed = line.kind is LineKind.TOURIST_TAX and not stayed(account.arrival_of(folio, line), cause, here.today)
    return 0 if untaxed else line.price


def _untaxed(folio: Folio, ended: tuple[Ended, ...]) -> tuple[Step, ...]:
    tax = sum(one.price for one in ended if one.line.kind is LineKind.TOURIST_TAX and not one.kept)
    return (Step("X-23", f"tourist tax of nights nobody stayed falls due to nobody: {_text(folio, tax)}"),) if tax else ()


def _spread(minor: int, most: list[tuple[FolioLine, int]]) -> dict[str, int]:
    limits = [limit for _, limit in most]
    parts = allocate(min(minor, sum(limits)), limits) if minor and any(limits) else (0,) * len(most)
    return {line.line: part for (line, _), part in zip(most, parts, strict=True)}


def _end(line: FolioLine, kept: int, facts: Facts) -> Ended:
    rate = FULL_RATE - Fraction(kept, line.price) if line.price else FULL_RATE if not kept else ZERO_RATE
    penalty = 0 if line.kind in ASIDE else kept
    return Ended(line=line, terms=terms_of(facts, line), price=line.price, rate=rate_text(rate), kept=kept, penalty=penalty)


def _refunding(computed: Computation, refund: int, folio: Folio) -> Computation:
    """The refund is what was said, even if more was collected than is ordered: the rest is told as overpaid. X-20: the guest has it from a
    channel that collected; what goes back to that is what it has paid beyond what is kept."""
    if folio.collected_by is CollectedBy.CHANNEL:
        return computed
    return replace(computed, refund=refund, kept=max(0, account.collected(folio) - refund))


def _collected(folio: Folio) -> int:
    """What was collected of the guest, by whoever: a channel has all that is ordered (X-20)."""
    return account.ordered(folio) if folio.collected_by is CollectedBy.CHANNEL else account.collected(folio)
