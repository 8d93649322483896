"""One asyncio loop in a thread of its own, for the plain threads of the engine; and a lid on what a broker's outage logs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

REPEATED_S: Final = 30.0  # one line of a kind in so many seconds


class LoopThread:
    """A running loop. `run` is called from any other thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it in the loop and waits for what it returns or raises; how long is the work's own affair."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """Cancels what still runs and ends the thread."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()


class _Lid(logging.Filter):
    """Lets a line of a kind (its level and text before anything is filled in) through once in a while, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.levelno, str(record.msg)[:80])
        now = time.monotonic()
        since, hidden = self._seen.get(kind, (now - REPEATED_S, 0))
        if now - since < REPEATED_S:
            self._seen[kind] = (since, hidden + 1)
            return False
        if len(self._seen) > 1_000:
            self._seen.clear()
        self._seen[kind] = (now, 0)
        if hidden:
            record.msg = f"{record.msg} (and {hidden} more of the kind)"
        return True


def calm(*libraries: str) -> None:
    """Puts the lid on every logger of these libraries that there is now. A second call changes nothing."""
    for name in (*libraries, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in libraries:
            logger = logging.getLogger(name)
            if not any(isinstance(one, _Lid) for one in logger.filters):
                logger.addFilter(_Lid())
