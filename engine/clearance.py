"""What right before a send the provider shows of its payment, and forbids it. Pure: the request and the history in, a reason out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from engine.reconcile import moved_money
from engine.store.effects import Effect
from schemas.effect import EffectKind, ProviderRecord, RecordKind

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
    return ""


def waiting(effect: Effect, veiled: Sequence[ProviderRecord]) -> str:
    """Why a request must wait until the provider says more: records of others whose amount is not shown; empty: it need not."""
    rivals = _RIVALS[EffectKind(effect.kind)]
    shown = ", ".join(f"{one.level} ({one.status})" for one in veiled if one.kind in rivals and moved_money(one))
    return f"the provider shows records of payment {effect.payment} without their amounts: {shown}" if shown else ""
