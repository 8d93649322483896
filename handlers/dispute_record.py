"""Disputes as a folio keeps them: found, replaced, and what they say of a payment (X-13). Nothing is decided here.

Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from msgspec.structs import replace

from schemas.dispute import FolioDispute
from schemas.folio import Folio


def waits_for(payment: str, dispute: str) -> str:
    """What the end of a dispute waits for that comes before its beginning (X-2)."""
    return f"dispute:{payment}:{dispute}"


def dispute_of(folio: Folio, payment: str, dispute: str) -> FolioDispute | None:
    """The dispute of this payment by that name, or None."""
    return next((known for known in folio.disputes if known.payment == payment and known.dispute == dispute), None)


def open_disputes(folio: Folio, payment: str) -> tuple[FolioDispute, ...]:
    """Those of a payment that have not ended, oldest first."""
    return tuple([known for known in folio.disputes if known.payment == payment and known.ruling is None])


def with_dispute(folio: Folio, dispute: FolioDispute) -> Folio:
    """The folio with this dispute in place of the one of its payment and name, or added last."""
    known = dispute_of(folio, dispute.payment, dispute.dispute)
    if known is None:
        return replace(folio, disputes=(*folio.disputes, dispute))
    return replace(folio, disputes=tuple(dispute if one is known else one for one in folio.disputes))


def contested(folio: Folio, payment: str) -> int:
    """What of the payment is contested and not told as reversed yet."""
    return sum(known.minor - known.reversed for known in open_disputes(folio, payment))


def at_stake(dispute: FolioDispute) -> int:
    """What of it stands on the account of disputes in the book: taken by the provider and not owed by the guest again yet."""
    return dispute.minor - dispute.reversed if dispute.taken and dispute.ruling is None else 0


def named(dispute: FolioDispute) -> str:
    """What traces call it."""
    return (
        f"dispute {dispute.dispute} of payment {dispute.payment}"
        if dispute.dispute
        else f"the dispute of payment {dispute.payment}"
    )
