"""The journal of one tenant's day, for accountants: transfers, sums, VAT, what is owed on vouchers, receipts without a home.

A day is one of a property's zone. A transfer is of the day on which it was booked, so that a day that is over stays as it is. Amounts are
minor units. Nothing is written, and nothing of a person is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from engine.clock import instant, micros
from engine.journal_answer import AccountTotal, DaySums, Journal, JournalTransfer, VatTotal
from engine.journal_held import held, unapplied, vouchers
from engine.settled import Settled, check_property, properties_of, tenant_of
from engine.store import journal
from engine.store.journal import Booked, Day
from engine.store.reading import Reading
from engine.store.rows import Key
from handlers.frozen import zone_of
from handlers.penalty import start_of_day
from handlers.voucher_worth import entity_of
from ledger.chart import entry_of
from schemas.common import DATES, EARLIEST, LATEST
from schemas.errors import HubError

NAMES: Final = ("accounting.sale_stated", "accounting.penalty_stated", "accounting.credit_note_requested")
MOST: Final = 1_000
PIECE: Final = 10_000
"""Transfers that are looked through for one property's at once."""
_ENTRIES: Final[Mapping[str, str]] = {
    "ordered": NAMES[0],
    "unordered": NAMES[0],
    "line_taken_again": NAMES[0],
    "penalty_kept": NAMES[1],
    "penalty_returned": NAMES[1],
    "line_given_back": NAMES[2],
}
"""Which outcome of the same decision tells the VAT of a transfer (X-23)."""


class _Place(msgspec.Struct, frozen=True):
    """Where an aggregate belongs."""

    property: str = ""


class _Statement(msgspec.Struct, frozen=True):
    """What all three outcomes have."""

    property: str
    entity: str
    currency: str
    lines: tuple[_Line, ...]


class _Line(msgspec.Struct, frozen=True):
    line: str
    amount: int
    vat_rate: str
    vat: int


_PLACE: Final = msgspec.json.Decoder(_Place)
_STATEMENT: Final = msgspec.json.Decoder(_Statement)


class _Books(NamedTuple):
    """One tenant's day, and whose it is: of one property, or of all."""

    reading: Reading
    settled: Settled
    day: Day
    property: str

    def place_of(self, keys: Iterable[Key]) -> dict[Key, str]:
        """The property of each aggregate, "" for one that is of none."""
        return {key: _PLACE.decode(body).property for key, body in journal.bodies(self.reading, keys)}

    def entity_of(self, place: str) -> str:
        """The legal entity of a property as it was last settled (S0-36)."""
        return entity_of(properties_of(self.settled, self.day.tenant).get(place), tenant_of(self.settled, self.day.tenant))


def journal_of(
    reading: Reading,
    settled: Settled,
    tenant: str,
    day: str,
    *,
    property_: str = "",
    after: int = 0,
    limit: int = MOST,
    piece: int = PIECE,
) -> Journal:
    """X-4, X-23: the journal of a tenant's day, of one property or of all.

    Raises HubError `bad_day`, `unknown_property` for one that is not the tenant's, `property_needed` where its properties have several
    zones, `unknown_position` for an `after` that is no transfer of this tenant's day.
    """
    when, zone = _day(day), _zone(settled, tenant, property_)
    since, until = start_of_day(when, zone), start_of_day(when, zone, -1)
    books = _Books(reading, settled, Day(tenant, micros(since), micros(until)), property_)
    transfers, next_ = _page(books, _position(books, after), limit, piece)
    return Journal(
        day=when,
        property=property_,
        zone=zone.key,
        since=since,
        until=until,
        transfers=transfers,
        next=next_,
        sums=None if after else _sums(books),
    )


def _day(text: str) -> date:
    try:
        when = date.fromisoformat(text)
        if when.isoformat() == text and EARLIEST <= when <= LATEST:
            return when
    except ValueError:
        pass
    raise HubError(f"a day is written like 2026-05-31, {DATES}", code="bad_day", field="day", value=text)


def _zone(settled: Settled, tenant: str, property_: str) -> ZoneInfo:
    check_property(settled, tenant, property_)
    mine, whose = properties_of(settled, tenant), tenant_of(settled, tenant)
    zones = {zone_of(one, whose).key for name, one in mine.items() if property_ in ("", name)}
    if not zones and whose.zone:
        zones = {whose.zone}
    if len(zones) != 1:
        text = f"a day is one of a zone: name a property, those of {tenant!r} have {len(zones)} zones"
        raise HubError(text, code="property_needed", field="property", value=property_)
    return ZoneInfo(zones.pop())


# -- transfers ---------------------------------------------------------------------------------------------------------------------


def _position(books: _Books, after: int) -> tuple[int, int]:
    if not after:
        return books.day.since, 0
    at = journal.booked_at(books.reading, books.day, after)
    if at is None:
        text = "take `next` of the answer before, of the same day"
        raise HubError(text, code="unknown_position", field="after", value=after)
    return at, after


def _page(books: _Books, after: tuple[int, int], limit: int, piece: int) -> tuple[tuple[JournalTransfer, ...], int | None]:
    """At most so many transfers, and where to go on; of one property, among so many that were looked through."""
    wanted = limit if not books.property else max(limit, piece)
    rows = journal.transfers(books.reading, books.day, after, wanted + 1)
    more, rows = len(rows) > wanted, rows[:wanted]
    places = books.place_of(_key(books, row) for row in rows)
    mine = [row for row in rows if not books.property or places.get(_key(books, row), "") == books.property]
    if len(mine) > limit:
        more, mine = True, mine[:limit]
        rows = mine
    vat = _vat_of(books, mine)
    told = tuple(_told(books, row, places.get(_key(books, row), ""), vat) for row in mine)
    return told, rows[-1].seq if more else None


def _key(books: _Books, row: Booked) -> Key:
    return Key(books.day.tenant, row.kind, row.key)


def _told(books: _Books, row: Booked, place: str, vat: Mapping[tuple[int, str, str, int], tuple[str, int]]) -> JournalTransfer:
    rate, amount = vat.get((row.decision, _ENTRIES.get(row.entry, ""), row.subject, row.minor), (None, None))
    return JournalTransfer(
        seq=row.seq,
        at=instant(row.at),
        folio=row.key if row.kind == "folio" else "",
        property=place,
        entity=books.entity_of(place),
        decision=row.decision,
        message=row.name,
        entry=row.entry,
        subject=row.subject,
        debit=row.debit,
        credit=row.credit,
        amount=row.minor,
        currency=row.currency,
        vat_rate=rate,
        vat=amount,
    )


def _vat_of(books: _Books, rows: Iterable[Booked]) -> dict[tuple[int, str, str, int], tuple[str, int]]:
    """X-23: rate and VAT by decision, outcome, line and amount, as the decision told them; unsigned, as transfers are."""
    decisions = {row.decision for row in rows if row.entry in _ENTRIES}
    return {
        (told.decision, told.name, line.line, abs(line.amount)): (line.vat_rate, abs(line.vat))
        for told in journal.outcomes_of(books.reading, decisions, NAMES)
        for line in _STATEMENT.decode(told.body).lines
    }


# -- sums --------------------------------------------------------------------------------------------------------------------------


def _sums(books: _Books) -> DaySums:
    rows = held(books.reading, books.day)
    return DaySums(
        accounts=_accounts(books),
        vat=tuple(_vat(books)),
        vouchers=vouchers(books.reading, books.day, rows, books.property),
        unapplied=unapplied(books.reading, books.day, rows, books.property),
    )


def _accounts(books: _Books) -> tuple[AccountTotal, ...]:
    """X-4: both sides of every account that was touched, by currency and name."""
    rows = journal.totals(books.reading, books.day, by_key=bool(books.property))
    if books.property:
        places = books.place_of(Key(books.day.tenant, row.kind, row.key) for row in rows)
        rows = [row for row in rows if places.get(Key(books.day.tenant, row.kind, row.key), "") == books.property]
    sums: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        both = sums.setdefault((row.currency, shown(row.account)), [0, 0])
        both[0] += row.debit
        both[1] += row.credit
    return tuple(
        AccountTotal(account=name, kind=entry_of(name).kind.value, currency=currency, debit=debit, credit=credit)
        for (currency, name), (debit, credit) in sorted(sums.items())
    )


def shown(account: str) -> str:
    """An account as sums show it: the code alone where each folio or voucher has one of its own."""
    entry = entry_of(account)
    return entry.code if entry.owner in ("folio", "voucher") else account


def _vat(books: _Books) -> Iterator[VatTotal]:
    """X-23: by entity, what it is, rate and currency."""
    sums: dict[tuple[str, str, str, str], list[int]] = {}
    words: Mapping[str, str] = dict(zip(NAMES, ("sold", "kept", "credited"), strict=True))
    for told in journal.outcomes(books.reading, books.day, NAMES):
        said = _STATEMENT.decode(told.body)
        if books.property and said.property != books.property:
            continue
        for line in said.lines:
            both = sums.setdefault((said.entity, words[told.name], line.vat_rate, said.currency), [0, 0])
            both[0] += line.amount
            both[1] += line.vat
    for (entity, what, rate, currency), (amount, vat) in sorted(sums.items()):
        yield VatTotal(entity=entity, what=what, vat_rate=rate, currency=currency, amount=amount, vat=vat)
