"""One PostgreSQL database: opening it, whose it is, its schema's version, and the ways to read and to write.

Each thread has a connection of its own, made when it is needed and made anew after it broke. A commit whose answer was lost is asked
about before anybody is told that it failed: what was stored is never done again.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from engine.store.contract import Connection, Identity, News, StoreAway
from engine.store.postgresql.arrays import known_to
from engine.store.postgresql.failing import AWAY, translated
from engine.store.postgresql.home import elsewhere
from engine.store.postgresql.link import Link, hung_up, own_marks, without_password
from engine.store.postgresql.upgrading import AT_WORK, SCHEMA_VERSION, make_store, refuse_arriving, refuse_other_schema
from schemas.errors import HubError
from topics.catalogue import INTAKE

NUMBERS: Final = 1 << 62  # beyond this, locks tell the last number that was taken before somebody took some
_PATIENCE_S: Final = 10.0  # how long the fate of a commit is asked for
_PAUSE_S: Final = 0.1
_OPTIONS: Final = (
    "-c search_path=foliohub -c timezone=UTC -c idle_in_transaction_session_timeout=20s -c lock_timeout=20s"
    " -c synchronous_commit=on -c jit=off"
    # A statement that was planned when its table was small is kept, and reads all of it when it is large: nothing of ours wants that.
    " -c enable_seqscan=off"
    f" -c application_name={AT_WORK}{SCHEMA_VERSION}"
    " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"  # the server's side of `_ALIVE`
)
_ALIVE: Final[Mapping[str, Any]] = {  # a way that is gone without a word is found out about, by who waits and by who sends
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 12_000,
}
_AT_ONCE: Final = 2_000  # rows of a long read in memory
log = structlog.get_logger(__name__)


class _Mine(threading.local):
    """What a thread has open: its connection, and how deep it is inside a transaction."""

    link: Link | None = None
    depth = 0
    writing = False


class Database:
    """The database at `address` (`postgresql://user@host/name`; the password from a file, PGPASSWORD or PGPASSFILE).

    `writer` False: a command beside running hubs, which makes no store. `lanes`: of a store that is made now.
    """

    memory = False
    by_arrival = "seq"
    by_decision = "turn, seq"
    gapless = False
    unpublished = "SELECT seq FROM outbox_waiting"
    confirm = "DELETE FROM outbox_waiting"

    def __init__(self, address: str, *, writer: bool = True, lanes: int | None = None) -> None:
        try:
            self._conninfo = make_conninfo(address, **_ALIVE)
        except psycopg.ProgrammingError:  # its text has the address, and that may have a password
            text = "the store's address cannot be read: postgresql://user@host:port/name"
            raise HubError(text, code="bad_store", field="store") from None
        self.name = without_password(address)
        self._mine = _Mine()
        self._open: weakref.WeakSet[psycopg.Connection[Any]] = weakref.WeakSet()
        self._closed = False
        try:
            with self.write() as connection:
                refuse_other_schema(connection, self.name)
                if writer:
                    make_store(connection, lanes or INTAKE.partitions)
                found = connection.execute("SELECT to_regclass('foliohub.meta')").fetchone()
                if found[0] is None:
                    raise HubError(
                        f"{self.name} is empty: start `foliohub run` first, or name the store with --store", code="no_store",
                        field="store", value=self.name,
                    )  # fmt: skip
                refuse_arriving(connection, self.name)
                self.lanes = int(connection.execute("SELECT value FROM meta WHERE name = 'lanes'").fetchone()[0])
                log_id = connection.execute("SELECT value FROM meta WHERE name = 'log'").fetchone()
                self.log_elsewhere = log_id is not None and log_id[0] != ""
        except BaseException:
            self.close()
            raise

    # -- transactions ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def write(self) -> Iterator[Link]:
        """One write transaction: committed when the block ends, rolled back when it raises. Inside another `write` of the same thread
        it is a part of that one, which is undone alone when it raises.

        Raises StoreAway, Contended or Constraint, in place of PostgreSQL's own errors.
        """
        with self.transaction("BEGIN") as link:
            yield link

    @contextmanager
    def transaction(self, begin: str) -> Iterator[Link]:
        """The same, under an isolation of its own."""
        mine = self._mine
        if mine.depth:
            assert mine.writing, "a write inside a read"
            assert mine.link is not None
            with self.translating():
                mine.link.execute("SAVEPOINT part")
                try:
                    yield mine.link
                except BaseException:
                    self._undo(mine.link, "ROLLBACK TO part; RELEASE part")
                    raise
                mine.link.execute("RELEASE part")
            return
        with self.translating():
            link = self._link()
            mine.depth, mine.writing = 1, True
            try:
                link.execute(begin)
                yield link
                mark = link.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()
                try:
                    link.execute("COMMIT")
                except AWAY as lost:
                    if mark is None or mark[0] is None or not self._was_committed(str(mark[0])):
                        raise
                    log.warning("commit_answered_late", store=self.name, reason=str(lost).strip())
            except BaseException:
                self._undo(link, "ROLLBACK")
                raise
            finally:
                mine.depth, mine.writing = 0, False

    @contextmanager
    def read(self) -> Iterator[Link]:
        """A consistent view, beside those who write. Inside another `read` of the same thread it is the same view, inside its `write`
        what that has written so far."""
        mine = self._mine
        if mine.depth:
            assert mine.link is not None
            yield mine.link
            return
        with self.translating():
            link = self._link()
            mine.depth = 1
            try:
                link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield link
            finally:
                mine.depth = 0
                self._undo(link, "COMMIT")

    @contextmanager
    def look(self) -> Iterator[Link]:
        """For one statement, which is a consistent view by itself: it saves the two around it. Inside a `read` or `write` of the same
        thread it is a part of that."""
        mine = self._mine
        if mine.depth:
            assert mine.link is not None
            yield mine.link
            return
        with self.translating():
            yield self._link()

    def each(self, connection: Connection, statement: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """By a cursor of the server, so many rows at a time."""
        assert isinstance(connection, Link)
        with self.translating(), connection.raw.cursor(name=f"each_{time.monotonic_ns()}") as cursor:
            connection.raw.execute("SET LOCAL enable_seqscan = on")  # until the end of the transaction: it is a long reader's
            cursor.itersize = _AT_ONCE
            cursor.execute(own_marks(statement), tuple(parameters) or None)
            yield from cursor

    # -- what both engines can tell ----------------------------------------------------------------------------------------------

    def identities(self, messages: Sequence[bytes]) -> Mapping[bytes, Identity]:
        with self.look() as link:
            rows = link.raw.execute(
                'SELECT message, fingerprint, lane, "offset" FROM inbox WHERE message = ANY(%s)', (list(messages),)
            )
            return {row[0]: Identity(*row[1:]) for row in rows}

    def members(self) -> Sequence[str]:
        with self.look() as link:
            rows = link.execute(
                "SELECT owner FROM lease WHERE starts_with(name, 'process:') AND until >= clock_timestamp() ORDER BY owner"
            )
            return [row[0] for row in rows]

    def settled_to(self) -> int:
        """Whoever takes numbers holds a lock that tells above which one, until it is stored."""
        with self.write() as link:
            row = link.raw.execute("SELECT last_value, is_called FROM decision_number").fetchone()
            assert row is not None
            taken = link.raw.execute(
                "SELECT min((classid::bigint << 32 | objid::bigint) - %s) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
                " AND classid::bigint << 32 BETWEEN %s AND %s"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                (NUMBERS, NUMBERS, NUMBERS * 2 - 1),
            ).fetchone()
            assert taken is not None
            last = int(row[0]) if row[1] else 0
            return last if taken[0] is None else min(last, int(taken[0]))

    def renewed(self) -> tuple[str, int]:
        """Told by where the database is; `new_generation` makes it the store's home."""
        with self.write() as link:
            return elsewhere(link), 0

    def listen(self, heard: Callable[[News], None]) -> Callable[[], None]:
        from engine.store.postgresql.news import Listener

        return Listener(self, heard).stop

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """One that is nobody else's, outside any transaction; closed at the end. Raises psycopg's errors."""
        with psycopg.connect(self._conninfo, autocommit=True, options=_OPTIONS) as connection:
            self._open.add(connection)
            yield connection

    def remember(self, name: str, value: str) -> str:
        """What this store knows under a name: the value, if it is the first."""
        with self.write() as link:
            link.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, value))
            row = link.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            return str(row[0])

    def probe(self) -> None:
        with self.write() as link:
            link.execute("INSERT INTO meta VALUES ('probe', '1') ON CONFLICT (name) DO UPDATE SET value = excluded.value")

    def shred(self) -> bool:
        """Nothing of ours is beside it: rows that were deleted are overwritten when the server clears its tables."""
        return True

    def close(self) -> None:
        """Every thread's connection."""
        self._closed = True
        for connection in list(self._open):
            with contextlib.suppress(psycopg.Error):
                connection.close()

    # -- connections -----------------------------------------------------------------------------------------------------------

    def _link(self) -> Link:
        mine = self._mine
        if mine.link is not None:
            if not (mine.link.raw.closed or mine.link.raw.broken or hung_up(mine.link.raw)):
                return mine.link
            mine.link.raw.close()
        if self._closed:
            raise StoreAway(f"{self.name} is closed", field="store", value=self.name)
        connection = psycopg.connect(self._conninfo, autocommit=True, options=_OPTIONS)
        known_to(connection)
        self._open.add(connection)
        mine.link = Link(connection)
        return mine.link

    def _undo(self, link: Link, statement: str) -> None:
        """Whatever it can still do: a connection that cannot is closed, and with it its transaction."""
        try:
            if not link.raw.closed:
                link.execute(statement)
        except psycopg.Error:
            link.raw.close()

    def _was_committed(self, transaction: str) -> bool:
        """Asked of the server by a new connection, for a while: it may be starting again."""
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            try:
                with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=2) as other:
                    row = other.execute("SELECT pg_xact_status(%s::xid8)", (transaction,)).fetchone()
                if row is not None and row[0] != "in progress":
                    return bool(row[0] == "committed")
            except psycopg.Error as away:
                log.warning("commit_in_doubt", store=self.name, reason=str(away).strip())
            time.sleep(_PAUSE_S)
        return False

    @contextmanager
    def translating(self) -> Iterator[None]:
        """PostgreSQL's own errors become ours."""
        try:
            yield
        except psycopg.Error as error:
            raise translated(error, self.name) from error
