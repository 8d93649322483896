"""Whether a store that has grown is as fast as an empty one, on both engines: so many messages lie in it already, made from a day that a
hub decided (`benchmarks.multiplying`); then real ones are appended, decided and refunded, in turns with the same on an empty store.

Both hubs own one lane. The book, every refund and all counts are looked at afterwards, over everything that the store holds.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, NamedTuple

import psycopg
from psycopg import sql

from benchmarks import embedded
from benchmarks.checks import Expected, whole
from benchmarks.messages import MERCHANT, REFUND, TODAY, ids, message, order, payid, stream
from benchmarks.multiplying import MARK, Multiplied
from benchmarks.setting import Figures, Setting
from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from connectors.psp.contract import Deadline
from engine.clock import ManualClock
from engine.store.postgresql.database import Database
from engine.transport.contract import Taken
from schemas.effect import RecordKind
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running

_DAY: Final = 2_500  # stays of the day that is multiplied
_HOUR_US: Final = 3600 * 1_000_000
_WITHOUT: Final = frozenset({"inbox", "meta", "lane", "lane_end"})
_GONE: Final = {"outbox_row": {"published"}}
"""What a table has in a file only."""
_NEW_COLUMNS: Final = {"decision": {"turn": "seq"}, "state": {"lane": "0"}}
"""What a table has on PostgreSQL only, told from the row."""


class Grown(NamedTuple):
    """A store of so many stays, all of them refunded, and the key that it was written under."""

    address: str
    stays: int
    master: bytes


def measure(setting: Setting) -> Figures:
    """`growth_sqlite_ratio` and `growth_postgresql_ratio`: messages a second on the large store, over the same on an empty one."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder, ExitStack() as servers:
        begun = time.monotonic()
        large = filled(Path(folder) / "large.sqlite", setting)
        setting.say(f"SQLite: {4 * large.stays:,} messages made in {time.monotonic() - begun:.0f} s")
        server = servers.enter_context(running(PostgreSQL(Path(folder))))
        begun = time.monotonic()
        moved = large._replace(address=server.database())
        carried(large.address, moved.address)
        setting.say(f"PostgreSQL: the same in {time.monotonic() - begun:.0f} s")
        empty = (str(Path(folder) / f"empty-{number}.sqlite") for number in range(setting.runs))
        on_sqlite = _ratio("SQLite", setting, large, empty)
        empty = (server.database() for _ in range(setting.runs))
        on_postgresql = _ratio("PostgreSQL", setting, moved, empty)
    return {
        "growth_sqlite_ratio": on_sqlite,
        "growth_postgresql_ratio": on_postgresql,
        "growth_stored": 4 * large.stays,
        "growth_new": setting.new // setting.runs * setting.runs,
    }


def _ratio(name: str, setting: Setting, large: Grown, empty: Iterator[str]) -> float:
    stays, ratios = setting.new // setting.runs // 4, []
    for number, address in enumerate(empty):
        seed = setting.seed + number
        bare = rate(Grown(address, 0, large.master), stays, seed, setting.lag)
        grown = rate(large, stays, seed, setting.lag)
        large = large._replace(stays=large.stays + stays)
        ratios.append(grown / bare)
        setting.say(f"{name}, round {number + 1}: empty {bare:,.0f}/s, large {grown:,.0f}/s; {ratios[-1]:.3f}")
    return round(statistics.median(ratios), 4)


def rate(store: Grown, stays: int, seed: int, lag: int) -> float:
    """Messages a second of so many new stays, from the first append to the last refund; verified with everything that was there."""
    names, events = ids(stays, seed), list(stream(stays, seed, min(lag, stays)))
    clock, providers = ManualClock(embedded.NOW), AcceptingProviders()
    with closing(embedded.Timed(load(None, {}), store.address, providers, clock=clock, master=store.master)) as hub:
        begun = time.perf_counter()
        taken = embedded.feed(hub, events, clock)
        seconds = time.perf_counter() - begun
        assert taken == {Taken.ACCEPTED: len(events)}, taken
        whole(hub.database, Expected.all(store.stays + stays))
        for name in names:
            shown = providers[MERCHANT].query(payid(name), order(name), Deadline.within(1)).records
            assert [(record.kind, record.minor) for record in shown] == [(RecordKind.REFUND, REFUND)], (name, shown)
    return len(events) / seconds


def filled(path: Path, setting: Setting) -> Grown:
    """A file with so many messages: one day that a hub decided, then its copies under other names."""
    stays = min(_DAY, setting.stored // 8)
    names = [f"{name[:8]}{MARK}" for name in ids(stays, setting.seed - 1)]
    clock = ManualClock(embedded.NOW - _HOUR_US)
    with closing(embedded.Timed(load(None, {}), str(path), AcceptingProviders(), clock=clock)) as hub:
        embedded.feed(hub, _messages(names), clock)
    copies = setting.stored // (4 * stays) - 1
    Multiplied(path, copies, days=0).make(setting.say)  # as old as the originals, so that `verify` finds them true
    master = bytes.fromhex(Path(f"{path}.key").read_text(encoding="ascii").strip())
    return Grown(str(path), stays * (copies + 1), master)


def _messages(names: Sequence[str]) -> list[bytes]:
    return [message(step, name, TODAY) for step in range(4) for name in names]


def carried(file: str, address: str) -> None:
    """All rows of a file in a new database of one lane, each table by one COPY."""
    Database(address, lanes=1).close()
    options = "-c search_path=foliohub -c synchronous_commit=off"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as rows, psycopg.connect(address, options=options) as db:
        known = {row[0] for row in rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        kept = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'foliohub'").fetchall()
        for (table,) in kept:
            if table in known and table not in _WITHOUT:
                columns = [row[1] for row in rows.execute(f"PRAGMA table_info({table})") if row[1] not in _GONE.get(table, ())]
                chosen = {name: f'"{name}"' for name in columns} | _NEW_COLUMNS.get(table, {})
                _copy(rows, db, table, table, chosen)
        for (slice_,) in rows.execute("SELECT slice FROM inbox_slice").fetchall():
            db.execute(f"CREATE TABLE inbox_{slice_:d} PARTITION OF inbox FOR VALUES IN ({slice_:d})".encode())
            columns = [row[1] for row in rows.execute(f"PRAGMA table_info(inbox_{slice_:d})")]
            names = {"slice": str(slice_), "message": f'"{columns[0]}"'} | {name: f'"{name}"' for name in columns[1:]}
            _copy(rows, db, "inbox", f"inbox_{slice_:d}", names)
        (end,) = rows.execute("SELECT next_offset FROM lane").fetchone()
        db.execute("UPDATE lane SET next_offset = %s", (end,))
        db.execute("UPDATE lane_end SET ends = %s", (end,))
        for sequence, last in (("decision_number", "decision"), ("turn", "decision")):
            db.execute(f"SELECT setval('{sequence}', (SELECT max(seq) + 1 FROM {last}))".encode())
        for table, column in (
            ("intake", "seq"),
            ("internal", "seq"),
            ("effect", "seq"),
            ("evidence", "seq"),
            ("configuration", "id"),
        ):
            db.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), (SELECT max({column}) + 1 FROM {table}))".encode()
            )
        db.execute("ANALYZE")


def _copy(rows: sqlite3.Connection, db: psycopg.Connection, table: str, of: str, chosen: dict[str, str]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, chosen))
    types = db.execute(sql.SQL("SELECT {} FROM {} LIMIT 0").format(names, sql.Identifier(table))).description
    assert types is not None
    into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), names)
    with db.cursor().copy(into) as copy:
        copy.set_types([column.type_code for column in types])
        for row in rows.execute(f"SELECT {', '.join(chosen.values())} FROM {of}"):
            copy.write_row(row)
