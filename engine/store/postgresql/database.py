"""One PostgreSQL database: opening it, whose it is, its schema's version, and the ways to read and to write.

Each thread has a connection of its own, made when it is needed and made anew after it broke. A commit whose answer was lost is asked
about before anybody is told that it failed: what was stored is never done again.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import psycopg
import structlog
from psycopg import errors

from engine.store.contract import Connection, Constraint, Contended, Cursor, Identity, StoreAway
from engine.store.postgresql.arrays import known_to
from engine.store.postgresql.upgrading import make_store, refuse_other_schema
from schemas.errors import HubError
from topics.catalogue import INTAKE

_PATIENCE_S: Final = 10.0  # how long the fate of a commit is asked for
_PAUSE_S: Final = 0.1
_OPTIONS: Final = (
    "-c search_path=foliohub -c timezone=UTC -c idle_in_transaction_session_timeout=20s -c lock_timeout=20s"
    " -c synchronous_commit=on -c jit=off -c application_name=foliohub"
)
_AT_ONCE: Final = 2_000  # rows of a long read in memory
_AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, errors.DiskFull, errors.ReadOnlySqlTransaction)
_CONTENDED: Final = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)

log = structlog.get_logger(__name__)


class Link:
    """A connection as the statements that both engines understand see it."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.raw = connection

    def execute(self, statement: str, parameters: Any = (), /) -> Cursor:
        return self.raw.execute(_own_marks(statement), parameters or None)

    def executemany(self, statement: str, parameters: Any, /) -> Cursor:
        cursor = self.raw.cursor()
        cursor.executemany(_own_marks(statement), parameters)
        return cursor


@lru_cache(maxsize=1024)
def _own_marks(statement: str) -> bytes:
    """Question marks as psycopg writes them. No statement of ours has one inside a text."""
    return statement.replace("%", "%%").replace("?", "%s").encode() if "?" in statement else statement.encode()


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

    def __init__(self, address: str, *, writer: bool = True, lanes: int | None = None) -> None:
        self._address = address
        self.name = _without_password(address)
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
                self.lanes = int(connection.execute("SELECT value FROM meta WHERE name = 'lanes'").fetchone()[0])
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
            with self._translating():
                mine.link.execute("SAVEPOINT part")
                try:
                    yield mine.link
                except BaseException:
                    self._undo(mine.link, "ROLLBACK TO part; RELEASE part")
                    raise
                mine.link.execute("RELEASE part")
            return
        with self._translating():
            link = self._link()
            mine.depth, mine.writing = 1, True
            try:
                link.execute(begin)
                yield link
                mark = link.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()
                try:
                    link.execute("COMMIT")
                except _AWAY as lost:
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
        with self._translating():
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
        with self._translating():
            yield self._link()

    def each(self, connection: Connection, statement: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """By a cursor of the server, so many rows at a time."""
        assert isinstance(connection, Link)
        with self._translating(), connection.raw.cursor(name=f"each_{time.monotonic_ns()}") as cursor:
            cursor.itersize = _AT_ONCE
            cursor.execute(_own_marks(statement), tuple(parameters) or None)
            yield from cursor

    # -- what both engines can tell ----------------------------------------------------------------------------------------------

    def identities(self, messages: Sequence[bytes]) -> Mapping[bytes, Identity]:
        with self.look() as link:
            rows = link.raw.execute(
                'SELECT message, fingerprint, lane, "offset" FROM inbox WHERE message = ANY(%s)', (list(messages),)
            )
            return {row[0]: Identity(*row[1:]) for row in rows}

    def renewed(self) -> tuple[str, int]:
        """Told by where the database is: one that was copied or restored elsewhere is another one of another server."""
        with self.write() as link:
            here = link.execute(
                "SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())"
                " FROM pg_control_system()"
            ).fetchone()
            assert here is not None
            known = link.execute("SELECT value FROM meta WHERE name = 'home' FOR UPDATE").fetchone()
            if known is not None and known[0] == here[0]:
                return "", 0
            link.execute(
                "INSERT INTO meta VALUES ('home', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (str(here[0]),)
            )
            reason = "" if known is None else "this store was copied here: money may have moved since it was"
            return reason, 0

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
        if mine.link is not None and not mine.link.raw.closed and not mine.link.raw.broken:
            return mine.link
        if self._closed:
            raise StoreAway(f"{self.name} is closed", field="store", value=self.name)
        connection = psycopg.connect(self._address, autocommit=True, connect_timeout=5, options=_OPTIONS)
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
                with psycopg.connect(self._address, autocommit=True, connect_timeout=2) as other:
                    row = other.execute("SELECT pg_xact_status(%s::xid8)", (transaction,)).fetchone()
                if row is not None and row[0] != "in progress":
                    return bool(row[0] == "committed")
            except psycopg.Error as away:
                log.warning("commit_in_doubt", store=self.name, reason=str(away).strip())
            time.sleep(_PAUSE_S)
        return False

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: psycopg.Error) -> HubError:
        text = str(error).strip().partition("\n")[0]
        if isinstance(error, _CONTENDED):
            return Contended(f"{self.name}: {text}: read it again", field="store", value=self.name)
        if isinstance(error, psycopg.IntegrityError):
            return Constraint(f"the store refused a row: {text}", value=text)
        if isinstance(error, (errors.InvalidPassword, errors.InvalidAuthorizationSpecification, errors.InvalidCatalogName)) or (
            isinstance(error, psycopg.OperationalError) and _refused(text)
        ):
            return HubError(
                f"{self.name}: {text}: mend [hub] store, or the password that it names", code="store_refused", field="store",
                value=self.name,
            )  # fmt: skip
        if isinstance(error, _AWAY):
            return StoreAway(f"{self.name}: {text}: the hub goes on by itself when it is back", field="store", value=self.name)
        return HubError(f"{self.name}: {text}", code="store_broken", field="store", value=self.name)


def _refused(text: str) -> bool:
    """Whether a connection was refused for what we said, and would be again: psycopg does not tell these apart by type."""
    return any(
        word in text for word in ("password authentication failed", "no password supplied", "does not exist", "no pg_hba.conf")
    )


def _without_password(address: str) -> str:
    known = psycopg.conninfo.conninfo_to_dict(address)
    host, port, name = known.get("host", "localhost"), known.get("port", 5432), known.get("dbname", "")
    return f"postgresql://{host}:{port}/{name}"
