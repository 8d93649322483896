"""What right before a send the provider shows of its payment, and what follows for the send. Pure: the request and the history in.

One payment at the provider may be several bookings'. Amounts are minor units of the request's currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from engine.reconcile import moved_money
from engine.store.effects import Effect
from schemas.effect import EffectKind, ProviderRecord, RecordKind, Result

_RIVALS: Final[Mapping[EffectKind, frozenset[RecordKind]]] = {
    EffectKind.REFUND: frozenset({RecordKind.REFUND}),
    EffectKind.CAPTURE: frozenset({RecordKind.CAPTURE, RecordKind.VOID}),
    EffectKind.VOID: frozenset({RecordKind.CAPTURE, RecordKind.VOID}),
}
"""What, done by others, may make a request needless."""


def forbidden(effect: Effect, shown: Sequence[ProviderRecord]) -> str:
    """Why a request must not go out as long as this is shown, for a person who decides; empty: it may."""
    other = next((record for record in shown if record.currency not in ("", effect.currency)), None)
    if other is not None:
        return f"the provider shows payment {effect.payment} in {other.currency}, the request is in {effect.currency}"
    if effect.kind != EffectKind.VOID:
        return ""
    if any(record.result is Result.CONFIRMED for record in _standing(shown, RecordKind.CAPTURE)):
        return f"payment {effect.payment} is captured at the provider, and a release would undo that"
    if (authorised := _sum(shown, RecordKind.AUTHORISATION)) > effect.minor:
        text = f"the provider shows {authorised} authorised of payment {effect.payment}, and a release of {effect.minor}"
        return f"{text} would release all of it: the rest may be another booking's"
    return ""


def waiting(effect: Effect, shown: Sequence[ProviderRecord], veiled: Sequence[ProviderRecord]) -> str:
    """Why a request must wait until the provider says more, by a history of which no amount of `veiled` is known; empty: it need not."""
    rivals = _RIVALS[EffectKind(effect.kind)]
    bare = [one for one in veiled if one.kind in rivals and moved_money(one)]
    if effect.kind == EffectKind.VOID:
        bare += [one for one in _standing(shown, RecordKind.AUTHORISATION) if one.minor is None]
    if bare:
        text = ", ".join(f"{one.level} ({one.status})" for one in bare)
        return f"the provider shows records of payment {effect.payment} without their amounts: {text}"
    return ""


def takes_all(effect: Effect, shown: Sequence[ProviderRecord], left: int) -> bool:
    """Whether nothing of the payment can be another booking's after this request: a refund of all that is still captured, a capture of
    which the booking's own `left` is all that is still authorised."""
    captured = _sum(shown, RecordKind.CAPTURE)
    if effect.kind == EffectKind.REFUND:
        return captured - _sum(shown, RecordKind.REFUND) <= effect.minor
    authorised = _standing(shown, RecordKind.AUTHORISATION)
    known = bool(authorised) and all(record.minor is not None for record in authorised)
    return known and _sum(shown, RecordKind.AUTHORISATION) - captured <= left


def _standing(shown: Sequence[ProviderRecord], kind: RecordKind) -> list[ProviderRecord]:
    return [record for record in shown if record.kind is kind and moved_money(record)]


def _sum(shown: Sequence[ProviderRecord], kind: RecordKind) -> int:
    return sum(record.minor or 0 for record in _standing(shown, kind))
