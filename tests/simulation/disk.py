"""A store that outlives its hubs, and deaths at any of its durable steps, by the seed's luck.

A kill leaves a SQLite file as its last commit left it. In memory that is a rollback: the connection stands for the file.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from engine.store.sqlite.database import Database

IN_A_ROW = 2  # deaths without a message decided between them: at three the engine would suspect the message


class Crash(BaseException):
    """The process is gone. Nothing may catch it but the world."""


class Luck:
    """When the process dies: each step is asked, and the seed answers. `points` counts where it did."""

    def __init__(self, seed: int, chance: float) -> None:
        self._random = random.Random(f"luck {seed}")
        self._chance = chance
        self._in_a_row = 0
        self.points: Counter[str] = Counter()
        self.trace: list[str] = []

    def step(self, point: str) -> None:
        """Dies here, or not."""
        if self._in_a_row < IN_A_ROW and self._random.random() < self._chance:
            self._in_a_row += 1
            self.points[point] += 1
            self.trace.append(f"crash {point}")
            raise Crash(point)

    def progress(self) -> None:
        """Something was decided: the next death is a first one."""
        self._in_a_row = 0

    def stop(self) -> None:
        """No more deaths: the world runs until it is quiet."""
        self._chance = 0.0


class Disk(Database):
    """One database, in memory, for all hubs of a world one after the other."""

    def __init__(self, luck: Luck, image: bytes | None = None) -> None:
        self._luck = luck
        self._image = image
        super().__init__(":memory:")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=512)
        if self._image is not None:
            connection.deserialize(self._image)
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """As the store's own, with a chance to die before the commit and after it."""
        point = _caller()
        with super().write() as connection:
            yield connection
            self._luck.step(f"before {point}")
        if point == "chunk":
            self._luck.progress()
        self._luck.step(f"after {point}")

    def close(self) -> None:
        """A hub that goes leaves the file; `lose` is what a kill does."""

    def lose(self) -> None:
        """The process died: what was not committed is gone."""
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")


def image() -> bytes:
    """An empty store of the present schema, to start worlds from."""
    return Disk(Luck(0, 0.0))._writer.serialize()


def _caller() -> str:
    """The durable step: the store's function that asked for the transaction."""
    frame = sys._getframe(2)
    while frame.f_back is not None and (frame.f_code.co_filename == __file__ or "contextlib" in frame.f_code.co_filename):
        frame = frame.f_back
    return frame.f_code.co_name
