"""Voucher value that goes back to its voucher, and what of an issued voucher goes back in money (S0-28, S0-29).

No way leads from a voucher's payment to a card, a till or a bank. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from handlers.outcome import Internal
from ledger import recipes
from schemas.folio import Folio, FolioPayment, RefundPart
from schemas.refund import Destination
from schemas.voucher_code import normalised
from schemas.voucher_talk import VoucherAnswered, VoucherAsked, VoucherMoneyGone


def asked_back(folio: Folio, payment: FolioPayment, part: RefundPart, refund: str) -> Internal:
    """S0-29: the voucher is asked to take its part back; what was the house's goodwill is the house's again."""
    if payment.book == recipes.goodwill_account(folio):
        answer = VoucherAnswered(
            key=payment.voucher, minor=part.minor, refund=refund, payment=payment.payment, reason="goodwill of the house"
        )
        return Internal(kind="folio", key=folio.folio, name="voucher.credit_answered", body=answer)
    asked = VoucherAsked(
        folio=folio.folio,
        number=payment.voucher,
        minor=part.minor,
        currency=folio.currency,
        refund=refund,
        payment=payment.payment,
        reason=f"refund {refund}",
    )
    return Internal(kind="voucher", key=payment.voucher, name="voucher.credit_asked", body=asked)


def voucher_warned(folio: Folio, payment: FolioPayment, minor: int) -> tuple[Internal, ...]:
    """S0-23, X-19: the voucher that was issued for this money hears that it was taken back: entered, it is flagged."""
    if folio.issued is None:
        return ()
    parts = [part for refund in folio.refunds for part in refund.parts if part.payment == payment.payment]
    if not [part for part in parts if part.destination == Destination.VOUCHER]:
        return ()
    body = VoucherMoneyGone(folio=folio.folio, minor=minor)
    return (Internal(kind="voucher", key=normalised(folio.issued.number), name="voucher.money_gone", body=body),)
