"""Vouchers: values in code as a means of payment, what is said of them and what the hub makes of that (S0-1 to S0-36).

Amounts are minor units of the message's currency. A voucher's own book is `schemas.voucher_book`.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from schemas.common import (
    END,
    UNSHOWN,
    Day,
    Fact,
    Message,
    Minor,
    OptionalId,
    PersonId,
    PositiveMinor,
    RateText,
    Refused,
    Text,
)  # fmt: skip
from schemas.payment import Tender

Number = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f]+" + END,
        description="typed by hand, at most 64 characters",
        extra=UNSHOWN,
    ),
]


OptionalNumber = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f]*" + END, extra=UNSHOWN)]
Typed = Annotated[
    str,
    Meta(
        max_length=256,
        pattern=r"^[^\x00-\x1f]*" + END,
        description="typed by hand; more than 64 characters are refused",
        extra=UNSHOWN,
    ),
]
TypedMinor = Annotated[
    int, Meta(ge=-(10**15), le=10**15, description="minor units of the message's currency; less than 1 is refused")
]
MOST_CHARACTERS = 64
"""Of a voucher's number (S0-6)."""


class VoucherOrigin(StrEnum):
    """S0-17: who made a code; unknown until somebody says it."""

    ISSUED_HERE = "issued_here"
    PMS = "pms"
    MERCHANT = "merchant"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What the merchant's check came to (S0-15, S0-19, S0-21)."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LOWER_VALUE = "lower_value"
    GOODWILL = "goodwill"


class VoucherStatus(StrEnum):
    """S0-19: a voucher of a booking. SETTLING: accepted, and the voucher's own book is asked for the money."""

    PENDING_CHECK = "pending_voucher_check"
    AWAITING_TOP_UP = "awaiting_top_up"
    SETTLING = "settling"
    ACCEPTED = "accepted"
    LOWER = "accepted_with_lower_value"
    REFUSED = "refused"
    RELEASED = "released"


class Funding(StrEnum):
    """S0-36: what a voucher's value is made of; bonus is never given back in money."""

    CASH = "cash"
    BONUS = "bonus"


class VatKind(StrEnum):
    """S0-36: single-purpose vouchers are taxed when they are issued, multi-purpose ones when they are used."""

    SPV = "spv"
    MPV = "mpv"
    UNKNOWN = ""


class VoucherScope(StrEnum):
    """S0-36: where a voucher is good: at its issuer's legal entity, at one property, at all of the tenant's."""

    ENTITY = "entity"
    PROPERTY = "property"
    GROUP = "group"


class Flag(StrEnum):
    """S0-20, S0-21, S0-23: warnings for the merchant; none of them refuses anything by itself."""

    DUPLICATE = "voucher_duplicate"
    VALUE_EXCEEDED = "voucher_value_exceeded"
    EXPIRED = "voucher_expired"
    OTHER_HOLDER = "voucher_other_holder"
    OUT_OF_SCOPE = "voucher_out_of_scope"
    OTHER_CURRENCY = "voucher_other_currency"
    CHECK_CHARACTER = "voucher_check_character"
    MIXED_SCRIPTS = "voucher_mixed_scripts"
    MONEY_GONE = "voucher_money_gone"


class Stage(StrEnum):
    """S0-35: which time the merchant is asked."""

    ASKED = "asked"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    AUTHORISATION_EXPIRES = "authorisation_expires"
    NOT_COVERED = "not_covered"


class IssuedState(StrEnum):
    """S0-31: what has become of a voucher that was issued here."""

    GOOD = "good"
    USED = "used"
    EXPIRED = "expired"


class ValueRule(StrEnum):
    """A-14: what a voucher from cancel-with-voucher is worth."""

    COLLECTED = "collected"
    REFUNDABLE_NOW = "refundable_now"
    FIXED_AMOUNT = "fixed_amount"
    PERCENT_OF_COLLECTED = "percent_of_collected"


class VoucherEnter(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`voucher.enter` (S0-4): number and amount as the customer typed them. `currency` empty: the booking's. `second_tender`: with what
    the rest of the deposit is paid."""

    number: Typed
    amount: TypedMinor
    currency: Annotated[str, Meta(pattern="^([A-Z]{3})?" + END, description="ISO 4217 code, empty: the booking's")] = ""
    second_tender: Tender | None = None


class VoucherCheck(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`voucher.check` (S0-15, S0-19): the merchant's word. `number` empty: the only one of the booking. `value`: what it is worth, for
    `lower_value` and, of codes that others made, `goodwill`. `origin`: who made the code, if the merchant knows (S0-17)."""

    verdict: Verdict
    number: OptionalNumber = ""
    value: Minor | None = None
    origin: VoucherOrigin = VoucherOrigin.UNKNOWN
    reason: Text = ""


class VoucherRegister(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`voucher.register` (S0-17): a code that a PMS or the merchant has made, and its value, which the hub knows from then on.
    `expires`: the last day on which it is good, in the property's zone. `property`: whose it is; empty: the
    tenant's only one's. `holder`: the id of a person, as `guest.person` of a booking, no name."""

    number: Number
    value: PositiveMinor
    currency: Annotated[str, Meta(pattern="^([A-Z]{3})?" + END, description="ISO 4217 code, empty: the tenant's")] = ""
    property: OptionalId = ""
    expires: Day | None = None
    scope: VoucherScope = VoucherScope.ENTITY
    funding: Funding = Funding.CASH
    vat_kind: VatKind = VatKind.UNKNOWN
    vat_rate: RateText = ""
    vat_declared: bool = False
    holder: PersonId = ""
    origin: VoucherOrigin = VoucherOrigin.PMS


class VoucherConsent(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`voucher.consent` (S0-28, X-24): the guest takes a voucher in place of money; `text_version` is what was agreed to."""

    text_version: Annotated[str, Meta(min_length=1, max_length=64)]


class CancelWithVoucher(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`booking.cancel_with_voucher` (S0-26). What is absent is as the property's policy says. `number`: the door draws one for a message
    that has none."""

    value_rule: ValueRule | None = None
    value_amount: TypedMinor | None = None
    value_percent: RateText = ""
    expires: Day | None = None
    refund_on_expiry: bool | None = None
    number: OptionalNumber = ""
    reason: Text = ""


class VoucherIssued(Fact, frozen=True, kw_only=True):
    """`voucher.issued` (S0-26): `number` is a code of ours; `bonus` is what of `value` no money stands for (S0-36). Told again (S0-31):
    `state` good, used or expired, and `left` of its value; None: it is just issued."""

    number: str
    value: int
    expires: date | None
    currency: str
    bonus: int
    issuer_entity: str
    vat_kind: str
    vat_rate: str
    refund_on_expiry: bool
    state: str = IssuedState.GOOD.value
    left: int | None = None


class VoucherRegistered(Fact, frozen=True, kw_only=True):
    """`voucher.registered`: the hub knows this code's value."""

    number: str
    value: int
    expires: date | None
    currency: str
    origin: str


class VoucherCheckRequested(Fact, frozen=True, kw_only=True):
    """`voucher.check_requested` (S0-16, S0-35): what the merchant has to check, with the warnings. `known_value`: what the voucher's own
    book holds of it, where the hub knows (S0-21). `stage`: which time it is asked. `again`: how often the check began anew, None: it is
    the first. `payment`: whose authorisation is about to end."""

    number: str
    amount: int
    currency: str
    origin: str
    flags: tuple[str, ...]
    known_value: int | None
    due_now: int
    balance: int
    stage: str
    again: int | None = None
    payment: str = ""


class VoucherTopUpAwaited(Fact, frozen=True, kw_only=True):
    """`voucher.top_up_awaited` (S0-19): worth less than typed: `missing` of `due_now` is awaited until then; the guest may withdraw."""

    number: str
    value: int
    currency: str
    due_now: int
    missing: int
    until: datetime


class VoucherDuplicateFlagged(Fact, frozen=True, kw_only=True):
    """`voucher.duplicate_flagged` (S0-20): the number stands on several live bookings."""

    number: str
    folios: tuple[str, ...]


class VoucherHeld(Fact, frozen=True, kw_only=True):
    """`voucher.held`: `amount` of a known voucher waits for the check; `remainder` is free."""

    number: str
    amount: int
    remainder: int
    currency: str


class VoucherConsumed(Fact, frozen=True, kw_only=True):
    """`voucher.consumed`: `amount` was spent; of a known voucher `remainder` is left (S0-22)."""

    number: str
    amount: int
    remainder: int | None
    currency: str


class VoucherReleased(Fact, frozen=True, kw_only=True):
    """`voucher.released`: `amount` is free again, or came back (S0-19, S0-29)."""

    number: str
    amount: int
    remainder: int | None
    currency: str
    reason: str


class VoucherExpired(Fact, frozen=True, kw_only=True):
    """`voucher.expired`: `amount` was not used in time; `refund` of it goes back in money (S0-28)."""

    number: str
    amount: int
    refund: int
    currency: str


class VoucherConsented(Fact, frozen=True, kw_only=True):
    """`voucher.consented`: the guest agreed to a voucher in place of money."""

    text_version: str


class VoucherExpiring(Fact, frozen=True, kw_only=True):
    """`voucher.expiring` (S0-28): `amount` of a code of ours is free, `days_before` its last day."""

    number: str
    amount: int
    currency: str
    expires: date
    days_before: int
    refund_on_expiry: bool


class VoucherDeclined(Fact, frozen=True, kw_only=True):
    """`voucher.declined` (S0-19): the merchant did not accept it, or the top-up did not come, and the booking stands: `amount`, which it
    was to pay, is owed by other means."""

    number: str
    amount: int
    currency: str
    reason: str


class BookingDeclined(Fact, frozen=True, kw_only=True):
    """`booking.declined` (S0-19): the merchant did not accept the voucher, or the top-up did not come: all is voided or given back."""

    number: str
    reason: str


class VoucherRefused(Refused, frozen=True, kw_only=True):
    """`voucher.refused`."""
