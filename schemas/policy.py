"""Policies as values: terms of cancellation, and the knobs of a property. Versioned, frozen with each booking (S4-40, X-8).

`config/` reads them from TOML, where unknown keys are refused; `handlers/` only see these structs.
"""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from fractions import Fraction

import msgspec

from schemas.accounting import PenaltyReason, VatTreatment
from schemas.cancellation import Cause
from schemas.common import ActorKind
from schemas.notice import NoticeKind
from schemas.payment import Tender
from schemas.voucher import ValueRule, VatKind, VoucherScope


class Boundary(StrEnum):
    """A-1: on the day a tranche ends, who gains. guest: `>=` the tranche's days; owner: `>`."""

    GUEST = "guest"
    OWNER = "owner"


class Unit(StrEnum):
    """A-2: notice in calendar days of the property's zone, or in hours before `drop_time` on the arrival day."""

    DAY = "day"
    HOUR = "hour"


class DepositBasis(StrEnum):
    """A-3: the deposit takes the part that tranche 2 keeps, or its refund rate literally."""

    RETAINED = "retained"
    REFUND_RATE = "refund_rate"


class RefundBase(StrEnum):
    """A-4: penalty on the price and refund by subtraction, or the refund rate on what was collected."""

    PRICE = "price"
    COLLECTED = "collected"


class TenderOrder(StrEnum):
    """A-17: which tender gives first when several were used."""

    PROPORTIONAL = "proportional"
    CARD_FIRST = "card_first"
    VOUCHER_FIRST = "voucher_first"
    FIRST_PAID = "first_paid"
    LAST_PAID = "last_paid"


class WithinTender(StrEnum):
    """X-18: inside one tender."""

    LAST_PAID = "last_paid"
    FIRST_PAID = "first_paid"


class CommissionOnPenalty(StrEnum):
    """A-30: commission on the penalty kept stays due, or is given back too."""

    STAYS_DUE = "stays_due"
    WAIVED = "waived"


class OverpaidRule(StrEnum):
    """S1-33: what was collected beyond what is ordered stays to the guest's credit with the booking, or goes back by itself."""

    CREDIT = "credit"
    REFUND = "refund"


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A policy: what is not a key of it is a mistake."""


class Tranche(Strict, frozen=True, kw_only=True):
    """An interval before arrival: at least `from_notice` days (or hours, by the unit) of notice give `refund` of the price."""

    from_notice: int
    refund: Fraction


class Terms(Strict, frozen=True, kw_only=True):
    """One trade's cancellation terms at one hardness (S4-1 to S4-4): exactly three tranches, longest notice first, the last one
    without lower limit (its `from_notice` is not read). Bookings name them `trade/level`; `version` is what is frozen."""

    name: str  # outdoor/flexible
    version: str  # outdoor/flexible/1
    trade: str
    tranches: tuple[Tranche, Tranche, Tranche]
    valid_from: date | None = None
    valid_to: date | None = None
    boundary: Boundary = Boundary.GUEST
    unit: Unit = Unit.DAY
    drop_time: time = time(16, 0)
    deposit_basis: DepositBasis = DepositBasis.RETAINED
    refund_base: RefundBase = RefundBase.PRICE
    second_payment_days: int | None = None  # S4-13: absent, the lower bound of tranche 2
    commission_on_penalty: CommissionOnPenalty = CommissionOnPenalty.STAYS_DUE
    label: dict[str, str] = msgspec.field(default_factory=dict)


def _who() -> dict[Cause, tuple[ActorKind, ...]]:
    guest = (ActorKind.GUEST, ActorKind.CHANNEL)
    house = (ActorKind.MERCHANT, ActorKind.PLATFORM, ActorKind.OPERATOR)
    return {Cause.GUEST: guest, Cause.NO_SHOW: house, Cause.FORCE_MAJEURE: (*guest, *house), Cause.OWNER: house}


class BalancePolicy(Strict, frozen=True, kw_only=True):
    """How a property asks for the balance of its bookings (S1-2 to S1-6); stored as one (S1-10). Days are calendar days of its zone.

    The most specific of the three due days counts (S1-3); `methods` are some of the property's `payment_methods`.
    """

    due_days: int
    methods: tuple[Tender, ...]
    due_days_by_type: dict[str, int] = msgspec.field(default_factory=dict)
    due_days_by_accommodation: dict[str, int] = msgspec.field(default_factory=dict)
    notice_days: int = 10  # S1-4
    send_time: time = time(9, 0)  # S1-29
    suspend_moves_deadline: bool = True
    auto_cancel_overdue: bool = False
    collection_days: int = 5  # S1-45
    grace_days: int = 3  # S1-43: a mail that was missed is still sent while the deadline has not gone by for longer
    per_accommodation: bool = False  # S1-39: one request for each
    reapply: bool = False  # S1-11: an operator may bring an earlier booking under these settings


class PenaltyVat(Strict, frozen=True, kw_only=True):
    """X-23: whether what is kept bears VAT, by why it is kept."""

    kept_deposit: VatTreatment = VatTreatment.OUT_OF_SCOPE
    no_show: VatTreatment = VatTreatment.TAXABLE
    price_kept: VatTreatment = VatTreatment.TAXABLE

    def of(self, reason: PenaltyReason) -> VatTreatment:
        """The treatment of what is kept for this reason."""
        return {
            PenaltyReason.KEPT_DEPOSIT: self.kept_deposit,
            PenaltyReason.NO_SHOW: self.no_show,
            PenaltyReason.PRICE_KEPT: self.price_kept,
        }[reason]


class PropertyPolicy(Strict, frozen=True, kw_only=True):
    """What a property has settled, by version, frozen with each booking. Amounts are minor units of the booking's currency.

    `split_cap` (S4-15) collects everything at once; `split_thresholds` (S4-16) by trade; `fee_refundable_on` (A-5, A-7, S4-44).
    """

    property: str
    version: str
    tenant: str
    zone: str  # IANA; the loader refuses an unknown one
    areas: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ("EUR",)
    languages: tuple[str, ...] = ("fr", "en")
    split_cap: bool = False
    split_thresholds: dict[str, int] = msgspec.field(default_factory=dict)
    fee_refundable_on: tuple[Cause, ...] = (Cause.OWNER,)
    who_may_cancel: dict[Cause, tuple[ActorKind, ...]] = msgspec.field(default_factory=_who)
    quote_minutes: int = 30
    tranche_floor_on_move: bool = True
    tender_order: TenderOrder = TenderOrder.PROPORTIONAL
    within_tender: WithinTender = WithinTender.LAST_PAID
    overpaid: OverpaidRule = OverpaidRule.CREDIT
    refund_due_days: int = 14
    arrhes_double: bool = False  # S4-44, French rule pack
    approval_above: int | None = None  # a refund of more waits for a second person
    override_above: int | None = (
        10_000  # S4-46, A-14: goodwill or a bonus of more waits for a second person, unless a property says more
    )
    payment_methods: tuple[Tender, ...] = ()  # S1-6: what a guest may pay with
    balance: BalancePolicy | None = None  # S1-1: none: no balance is asked for by itself
    # vouchers (S0)
    company: str = ""  # S0-33: SIREN or SIRET; empty: the tenant's
    max_vouchers: int = 1
    second_tenders: tuple[Tender, ...] = (Tender.CARD,)  # S0-7, S0-13: what may complete a deposit beside a voucher
    enforce_known_vouchers: bool = False  # refuses more than the voucher's own book holds
    voucher_reminder_hours: int = 24  # S0-35
    voucher_escalation_hours: int = 48
    top_up_hours: int = 48  # S0-19
    authorisation_days: int = 7  # S0-35: how long a provider keeps an authorisation; told a day before
    voucher_hold_days: int = 30  # how long a known voucher waits for a check
    voucher_value_rule: ValueRule = ValueRule.COLLECTED
    voucher_value_amount: int | None = None  # for fixed_amount
    voucher_value_percent: Fraction = Fraction(1)  # for percent_of_collected; more than all of it is a bonus
    voucher_months: int = 18  # S0-28: how long a voucher is good; 0: for ever
    voucher_warning_days: tuple[int, ...] = (30,)  # S0-28: days before its last one; whoever has such a voucher is told
    voucher_consent: bool = False  # S0-28: only to a guest who agreed
    refund_on_expiry: bool = False  # S0-28: what was not used goes back in money
    voucher_scope: VoucherScope = VoucherScope.ENTITY  # S0-36
    voucher_vat_kind: VatKind = VatKind.UNKNOWN
    voucher_vat_rate: str = ""
    penalty_vat: PenaltyVat = PenaltyVat()
    notices: tuple[NoticeKind, ...] = ()  # S0-34: what guests and the merchant are written about


class TenantPolicy(Strict, frozen=True, kw_only=True):
    """What a tenant has settled for all its properties; brakes on payouts (X-27) in minor units of `currency`."""

    tenant: str
    version: str
    currency: str = "EUR"
    zone: str = ""  # used for a property without a zone only if set here
    late_tolerance_hours: int = 24
    parked_alarm_hours: int = 24  # an early message that waits longer is told again
    day_sum: int | None = None
    property_day_sum: int | None = None
    velocity_per_hour: int | None = None
    # vouchers (S0)
    plan: str = ""  # S0-1
    company: str = ""  # S0-33: SIREN or SIRET of the legal entity


class SourceProfile(Strict, frozen=True, kw_only=True):
    """A sender of messages (a PMS, an engine): whether its own clock is trusted (X-16), whether it numbers its revisions."""

    source: str
    tenant: str
    trust_time: bool = False
    revisions: bool = True
    outcomes: tuple[str, ...] = ()  # families it wants sent to it over AMQP


class ChannelProfile(Strict, frozen=True, kw_only=True):
    """An XML channel: how its dialect is read, and what it is answered.

    `amount_reading`: schema (Amount 8500 with DecimalPlaces 2 is 85.00) or major (DecimalPlaces is ignored). `retry`: what a
    repeated message gets. `answer_s`: within how long it wants its answer. `properties` and `terms` map its codes to ours.
    """

    channel: str
    tenant: str
    source: str = ""  # default ota.<channel>
    dialect: str = "ota"
    amount_reading: str = "schema"
    trust_time: bool = False
    retry: str = "stored"
    answer_s: float = 5.0
    identity: str = "unique_id"  # what identifies a message: unique_id | echo_token | message_id
    properties: dict[str, str] = msgspec.field(default_factory=dict)
    default_property: str = ""
    terms: dict[str, str] = msgspec.field(default_factory=dict)
    default_terms: str = ""
    trade: str = "outdoor"
    currency: str = ""
    payment_plan: str = "full"
    collected_by: str = "property"
    commission_rate: str = ""
    encodings: tuple[str, ...] = ("utf-8", "iso-8859-1", "us-ascii")
