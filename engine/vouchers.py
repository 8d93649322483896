"""The merchant's list of vouchers: which number stands on which booking, what it is worth, what there is to check (S0-18).

Reads every voucher's book, and the folios that name it; writes nothing. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import msgspec

from engine.store import listing
from engine.store.reading import Reading
from engine.store.rows import Key
from handlers.voucher_schedule import voucher_of
from handlers.voucher_worth import free
from schemas.folio import Folio
from schemas.voucher import VoucherStatus
from schemas.voucher_book import Voucher, VoucherHold

_BOOK = msgspec.json.Decoder(Voucher)
_FOLIO = msgspec.json.Decoder(Folio)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One number on one booking (`folio` empty: on none yet). `value`, `remainder` and `expires` are None where the hub does not know them;
    `hold` is what the voucher's own book says of the booking, `status` what the booking says of the voucher."""

    tenant: str
    number: str
    folio: str
    typed: int
    held: int
    taken: int
    currency: str
    status: str
    hold: str
    origin: str
    flags: tuple[str, ...]
    value: int | None
    remainder: int | None
    expires: date | None


def listed(reading: Reading, *, tenant: str = "", to_check: bool = False, flagged: bool = False) -> Iterator[Listed]:
    """S0-18: by tenant and number, then by booking. `to_check`: those that wait for the merchant; `flagged`: those with a warning."""
    for row in listing.vouchers(reading, tenant):
        book = _BOOK.decode(row["body"])
        for hold in book.holds:
            one = _with_booking(reading, row["tenant"], book, hold)
            waits = one.status == VoucherStatus.PENDING_CHECK
            if (waits or not to_check) and (one.flags or not flagged):
                yield one
        if not (book.holds or to_check or flagged):
            yield _listed(row["tenant"], book, None, None)


def _with_booking(reading: Reading, tenant: str, book: Voucher, hold: VoucherHold) -> Listed:
    state = reading.state(Key(tenant, "folio", hold.folio))
    folio = _FOLIO.decode(state["body"]) if state is not None and state["body"] is not None else None
    return _listed(tenant, book, hold, folio)


def _listed(tenant: str, book: Voucher, hold: VoucherHold | None, folio: Folio | None) -> Listed:
    paid = voucher_of(folio, book.key) if folio is not None else None
    return Listed(
        tenant=tenant,
        number=book.number,
        folio=hold.folio if hold is not None else "",
        typed=hold.asked if hold is not None else 0,
        held=hold.held if hold is not None else 0,
        taken=hold.taken if hold is not None else 0,
        currency=book.currency,
        status=paid.status.value if paid is not None else "",
        hold=hold.state.value if hold is not None else "",
        origin=(paid if paid is not None and not book.known else book).origin.value,
        flags=tuple([flag.value for flag in paid.flags]) if paid is not None else (),
        value=book.value if book.known else None,
        remainder=max(0, free(book)) if book.known else None,
        expires=book.expires,
    )
