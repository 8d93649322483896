"""One SQLite file: opening it, who may have it, its schema's version, and the one way to write.

WAL with `synchronous=FULL`, every write in `BEGIN IMMEDIATE` under one lock; readers have connections of their own. An
operating-system lock on a side file is taken before anything is read, so that two hubs cannot run on one file, and a killed one
frees it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from engine.store.contract import Connection, Identity, News
from engine.store.sqlite.checkpoints import Checkpoints
from engine.store.sqlite.failing import translated
from engine.store.sqlite.generation import Progress, beside, is_new_generation, put_beside, refuse_left_behind
from engine.store.sqlite.moved import Moved, moved, refusal
from engine.store.sqlite.owning import prepare, take
from engine.store.sqlite.upgrading import bring, make_store, version_of
from engine.store.statements import marks
from schemas.errors import HubError

_BUSY_MS = 5000
_SHRED_MS = 100
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA secure_delete=FAST",
    "PRAGMA cache_size=-65536",
    "PRAGMA wal_autocheckpoint=16000",
    f"PRAGMA journal_size_limit={128 * 1024 * 1024}",  # a long read makes the log grow: it shrinks again afterwards
)
_READING = ("PRAGMA query_only=ON", "PRAGMA cache_size=-4096")  # as many readers as threads: the system's own cache serves them


log = structlog.get_logger(__name__)


class Database:
    """The file at `path` (throw-away: `:memory:`, or empty for one that SQLite keeps in a temporary file when it grows).

    `writer` False: a command beside a running hub, which takes no lock. `buried`: also one that has moved, to end its move.
    """

    moved: Moved | None = None

    def __init__(self, path: str, *, writer: bool = True, lanes: int = 1, buried: bool = False) -> None:
        self.memory = path in (":memory:", "")
        self.path = path if self.memory else os.path.realpath(path)  # one file, one lock and one key, whatever it is called
        self._lock = threading.RLock()
        self._readers = threading.local()
        self._guard: int | None = None
        self._writing = 0  # the thread inside `write`
        self._advanced = False
        self._noting = threading.Lock()
        self._noted = Progress(0, 0)
        self._checkpoints = Checkpoints(self.path)
        if not self.memory and writer:
            prepare(self.path)
            self._guard = take(self.path)
        try:
            self._writer = self._open()
            self._migrate(lanes, make=writer, buried=buried)
            self.moved = moved(self._writer)
            self.lanes = int(self._writer.execute("SELECT value FROM meta WHERE name = 'lanes'").fetchone()[0])
        except sqlite3.DatabaseError as error:
            self.close()
            raise translated(error, self.path) from error
        except HubError:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=512)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    def _migrate(self, lanes: int, *, make: bool, buried: bool) -> None:
        if make and not buried and version_of(self._writer) and (gone := moved(self._writer)) is not None:
            raise refusal(self.path, gone.to)
        if bring(self._writer, self.path, make=make):
            return
        if not self.memory:
            refuse_left_behind(self.path, beside(self._guard) if self._guard is not None else None)
        if not make:
            raise HubError(
                f"{self.path} is empty: start `foliohub run` first, or name the store with --store", code="no_store", field="store",
                value=self.path,
            )  # fmt: skip
        make_store(self._writer, lanes)

    @property
    def name(self) -> str:
        return self.path or ":memory:"

    by_arrival = "rowid"
    by_decision = "seq"
    gapless = True
    log_elsewhere = False
    unpublished = "SELECT seq FROM outbox_row WHERE published = 0"
    confirm = "UPDATE outbox_row SET published = 1"

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed when the block ends, rolled back when it raises. Inside another `write` of the same thread
        it is a part of that one, which is undone alone when it raises.

        Raises StoreAway (disk full; StoreBusy: locked) or Constraint, in place of SQLite's own errors.
        """
        with self._lock:
            try:
                if self._writing:
                    with self._part():
                        yield self._writer
                    return
                self._writer.execute("BEGIN IMMEDIATE")
                self._writing, self._advanced = threading.get_ident(), False
                try:
                    yield self._writer
                    progress = self.progress(self._writer) if self._advanced else None
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
                finally:
                    self._writing = 0
                if self._guard is not None:
                    self._checkpoints.changed(self._writer.total_changes)
                if progress is not None:
                    self._note_after(progress)
            except sqlite3.DatabaseError as error:
                raise translated(error, self.path) from error

    @contextmanager
    def _part(self) -> Iterator[None]:
        self._writer.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK TO part")
                self._writer.execute("RELEASE part")
            raise
        self._writer.execute("RELEASE part")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A consistent view, beside the writer. Inside another `read` of the same thread it is the same view, inside its `write`
        what that has written so far."""
        if self.memory or self._writing == threading.get_ident():
            with self._lock:
                yield self._writer
            return
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._open()
            for pragma in _READING:
                connection.execute(pragma)
            self._readers.connection = connection
        if connection.in_transaction:
            yield connection
            return
        try:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    def each(self, connection: Connection, statement: str, parameters: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """SQLite finds the next row when it is asked for."""
        yield from connection.execute(statement, tuple(parameters))

    def identities(self, messages: Sequence[bytes]) -> Mapping[bytes, Identity]:
        found: dict[bytes, Identity] = {}
        with self.read() as connection:
            for (slice_,) in connection.execute("SELECT slice FROM inbox_slice").fetchall():
                rows = connection.execute(
                    f"SELECT message, fingerprint, lane, offset FROM inbox_{slice_:d} WHERE message IN ({marks(len(messages))})",
                    tuple(messages),
                )
                found.update((row[0], Identity(*row[1:])) for row in rows)
        return found

    def advanced(self) -> None:
        """Said inside a `write`: it takes the store further than what is noted beside it, which is put right after the commit."""
        self._advanced = True

    def progress(self, connection: sqlite3.Connection) -> Progress:
        """How far this store has come."""
        row = connection.execute(
            "SELECT (SELECT max(epoch) FROM lane), CAST(value AS INTEGER) FROM meta WHERE name = 'sends'"
        ).fetchone()
        return Progress(*row)

    def members(self) -> Sequence[str]:
        return ()  # a file is one process's

    def settled_to(self) -> int:
        """Any: one writes after the other."""
        return 2**63 - 1

    def renewed(self) -> tuple[str, int]:
        """Why this store is a new generation (empty: it is not), and the last epoch that was known beside it; to be asked before the
        lanes are claimed. Raises HubError."""
        if self._guard is None:
            return "", 0
        said = beside(self._guard)
        with self.read() as connection:
            restored = connection.execute("SELECT value FROM meta WHERE name = 'restored'").fetchone()
            if restored is not None:
                return str(restored[0]), said.epoch if said else 0
            return is_new_generation(self.progress(connection), said, self.path), said.epoch if said else 0

    def _note_after(self, progress: Progress) -> None:
        """What is committed is committed, whatever happens beside it: the next note says it as well."""
        try:
            self.note(progress)
        except OSError as error:
            log.error("not_noted", store=self.path, reason=str(error), meaning="a restored backup may not be known as one")

    def note(self, progress: Progress) -> None:
        """Say beside the store how far it has come, durably."""
        with self._noting:
            self._noted = max(self._noted, progress)
            if self._guard is not None:
                put_beside(self._guard, self._noted)

    def listen(self, heard: Callable[[News], None]) -> Callable[[], None]:
        del heard
        return lambda: None

    def probe(self) -> None:
        """One small durable write. Raises StoreAway when the file cannot be written."""
        with self.write() as connection:
            connection.execute(
                "INSERT INTO meta VALUES ('probe', '1') ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) % 1000 + 1"
            )

    def shred(self) -> bool:
        """After keys were destroyed: leave no copy of them in the write-ahead log. False while a reader is in the way."""
        with self._lock, self._checkpoints.under_way:
            self._writer.execute(f"PRAGMA busy_timeout={_SHRED_MS}")  # nobody else writes while this waits
            try:
                row = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not row[0]
            except sqlite3.DatabaseError as error:
                raise translated(error, self.path) from error
            finally:
                self._writer.execute(f"PRAGMA busy_timeout={_BUSY_MS}")

    def close(self) -> None:
        """Close the file and free it for another hub, with everything in the one file: other threads may have readers that keep the
        write-ahead log, but a hub leaves nothing in it. A command beside it has one thread, and SQLite does the same for the last."""
        self._checkpoints.stop()
        with self._lock:
            reader: sqlite3.Connection | None = getattr(self._readers, "connection", None)
            if reader is not None:
                reader.close()
                self._readers.connection = None
            if hasattr(self, "_writer"):
                if self._guard is not None:
                    self._fold()
                self._writer.close()
            if self._guard is not None:
                os.close(self._guard)
                self._guard = None

    def _fold(self) -> None:
        """Everything into the one file. What is committed is durable without it: whoever reads, or a full disk, does not delay a stop."""
        try:
            reason = "" if self.shred() else "somebody reads the store"
        except HubError as error:
            reason = error.message
        if reason:
            log.warning("log_left", store=self.path, reason=reason, meaning=f"a copy of the store needs {self.path}-wal as well")
