"""What the journal of a day reads: transfers by tenant and instant, sums of them, what stood before. Nothing is written here.

Instants are microseconds since 1970 UTC, amounts minor units. A day is found by the index of decisions by tenant and instant, and what
stands on vouchers and on receipts without a home by an index of such transfers alone; neither reads the book.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from engine.store.reading import Reading
from engine.store.rows import NUMBERED, Key
from engine.store.statements import batches, marks

_OF_DAY: Final = (
    " FROM decision CROSS JOIN {rows} WHERE decision.tenant = ? AND decision.decided_at >= ? AND decision.decided_at < ?"
    f" AND {{rows}}.seq >= decision.seq << {NUMBERED} AND {{rows}}.seq < (decision.seq + 1) << {NUMBERED}"
)
_TRANSFERS: Final = _OF_DAY.format(rows="transfer_row")
_OUTCOMES: Final = _OF_DAY.format(rows="outbox_row")
_HELD: Final = "(substr(debit, 1, 9) IN ('vouchers:', 'suspense:') OR substr(credit, 1, 9) IN ('vouchers:', 'suspense:'))"
"""In these words, since by them the index of such transfers is found."""
_SIDES: Final = "(SELECT 1 AS sign UNION ALL SELECT -1) AS side"


class Day(NamedTuple):
    """One tenant's day: from `since`, up to `until`."""

    tenant: str
    since: int
    until: int


class Booked(NamedTuple):
    """One transfer with what its decision says of it. `kind` and `key` are the aggregate that decided, `name` the message."""

    seq: int
    decision: int
    at: int
    kind: str
    key: str
    name: str
    entry: str
    subject: str
    debit: str
    credit: str
    minor: int
    currency: str


class Total(NamedTuple):
    """What was booked on one account, minor units; of one aggregate where that was asked for, else `kind` and `key` are empty."""

    kind: str
    key: str
    account: str
    currency: str
    debit: int
    credit: int


class Stood(NamedTuple):
    """What stood before the day on a voucher, or on a receipt without a home: credit less debit, minor units, never 0."""

    account: str
    currency: str
    minor: int


class Moved(NamedTuple):
    """What was booked on the day between two accounts of which one is such a one."""

    debit: str
    credit: str
    entry: str
    currency: str
    minor: int


class Told(NamedTuple):
    """An outcome of a decision."""

    decision: int
    name: str
    body: bytes


def booked_at(reading: Reading, day: Day, transfer: int) -> int | None:
    """When a transfer of this tenant's day was booked; None for what is none of them."""
    found = reading.rows(
        "SELECT decided_at FROM decision CROSS JOIN transfer_row WHERE decision.seq = ? AND tenant = ? AND decided_at >= ?"
        " AND decided_at < ? AND transfer_row.seq = ?",
        (transfer >> NUMBERED, *day, transfer),
    )
    return found[0]["decided_at"] if found else None


def transfers(reading: Reading, day: Day, after: tuple[int, int], limit: int) -> list[Booked]:
    """The day's transfers behind `after`, an instant and a number, in the order in which they were booked."""
    since, seq = max(after[0], day.since), after[1]
    rows = reading.rows(
        "SELECT transfer_row.seq AS seq, decision.seq AS decision, decision.decided_at AS at, decision.kind, decision.key,"
        f" decision.name, entry, subject, debit, credit, minor, currency{_TRANSFERS}"
        " AND (decision.decided_at > ? OR transfer_row.seq > ?)"
        " ORDER BY decision.decided_at, decision.seq, transfer_row.seq LIMIT ?",
        (day.tenant, since, day.until, since, seq, limit),
    )
    return [Booked(**row) for row in rows]


def totals(reading: Reading, day: Day, *, by_key: bool) -> list[Total]:
    """Sums of the day by account and currency; `by_key`: and by the aggregate that decided."""
    key = "decision.kind, decision.key" if by_key else "'', ''"
    sides = " UNION ALL ".join(
        f"SELECT {key.replace(',', ' AS kind,')} AS key, {side} AS account, currency, {debit} AS debit, {credit} AS credit{_TRANSFERS}"
        for side, debit, credit in (("debit", "minor", "0"), ("credit", "0", "minor"))
    )
    rows = reading.rows(
        "SELECT kind, key, account, currency, CAST(sum(debit) AS BIGINT) AS debit, CAST(sum(credit) AS BIGINT) AS credit"
        f" FROM ({sides}) AS side GROUP BY 1, 2, 3, 4 ORDER BY 4, 3, 1, 2",
        (*day, *day),
    )
    return [Total(**row) for row in rows]


def stood(reading: Reading, day: Day) -> list[Stood]:
    """What stood before the day on vouchers and on receipts without a home. Everything that was ever booked on them is added up, by an
    index of nothing else: it takes the longer the more that is (docs/operating/growth.md)."""
    rows = reading.rows(
        "SELECT account, currency, CAST(sum(minor) AS BIGINT) AS minor FROM (SELECT CASE side.sign WHEN 1 THEN credit ELSE debit END AS"
        f" account, currency, minor * side.sign AS minor FROM transfer_row CROSS JOIN decision CROSS JOIN {_SIDES} WHERE {_HELD}"
        f" AND decision.seq = transfer_row.seq >> {NUMBERED} AND tenant = ? AND decided_at < ?) AS booked"
        " WHERE substr(account, 1, 9) IN ('vouchers:', 'suspense:') GROUP BY 1, 2 HAVING sum(minor) <> 0 ORDER BY 2, 1",
        (day.tenant, day.since),
    )
    return [Stood(**row) for row in rows]


def moved(reading: Reading, day: Day) -> list[Moved]:
    """What was booked on the day on vouchers and on receipts without a home."""
    rows = reading.rows(
        f"SELECT debit, credit, entry, currency, CAST(sum(minor) AS BIGINT) AS minor{_TRANSFERS} AND {_HELD} GROUP BY 1, 2, 3, 4"
        " ORDER BY 4, 1, 2, 3",
        day,
    )
    return [Moved(**row) for row in rows]


def outcomes(reading: Reading, day: Day, names: Sequence[str]) -> list[Told]:
    """The day's outcomes of these names, in order."""
    rows = reading.rows(
        f"SELECT decision.seq AS decision, outbox_row.name AS name, body{_OUTCOMES} AND outbox_row.name IN ({marks(len(names))})"
        " ORDER BY decision.decided_at, outbox_row.seq",
        (*day, *names),
    )
    return [Told(**row) for row in rows]


def outcomes_of(reading: Reading, decisions: Iterable[int], names: Sequence[str]) -> Iterator[Told]:
    """The same of some decisions."""
    for some in batches(sorted(set(decisions))):
        rows = reading.rows(
            "SELECT decision.seq AS decision, outbox_row.name AS name, body FROM decision CROSS JOIN outbox_row"
            f" WHERE decision.seq IN ({marks(len(some))}) AND outbox_row.seq >= decision.seq << {NUMBERED}"
            f" AND outbox_row.seq < (decision.seq + 1) << {NUMBERED} AND outbox_row.name IN ({marks(len(names))})"
            " ORDER BY outbox_row.seq",
            (*some, *names),
        )
        yield from (Told(**row) for row in rows)


def bodies(reading: Reading, keys: Iterable[Key]) -> Iterator[tuple[Key, bytes]]:
    """Aggregates as they stand; those that are none are left out."""
    for some in batches(sorted(set(keys))):
        rows = reading.rows(
            f"SELECT tenant, kind, key, body FROM state WHERE id IN ({marks(len(some))}) AND body IS NOT NULL",
            [key.digest() for key in some],
        )
        yield from ((Key(row["tenant"], row["kind"], row["key"]), bytes(row["body"])) for row in rows)
