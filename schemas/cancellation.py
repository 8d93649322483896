"""Cancellation: what it would give, that it is wanted, what it gave (S4-25 to S4-46)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.common import Day, DayOrInstant, Fact, Id, Message, Minor, OptionalId, Proof, Refused, Text, Word, day_or_instant


class Cause(StrEnum):
    """Why a booking is cancelled."""

    GUEST = "guest"
    NO_SHOW = "no_show"
    FORCE_MAJEURE = "force_majeure"
    OWNER = "owner"


class LineChoice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line to cancel, or fewer nights of it: `new_departure` and the `new_price` that the PMS gives (S4-37)."""

    line: Id
    new_departure: Day | None = None
    new_price: Minor | None = None


class CancellationRequest(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`cancellation.request`: `lines` empty means all; `confirm` true is quote and confirmation in one decision (S4-31). `proof` says
    where a proof is kept, never what is in it (X-26)."""

    request: Id
    lines: Annotated[tuple[LineChoice | Id, ...], Meta(max_length=500)] = ()
    cause: Cause = Cause.GUEST
    proof: Proof = ""
    destination: Word = ""
    confirm: bool = False


class Override(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Goodwill (S4-46): `amount` is the whole refund, within X-3."""

    amount: Minor
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class CancellationConfirm(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`cancellation.confirm`: `quote` absent means the request's latest."""

    request: Id
    quote: OptionalId = ""
    override: Override | None = None


class CancellationWithdraw(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`cancellation.withdraw`: whoever asked thinks better of it."""

    request: Id


class ForceMajeureDeclare(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`force_majeure.declare`: an event open for an area between two instants or days, both included (S4-36).

    Raises ValueError for an end that is neither a day nor an instant with offset."""

    event: Id
    area: Id
    from_: DayOrInstant = msgspec.field(name="from")
    to: DayOrInstant
    cause: Text = ""

    def __post_init__(self) -> None:
        day_or_instant(self.from_)
        day_or_instant(self.to)

    def begins(self) -> date | datetime:
        """The day or instant of `from`."""
        return day_or_instant(self.from_)

    def ends(self) -> date | datetime:
        """The day or instant of `to`."""
        return day_or_instant(self.to)


class QuotedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a line keeps: `refund_rate` as written by `rate_text`, `penalty` minor units."""

    line: str
    refund_rate: str
    penalty: int


class CancellationQuoted(Fact, frozen=True, kw_only=True):
    """`cancellation.quoted` (S4-26, S4-31). refund + kept = collected by these lines' folio; `claim` only with acompte."""

    request: str
    quote: str
    valid_until: datetime
    lines: tuple[QuotedLine, ...]
    penalty: int
    refund: int
    claim: int
    kept: int
    currency: str


class CancellationConfirmed(Fact, frozen=True, kw_only=True):
    """`cancellation.confirmed` (S4-28, S4-30)."""

    request: str
    quote: str
    lines: tuple[QuotedLine, ...]
    penalty: int
    refund: int
    claim: int
    kept: int
    currency: str


class CancellationWithdrawn(Fact, frozen=True, kw_only=True):
    """`cancellation.withdrawn`."""

    request: str


class QuoteExpired(Fact, frozen=True, kw_only=True):
    """`cancellation.quote_expired`: nobody confirmed in time."""

    request: str
    quote: str


class CancellationRefused(Refused, frozen=True, kw_only=True):
    """`cancellation.refused`."""

    request: str = ""


class ForceMajeureDeclared(Fact, frozen=True, kw_only=True):
    """`force_majeure.declared`: the area knows the event."""

    event: str
    area: str


class ForceMajeureRefused(Refused, frozen=True, kw_only=True):
    """`force_majeure.refused`."""
