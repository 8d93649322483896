"""Carries the rows of a file into a database, inside one transaction of each: by COPY, a row at a time, memory flat.

Every row that is written is hashed on its way and read back afterwards; the two hashes of a table must be one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import count
from typing import Any, Final

import msgspec
from psycopg import Connection as Raw
from psycopg import sql

from engine.address import lane_of
from engine.store.contract import Connection
from engine.store.moving.tables import APART, OWN, TABLES, Carried
from engine.store.rows import Key
from schemas.errors import HubError

Tell = Callable[[str, int, float], None]
"""A table, how many of its rows are over, and in how many seconds."""

_TELL_S: Final = 5.0
_LOOK: Final = 20_000  # rows between two looks at the clock
_AT_ONCE: Final = 5_000  # rows of a long read in memory
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_STRANGE: Final = frozenset({"code", "field", "value", "reason", "door", "attributes", "request", "reply", "answer"})


def carry(source: Connection, target: Raw[Any], lanes: int, tell: Tell) -> dict[str, int]:
    """Everything but what a store says of itself; how many rows of each table. `lanes`: of the target. Raises HubError."""
    _refuse_unknown(source)
    done: dict[str, int] = {}
    positions = dict(source.execute("SELECT lane, next_offset FROM lane").fetchall())
    if len(positions) > lanes:
        raise HubError(
            f"the store has {len(positions)} lanes, and the target would have {lanes}: give it as many or more",
            code="too_few_lanes", field="lanes", value=lanes,
        )  # fmt: skip
    ends = {lane: positions.get(lane, 0) for lane in range(lanes)}
    for one in TABLES:
        columns = _columns(target, one.table)
        rows = _written(_rows(source, one, [name for name, _ in columns], lanes, ends), [name for name, _ in columns])
        done[one.table] = _copied(target, one.table, columns, _plain(one.order), rows, tell)
        if one.sequence:
            target.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, %s), greatest(1, (SELECT max({one.sequence}) FROM {one.table})))".encode(),
                (f"foliohub.{one.table}", one.sequence),
            )
    done["inbox"] = _identities(source, target, tell)
    _owners(source, target, ends)
    last = source.execute("SELECT coalesce(max(seq), 0) FROM decision").fetchone()[0]
    if last:
        target.execute("SELECT setval('decision_number', %(last)s), setval('turn', %(last)s)", {"last": last})
    said = source.execute("SELECT name, value FROM meta").fetchall()
    for name, value in said:
        if name not in OWN:
            target.execute(
                "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
            )
    target.execute("INSERT INTO meta VALUES ('log', '')")  # its own: positions mean nothing in a broker's
    return done


def _refuse_unknown(source: Connection) -> None:
    """A table that nobody told us of would be left behind. Raises HubError."""
    known = {one.table for one in TABLES} | APART
    for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall():
        if name not in known and not name.startswith(("inbox_", "dropped_")):
            raise HubError(f"table {name} is none that can be moved", code="not_carried", field="table", value=name)


def _rows(
    source: Connection, one: Carried, columns: Sequence[str], lanes: int, ends: dict[int, int]
) -> Iterator[Sequence[Any]]:  # fmt: skip
    """The source's rows with the columns of the target, as the target is to have them."""
    made = dict(one.made)
    names = [made.get(name, f'{one.table}."{name}"') for name in columns]
    if one.key is None:
        yield from source.execute(f"SELECT {', '.join(names)} FROM {one.table} ORDER BY {one.order}")
        return
    lane = columns.index("lane")
    offset = columns.index("offset") if one.table == "intake" else -1
    if one.table == "outbox_waiting":
        names[lane] = "0"
    width = len(names)
    order = "effect.rowid" if one.table == "effect" else one.order
    for row in source.execute(f"SELECT {', '.join([*names, one.waits, *one.key])} FROM {one.rows or one.table} ORDER BY {order}"):
        values = list(row[:width])
        if row[width]:
            values[lane] = lane_of(Key(*row[width + 1 :]), lanes)
            if offset >= 0:
                values[offset] = ends[values[lane]]
                ends[values[lane]] += 1
        yield values


def _written(rows: Iterator[Sequence[Any]], columns: Sequence[str]) -> Iterator[Sequence[Any]]:
    """Strangers' texts without NUL, which no text of PostgreSQL holds: U+FFFD in its place, where nothing is found or decided by it."""
    places = [place for place, name in enumerate(columns) if name in _STRANGE]
    for row in rows:
        if any("\x00" in row[place] for place in places):
            yield [value.replace("\x00", "\ufffd") if place in places else value for place, value in enumerate(row)]
        else:
            yield row


def _copied(
    target: Raw[Any], table: str, columns: Sequence[tuple[str, str]], order: str, rows: Iterator[Sequence[Any]], tell: Tell
) -> int:
    sent, numbers = blake2b(digest_size=16), count(1)
    begun = told = time.monotonic()
    number = 0
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), names)
    with target.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([type_ for _, type_ in columns])
        for row, number in zip(rows, numbers, strict=False):
            copy.write_row(row)
            sent.update(_ENCODE(row))
            if not number % _LOOK and time.monotonic() - told >= _TELL_S:
                told = time.monotonic()
                tell(table, number, told - begun)
    came = blake2b(digest_size=16)
    with target.cursor(name="arrived", binary=True) as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(sql.SQL("SELECT {} FROM {} ORDER BY {}").format(names, sql.Identifier(table), sql.SQL(order)))
        for row in cursor:
            came.update(_ENCODE(row))
    if came.digest() != sent.digest():
        raise HubError(f"{table} did not arrive as it was sent", code="move_unequal", field="table", value=table)
    tell(table, number, time.monotonic() - begun)
    return number


def _identities(source: Connection, target: Raw[Any], tell: Tell) -> int:
    """Slice by slice, each into a part of the inbox of its own."""
    columns = [("slice", "int8"), ("message", "bytea"), ("fingerprint", "bytea"), ("lane", "int4"), ("offset", "int8")]
    number = 0
    for (slice_,) in source.execute("SELECT slice FROM inbox_slice ORDER BY slice").fetchall():
        target.execute("INSERT INTO inbox_slice VALUES (%s)", (slice_,))
        target.execute(f"CREATE TABLE inbox_{slice_:d} PARTITION OF inbox FOR VALUES IN ({slice_:d})".encode())
        rows = source.execute(f'SELECT {slice_:d}, message, fingerprint, lane, "offset" FROM inbox_{slice_:d} ORDER BY message')
        number += _copied(target, f"inbox_{slice_:d}", columns, "message", iter(rows), tell)
    return number


def _owners(source: Connection, target: Raw[Any], ends: dict[int, int]) -> None:
    """The lanes: positions of those that were, all epochs beyond the source's, no death counted; where each goes on."""
    epoch = source.execute("SELECT max(epoch) FROM lane").fetchone()[0]
    target.execute("UPDATE lane SET epoch = %s, deaths = -1", (epoch,))
    with target.cursor() as cursor:
        cursor.executemany(
            "UPDATE lane SET next_offset = %s WHERE lane = %s",
            [(position, lane) for lane, position in source.execute("SELECT lane, next_offset FROM lane").fetchall()],
        )
        cursor.executemany("UPDATE lane_end SET ends = %s WHERE lane = %s", [(end, lane) for lane, end in ends.items()])


def _columns(target: Raw[Any], table: str) -> list[tuple[str, str]]:
    """Columns of a table and their types, domains by what they are made of."""
    return target.execute(
        "SELECT attname, base.typname FROM pg_attribute JOIN pg_type AS own ON own.oid = atttypid"
        " JOIN pg_type AS base ON base.oid = coalesce(nullif(own.typbasetype, 0), own.oid)"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (f"foliohub.{table}",),
    ).fetchall()


def _plain(order: str) -> str:
    return order.rpartition(".")[2]
