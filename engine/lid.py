"""A lid on what a library logs again and again while something is away."""

from __future__ import annotations

import logging
import time
from typing import Final

REPEATED_S: Final = 30.0  # one line of a kind in so many seconds


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
