"""Words that every message shares: actors, references, identifiers, marks of personal data.

A value is made once, of values that were there before, and never changed: none can hold itself, so that the collector of cycles need not
follow them (`gc=False`, here and in the other rooms).
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

END = r"$(?!\n)"
"""The end of a text, in a pattern: `$` alone stands before a last end of a line too, and would let it in."""
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+" + END, description="at most 64 characters")]
OptionalId = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f]*" + END, description="at most 64 characters, empty: none")]
UNSHOWN = {"unshown": True}
"""Marks a field whose wrong value no error and no outcome shows: who a person is, or what is worth money to whoever reads it."""
PersonId = Annotated[OptionalId, Meta(extra=UNSHOWN)]
Text = Annotated[str, Meta(max_length=2000)]
Word = Annotated[str, Meta(max_length=64)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}" + END, description="ISO 4217 code")]
Minor = Annotated[int, Meta(ge=0, le=10**15, description="minor units of the message's currency")]
SignedMinor = Annotated[int, Meta(ge=-(10**15), le=10**15, description="minor units of the message's currency")]
PositiveMinor = Annotated[int, Meta(gt=0, le=10**15, description="minor units of the message's currency")]
RateText = Annotated[str, Meta(max_length=32, description="exact rate: '50 %', '12.5 %', '33 1/3 %' or '100/3 %'")]
EARLIEST, LATEST = date(1971, 1, 1), date(2199, 12, 31)
DATES = f"from {EARLIEST} to {LATEST}"
"""What a day or an instant from outside may be, as it is written: beyond it, no zone and no notice period can be reckoned safely."""

Day = Annotated[date, Meta(description=f"YYYY-MM-DD, {DATES}")]
Instant = Annotated[datetime, Meta(tz=True, description=f"RFC 3339 with offset, {DATES}")]
DayOrInstant = Annotated[
    str,
    Meta(
        max_length=40,
        description=f"YYYY-MM-DD, or RFC 3339 with offset, {DATES}; read by `day_or_instant`",
        extra={"day_or_instant": True},
    ),
]
Personal = Annotated[
    str,
    Meta(
        max_length=32_000,  # ciphertext of 4,000 characters of any script fits
        description="personal: sealed before it is stored",
        extra={"personal": True},
        extra_json_schema={"x-personal": True},
    ),
]
"""Text about a person: sealed with the key of its subject before anything is stored (X-11)."""
Proof = Annotated[
    str,
    Meta(
        max_length=32_000,
        description="where a proof is kept: an address or a number, at most 200 characters without spaces; never what it says",
        extra={"personal": True, "reference": True},
        extra_json_schema={"x-personal": True},
    ),
]
"""A reference to a proof (X-26), kept as it is; anything else is about a person's health or fate, and is sealed like `Personal`."""


def day_or_instant(text: str) -> date | datetime:
    """The day, or the aware instant, that a `DayOrInstant` writes. Raises ValueError naming the text."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else msgspec.convert(text, Instant)
    except (ValueError, msgspec.ValidationError):
        raise ValueError(f"{text[:40]!r} is neither a day (YYYY-MM-DD) nor an instant with offset (RFC 3339)") from None


def within_dates(when: date | datetime) -> bool:
    """Whether a day or an instant, as it is written, lies between `EARLIEST` and `LATEST`, both included."""
    return EARLIEST.year <= when.year <= LATEST.year  # both begin or end a year; no zone is asked, which would overflow at the ends


class ActorKind(StrEnum):
    """Who acts."""

    GUEST = "guest"
    MERCHANT = "merchant"
    OPERATOR = "operator"
    CHANNEL = "channel"
    PLATFORM = "platform"
    SYSTEM = "system"


class Actor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who asked, for X-15: every act says who."""

    kind: ActorKind
    id: Annotated[str, Meta(max_length=64)] = ""


class Reference(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A name by which somebody else knows a folio: `pms:thais`/`88231`, `ota:demo`/`X1`, `ogone:azur:order`/`B1001-1`."""

    namespace: Id
    value: Id


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What every input carries. `folio`, or `references` when the sender knows the booking by another name."""

    actor: Actor
    requested_at: Instant | None = None
    folio: OptionalId = ""
    references: Annotated[tuple[Reference, ...], Meta(max_length=100)] = ()


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every outcome carries; the engine fills the first four when it publishes.

    `sequence` counts the outcomes of one key without gaps from 1; `rules` are the rule ids that were applied.
    """

    folio: str = ""
    sequence: int = 0
    rules: tuple[str, ...] = ()
    policy_version: str = ""


class Refused(Fact, frozen=True, kw_only=True):
    """A rule said no: `code` is a stable word, `field` and `value` say where, `input` is the refused message's id."""

    code: str
    field: str = ""
    value: str = ""
    message: str = ""
    input: str = ""
    remaining: int | None = None
    passes: str = ""
