"""What accountants are told of VAT: what was sold, what is kept of it, what a credit note must give back (X-23).

Amounts are minor units with VAT in them. A `vat` is the difference between what a line owes after a decision and what it owed before
it: all that was ever told of a line adds up, to the cent, to the VAT of what stands.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas.booking import LineKind
from schemas.common import Fact


class PenaltyReason(StrEnum):
    """Why something of a price is kept (X-23): a part of it that stands for the deposit, a guest who did not come, all of it."""

    KEPT_DEPOSIT = "kept_deposit"
    NO_SHOW = "no_show"
    PRICE_KEPT = "price_kept"


class VatTreatment(StrEnum):
    """Whether what is kept bears VAT: an indemnity does not, the price of what was held ready does."""

    OUT_OF_SCOPE = "out_of_scope"
    TAXABLE = "taxable"


class SoldLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line's `amount`, and the `vat` in it at `vat_rate`."""

    line: str
    kind: LineKind
    amount: int
    vat_rate: str
    vat: int


class KeptLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What of a line is kept; out of scope it has neither `vat_rate` nor `vat`."""

    line: str
    amount: int
    reason: PenaltyReason
    treatment: VatTreatment
    vat_rate: str
    vat: int


class SaleStated(Fact, frozen=True, kw_only=True):
    """`accounting.sale_stated`: what is sold more than before, by `entity`; negative where a change of the booking sells less."""

    property: str
    entity: str
    lines: tuple[SoldLine, ...]
    amount: int
    vat: int
    currency: str


class PenaltyStated(Fact, frozen=True, kw_only=True):
    """`accounting.penalty_stated`: what is kept of cancelled lines more than before; negative where less is kept after all. What is
    neither claimed (S4-34) nor kept in the end (S4-46) is not in it."""

    request: str
    property: str
    entity: str
    lines: tuple[KeptLine, ...]
    amount: int
    vat: int
    currency: str


class CreditNoteRequested(Fact, frozen=True, kw_only=True):
    """`accounting.credit_note_requested`: sales that are taken back. `number` counts the requests of this folio from 1, without a gap:
    whoever invoices for `entity` gives the note its own number, once for each (entity, folio, number)."""

    number: int
    request: str
    property: str
    entity: str
    lines: tuple[SoldLine, ...]
    amount: int
    vat: int
    currency: str
