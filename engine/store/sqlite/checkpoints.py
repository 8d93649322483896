"""Checkpoints beside the writer: what is committed goes from the write-ahead log into the file in a thread of its own.

In a store that has grown, each message changes pages all over the file, and carrying them there is half of what a commit costs. The
writer's own checkpoint (`wal_autocheckpoint`) stays for what is left of it, and for quiet days, in which this thread is never started.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import Final

import structlog

_ROWS: Final = 2_000  # changed since the last one
_PAUSE_S: Final = 0.05

log = structlog.get_logger(__name__)


class Checkpoints:
    """Of the file at `path`, for its one writer."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._changed, self._carried = 0, 0
        self._wanted, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.under_way = threading.Lock()
        """Held while one is: on a slow disk it takes longer than a whole checkpoint is patient."""

    def changed(self, rows: int) -> None:
        """So many rows were changed since the writer was opened, and are committed."""
        self._changed = rows
        if rows - self._carried >= _ROWS and not self._wanted.is_set():
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                self._thread.start()
            self._wanted.set()

    def stop(self) -> None:
        """Returns when none is under way."""
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            connection = sqlite3.connect(self._path, isolation_level=None)
            connection.execute("PRAGMA cache_size=-1024")  # it reads the log, not the pages
        except sqlite3.DatabaseError as error:
            log.warning("no_checkpoints", store=self._path, reason=str(error), meaning="the writer makes its own")
            return
        try:
            while self._wanted.wait() and not self._stopping.is_set():
                self._wanted.clear()
                self._carried = self._changed
                try:
                    with self.under_way:
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                except sqlite3.DatabaseError as error:  # the writer meets it too, and says what to do
                    log.debug("no_checkpoint", store=self._path, reason=str(error))
                self._stopping.wait(_PAUSE_S)
        finally:
            connection.close()
