"""What one process tells the others through the database, as part of its own commit: that lanes have something to do, and which
messages were decided. News may be lost with a connection, never invented: whoever listens looks at everything after a break.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Final

import psycopg
import structlog

from engine.store.contract import News, short
from engine.store.postgresql.database import Database
from engine.store.postgresql.link import Link

_CHANNEL: Final = "foliohub"
_WAITING, _DECIDED = "waiting", "decided"
_MOST: Final = 7_800  # bytes that a server takes in one piece of news
_TICK_S: Final = 1.0
_AGAIN_S: Final = 0.5

log = structlog.get_logger(__name__)


def tell_waiting(link: Link) -> None:
    """Some lane has something to do, as soon as this transaction is committed."""
    link.raw.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, _WAITING))


def tell_decided(link: Link, messages: Collection[bytes]) -> None:
    """These messages are decided, as soon as this transaction is committed."""
    text = ",".join([_DECIDED, *(short(message) for message in messages)])
    link.raw.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, text if len(text) <= _MOST else _DECIDED))


class Listener:
    """A thread with a connection of its own, until `stop`."""

    def __init__(self, database: Database, heard: Callable[[News], None]) -> None:
        self._database, self._heard = database, heard
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="news", daemon=True)
        self._thread.start()
        self._listening.wait(5.0)

    def stop(self) -> None:
        """Hear nothing more."""
        self._stopping.set()
        self._thread.join(2 * _TICK_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._database.connection() as connection:
                    connection.execute(f"LISTEN {_CHANNEL}".encode())
                    self._listening.set()
                    self._heard(News(waiting=True, decided=None))  # what was told before is not told again
                    while not self._stopping.is_set():
                        for one in connection.notifies(timeout=_TICK_S):
                            self._heard(_read(one.payload))
                            if self._stopping.is_set():
                                break
            except psycopg.Error as away:
                if not self._stopping.is_set():
                    log.warning("news_away", store=self._database.name, reason=str(away).strip().partition("\n")[0])
                self._stopping.wait(_AGAIN_S)
            except Exception:
                log.exception("news_failed", store=self._database.name)
                self._stopping.wait(_AGAIN_S)


def _read(text: str) -> News:
    what, *messages = text.split(",")
    if what == _DECIDED:
        return News(waiting=False, decided=frozenset(messages) if messages else None)
    return News(waiting=True, decided=frozenset())
