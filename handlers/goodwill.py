"""Goodwill: more than the terms give, by the word of the house (S4-46)."""

from __future__ import annotations

from msgspec.structs import replace

from handlers import account
from handlers.cancellation_right import who
from handlers.frozen import property_policy
from handlers.given_up import given_up
from handlers.outcome import Facts, Step
from handlers.quote import Computation
from schemas.cancellation import Override
from schemas.common import Actor
from schemas.errors import Rejected
from schemas.folio import Folio


def overridden(folio: Folio, computation: Computation, override: Override, actor: Actor, facts: Facts) -> tuple[Computation, str]:
    """S4-46, X-3: the whole refund by the house's word: never above what is collected (of a part: above what its lines keep), never
    below the rule. What is more than the rule gives is goodwill, a line of its own; a claim is given up with it, of the whole earlier
    ones too. The second value says why a second person must grant it (`override_above`, by the goodwill), or is empty."""
    collected = account.collected(folio)
    most = collected if computation.whole else min(collected, computation.refund + sum(one.kept for one in computation.ended))
    amount, rule = (account.text(minor, folio.currency) for minor in (override.amount, computation.refund))
    if override.amount > most:
        text = f"refund {amount} is above {account.text(most, folio.currency)}"
        raise Rejected(text, code="amount_above_total", rule="X-3", field="override.amount", value=override.amount)
    if override.amount < computation.refund:
        text = f"refund {amount} is below the {rule} that the terms give"
        raise Rejected(text, code="override_below_refund", rule="S4-46", field="override.amount", value=override.amount)
    given = override.amount - computation.refund
    after = computation.after
    let_go = after.claim if computation.whole else computation.claim
    after = replace(after, goodwill=after.goodwill + given, claim=after.claim - let_go)
    after = given_up(after, let_go, None if computation.whole else [one.line.line for one in computation.ended])
    extra = account.text(given, folio.currency)
    step = Step("S4-46", f"{amount} − {rule} by the terms = {extra} goodwill of {who(actor)}: {override.reason}")
    limit = property_policy(facts, folio).override_above
    approve = f"goodwill {extra} is above {account.text(limit, folio.currency)}" if limit is not None and given > limit else ""
    changed = replace(
        computation,
        after=after,
        refund=override.amount,
        kept=collected - override.amount,
        goodwill=given,
        claim=0,
        waived=computation.waived + let_go,
        trace=(*computation.trace, step),
    )
    return changed, approve
