"""What every payment provider's connector gives. What it cannot do it declares, and refuses instead of doing it by half."""

from __future__ import annotations

from enum import Flag, auto
from typing import Protocol

from schemas.effect import EffectOrder, Reply


class Can(Flag):
    """Abilities of a provider."""

    REFUND = auto()
    PARTIAL_REFUND = auto()
    CAPTURE = auto()
    VOID = auto()
    QUERY = auto()
    KEYS = auto()  # has idempotency keys: the same key may be sent again while it protects


class PaymentConnector(Protocol):
    """One merchant's account at one provider. Synchronous; thread-safe; no retries underneath.

    `send` never raises for what the world does: silence is `Result.UNKNOWN`, a connection that was never made `NOT_SENT`.
    `query` reads the whole history of one payment; if it could not, its result is UNKNOWN and `records` is empty.
    `deadline_s` bounds connecting, writing and reading together.
    """

    name: str
    merchant: str
    can: Can

    def send(self, order: EffectOrder, deadline_s: float) -> Reply: ...

    def query(self, reference: str, order: str, deadline_s: float) -> Reply: ...
