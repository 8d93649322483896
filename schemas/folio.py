"""The folio: the account of a stay as the hub knows it. One immutable value; decisions return the next one.

Amounts are minor units of `currency`. What was personal in the messages is not here.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import msgspec

from schemas.accounting import PenaltyReason
from schemas.balance_request import BalanceRequest
from schemas.booking import CollectedBy, DepositNature, LineKind, PaymentPlan, SaleChannel
from schemas.cancellation import Cause, LineChoice, QuotedLine
from schemas.dispute import FolioDispute
from schemas.effect import EffectState
from schemas.folio_approval import FolioApproval
from schemas.folio_voucher import FolioVoucher, IssuedVoucher, PlannedPayments
from schemas.notice import NoticeKind, NoticeState
from schemas.payment import CardFlag, Initiation, Tender, Through


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of what an aggregate keeps."""


class FolioStatus(StrEnum):
    """Where the booking stands; money has its own states."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class PaymentStatus(StrEnum):
    """AUTHORISED can be captured or voided; PENDING is taken but not final at the provider (51, 91, 52, 92: X-17)."""

    AUTHORISED = "authorised"
    PENDING = "pending"
    CAPTURED = "captured"
    VOIDED = "voided"
    REVERSED = "reversed"


class RequestStatus(StrEnum):
    """S4-30."""

    QUOTED = "quoted"
    CONFIRMED = "confirmed"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    REFUSED = "refused"
    QUOTE_EXPIRED = "quote_expired"
    REFUND_FAILED = "refund_failed"
    WITHDRAWN = "withdrawn"


class PartStatus(StrEnum):
    """One part of a refund: WAITING depends on a payment that is not final, HELD on a dispute (X-13), MANUAL on a person's hands."""

    WAITING = "waiting"
    HELD = "held"
    REQUESTED = "requested"
    MANUAL = "manual"
    EXECUTED = "executed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NEEDS_PERSON = "needs_person"
    REVERSED = "reversed"
    DROPPED = "dropped"


class KeptPart(State, frozen=True, kw_only=True):
    """What a line keeps of its `kept` since one cancellation, for one reason, as accounting was told it (X-23): `minor`, of which `let_go`
    is let go again (a claim that is waived, goodwill); `price` is what was cancelled `at`; `taxed`: the rest bears VAT."""

    reason: PenaltyReason
    minor: int
    price: int = 0
    at: datetime | None = None
    let_go: int = 0
    taxed: bool = False

    def rest(self) -> int:
        """What is not let go, minor units."""
        return self.minor - self.let_go


class FolioLine(State, frozen=True, kw_only=True):
    """One service. `policy` is the frozen terms' version. A cancelled line keeps `kept` (its penalty) and gave back the rest;
    a live line owes `price + kept`, where `kept` is the penalty on nights it lost (S4-37).
    `rate_cap` (an exact rate as text) is the best refund rate it may still get after a move (S4-45)."""

    line: str
    kind: LineKind
    trade: str
    price: int
    policy: str
    arrival: date | None = None
    departure: date | None = None
    accommodation: str = ""
    accommodation_type: str = ""
    quantity: int = 1
    vat_rate: str = ""
    cancelled: bool = False
    kept: int = 0
    given_up: int = 0  # what of `kept` nobody owes: of tourist tax and insurance alone
    rate_cap: str = ""
    commission_free: int = 0  # what of `kept` bears no commission (S4-38)
    settled_base: int = 0  # what of `kept` bears commission at the rates that the booking had before,
    settled_commission: int = 0  # and the commission of that, minor units
    kept_parts: tuple[KeptPart, ...] = ()  # `kept` by cancellation, oldest first, where VAT is known of any line


class CaptureRecord(State, frozen=True, kw_only=True):
    """A capture that its provider has shown: `record` is its name there, `minor` what of `captured` it is. `stands` False: it was taken
    back, or refused after it had been told as made."""

    record: str
    minor: int
    stands: bool = True


class FolioPayment(State, frozen=True, kw_only=True):
    """Money of one payment. `refunding` is decided and not yet final, `refunded` final, `foreign` given back elsewhere without us;
    `refunding + refunded + foreign <= captured` always (X-3). `reversed` was taken back from us (bounced cheque, charge back: X-19),
    `reversed_told` is what of it messages have told (None: all of it); the provider's records may tell the same. `unapplied`: has no
    home (X-16). `number` counts its refunds."""

    payment: str
    tender: Tender
    status: PaymentStatus
    position: int
    authorised: int = 0
    captured: int = 0
    refunding: int = 0
    refunded: int = 0
    foreign: int = 0
    reversed: int = 0
    reversed_told: int | None = None
    occurred_at: datetime | None = None
    provider: str = ""
    merchant: str = ""
    reference: str = ""
    order: str = ""
    initiation: Initiation = Initiation.UNKNOWN
    sca: str = ""
    eci: str = ""
    scheme_transaction: str = ""
    mandate: str = ""
    mandate_version: str = ""
    payer: str = ""
    through: Through | None = None
    flags: tuple[CardFlag, ...] = ()  # what was told of how the card was used
    unapplied: bool = False
    told_as: str = ""  # a payment message's own id, of money that a merchant had reported before (S1-45)
    reported: bool = False  # by a merchant, of the balance; no payment message has told it yet
    number: int = 0
    closing: str = ""  # what was asked of its authorisation, once and last: capture or void
    captures: tuple[CaptureRecord, ...] = ()  # what of `captured` the provider has shown, and is known by name
    foreign_told: tuple[int, ...] = ()  # refunds elsewhere that a person told and the provider has not shown yet
    foreign_shown: tuple[tuple[str, int], ...] = ()  # records of such that it has shown and nobody told yet
    foreign_records: tuple[str, ...] = ()  # refunds that the provider shows and nobody here made
    foreign_partly: tuple[tuple[str, int], ...] = ()  # those of which less is in `foreign`, and how much: no more was there
    voucher: str = ""  # the number, in its one spelling, of the voucher that this is (S0-8)
    book: str = ""  # the account on which its money stands, where that is no provider's and no till: a voucher's, or goodwill
    taken_by: CollectedBy | None = (
        None  # who collected it, where that is another than collects now; None: who the folio says
    )

    def collected(self) -> int:
        """What of it is with us and not promised back, minor units; negative when it was refunded and then charged back."""
        return self.captured - self.reversed - self.refunding - self.refunded - self.foreign

    def refundable(self) -> int:
        """What may still be given back, minor units."""
        left = self.collected()
        return left if left > 0 else 0


class RefundPart(State, frozen=True, kw_only=True):
    """The part of a refund that one payment gives. `effect` is empty for what no provider does. `doubted`: a person, and not the
    provider, has said that the request was refused."""

    payment: str
    tender: Tender
    minor: int
    destination: str
    status: PartStatus
    number: int
    effect: str = ""
    record: str = ""
    doubted: bool = False


class FolioRefund(State, frozen=True, kw_only=True):
    """One decided refund: `minor` = sum of its parts."""

    refund: str
    minor: int
    due_by: datetime
    parts: tuple[RefundPart, ...]
    request: str = ""


class FolioQuote(State, frozen=True, kw_only=True):
    """What was shown: bound to the folio's `revision_seen` (its count of changes)."""

    quote: str
    made_at: datetime
    valid_until: datetime
    changes: int
    lines: tuple[QuotedLine, ...]
    penalty: int
    refund: int
    claim: int
    kept: int


class CancelRequest(State, frozen=True, kw_only=True):
    """A cancellation asked for, by whom and for what, with its latest quote."""

    request: str
    status: RequestStatus
    cause: Cause
    requested_at: datetime
    lines: tuple[LineChoice, ...] = ()
    proof: str = ""
    destination: str = ""
    asked_by: str = ""  # kind:id
    quote: FolioQuote | None = None
    refund: str = ""
    told_none: bool = False  # the system of record said that nothing goes back (S4-25)


class PendingEffect(State, frozen=True, kw_only=True):
    """An effect of this folio that is not final, so that replies and approvals find their part."""

    effect: str
    kind: str
    state: EffectState
    payment: str
    minor: int
    refund: str = ""
    asked_by: str = ""
    needs_approval: bool = False


class FolioNotice(State, frozen=True, kw_only=True):
    """A notice of this folio. `occasion` is what it was written about: the same one is not written about twice (S1-41)."""

    notice: str
    kind: NoticeKind
    attempt: int
    occasion: str = ""
    state: NoticeState = NoticeState.PLANNED


class Waiver(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the cancellation of some lines gave up at `at`, minor units of `waived`; `aside`: the lines of tourist tax and insurance that it
    gave up any of (X-23); `first`: what was kept already and not paid, the fee with it, which money covers before."""

    at: datetime
    minor: int
    aside: tuple[str, ...] = ()
    first: int = 0


class OtherPlan(State, frozen=True, kw_only=True):
    """What the payments would be, without vouchers, if money had moved by `at`, the instant of a change that knew of none (X-2, S4-37)."""

    at: datetime
    due_now: int
    second_payment: int
    due_on: date | None = None


class Folio(State, frozen=True, kw_only=True):
    """The account. `changes` counts decisions that changed what a quote depends on; `revisions` the last revision by source.

    ordered = live lines + kept of lines + fee still charged - `waived` - `goodwill`; collected = captured - given back, of applied
    payments. `waived`: what of it is not claimed (S4-34), `given_up` of lines with it; `goodwill`: given beyond the rule (S4-46).
    """

    folio: str
    tenant: str
    property: str
    policy: str  # frozen property policy's version
    currency: str
    status: FolioStatus
    lines: tuple[FolioLine, ...]
    channel: SaleChannel
    payment_plan: PaymentPlan
    booked_at: datetime
    service_fee: int = 0
    fee_returned: int = 0
    claim: int = 0
    waived: int = 0
    goodwill: int = 0
    revisions: dict[str, int] = msgspec.field(default_factory=dict)
    changes: int = 0
    deposit_nature: DepositNature = DepositNature.ARRHES
    collected_by: CollectedBy = CollectedBy.PROPERTY
    is_package: bool = False
    client: str = ""
    sub_agency: str = ""
    commission_rate: str = ""
    commission: int = 0  # what a channel that collects keeps for itself
    fee_basis: str = ""
    funds_holder: str = ""
    max_advance_rate: str = ""
    max_advance_months: int | None = None
    language: str = ""
    person: str = ""
    due_now: int = 0
    second_payment: int = 0
    second_payment_on: date | None = None
    other_plans: tuple[OtherPlan, ...] = ()  # oldest first: a payment that is told late takes the first one that it was in time for
    cancelled_at: datetime | None = None
    cancelled_by: str = ""  # request id, or "record" for the system of record
    reduced_at: datetime | None = None  # when some lines, or some nights, were last cancelled
    waivers: tuple[Waiver, ...] = ()  # what of `waived` each such cancellation gave up: only money of before covers it
    payments: tuple[FolioPayment, ...] = ()
    refunds: tuple[FolioRefund, ...] = ()
    requests: tuple[CancelRequest, ...] = ()
    effects: tuple[PendingEffect, ...] = ()
    balance_requests: tuple[BalanceRequest, ...] = ()  # oldest first; one of an accommodation is live at most (S1-20)
    notified: tuple[str, ...] = ()  # what callbacks named at a provider before the payment was known: ids and orders
    vouchers: tuple[FolioVoucher, ...] = ()
    planned: PlannedPayments | None = None  # what would be due without them (S0-11)
    top_up_until: datetime | None = None  # S0-19
    voucher_consent: str = ""  # the text that the guest agreed to (S0-28)
    issued: IssuedVoucher | None = None  # what it was cancelled for (S0-26)
    notices: tuple[FolioNotice, ...] = ()
    credit_notes: int = 0  # requested so far
    disputes: tuple[FolioDispute, ...] = ()  # oldest first
    approvals: tuple[FolioApproval, ...] = ()  # what waits for a second person beside effects


class AreaEvent(State, frozen=True, kw_only=True):
    """A force-majeure event: local days from `start` to `end`, both included (S4-36)."""

    event: str
    start: date
    end: date
    cause: str = ""


class Area(State, frozen=True, kw_only=True):
    """What is declared for an area."""

    area: str
    events: tuple[AreaEvent, ...] = ()


class ReferenceState(State, frozen=True, kw_only=True):
    """A name and the folio it is bound to (empty: not yet). `watchers` (namespace, value) want to be told."""

    namespace: str
    value: str
    folio: str = ""
    watchers: tuple[tuple[str, str], ...] = ()
