"""What every payment provider's connector gives. What it cannot do it declares, and refuses instead of doing it by half."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Flag, auto
from typing import NamedTuple, Protocol

from schemas.effect import EffectOrder, Reply


class Can(Flag):
    """Abilities of a provider."""

    REFUND = auto()
    PARTIAL_REFUND = auto()
    CAPTURE = auto()
    VOID = auto()
    QUERY = auto()
    KEYS = auto()  # has idempotency keys: the same key may be sent again while it protects


class Deadline(NamedTuple):
    """The end of one call: an instant, so that whoever is paused on the way has less time left and never more. Its clock never goes
    back; it is the machine's, or that of a world whose time is moved by hand."""

    end_s: float
    clock_s: Callable[[], float] = time.monotonic

    @classmethod
    def within(cls, seconds: float) -> Deadline:
        """So many seconds from now, by the machine's clock."""
        return cls(time.monotonic() + seconds)

    def left_s(self) -> float:
        """Seconds that are left; none or fewer: it is over."""
        return self.end_s - self.clock_s()


class PaymentConnector(Protocol):
    """One merchant's account at one provider. Synchronous; thread-safe; no retries underneath.

    `send` never raises for what the world does: silence is `Result.UNKNOWN`, a connection that was never made `NOT_SENT`.
    `query` reads the whole history of one payment; if it could not, its result is UNKNOWN and `records` is empty.
    `deadline` bounds connecting, writing and reading together: once it is over nothing is written, and what was not begun is NOT_SENT.
    """

    name: str
    merchant: str
    can: Can

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply: ...

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply: ...
