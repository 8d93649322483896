"""Provider's records that cannot be counted as money of a folio: another currency than the folio's (X-4).

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
    """What is told of a record that is not in the folio's currency; None: it can be counted.

    Raises Stale for one that says that nothing moved.
    """
    if message.currency in ("", folio.currency):
        return None
    if message.result in (Result.REFUSED, Result.REVERSED):
        raise Stale(f"record {message.record} moved nothing of this folio", field="record", value=message.record)
    amount = account.text(message.minor, message.currency)
    reason = f"record {message.record}: {amount} at the provider, and the folio is in {folio.currency}: not counted"
    told = EffectNeedsPerson(effect=message.record, reason=reason, amount=message.minor, currency=message.currency)
    return Outcome(facts=(told,), trace=(Step("X-4", reason),), policy_version=folio.policy)
