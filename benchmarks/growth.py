"""Whether a store that has grown is as fast as an empty one, on both engines: so many messages lie in it already, made from a day that a
hub decided (`benchmarks.multiplying`); then real ones are appended, decided and refunded, in turns with the same on an empty store.

Both hubs own one lane. The book, every refund and all counts are looked at in the end, over everything that the store holds.
"""

from __future__ import annotations

import itertools
import shutil
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
from benchmarks.multiplying import GROWING, MARK, Multiplied
from benchmarks.setting import Figures, Setting
from config.loader import load
from connectors.psp.accepting import AcceptingProviders
from connectors.psp.contract import Deadline
from engine.clock import ManualClock
from engine.store.opening import open_store
from engine.store.postgresql.database import Database
from engine.transport.contract import Taken
from schemas.effect import RecordKind
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running

_DAY: Final = 2_500  # stays of the day that is multiplied
_AT_ONCE: Final = 100  # copies of it that go to PostgreSQL by one file
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
    """Messages a second on the large store, over the same on an empty one, both engines; one after the other, so that the disk need have
    room for one of them. `random`: the new stays' names fall anywhere among those that are stored, else they come after them."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as folder, ExitStack() as servers:
        path = Path(folder)
        one, copies = day(path / "day.sqlite", setting)
        begun = time.monotonic()
        large = filled(one, path / "large.sqlite", copies, setting)
        setting.say(f"SQLite: {4 * large.stays:,} messages made in {time.monotonic() - begun:.0f} s")
        empty = (str(path / f"empty-{number}.sqlite") for number in itertools.count())
        rising, random = _ratios("SQLite", setting, large, empty)
        for file in path.glob("large.sqlite*"):
            file.unlink()
        server = servers.enter_context(running(PostgreSQL(path)))
        begun = time.monotonic()
        large = carried(one, server.database(), copies, setting)
        setting.say(f"PostgreSQL: {4 * large.stays:,} messages in {time.monotonic() - begun:.0f} s")
        empty = (server.database() for _ in itertools.count())
        rising_postgresql, random_postgresql = _ratios("PostgreSQL", setting, large, empty)
    return {
        "growth_sqlite_ratio": rising,
        "growth_sqlite_random_ratio": random,
        "growth_postgresql_ratio": rising_postgresql,
        "growth_postgresql_random_ratio": random_postgresql,
        "growth_stored": 4 * large.stays,
        "growth_new": 2 * (setting.new // setting.runs * setting.runs),
    }


def _ratios(engine: str, setting: Setting, large: Grown, empty: Iterator[str]) -> tuple[float, float]:
    """With names that rise, and with random ones."""
    stays, medians = setting.new // setting.runs // 4, []
    for kind, names_of in (("rising", rising_ids), ("random", ids)):
        ratios = []
        for number in range(setting.runs):
            names = names_of(stays, setting.seed + number)
            bare = rate(Grown(next(empty), 0, large.master), names, setting.lag)
            grown = rate(large, names, setting.lag)
            large = large._replace(stays=large.stays + stays)
            ratios.append(grown / bare)
            setting.say(f"{engine}, {kind} names, {number + 1}: empty {bare:,.0f}/s, large {grown:,.0f}/s; {ratios[-1]:.3f}")
        medians.append(round(statistics.median(ratios), 4))
    with closing(open_store(large.address, writer=False)) as database:
        whole(database, Expected.all(large.stays))
    return medians[0], medians[1]


def rising_ids(stays: int, seed: int) -> list[str]:
    """Names as a PMS gives them, each after the last, all of them after those that are stored; so are Ogone's of the payments."""
    return [f"r{seed:05x}{number:010x}" for number in range(stays)]


def rate(store: Grown, names: Sequence[str], lag: int) -> float:
    """Messages a second of these new stays, from the first append to the last refund; a store that was empty is verified at once."""
    events = list(stream(names, min(lag, len(names))))
    clock, providers = ManualClock(embedded.NOW), AcceptingProviders()
    with closing(embedded.Timed(load(None, {}), store.address, providers, clock=clock, master=store.master)) as hub:
        begun = time.perf_counter()
        taken = embedded.feed(hub, events, clock)
        seconds = time.perf_counter() - begun
        assert taken == {Taken.ACCEPTED: len(events)}, taken
        if not store.stays:
            whole(hub.database, Expected.all(len(names)))
        for name in names:
            shown = providers[MERCHANT].query(payid(name), order(name), Deadline.within(1)).records
            assert [(record.kind, record.minor) for record in shown] == [(RecordKind.REFUND, REFUND)], (name, shown)
    return len(events) / seconds


def day(path: Path, setting: Setting) -> tuple[Grown, int]:
    """A day that a hub decided, and how many copies of it are wanted."""
    stays = min(_DAY, setting.stored // 8)
    names = [f"{name[:8]}{MARK}" for name in ids(stays, setting.seed - 1)]
    clock = ManualClock(embedded.NOW - _HOUR_US)
    with closing(embedded.Timed(load(None, {}), str(path), AcceptingProviders(), clock=clock)) as hub:
        embedded.feed(hub, [message(step, name, TODAY) for step in range(4) for name in names], clock)
    master = bytes.fromhex(Path(f"{path}.key").read_text(encoding="ascii").strip())
    return Grown(str(path), stays, master), setting.stored // (4 * stays) - 1


def filled(one: Grown, path: Path, copies: int, setting: Setting) -> Grown:
    """A file with the day and its copies."""
    _copy_of(one, path)
    _multiplied(path, copies, setting)
    return Grown(str(path), one.stays * (copies + 1), one.master)


def carried(one: Grown, address: str, copies: int, setting: Setting, at_once: int = _AT_ONCE) -> Grown:
    """The same rows in a new database of one lane, each table by COPY, so many copies at a time by way of a file."""
    Database(address, lanes=1).close()
    options = "-c search_path=foliohub -c synchronous_commit=off"
    with psycopg.connect(address, options=options) as db:
        _carry(one.address, db)
        db.commit()
        for first in range(1, copies + 1, at_once):
            part = Path(one.address).with_name("part.sqlite")
            _copy_of(one, part)
            _multiplied(part, min(at_once, copies + 1 - first), setting, first)
            _carry(str(part), db, alone=True)
            db.commit()
            for file in part.parent.glob(f"{part.name}*"):
                file.unlink()
        _count_on(db)
    return Grown(address, one.stays * (copies + 1), one.master)


def _multiplied(path: Path, copies: int, setting: Setting, first: int | None = None) -> None:
    Multiplied(path, copies, days=0, first=first).make(setting.say)  # as old as the originals, so that `verify` finds them true


def _copy_of(one: Grown, path: Path) -> None:
    for end in ("", ".key", ".lock"):  # without what stands beside it, it would be a restored one
        shutil.copyfile(f"{one.address}{end}", f"{path}{end}")


def _carry(file: str, db: psycopg.Connection, *, alone: bool = False) -> None:
    """All rows of a file; `alone`: of what grows."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as rows:
        known = {row[0] for row in rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if alone:
            known &= {"subject_key", *GROWING}
        kept = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'foliohub'").fetchall()
        for (table,) in kept:
            if table in known and table not in _WITHOUT:
                columns = [row[1] for row in rows.execute(f"PRAGMA table_info({table})") if row[1] not in _GONE.get(table, ())]
                chosen = {name: f'"{name}"' for name in columns} | _NEW_COLUMNS.get(table, {})
                _copy(rows, db, table, table, chosen)
        for (slice_,) in rows.execute("SELECT slice FROM inbox_slice").fetchall():
            made = f"CREATE TABLE IF NOT EXISTS inbox_{slice_:d} PARTITION OF inbox FOR VALUES IN ({slice_:d})"
            db.execute(made.encode())
            columns = [row[1] for row in rows.execute(f"PRAGMA table_info(inbox_{slice_:d})")]
            names = {"slice": str(slice_), "message": f'"{columns[0]}"'} | {name: f'"{name}"' for name in columns[1:]}
            _copy(rows, db, "inbox", f"inbox_{slice_:d}", names)
        (end,) = rows.execute("SELECT next_offset FROM lane").fetchone()
    db.execute("UPDATE lane SET next_offset = %s", (end,))
    db.execute("UPDATE lane_end SET ends = %s", (end,))


def _count_on(db: psycopg.Connection) -> None:
    """New rows get numbers behind all that are there."""
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
