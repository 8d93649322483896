"""Balance requests: the demand for what remains to be paid, what people say of it, and what the hub makes of it (S1).

No card number is ever here: a card is a token of its provider's (S1-28, A-13). Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from schemas.common import Day, Fact, Id, Message, OptionalId, PositiveMinor, Refused, SignedMinor, Word
from schemas.payment import Through


class Scope(StrEnum):
    """What a suspension is for (S1-36)."""

    BOOKING = "booking"
    TYPE = "type"
    PROPERTY = "property"


class BalanceAct(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`balance.cancel`, `balance.send_now`, `balance.resend`. `request` may be left out: the live one, else the last."""

    request: OptionalId = ""


class BalanceSetAmount(BalanceAct, frozen=True, kw_only=True, omit_defaults=True):
    """`balance.set_amount`: what is asked instead of what remains; 0 cancels the request, less is refused (S1-17)."""

    amount: SignedMinor


class BalanceSuspend(BalanceAct, frozen=True, kw_only=True, omit_defaults=True):
    """`balance.suspend`: nothing is asked before local day `until`, of one booking, of a whole `property`, or of the bookings there
    that have this `accommodation_type` (S0-24, S1-36)."""

    until: Day
    scope: Scope = Scope.BOOKING
    property: OptionalId = ""
    accommodation_type: Word = ""


class BalanceRecreate(BalanceAct, frozen=True, kw_only=True, omit_defaults=True):
    """`balance.recreate`: a new request in place of one that is over (S1-18). `reapply`: by the property's settings of today instead of
    those that were frozen with the booking (S1-11)."""

    reapply: bool = False


class BalanceChooseMethod(BalanceAct, frozen=True, kw_only=True, omit_defaults=True):
    """`balance.choose_method`: how the guest will pay. `token` is a provider's name for a card, `mandate` the consent to charge it
    without the guest (X-21)."""

    method: Id
    token: Annotated[str, Meta(max_length=200)] = ""
    mandate: OptionalId = ""
    mandate_version: Word = ""
    through: Through = Through.WEB


class BalanceReportCollected(BalanceAct, frozen=True, kw_only=True, omit_defaults=True):
    """`balance.report_collected`: the merchant has the money. `amount` left out: what the guest chose to pay, or what is asked for since
    where that is less. `payment` is the id under which a payment message will tell the same money, if one will; `provider_reference` the
    provider's."""

    attempt: Annotated[int, Meta(ge=1)] | None = None
    amount: PositiveMinor | None = None
    payment: OptionalId = ""
    provider: Word = ""
    merchant: OptionalId = ""
    provider_reference: OptionalId = ""


class BalanceReportDisfunction(BalanceAct, frozen=True, kw_only=True, omit_defaults=True):
    """`balance.report_disfunction`: the merchant could not take it; a `reason` beside the two that are known is `other` (S1-26)."""

    attempt: Annotated[int, Meta(ge=1)] | None = None
    reason: Word = "other"


class BalanceScheduled(Fact, frozen=True, kw_only=True):
    """`balance.scheduled`: what will be asked, or is asked from now on: `amount` until the end of local day `deadline`, by a mail on
    `send_on` or at once if that is over. `fixed`: an operator set the amount; `clamped`: less, since no more is owed (S1-34).
    `due_on_site`: no mail will be sent, the guest pays at the property (S1-36)."""

    request: str
    send_on: date
    deadline: date
    amount: int
    currency: str
    accommodation: str = ""
    fixed: bool = False
    clamped: bool = False
    due_on_site: bool = False


class BalanceSent(Fact, frozen=True, kw_only=True):
    """`balance.sent`: the guest is asked, with everything that the mail says. `attempt` counts what a folio was asked, so that a mail has
    one identity (S1-41); `link` is the only one that is live (S1-20)."""

    request: str
    link: int
    attempt: int
    amount: int
    currency: str
    deadline: date
    methods: tuple[str, ...]
    again: bool  # the same link once more


class BalanceReplied(Fact, frozen=True, kw_only=True):
    """`balance.replied`: the guest has chosen; the merchant is told (S1-15)."""

    request: str
    attempt: int
    method: str
    initiation: str
    amount: int
    currency: str
    deadline: date


class BalancePaid(Fact, frozen=True, kw_only=True):
    """`balance.paid`: nothing of the request is open any more; `amount` is what was open before this. `on_time`: the last money moved no
    later than the deadline's local day (S1-44)."""

    request: str
    amount: int
    currency: str
    on_time: bool


class BalanceCancelled(Fact, frozen=True, kw_only=True):
    """`balance.cancelled`: nobody is asked by this request any more; `balance` is what the booking still owes (S1-18)."""

    request: str
    reason: str  # operator | booking_cancelled | nothing_owed | collected_by_channel | reapplied
    balance: int
    currency: str


class BalanceSuspended(Fact, frozen=True, kw_only=True):
    """`balance.suspended`: of one request, or of all of a property or type (`request` and `deadline` empty)."""

    until: date
    scope: str
    request: str = ""
    property: str = ""
    accommodation_type: str = ""
    deadline: date | None = None
    due_on_site: bool = False


class BalanceOverdue(Fact, frozen=True, kw_only=True):
    """`balance.overdue`: the deadline's local day is over and `amount` is open (S1-37, S1-44). `asked`: the guest had a mail; `remind`:
    another one may go, since the stay has not begun and no payment is on its way (S1-38)."""

    request: str
    deadline: date
    amount: int
    currency: str
    asked: bool
    remind: bool
    link: int


class BalanceDisfunction(Fact, frozen=True, kw_only=True):
    """`balance.disfunction`: an attempt failed; with a `link` the guest is invited to pay again, 0: the stay has begun (S1-23, S1-38).
    `reason` is one of three words, `said` what the merchant wrote."""

    request: str
    attempt: int
    method: str
    reason: str
    said: str
    amount: int
    currency: str
    link: int
    deadline: date
    methods: tuple[str, ...]


class CollectionUnreported(Fact, frozen=True, kw_only=True):
    """`balance.collection_unreported`: the guest chose long ago and the merchant has said neither that he has the money nor that he
    could not take it (S1-45)."""

    request: str
    attempt: int
    method: str
    amount: int
    currency: str
    chosen_at: datetime


class BalanceRefused(Refused, frozen=True, kw_only=True):
    """`balance.refused`."""

    request: str = ""
