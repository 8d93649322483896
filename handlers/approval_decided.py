"""`approval.grant` and `approval.deny`: carried out, or dropped (X-15, X-27, S4-46).

What waits as a request to a provider is `handlers.effect`; what waits in the folio is decided here, by the instant of the grant.
"""

from __future__ import annotations

from msgspec.structs import replace

from handlers import effect, voucher, voucher_issue
from handlers.approval import approval_of, check_second, dropped
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.refund_parts import refund_of
from handlers.refund_reply import payment_of, requested
from handlers.voucher_credit import by_hand
from handlers.voucher_refund import asked_back
from schemas.folio import Folio, FolioRefund, PartStatus, RefundPart
from schemas.folio_approval import FolioApproval
from schemas.operations import ApprovalDecided, Operate


def decide(message: Operate, facts: Facts) -> Outcome:
    """X-15, X-27: a second person's word, on an effect or on what waits in the folio. Granted: carried out, as if it were asked for now;
    denied: dropped, and a refund's part goes back by a person's hands.

    Raises Rejected `approval_required` for whoever asked for it and for who does not act for the house, and what the decision that is
    carried out refuses: it waits on.
    """
    folio = facts.folio
    one = approval_of(folio, message.subject) if folio is not None else None
    if folio is None or one is None:
        return effect.decide_approval(message, facts)
    by = check_second(message.actor, one.asked_by)
    granted = facts.name == "approval.grant"
    gone = dropped(folio, (one,))
    first = Outcome(
        state=gone.state,
        facts=(ApprovalDecided(subject=one.subject, by=by, reason=message.reason),),
        cancel=gone.cancel,
        trace=(Step("X-27", f"{one.subject} {'granted' if granted else 'denied'} by {by}: {one.reason}"),),
        policy_version=folio.policy,
    )
    if one.refund:
        return merge(first, _part(folio_of(first), one, granted, f"denied by {by}: {message.reason}"))
    return merge(first, _carried_out(one, replace(facts, folio=folio_of(first)))) if granted else first


def _carried_out(one: FolioApproval, facts: Facts) -> Outcome:
    """S4-46: the goodwill or the bonus, up to what was granted; what has grown beyond it is put to somebody again."""
    if one.check is not None:
        return voucher.decide_check(one.check, facts, granted=one.minor)
    assert one.issue is not None, f"approval {one.subject} is of nothing"
    return voucher_issue.decide(one.issue, facts, granted=one.minor)


def _part(folio: Folio, one: FolioApproval, granted: bool, reason: str) -> Outcome:
    """X-27: the voucher is asked to take its part of a refund back, or a person does it by hand."""
    refund, part = _part_of(folio, one)
    if not granted:
        return by_hand(folio, refund, part, reason)
    asked = asked_back(folio, payment_of(folio, part), part, refund.refund)
    return Outcome(state=folio, facts=(requested(folio, refund.refund, part),), messages=(asked,))


def _part_of(folio: Folio, one: FolioApproval) -> tuple[FolioRefund, RefundPart]:
    refund = refund_of(folio, one.refund)
    assert refund is not None, f"{folio.folio} has no refund {one.refund}"
    return refund, next(part for part in refund.parts if part.payment == one.payment and part.status is PartStatus.REQUESTED)
