"""The scratch store that verification replays a log into."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from engine.store.chunk_write import ChunkWrite
from engine.store.log import Log, Root
from engine.store.rows import DeadLetterRow, TimerRow
from engine.store.sqlite.chunk import SqliteChunk
from engine.store.sqlite.database import Database
from engine.store.statements import marks
from schemas.effect import EffectState

_STATES: Final = " " + " ".join(EffectState) + " "


class ReplayChunk(SqliteChunk):
    """A transaction on the scratch store: what the effects runner and doors did beside the log is told by the log's records."""

    def __init__(self, connection: sqlite3.Connection, log: Log, epochs: Mapping[int, int]) -> None:
        super().__init__(connection, epochs)
        self._log = log
        self._numbers: Iterator[int] = iter(())
        self._deciding = 0
        self._beyond = max(self._last, log.last())
        self.slices = log.slices()
        self._gaps = log.gaps()

    def again(self, numbers: Sequence[int]) -> None:
        """A message is decided again, whose decisions had these numbers then."""
        self._numbers = iter(numbers)

    def number(self) -> int:
        """As it was then; beyond what was decided then: one that nobody has."""
        found = next(self._numbers, None)
        if found is None:
            self._beyond += 1
        self._deciding = self._beyond if found is None else found
        return self._deciding

    def dead_letter(self, id_: str) -> DeadLetterRow | None:
        """A door's letter is brought over when somebody speaks of it."""
        found = super().dead_letter(id_)
        if found is None and (kept := self._log.kept_letter(id_)) is not None:
            self._db.execute(f"INSERT INTO dead_letter VALUES ({marks(len(kept))})", kept)
            return kept
        return found

    def effect_states(self, tenant: str, folio: str) -> Mapping[str, EffectState]:
        """As the decision was shown them then."""
        del tenant, folio
        return self._log.effects_shown(self._deciding)

    def still_known(self, message: bytes) -> dict[bytes, bytes]:
        """Its fingerprint, if it was decided in a slice of time that the verified store has not dropped."""
        found: dict[bytes, bytes] = {}
        for (slice_,) in self._db.execute("SELECT slice FROM inbox_slice").fetchall():
            if slice_ in self.slices:
                found.update(self._db.execute(f"SELECT message, fingerprint FROM inbox_{slice_:d} WHERE message = ?", (message,)))
        return found

    def timers(self, root: Root) -> list[TimerRow]:
        """Timers of a key that are due at the instant at which one fired."""
        rows = self._db.execute(
            "SELECT tenant, kind, key, name, lane, due, what, subject FROM timer WHERE tenant = ? AND kind = ? AND key = ? AND due = ?",
            (root.tenant, root.kind, root.key, root.place),
        )
        return [TimerRow(*row) for row in rows]

    def write(self, chunk: ChunkWrite) -> None:
        """The scratch effects never moved by themselves: a person's word moves them from wherever they stand. Where the log may have
        gaps, a lane moves on over them; it never moves back."""
        if self._gaps:
            stands = dict(self._db.execute("SELECT lane, next_offset FROM lane").fetchall())
            chunk.positions = {lane: (min(base, stands[lane]), next_) for lane, (base, next_) in chunk.positions.items()}
        chunk.moves = [move._replace(allowed=_STATES) for move in chunk.moves]
        super().write(chunk)


def scratch(lanes: int) -> Database:
    """An empty store in a temporary file that SQLite makes when it grows beyond its cache, and takes away by itself."""
    return Database("", lanes=lanes)
