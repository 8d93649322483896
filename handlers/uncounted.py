"""Provider's records that cannot be counted as money of a folio: another currency than the folio's (X-4), or no amount (X-3).

A person is told; nothing moves. Amounts are minor units of the record's own currency.
"""

from __future__ import annotations

from handlers import account
from handlers.outcome import Outcome, Step
from schemas.effect import Result
from schemas.errors import Stale
from schemas.folio import Folio
from schemas.operations import EffectNeedsPerson, ForeignRecordSeen, PaymentRecordSeen


def uncounted(message: ForeignRecordSeen | PaymentRecordSeen, folio: Folio) -> Outcome | None:
    """What is told of a record that is not in the folio's currency, or of one that stands without an amount; None: it can be counted.

    Raises Stale for one in another currency that says that nothing moved.
    """
    stands = message.result not in (Result.REFUSED, Result.REVERSED)
    if message.currency not in ("", folio.currency):
        if not stands:
            raise Stale(f"record {message.record} moved nothing of this folio", field="record", value=message.record)
        amount = account.text(message.minor, message.currency)
        text = f"record {message.record}: {amount} at the provider, and the folio is in {folio.currency}: not counted"
        return _told(message, folio, Step("X-4", text))
    if stands and not message.minor:
        text = f"record {message.record}: the provider does not say how much, so that nothing is counted: see there"
        return _told(message, folio, Step("X-3", text))
    return None


def _told(message: ForeignRecordSeen | PaymentRecordSeen, folio: Folio, step: Step) -> Outcome:
    currency = message.currency or folio.currency
    told = EffectNeedsPerson(effect=message.record, reason=step.text, amount=message.minor, currency=currency)
    return Outcome(facts=(told,), trace=(step,), policy_version=folio.policy)
