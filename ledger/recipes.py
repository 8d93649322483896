"""Named recipes: each money fact of a folio, as transfers. Nothing is ever changed: `reversal` books the opposite.

All amounts are minor units of the folio's currency; zero makes no transfer, a negative amount is a ValueError of `Transfer`.
Every recipe gives a tuple, so that outcomes add them. The table in docs/rules/ledger.md says the same in words.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledger.chart import account
from ledger.transfer import Transfer
from schemas.booking import CollectedBy, LineKind
from schemas.folio import Folio, FolioLine, FolioPayment

Transfers = tuple[Transfer, ...]
_CHANNEL = CollectedBy.CHANNEL  # an enum looks its members up by name at every mention

LINE_CODES: Mapping[LineKind, str] = {
    LineKind.STAY: "stays",
    LineKind.SERVICE: "stays",
    LineKind.TOURIST_TAX: "taxes",
    LineKind.INSURANCE: "insurance",
}

OPPOSITE: Mapping[str, str] = {
    "ordered": "unordered",
    "fee_charged": "fee_returned",
    "captured": "capture_reversed",
    "line_given_back": "line_taken_again",
    "penalty_kept": "penalty_returned",
    "claim_waived": "claim_restored",
    "refund_decided": "refund_dropped",
    "refund_executed": "refund_reopened",
    "unapplied": "unapplied_reversed",
    "unapplied_decided": "unapplied_dropped",
    "foreign_refund": "foreign_refund_reversed",
    "unapplied_foreign_refund": "unapplied_foreign_refund_reversed",
    "applied": "applied_reversed",
    "disputed": "dispute_returned",
    "charged_back": "charge_back_returned",
    "unapplied_charged_back": "unapplied_charge_back_returned",
    "owed_by_channel": "owed_by_guest",
    "commission_kept": "commission_returned",
    "goodwill": "goodwill_withdrawn",
    "voucher_issued": "voucher_withdrawn",
    "voucher_bonus": "voucher_bonus_withdrawn",
    "voucher_unused": "voucher_used_after_all",
    "voucher_expired": "voucher_revived",
}
"""What undoes what: a recipe and its reversal carry these names."""

_BACK: Mapping[str, str] = {undo: do for do, undo in OPPOSITE.items()}


def reversal(transfer: Transfer) -> Transfer:
    """The transfer that undoes this one, under the opposite name; the reversal of a reversal is the first again."""
    entry = OPPOSITE.get(transfer.entry) or _BACK[transfer.entry]
    return Transfer(
        entry=entry,
        debit=transfer.credit,
        credit=transfer.debit,
        minor=transfer.minor,
        currency=transfer.currency,
        subject=transfer.subject,
    )


Owned = tuple[str, str]
"""A code of the chart and its owner: an account whose name is not written yet, since most amounts may be zero."""


def _one(entry: str, folio: Folio, debit: Owned, credit: Owned, minor: int, subject: str) -> Transfers:
    if not minor:
        return ()
    transfer = Transfer(
        entry=entry, debit=":".join(debit), credit=":".join(credit), minor=minor, currency=folio.currency, subject=subject
    )
    return (transfer,)


def _undo(transfers: Transfers) -> Transfers:
    return tuple([reversal(transfer) for transfer in transfers]) if transfers else ()


def _guest(folio: Folio) -> Owned:
    """Who owes what is ordered: the guest, or the channel that collected from the guest (X-20)."""
    return "channels" if folio.collected_by is _CHANNEL else "guest", folio.folio


def _line(folio: Folio, line: FolioLine) -> Owned:
    return LINE_CODES[line.kind], folio.folio


def _money(payment: FolioPayment) -> Owned:
    if payment.book:
        code, _, owner = payment.book.partition(":")
        return code, owner
    return ("money", f"{payment.provider}/{payment.merchant}") if payment.provider else ("till", payment.tender.value)


def guest(folio: Folio) -> str:
    """What the guest of this folio owes, or the channel in the guest's place."""
    return account(*_guest(folio))


def line_account(folio: Folio, line: FolioLine) -> str:
    """Where a line's price stands: by what it sells (X-23)."""
    return account(*_line(folio, line))


def ordered(folio: Folio, line: FolioLine, minor: int) -> Transfers:
    """`minor` of this line is ordered: the guest owes it."""
    return _one("ordered", folio, _guest(folio), _line(folio, line), minor, line.line)


def unordered(folio: Folio, line: FolioLine, minor: int) -> Transfers:
    """`minor` of this line is not ordered any more: a change of the booking, no cancellation."""
    return _undo(ordered(folio, line, minor))


def fee_charged(folio: Folio, minor: int) -> Transfers:
    """The service fee (S4-19)."""
    return _one("fee_charged", folio, _guest(folio), ("fees", folio.folio), minor, "fee")


def fee_returned(folio: Folio, minor: int) -> Transfers:
    """Fee given back: only where a knob says so (A-5), or the booking was changed to a lower one."""
    return _undo(fee_charged(folio, minor))


def captured(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """Money taken and applied (X-17)."""
    return _one("captured", folio, _money(payment), _guest(folio), minor, payment.payment)


def capture_reversed(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """Money taken back from us: bounced cheque, charge back (X-19)."""
    return _undo(captured(folio, payment, minor))


def line_given_back(folio: Folio, line: FolioLine, minor: int) -> Transfers:
    """The part of a cancelled line's price that is not kept: the guest does not owe it any more (S4-32)."""
    return _one("line_given_back", folio, _line(folio, line), _guest(folio), minor, line.line)


def line_taken_again(folio: Folio, line: FolioLine, minor: int) -> Transfers:
    """Undoes `line_given_back`: a later fact changed what is kept."""
    return _undo(line_given_back(folio, line, minor))


def penalty_kept(folio: Folio, line: FolioLine, minor: int) -> Transfers:
    """The kept part of a cancelled line's price is earned (S4-32)."""
    return _one("penalty_kept", folio, _line(folio, line), ("penalties", folio.property), minor, line.line)


def penalty_returned(folio: Folio, line: FolioLine, minor: int) -> Transfers:
    """Undoes `penalty_kept`."""
    return _undo(penalty_kept(folio, line, minor))


def claim_waived(folio: Folio, minor: int, subject: str = "claim") -> Transfers:
    """Arrhes: the penalty beyond what was collected is not claimed (S4-34)."""
    return _one("claim_waived", folio, ("penalties", folio.property), _guest(folio), minor, subject)


def claim_restored(folio: Folio, minor: int, subject: str = "claim") -> Transfers:
    """Undoes `claim_waived`: more was collected after all (X-16)."""
    return _undo(claim_waived(folio, minor, subject))


def refund_decided(folio: Folio, minor: int, refund: str) -> Transfers:
    """A refund is owed to the guest (S4-28)."""
    return _one("refund_decided", folio, _guest(folio), ("refunds", folio.folio), minor, refund)


def refund_dropped(folio: Folio, minor: int, refund: str) -> Transfers:
    """A decided refund, or a part of it, will not be made."""
    return _undo(refund_decided(folio, minor, refund))


def refund_executed(folio: Folio, payment: FolioPayment, minor: int, refund: str) -> Transfers:
    """The money left."""
    return _one("refund_executed", folio, ("refunds", folio.folio), _money(payment), minor, refund)


def refund_reopened(folio: Folio, payment: FolioPayment, minor: int, refund: str) -> Transfers:
    """A refund that had succeeded came back (Ogone 8, then 83 or 96)."""
    return _undo(refund_executed(folio, payment, minor, refund))


def unapplied(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """A receipt without a home (X-16): the guest's debt is untouched."""
    return _one("unapplied", folio, _money(payment), ("suspense", folio.folio), minor, payment.payment)


def unapplied_reversed(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """An unapplied receipt was taken back from us."""
    return _undo(unapplied(folio, payment, minor))


def applied(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """An unapplied receipt got its home: the guest's debt."""
    return _one("applied", folio, ("suspense", folio.folio), _guest(folio), minor, payment.payment)


def unapplied_decided(folio: Folio, minor: int, refund: str) -> Transfers:
    """An unapplied receipt is to be given back; `refund_executed` follows."""
    return _one("unapplied_decided", folio, ("suspense", folio.folio), ("refunds", folio.folio), minor, refund)


def unapplied_dropped(folio: Folio, minor: int, refund: str) -> Transfers:
    """Undoes `unapplied_decided`."""
    return _undo(unapplied_decided(folio, minor, refund))


def foreign_refund(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """Given back elsewhere, without us: a provider's back office, a till (X-19)."""
    return _one("foreign_refund", folio, _guest(folio), _money(payment), minor, payment.payment)


def unapplied_foreign_refund(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """An unapplied receipt was given back elsewhere, without us."""
    return _one("unapplied_foreign_refund", folio, ("suspense", folio.folio), _money(payment), minor, payment.payment)


def disputed(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """A provider has taken contested money out of our account (X-13): whose it is, is open."""
    return _one("disputed", folio, ("disputes", folio.folio), _money(payment), minor, payment.payment)


def dispute_returned(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """Undoes `disputed`: the dispute was won, or taken back."""
    return _undo(disputed(folio, payment, minor))


def charged_back(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """The payer has contested money back for good (X-13): the guest owes it again, or it has no home to leave (X-16)."""
    entry, debit = ("unapplied_charged_back", ("suspense", folio.folio)) if payment.unapplied else ("charged_back", _guest(folio))
    return _one(entry, folio, debit, ("disputes", folio.folio), minor, payment.payment)


def charge_back_returned(folio: Folio, payment: FolioPayment, minor: int) -> Transfers:
    """Undoes `charged_back`: it was told as reversed while the dispute was open, and the dispute was not lost."""
    return _undo(charged_back(folio, payment, minor))


def owed_by_channel(folio: Folio, minor: int) -> Transfers:
    """The booking is collected by a channel from now on, which owes what the guest did (X-20)."""
    return _one("owed_by_channel", folio, ("channels", folio.folio), ("guest", folio.folio), minor, folio.folio)


def owed_by_guest(folio: Folio, minor: int) -> Transfers:
    """Undoes `owed_by_channel`: the guest owes again what the channel did."""
    return _undo(owed_by_channel(folio, minor))


def commission_kept(folio: Folio, minor: int) -> Transfers:
    """Commission that a channel keeps of what it owes (X-20)."""
    return _one("commission_kept", folio, ("commission_costs", folio.property), ("commissions", folio.folio), minor, folio.folio)


def commission_returned(folio: Folio, minor: int) -> Transfers:
    """Undoes `commission_kept`: commission that the channel gives back (S4-38)."""
    return _undo(commission_kept(folio, minor))


def goodwill(folio: Folio, minor: int, subject: str) -> Transfers:
    """Given beyond what the rule gives (S4-46): a cost of the property."""
    return _one("goodwill", folio, ("goodwill", folio.property), _guest(folio), minor, subject)


def goodwill_withdrawn(folio: Folio, minor: int, subject: str) -> Transfers:
    """Undoes `goodwill`: the second person said no."""
    return _undo(goodwill(folio, minor, subject))


def voucher_account(key: str) -> str:
    """Where the value of a voucher issued here stands (S0-26)."""
    return account("vouchers", key)


def goodwill_account(folio: Folio) -> str:
    """Where goodwill of the folio's property stands (S0-21)."""
    return account("goodwill", folio.property)


def voucher_issued(folio: Folio, key: str, minor: int, refund: str) -> Transfers:
    """Money that was to be given back stays, as the value of a voucher (S0-26)."""
    return _one("voucher_issued", folio, ("refunds", folio.folio), ("vouchers", key), minor, refund)


def voucher_bonus(folio: Folio, key: str, minor: int) -> Transfers:
    """Value beyond what was collected: a cost of the property (S0-27, S0-36)."""
    return _one("voucher_bonus", folio, ("bonus", folio.property), ("vouchers", key), minor, key)


def voucher_unused(folio: Folio, key: str, minor: int) -> Transfers:
    """What of a voucher was not used in time is owed to the guest again (S0-28)."""
    return _one("voucher_unused", folio, ("vouchers", key), _guest(folio), minor, key)


def voucher_expired(key: str, owner: str, minor: int, currency: str) -> Transfers:
    """What of a voucher was not used in time is earned (S0-28)."""
    if not minor:
        return ()
    debit, credit = account("vouchers", key), account("breakage", owner)
    return (Transfer(entry="voucher_expired", debit=debit, credit=credit, minor=minor, currency=currency, subject=key),)
