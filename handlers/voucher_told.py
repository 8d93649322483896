"""A voucher that is told as a payment, by its number: the same value as one that is entered, and taken once (S0-20, S0-21)."""

from __future__ import annotations

from handlers import account
from handlers.payment_states import GONE
from handlers.voucher_schedule import LET_GO, waiting
from schemas.balance import BalanceReportCollected
from schemas.errors import Rejected, Stale
from schemas.folio import Folio, FolioPayment
from schemas.folio_voucher import FolioVoucher
from schemas.payment import Payment, Tender
from schemas.voucher_book import Voucher
from schemas.voucher_code import masked, normalised


def told_as_voucher(payment: FolioPayment, key: str) -> bool:
    """S0-20: whether this payment was told as the voucher of that number, by its own id or its provider's reference."""
    lives = payment.tender is Tender.VOUCHER and not payment.voucher and payment.status not in GONE
    return lives and key in _keys(payment.payment, payment.reference)


def told_keys(message: Payment | BalanceReportCollected, folio: Folio | None) -> tuple[str, ...]:
    """S0-20: the vouchers that a message may tell as a payment: its provider's reference, which may be new of a payment that is known, and
    its id. None where its tender is said, and another."""
    if folio is None:
        return ()
    if isinstance(message, Payment) and _tender(message, account.payment_of(folio, message.payment)) is not Tender.VOUCHER:
        return ()
    return _keys(message.provider_reference, message.payment)


def check_told(message: Payment, folio: Folio, known: FolioPayment | None, book: Voucher | None, *, moves: bool) -> None:
    """S0-20, S0-21: a voucher is counted once, whether it is entered or told as a payment. `moves`: the message makes more of the payment
    than a name.

    Raises Stale for a voucher that is accepted on this booking, Rejected `voucher_entered` for one that waits for its check here, and
    `own_voucher`.
    """
    if _tender(message, known) is not Tender.VOUCHER:
        return
    entered = _entered(message, folio) if moves else None
    if entered is not None and entered not in waiting(folio):
        raise Stale(f"voucher {entered.number} is accepted and counted already", field="payment", value=message.payment)
    if entered is not None:
        raise _twice(entered, message)
    if moves:
        _check_own(message.payment, message.provider_reference, book)
    elif known is not None and not known.reference:
        _check_own("", message.provider_reference, book)


def check_reported(message: BalanceReportCollected, folio: Folio, book: Voucher | None) -> None:
    """S0-20, S0-21: the same of a voucher that the merchant reports as the money of a balance. Raises Rejected `voucher_entered` and
    `own_voucher`."""
    entered = _entered(message, folio)
    if entered is not None:
        raise _twice(entered, message)
    _check_own(message.payment, message.provider_reference, book)


def _entered(message: Payment | BalanceReportCollected, folio: Folio) -> FolioVoucher | None:
    """The booking's voucher that the message names, unless it was let go."""
    keys = _keys(message.payment, message.provider_reference)
    return next((one for one in folio.vouchers if one.key in keys and one.status not in LET_GO), None)


def _twice(entered: FolioVoucher, message: Payment | BalanceReportCollected) -> Rejected:
    text = (
        f"voucher {entered.number} was entered and is {entered.status.value}: voucher.check says what it is worth, no payment does"
    )
    return Rejected(text, code="voucher_entered", rule="S0-20", field="payment", value=message.payment)


def _check_own(payment: str, reference: str, book: Voucher | None) -> None:
    """S0-21: a voucher whose value the hub knows is spent through its own book alone, which every booking of it sees."""
    if book is None or not book.known or book.key not in _keys(payment, reference):
        return
    field = "payment" if normalised(payment) == book.key else "provider_reference"
    shown = masked(book.key)
    text = f"the hub keeps the value of voucher {shown}: enter its number by voucher.enter, so that it is taken once"
    raise Rejected(text, code="own_voucher", rule="S0-21", field=field, value=shown)


def _tender(message: Payment, known: FolioPayment | None) -> Tender:
    """That of the payment, which its first message said."""
    return known.tender if known is not None else message.tender


def _keys(*names: str) -> tuple[str, ...]:
    return tuple([key for name in names if (key := normalised(name))])
