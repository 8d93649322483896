"""The merchant's list of vouchers: which number stands on which booking, what it is worth, what there is to check (S0-18).

Reads the list, and of one page the vouchers' books and the bookings that have them; writes nothing. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec

from engine.pages import Page, page_of, place_of
from engine.store import listing
from engine.store.listed import ListKind, Mark
from engine.store.reading import Reading
from engine.store.rows import Key
from handlers.voucher_schedule import voucher_of
from handlers.voucher_worth import free, hold_of
from schemas.folio import Folio
from schemas.voucher import VoucherStatus
from schemas.voucher_book import Voucher

_BOOK: Final = msgspec.json.Decoder(Voucher)
_FOLIO: Final = msgspec.json.Decoder(Folio)
_NOWHERE: Final = ""
"""The status of a voucher that is on no booking."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One number on one booking (`folio` empty: on none yet), `typed` in the booking's currency. `value`, `remainder` and `expires` are
    None where the hub does not know them; `hold` is what the voucher's own book says of the booking, `status` what the booking says of
    the voucher."""

    tenant: str
    number: str
    folio: str
    typed: int
    typed_currency: str
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


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which vouchers: of one status (None: of any, and those on no booking), those that wait for the merchant, those with a warning or
    without, of one property."""

    status: VoucherStatus | None = None
    to_check: bool = False
    flagged: bool | None = None
    property: str = ""

    def statuses(self) -> Sequence[str]:
        """Those that are looked through."""
        found = [_NOWHERE, *VoucherStatus] if self.status is None else [self.status]
        return [one for one in found if not self.to_check or one == VoucherStatus.PENDING_CHECK]

    def marked(self) -> Sequence[str]:
        """The marks of those that are meant."""
        return [marks for marks, flagged in (("", False), (Mark.FLAGGED.value, True)) if self.flagged in (None, flagged)]


def page(reading: Reading, tenant: str, wanted: Wanted, *, after: str = "", limit: int) -> Page[Listed]:
    """S0-18: a tenant's vouchers by number, then by booking. Raises BadAfter."""
    with reading.view():
        places = listing.page(
            reading, tenant, ListKind.VOUCHER, queues=wanted.statuses(), marked=wanted.marked(), property_=wanted.property,
            after=place_of(after, ListKind.VOUCHER), limit=limit,
        )  # fmt: skip
        keys = {Key(tenant, "voucher", place.item) for place in places}
        keys |= {Key(tenant, "folio", place.folio) for place in places if place.folio}
        bodies = listing.bodies(reading, keys)
    books = {key.key: _BOOK.decode(body) for key, body in bodies.items() if key.kind == "voucher"}
    folios = {key.key: _FOLIO.decode(body) for key, body in bodies.items() if key.kind == "folio"}
    entries = [
        on_booking(folios[place.folio], place.item, books.get(place.item)) if place.folio else _unused(tenant, books[place.item])
        for place in places
    ]
    return page_of(places, entries, limit)


def on_booking(folio: Folio, key: str, book: Voucher | None) -> Listed:
    """A voucher of a booking, with what its own book says of it; None: that has not been told of it yet."""
    paid = voucher_of(folio, key)
    assert paid is not None
    hold = hold_of(book, folio.folio) if book is not None else None
    known = book is not None and book.known
    return Listed(
        tenant=folio.tenant,
        number=book.number if book is not None else paid.number,
        folio=folio.folio,
        typed=paid.minor,
        typed_currency=folio.currency,
        held=hold.held if hold is not None else 0,
        taken=hold.taken if hold is not None else 0,
        currency=book.currency if book is not None else folio.currency,
        status=paid.status.value,
        hold=hold.state.value if hold is not None else "",
        origin=(book if book is not None and known else paid).origin.value,
        flags=tuple([flag.value for flag in paid.flags]),
        value=book.value if book is not None and known else None,
        remainder=max(0, free(book)) if book is not None and known else None,
        expires=book.expires if book is not None else None,
    )


def _unused(tenant: str, book: Voucher) -> Listed:
    return Listed(
        tenant=tenant,
        number=book.number,
        folio="",
        typed=0,
        typed_currency=book.currency,
        held=0,
        taken=0,
        currency=book.currency,
        status=_NOWHERE,
        hold="",
        origin=book.origin.value,
        flags=(),
        value=book.value if book.known else None,
        remainder=max(0, free(book)) if book.known else None,
        expires=book.expires,
    )
