"""Vouchers of a booking that is not going to take place: what is not accepted yet is let go (S0-19, S0-25)."""

from __future__ import annotations

from msgspec.structs import replace

from handlers.approval import dropped
from handlers.outcome import Internal, Outcome, Step, folio_of, merge
from handlers.voucher_schedule import WAITS
from schemas.folio import Folio
from schemas.folio_voucher import FolioVoucher
from schemas.voucher import Stage, VoucherStatus
from schemas.voucher_talk import VoucherAsked

VOUCHER_CHECK = "voucher_check"
TOP_UP = "voucher_top_up"


def check_timers(key: str) -> tuple[str, ...]:
    """The names of the timers that remind the merchant of a voucher (S0-35)."""
    return tuple(f"{VOUCHER_CHECK}:{stage.value}:{key}" for stage in (Stage.REMINDER, Stage.ESCALATION))


def authorisation_timer(payment: str) -> str:
    """The name of the timer that tells of an authorisation's end (S0-35)."""
    return f"{VOUCHER_CHECK}:authorisation:{payment}"


def ask(name: str, folio: Folio, voucher: FolioVoucher, minor: int, *, reason: str = "") -> Internal:
    """A word of the folio to the voucher's own book: voucher.hold_asked, settle_asked or release_asked."""
    body = VoucherAsked(
        folio=folio.folio,
        number=voucher.number,
        minor=minor,
        currency=folio.currency,
        property=folio.property,
        person=folio.person,
        reason=reason,
    )
    return Internal(kind="voucher", key=voucher.key, name=name, body=body)


def released(folio: Folio, reason: str) -> Outcome:
    """S0-19, S0-25: the holds of vouchers that nobody has accepted for good are released, and nobody is reminded of them; what a second
    person was to grant of this booking is not waited for, but for its refunds."""
    if not folio.vouchers and not folio.approvals:
        return Outcome(state=folio)
    unasked = dropped(folio, tuple([one for one in folio.approvals if not one.refund]))
    return merge(unasked, _holds_released(folio_of(unasked), reason))


def _holds_released(folio: Folio, reason: str) -> Outcome:
    left = [voucher for voucher in folio.vouchers if voucher.status in WAITS]
    vouchers = tuple([_let_go(voucher) for voucher in folio.vouchers])
    return Outcome(
        state=replace(folio, vouchers=vouchers, top_up_until=None),
        messages=tuple([ask("voucher.release_asked", folio, voucher, voucher.minor, reason=reason) for voucher in left]),
        cancel=(
            *[name for voucher in left for name in check_timers(voucher.key)],
            *[authorisation_timer(payment.payment) for payment in folio.payments],
            TOP_UP,
        ),
        trace=tuple([Step("S0-19", f"voucher {voucher.number}: hold released, {reason}") for voucher in left]),
    )


def _let_go(voucher: FolioVoucher) -> FolioVoucher:
    return replace(voucher, status=VoucherStatus.RELEASED, counts=0, held=0) if voucher.status in WAITS else voucher
