"""A store that outlives its hubs, and deaths before and after each of its commits.

A kill leaves a SQLite file as its last commit left it. In memory that is a rollback: the connection stands for the file. What a
transaction did to effects is read off the rows that it changed, by triggers of this connection, so that the names of crash points
do not hang on how the engine cuts its transactions.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from engine.store.sqlite.database import Database
from engine.store.sqlite.generation import Progress
from tests.simulation.luck import Luck, Step
from tests.simulation.points import HOUSEKEEPING, OF_NOTICES, STEPS

_TRIGGERS = """
CREATE TEMP TRIGGER effect_made AFTER INSERT ON main.effect BEGIN SELECT effect_touched(NEW.id); END;
CREATE TEMP TRIGGER effect_moved AFTER UPDATE ON main.effect BEGIN SELECT effect_touched(NEW.id); END;
CREATE TEMP TRIGGER evidence_kept AFTER INSERT ON main.evidence BEGIN SELECT evidence_kept(NEW.act, NEW.effect, NEW.reference); END;
CREATE TEMP TRIGGER payment_asked AFTER UPDATE ON main.payment_query
BEGIN SELECT payment_asked(NEW.reference, NEW.attempts > OLD.attempts); END;
CREATE TEMP TRIGGER notice_moved AFTER UPDATE ON main.notice BEGIN SELECT notice_moved(NEW.state); END;
"""


MOST_COMMITS = 20_000  # of one world; the busiest have some thousands


class Endless(AssertionError):
    """So many transactions, and no end in sight."""


class Stands(NamedTuple):
    """An effect as the last commit left it."""

    state: str
    kind: str
    reference: str
    lease_until: int
    minor: int


class Disk(Database):
    """One database, in memory, for all hubs of a world one after the other. `standing`: every effect, as committed."""

    def __init__(self, luck: Luck, image: bytes | None = None) -> None:
        self._luck = luck
        self._image = image
        self.standing: dict[str, Stands] = {}
        self.commits = 0
        self.moved = False  # the file was put elsewhere: the next hub on it is to see a new generation
        self.returns = False  # and is put back when that hub dies of it
        self.doubted: set[str] = set()  # effects that were ever in doubt
        self._touched: dict[str, None] = {}
        self._evidence: list[tuple[str, str, str]] = []
        self._asked: dict[str, bool] = {}
        self._notices: list[str] = []
        self._uncommitted: tuple[str, dict[str, Stands]] | None = None
        super().__init__(":memory:")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=512)
        if self._image is not None:
            connection.deserialize(self._image)
            connection.create_function("effect_touched", 1, lambda effect: self._touched.setdefault(effect))
            connection.create_function("evidence_kept", 3, lambda *kept: self._evidence.append(kept))
            connection.create_function("payment_asked", 2, lambda payment, again: self._asked.update({payment: bool(again)}))
            connection.create_function("notice_moved", 1, self._notices.append)
            connection.executescript(_TRIGGERS)
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """As the store's own, with a chance to die before the commit and after it."""
        if self._writer.in_transaction:
            with super().write() as connection:
                yield connection
            return
        caller = _caller()
        for seen in (self._touched, self._evidence, self._asked, self._notices):
            seen.clear()
        unchanged = self._writer.total_changes
        after: Sequence[Step] | None = None
        with super().write() as connection:
            yield connection
            if connection.total_changes != unchanged or caller in HOUSEKEEPING:
                now = self._now_standing(connection)
                before, after = self._steps(caller, now)
                self._luck.step("before", before)
                self._uncommitted = (caller, now)
        if after is not None:
            self._committed()
            self._luck.step("after", after)

    def _committed(self) -> None:
        """Remember what is durable now."""
        if self._uncommitted is None:
            return
        (caller, now), self._uncommitted = self._uncommitted, None
        self.commits += 1
        if self.commits > MOST_COMMITS:
            raise Endless(f"{MOST_COMMITS} transactions, and no end")
        self.standing.update(now)
        self.doubted.update(effect for effect, stands in now.items() if stands.state == "unknown")
        if caller == "SqliteLanes.claim" or (self._luck.in_flight and caller == "SqliteLanes.chunk"):
            self._luck.in_flight = self._writer.execute("SELECT max(deaths) FROM lane").fetchone()[0]

    def _now_standing(self, connection: sqlite3.Connection) -> dict[str, Stands]:
        names = ",".join("?" * len(self._touched))
        rows = connection.execute(
            f"SELECT id, state, kind, reference, lease_until, minor FROM effect WHERE id IN ({names})", (*self._touched,)
        )
        return {row[0]: Stands(*row[1:]) for row in rows} if self._touched else {}

    def _steps(self, caller: str, now: dict[str, Stands]) -> tuple[Sequence[Step], Sequence[Step]]:
        """What a death before and after this commit interrupts."""
        if caller in STEPS:
            after = {**self.standing, **now}
            return (
                [Step(STEPS[caller], [(effect, stands.state) for effect, stands in self.standing.items()])],
                [Step(STEPS[caller], [(effect, stands.state) for effect, stands in after.items()])],
            )
        mails = [Step(OF_NOTICES.get(state, "mail answer"), []) for state in self._notices]
        before, after_ = [*mails], [*mails]
        for effect, stands in now.items():
            was = self.standing[effect]
            name = self._kind(caller, effect, was, stands)
            before.append(Step(name, [(effect, was.state)]))
            after_.append(Step(name, [(effect, stands.state)]))
        for effect in self._too_late(now):
            state = self.standing[effect].state
            late = Step("late look" if state in ("planned", "sending") else "late answer", [(effect, state)])
            before.append(late)
            after_.append(late)
        payments = {payment: "payment again" if again else "claim payment" for payment, again in self._asked.items()}
        payments |= {
            payment: "payment learned" for act, effect, payment in self._evidence if not effect and payment not in payments
        }
        for payment, name in payments.items():
            on = [(effect, stands) for effect, stands in self.standing.items() if stands.reference == payment]
            before.append(Step(name, [(effect, stands.state) for effect, stands in on]))
            after_.append(Step(name, [(effect, now.get(effect, stands).state) for effect, stands in on]))
        if not before:
            before = after_ = [Step(f"{caller} (not in the table)", [])]
        return before, after_

    def _too_late(self, now: Container[str]) -> list[str]:
        """Effects of which an answer is kept as evidence and moves nothing: others have gone on with them."""
        return [
            effect
            for act, effect, _ in self._evidence  # without an effect: a payment was asked about
            if effect and (act == "late" or (act == "query" and effect not in now))
        ]

    def _kind(self, caller: str, effect: str, was: Stands, now: Stands) -> str:
        """What a transaction of the effects runner did to one effect."""
        claimed = now.lease_until > was.lease_until and now.state == was.state
        answered = any(act == "send" and about == effect for act, about, _ in self._evidence)
        match was.state, now.state:
            case "planned", "planned":
                return f"{caller} (claims what is planned)" if claimed else "put off"
            case "planned", "sending":
                return "mark"
            case "sending", _:
                return "answer" if answered else "doubt"
            case _:
                return "claim to ask" if claimed else "learn"

    def renewed(self) -> tuple[str, int]:
        """As the store's own, which reads it from beside the file."""
        return ("this store was moved here: money may have moved since it was copied", 0) if self.moved else ("", 0)

    def note(self, progress: Progress) -> None:
        """Put beside the file how far the store has come: from now on it is where it belongs."""
        self._committed()
        self._luck.step("before", [Step("note beside", [(effect, stands.state) for effect, stands in self.standing.items()])])
        self.moved = False

    def close(self) -> None:
        """A hub that goes leaves the file; `lose` is what a kill does."""

    def lose(self) -> None:
        """The process died: what was not committed is gone."""
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        if self.returns:
            self.moved = False


def image() -> bytes:
    """An empty store of the present schema, to start worlds from."""
    return Disk(Luck(0, 0.0, "", ()))._writer.serialize()


def _caller() -> str:
    """The durable step: the engine's function that asked for the transaction."""
    frame = sys._getframe(2)
    while frame.f_back is not None and (frame.f_code.co_filename == __file__ or "contextlib" in frame.f_code.co_filename):
        frame = frame.f_back
    return frame.f_code.co_qualname
