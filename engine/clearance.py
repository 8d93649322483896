"""What right before a send the provider shows of its payment, and forbids it. Pure: the request and the history in, a reason out."""

from __future__ import annotations

from collections.abc import Sequence

from engine.store.effects import Effect
from schemas.effect import ProviderRecord


def forbidden(effect: Effect, shown: Sequence[ProviderRecord]) -> str:
    """Why a request must not go out as long as this is shown, for a person who decides; empty: it may."""
    other = next((record for record in shown if record.currency not in ("", effect.currency)), None)
    if other is not None:
        return f"the provider shows payment {effect.payment} in {other.currency}, the request is in {effect.currency}"
    return ""
