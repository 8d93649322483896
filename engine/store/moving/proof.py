"""The proof that two stores hold the same, read on each side by the same questions: rows by table, balances, folios, timers, requests.

It knows nothing of how the rows came over. Both sides are read in one order, a row at a time, so that memory stays flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import zip_longest
from typing import Any, Final

import msgspec

from engine.store.moving.tables import TABLES

Ask = Callable[[str], Iterator[tuple[Any, ...]]]
"""The rows of a question, one at a time."""

_BOOK: Final = (
    "SELECT tenant, currency, account, CAST(sum(debit) AS BIGINT), CAST(sum(credit) AS BIGINT) FROM"
    " (SELECT tenant, currency, debit AS account, minor AS debit, 0 AS credit FROM transfer"
    " UNION ALL SELECT tenant, currency, credit, 0, minor FROM transfer) AS side GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
_STREAMS: Final = {
    "balances": _BOOK,
    "folios": "SELECT tenant, key, sequence, version, blocked, since, body FROM state WHERE kind = 'folio' ORDER BY tenant, key",
    "others": "SELECT tenant, kind, key, sequence, version, blocked, since, body FROM state WHERE kind <> 'folio' ORDER BY id",
    "timers": "SELECT tenant, kind, key, name, due, what, subject FROM timer ORDER BY tenant, kind, key, name",
    "requests": "SELECT id, state, reason, minor, currency, fence, next_at, sent_at, record FROM effect ORDER BY id",
    "waiting": (
        'SELECT message, kind, key FROM intake WHERE "offset" >= (SELECT next_offset FROM lane WHERE lane.lane = intake.lane)'
        " ORDER BY seq"
    ),
}
"""What is compared row by row, in an order that both engines have."""
_ENCODE: Final = msgspec.msgpack.Encoder().encode


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """So many rows, and the hash of all of them in their order."""

    rows: int
    hash: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds. `accounts`: debit less credit by tenant, currency and family of accounts, minor units."""

    rows: dict[str, int]
    streams: dict[str, Stream]
    accounts: dict[str, int]
    effects: dict[str, int]


def prove(ask: Ask) -> Proof:
    """Read everything that counts."""
    rows = {one.table: _count(ask, one.counted or one.table) for one in TABLES}
    accounts: dict[str, int] = {}
    streams = {}
    for name, question in _STREAMS.items():
        digest, count = blake2b(digest_size=16), 0
        for row in ask(question):
            count += 1
            digest.update(_ENCODE(row))
            if name == "balances":
                family = " ".join((row[0], row[1], row[2].partition(":")[0]))
                accounts[family] = accounts.get(family, 0) + row[3] - row[4]
        streams[name] = Stream(rows=count, hash=digest.hexdigest())
    effects: dict[str, int] = dict(ask("SELECT state, count(*) FROM effect GROUP BY 1 ORDER BY 1"))
    return Proof(rows=rows, streams=streams, accounts=accounts, effects=effects)


def compare(one: Ask, other: Ask) -> tuple[Proof, str]:
    """What the first holds, and the first thing in which the other differs, as a person reads it; empty if none."""
    here, there = prove(one), prove(other)
    if here == there:
        return here, ""
    for table, count in here.rows.items():
        if count != there.rows[table]:
            return here, f"{table}: {count} rows, and {there.rows[table]} arrived"
    for name, stream in here.streams.items():
        if stream == there.streams[name]:
            continue
        for row, came in zip_longest(one(_STREAMS[name]), other(_STREAMS[name])):
            if row != came:
                return here, f"{name}: {_named(row)} and {_named(came)}"
    return here, f"requests: {here.effects} and {there.effects}"


def _count(ask: Ask, table: str) -> int:
    (found,) = ask(f"SELECT count(*) FROM {table}")
    return int(found[0])


def _named(row: tuple[Any, ...] | None) -> str:
    """Enough to find it, without what it says of people."""
    return "nothing" if row is None else " ".join(str(part)[:60] for part in row if not isinstance(part, bytes))
