"""What a second person has to grant and is no request to a provider: put down in the folio, told, and told again for a week (X-15, X-27,
S4-46).

What a grant carries out is `handlers.approval_decided`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from handlers.cancellation_right import HOUSE, who
from handlers.outcome import Facts, Outcome, Step, Timer, folio_of
from schemas.common import Actor
from schemas.errors import Rejected, Stale
from schemas.folio import Folio
from schemas.folio_approval import FolioApproval
from schemas.operations import ApprovalDecided, ApprovalRequested, TimerFired
from schemas.voucher_code import normalised

APPROVAL = "approval"
"""Kind of the timer `approval:<subject>`, by which it is told again, and listed."""
AGAIN = timedelta(hours=24)
TELLINGS = 7
"""How often it is told, a day apart: then what nobody has granted lapses, and a refund, which is owed in any case, waits in silence.
Counted, since a hub that stood still for a week has told nobody."""
LAPSED = "system:approval"
"""Who denies what lapses."""
_LONGEST = 64
"""Characters of a subject, as `schemas.common.OptionalId`."""
_EVER = datetime(1971, 1, 1, tzinfo=UTC)


def subject_of(folio: Folio, made: str) -> str:
    """The name of what is put to a second person: by it alone its folio is found (`B-1/5e0c…`), but for the longest ids."""
    name = f"{folio.folio}/{made.replace('-', '')[:12]}"
    return name if len(name) <= _LONGEST else made


def approval_of(folio: Folio, subject: str) -> FolioApproval | None:
    """What waits under that name, or None."""
    return next((one for one in folio.approvals if one.subject == subject), None)


def of_check(folio: Folio, key: str) -> tuple[FolioApproval, ...]:
    """What waits of the checks of a voucher."""
    return tuple([one for one in folio.approvals if one.check is not None and normalised(one.check.number) == key])


def kind_of(one: FolioApproval) -> str:
    """One word for what it is."""
    return "goodwill" if one.check is not None else "voucher_bonus" if one.issue is not None else "voucher_refund"


def number_of(folio: Folio | None, subject: str) -> str:
    """The number of the voucher that would be issued; empty where none would be."""
    one = approval_of(folio, subject) if folio is not None else None
    return one.issue.number if one is not None and one.issue is not None else ""


def put(folio: Folio, one: FolioApproval, facts: Facts, rule: str) -> Outcome:
    """X-27, S4-46: it waits for a second person, who is told now and every day for a week. What waited in its place waits no longer; if
    that was the same, it is told once more and goes on waiting (X-1)."""
    before = [known for known in folio.approvals if _about(known) == _about(one)]
    if before and _said(before[0]) == _said(one):
        step = Step("X-1", f"approval {before[0].subject} is waited for already")
        return Outcome(state=folio, facts=(requested(before[0], folio),), trace=(step,), policy_version=folio.policy)
    others = dropped(folio, tuple(before))
    return Outcome(
        state=replace(folio_of(others), approvals=(*folio_of(others).approvals, one)),
        facts=(requested(one, folio),),
        timers=(_timer(one, facts),),
        cancel=others.cancel,
        trace=(*others.trace, Step(rule, f"waits for a second person: {one.reason}")),
        policy_version=folio.policy,
    )


def requested(one: FolioApproval, folio: Folio) -> ApprovalRequested:
    """The fact `approval.requested`."""
    return ApprovalRequested(
        subject=one.subject, amount=one.minor, currency=folio.currency, reason=one.reason, asked_by=one.asked_by
    )


def dropped(folio: Folio, gone: tuple[FolioApproval, ...]) -> Outcome:
    """The folio without these, which nobody waits for any more."""
    return Outcome(
        state=replace(folio, approvals=tuple([known for known in folio.approvals if known not in gone])) if gone else folio,
        cancel=tuple([f"{APPROVAL}:{one.subject}" for one in gone]),
        trace=tuple([Step("X-27", f"approval {one.subject} is not waited for any more") for one in gone]),
    )


def _about(one: FolioApproval) -> tuple[str, ...]:
    """What it is about: the check of a voucher, the end of a booking, a part of a refund."""
    return (
        ("check", one.check.number) if one.check is not None else ("issue",) if one.issue is not None else (one.refund, one.payment)
    )


def _said(one: FolioApproval) -> FolioApproval:
    """The same without its name, its instant, how often it was told, and the number that a door drew."""
    issue = replace(one.issue, number="", requested_at=None) if one.issue is not None else None
    check = replace(one.check, requested_at=None) if one.check is not None else None
    return replace(one, subject="", asked_at=_EVER, told=1, issue=issue, check=check)


def check_second(actor: Actor, asked_by: str) -> str:
    """X-15, X-27: a second person of the house, other than who asked, whatever hat they wear and however they write it. Who it is. Raises
    Rejected `approval_required`."""
    by = who(actor)
    if actor.kind not in HOUSE or _person(by) == _person(asked_by):
        text = f"{by} cannot approve this: it needs a second person of the house, other than {asked_by}"
        raise Rejected(text, code="approval_required", rule="X-27", field="actor", value=by)
    return by


def _person(by: str) -> str:
    return by.partition(":")[2].strip().casefold()


def decide_reminded(message: TimerFired, facts: Facts) -> Outcome:
    """It still waits: told again (X-27), for a week. Then goodwill and a bonus lapse, and nothing of them happens; a refund's part waits
    on, and `refund.overdue` tells of it. Raises Stale for what waits no longer."""
    folio = facts.folio
    one = approval_of(folio, message.subject) if folio is not None else None
    if folio is None or one is None:
        raise Stale(f"approval {message.subject} is not waited for", field="subject", value=message.subject)
    again = replace(one, told=one.told + 1)
    if again.told > TELLINGS:
        return _lapsed(folio, one)
    approvals = tuple([again if known is one else known for known in folio.approvals])
    return Outcome(
        state=replace(folio, approvals=approvals),
        facts=(requested(one, folio),),
        timers=(_timer(one, facts),),
        trace=(Step("X-27", f"still waits for a second person: {one.reason}"),),
        policy_version=folio.policy,
    )


def _lapsed(folio: Folio, one: FolioApproval) -> Outcome:
    text = f"nobody has decided within {TELLINGS} days: {one.reason}"
    if one.refund:
        step = Step("X-27", f"approval {one.subject} is not told again: {text}")
        return Outcome(trace=(step,), policy_version=folio.policy)
    denied = ApprovalDecided(subject=one.subject, by=LAPSED, reason=text)
    step = Step("X-27", f"approval {one.subject} lapses: {text}")
    return replace(dropped(folio, (one,)), facts=(denied,), trace=(step,), policy_version=folio.policy)


def _timer(one: FolioApproval, facts: Facts) -> Timer:
    due = max(facts.act, facts.decided_at or facts.act) + AGAIN
    return Timer(name=f"{APPROVAL}:{one.subject}", due=due, kind=APPROVAL, subject=one.subject)
