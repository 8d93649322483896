"""Refunds: decided over the payments, and their alarms (X-3, X-18, X-24).

How each part is asked for is `handlers.refund_asked`; what a reply does to a part is `handlers.refund_reply`; what others gave back is
`handlers.refund_elsewhere`. The balance is told by whoever calls.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from handlers import account
from handlers.approval import put
from handlers.frozen import property_policy
from handlers.outcome import Facts, Outcome, Step, Timer, folio_of, merge
from handlers.refund_asked import Asked, asked
from handlers.refund_parts import allocation, open_minor, refund_of, with_state
from handlers.refund_reply import OVERDUE, timer
from ledger import recipes
from schemas.errors import Stale
from schemas.folio import Folio, FolioPayment, FolioRefund, RefundPart
from schemas.operations import TimerFired
from schemas.policy import PropertyPolicy
from schemas.refund import RefundDecided, RefundDestination, RefundOverdue

PACKAGE_DAYS = 14
"""X-24: within which the money of a package goes back, whatever `refund_due_days` says."""


def open_refund(
    folio: Folio,
    minor: int,
    facts: Facts,
    *,
    request: str = "",
    asked_by: str = "",
    approve: str = "",
    gives: tuple[tuple[FolioPayment, int], ...] = (),
    name: str = "refund",
) -> Outcome:
    """A new refund of `minor`: decided, split over the payments (A-17, X-18, X-3), and asked of the providers or of a person.

    One provider request per card part, numbered per payment, `last` (RFS) only for all that is left of it. `approve` is why a
    second person must grant it; so does an amount above `approval_above` (X-27). Due `refund_due_days` later, of a package after
    14 days at most (X-24). `gives`: which payment gives what, where that is known (S0-28). `name`: its own among what
    one message opens. 0: nothing.
    """
    if not minor:
        return Outcome(state=folio)
    policy = property_policy(facts, folio)
    amount = account.text(minor, folio.currency)
    if policy.approval_above is not None and minor > policy.approval_above:
        approve = approve or f"refund of {amount} is above {account.text(policy.approval_above, folio.currency)}"
    days = due_days(folio, policy)
    refund_id, due_by = facts.id(name), facts.act + timedelta(days=days)
    payments, parts, all_asked = folio.payments, list[RefundPart](), list[Asked]()
    steps = [Step("A-17", f"refund {amount}: {policy.tender_order}, {policy.within_tender} first within a tender")]
    for payment, part_minor in gives or allocation(folio, minor, policy):
        one = asked(folio, payment, part_minor, refund_id, due_by, facts, approve=approve, asked_by=asked_by)
        moved = replace(payment, refunding=payment.refunding + part_minor, number=one.part.number)
        payments = account.with_payment(payments, moved)
        steps.append(one.step)
        parts.append(one.part)
        all_asked.append(one)
    requests = tuple([request for one in all_asked for request in one.requests])
    if approve and requests:
        steps.append(Step("X-27", f"waits for a second person: {approve}"))
    refunds = (*folio.refunds, FolioRefund(refund=refund_id, minor=minor, due_by=due_by, parts=tuple(parts), request=request))
    decided = RefundDecided(
        refund=refund_id,
        amount=minor,
        currency=folio.currency,
        destinations=tuple(
            [
                RefundDestination(payment=part.payment, tender=part.tender.value, amount=part.minor, destination=part.destination)
                for part in parts
            ]
        ),
        refund_due_by=due_by,
    )
    out = Outcome(
        state=replace(
            folio,
            payments=payments,
            refunds=refunds,
            effects=(*folio.effects, *(effect for one in all_asked for effect in one.effects)),
            requests=with_state(folio.requests, refunds, request),
        ),
        facts=(decided, *(fact for one in all_asked for fact in one.facts)),
        entries=recipes.refund_decided(folio, minor, refund_id),
        requests=requests,
        timers=(Timer(name=timer(refund_id), due=due_by, kind=OVERDUE, subject=refund_id),),
        messages=tuple([message for one in all_asked for message in one.messages]),
        trace=(*steps, Step("X-24", f"refund due by {due_by.isoformat()}, {days} days")),
        policy_version=folio.policy,
    )
    for waiting in (approval for one in all_asked for approval in one.approvals):
        out = merge(out, put(folio_of(out), waiting, facts, "X-27"))
    return out


def due_days(folio: Folio, policy: PropertyPolicy) -> int:
    """X-24: within how many days a refund of this booking is made: `refund_due_days`, of a package 14 at most."""
    return min(policy.refund_due_days, PACKAGE_DAYS) if folio.is_package else policy.refund_due_days


def decide_overdue(message: TimerFired, facts: Facts) -> Outcome:
    """X-24: the alarm of a refund that is still open on its day. Raises Stale for one that is not."""
    folio = facts.folio
    refund = refund_of(folio, message.subject) if folio is not None else None
    if folio is None or refund is None or not open_minor(refund):
        raise Stale(f"refund {message.subject} is not open", field="subject", value=message.subject)
    amount = open_minor(refund)
    return Outcome(
        facts=(RefundOverdue(refund=refund.refund, amount=amount, currency=folio.currency),),
        trace=(Step("X-24", f"{account.text(amount, folio.currency)} of refund {refund.refund} open on {refund.due_by}"),),
        policy_version=folio.policy,
    )
