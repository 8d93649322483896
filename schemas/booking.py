"""Bookings: what was ordered, as the system of record tells it, and what the hub makes of it."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.common import (
    Currency,
    Day,
    Fact,
    Id,
    Instant,
    Message,
    Minor,
    OptionalId,
    Personal,
    PersonId,
    PositiveMinor,
    RateText,
    Refused,
    Text,
    Word,
)  # fmt: skip


class LineKind(StrEnum):
    """What a line sells. Tourist tax and insurance stand outside penalty and deposit (X-23)."""

    STAY = "stay"
    SERVICE = "service"
    TOURIST_TAX = "tourist_tax"
    INSURANCE = "insurance"


class SaleChannel(StrEnum):
    """Route of the sale (filière)."""

    WEB = "web"
    XML = "xml"
    PHONE = "phone"
    BOX_OFFICE = "box_office"


class PaymentPlan(StrEnum):
    """Collected at once, or in two parts (S4-13)."""

    FULL = "full"
    SPLIT = "split"


class DepositNature(StrEnum):
    """Arrhes let each side withdraw, acompte binds (S4-12, X-25); silence is arrhes."""

    ARRHES = "arrhes"
    ACOMPTE = "acompte"


class CollectedBy(StrEnum):
    """Who took the guest's money (X-20)."""

    PROPERTY = "property"
    CHANNEL = "channel"
    PLATFORM = "platform"


class Guest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A person; `person` is the subject whose key seals the rest. Absent: the folio itself is the subject."""

    person: PersonId = ""
    name: Personal = ""
    email: Personal = ""
    phone: Personal = ""
    address: Personal = ""


class BookingLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One priced service with its own terms (S4-9). `price` is the line's total; dates are in the property's zone."""

    line: Id
    price: Minor
    kind: LineKind = LineKind.STAY
    trade: Word = ""
    terms: Annotated[str, Meta(max_length=120)] = ""
    accommodation: Word = ""
    accommodation_type: Word = ""
    arrival: Day | None = None
    departure: Day | None = None
    quantity: Annotated[int, Meta(ge=1, le=100_000)] = 1
    vat_rate: RateText = ""


class Booking(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`booking.requested`, `booking.confirmed`, `booking.changed`: always the whole state. `revision` rises with each version
    that the source sends; without one arrival order counts. `service_fee` is never part of a line."""

    property: Id
    currency: Currency
    lines: Annotated[tuple[BookingLine, ...], Meta(min_length=1, max_length=500)]
    revision: Annotated[int, Meta(ge=0)] | None = None
    channel: SaleChannel = SaleChannel.WEB
    booked_at: Instant | None = None
    language: Word = ""
    guest: Guest = msgspec.field(default_factory=Guest)
    payer: Guest | None = None
    payment_plan: PaymentPlan = PaymentPlan.FULL
    service_fee: Minor = 0
    deposit_nature: DepositNature = DepositNature.ARRHES
    collected_by: CollectedBy = CollectedBy.PROPERTY
    is_package: bool = False
    client: OptionalId = ""
    sub_agency: OptionalId = ""
    commission_rate: RateText = ""
    fee_basis: Word = ""
    funds_holder: Word = ""
    max_advance_rate: RateText = ""
    max_advance_months: Annotated[int, Meta(ge=0, le=120)] | None = None
    payment_token: Annotated[str, Meta(max_length=200)] = ""


class BookingCancelled(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`booking.cancelled`: a fact from the system of record, always accepted (S4-25). `refund` says what it said of the money."""

    revision: Annotated[int, Meta(ge=0)] | None = None
    reason: Text = ""
    refund: Literal["policy", "full", "none"] | Minor = "policy"


class BookingAccepted(Fact, frozen=True, kw_only=True):
    """The booking stands in the hub: ordered = lines + fee, minor units of `currency`."""

    revision: int | None
    property: str
    currency: str
    ordered: int
    service_fee: int
    terms: dict[str, str]  # line: frozen policy version


class PaymentScheduleSet(Fact, frozen=True, kw_only=True):
    """S4-13 to S4-21: `due_now` with the fee in it, `second_payment` by the end of local day `due_on` (None: nothing later)."""

    due_now: int
    second_payment: int
    due_on: date | None
    currency: str


class SecondPaymentOverdue(Fact, frozen=True, kw_only=True):
    """The second payment's day is over and the balance is open (S1-37 by S4-13): told, never cancelled by itself. `remind`: the guest is
    not paying, and the stay has not begun (S1-38)."""

    due_on: date
    balance: int
    currency: str
    remind: bool


class BalanceChanged(Fact, frozen=True, kw_only=True):
    """`folio.balance_changed` (S4-22): `balance` = ordered - collected, negative: overpaid."""

    ordered: int
    collected: int
    balance: int
    currency: str


class Overpaid(Fact, frozen=True, kw_only=True):
    """`folio.overpaid`: more was collected than is ordered; `amount` minor units."""

    amount: PositiveMinor
    currency: str


class BookingRefused(Refused, frozen=True, kw_only=True):
    """`booking.refused`."""
