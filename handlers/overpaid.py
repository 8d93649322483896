"""More was collected than is ordered: it stays to the guest's credit, or goes back by itself (S1-33).

Applied to every decision that tells it. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from handlers import account
from handlers.frozen import property_policy
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.refund import open_refund
from schemas.booking import CollectedBy, Overpaid
from schemas.folio import Folio, FolioStatus
from schemas.policy import OverpaidRule


def given_back(out: Outcome, facts: Facts) -> Outcome:
    """S1-33: where the property settled `overpaid = "refund"`, what a standing booking has too much goes back over its payments (A-17), as
    soon as it is told. A cancelled one's refund is its cancellation's; what a channel or platform collected is theirs (X-20)."""
    folio = out.state
    if not isinstance(folio, Folio) or not any(type(fact) is Overpaid for fact in out.facts):
        return out
    if folio.status is not FolioStatus.CONFIRMED or folio.collected_by is not CollectedBy.PROPERTY:
        return out
    if property_policy(facts, folio).overpaid is not OverpaidRule.REFUND:
        return out
    able = sum(payment.refundable() for payment in folio.payments if not payment.unapplied)
    minor = min(-account.balance(folio), able)
    if minor <= 0:
        return out
    step = Step("S1-33", f"{account.text(minor, folio.currency)} were collected beyond what is ordered: they go back")
    back = open_refund(folio, minor, facts, asked_by="system:overpaid", name="overpaid")
    told = account.balance_facts(folio, folio_of(back))
    return merge(merge(out, Outcome(trace=(step,))), merge(back, Outcome(facts=told)))
