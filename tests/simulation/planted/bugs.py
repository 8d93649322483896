"""The bugs: each in the one place where somebody could have made it, and what the simulation says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from engine import applying, effects, histories, parking
from engine.effects import EffectsRunner
from engine.hub import Hub
from engine.lane import Ran
from engine.reconcile import Findings, Known, Open
from engine.relay import outgoing
from engine.routes import ROUTES
from engine.store.chunk_write import ChunkWrite
from engine.store.contract import Claim
from engine.store.rows import Waiting
from engine.store.sqlite import chunk as lane_transaction
from engine.store.sqlite.chunk import SqliteChunk
from engine.store.sqlite.lanes import SqliteLanes
from handlers import booking
from handlers.outcome import Facts, Outcome
from handlers.refund_parts import replace_part
from ledger import recipes
from schemas.effect import EffectState, ProviderRecord, Result
from schemas.folio import PartStatus
from schemas.payment import ProviderNotified
from tests.simulation.broker import Broker

_NEVER = 10**18
Plant = Callable[[pytest.MonkeyPatch], None]


class Bug(NamedTuple):
    """`seeds`: among so many worlds, from `first` on, is one that finds it. `says`: words of what it finds."""

    name: str
    plant: Plant
    says: tuple[str, ...]
    seeds: int = 20
    first: int = 0


def no_inbox(patch: pytest.MonkeyPatch) -> None:
    """Nobody notes which messages were there."""
    patch.setattr(SqliteChunk, "_write_inbox", lambda self, chunk: None)


def acknowledged_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """What a sender brings is noted, the sender is told, and the next transaction of the lanes stores it. What was noted when a process
    ends is gone."""
    append, init, chunk = SqliteLanes.append, SqliteLanes.__init__, SqliteLanes.chunk
    noted: list[tuple[Any, ...]] = []

    def begin(self: SqliteLanes, *given: Any) -> None:
        noted.clear()
        init(self, *given)

    @contextmanager
    def storing(self: SqliteLanes, claim: Claim) -> Iterator[SqliteChunk]:
        with chunk(self, claim) as transaction:
            for rows in noted:
                append(self, *rows)
            yield transaction
        noted.clear()

    patch.setattr(SqliteLanes, "append", lambda self, *rows: noted.append(rows))
    patch.setattr(SqliteLanes, "__init__", begin)
    patch.setattr(SqliteLanes, "chunk", storing)


def blind_retry(patch: pytest.MonkeyPatch) -> None:
    """Silence is taken for a call that was never made: it goes out again."""
    real = effects.after_result

    def again(state: EffectState, result: Result) -> EffectState:
        return EffectState.PLANNED if result is Result.UNKNOWN else real(state, result)

    patch.setattr(effects, "after_result", again)


def unfenced_writer(patch: pytest.MonkeyPatch) -> None:
    """Whoever writes takes the lanes for its own, wherever they stand and whoever owns them."""
    write = SqliteChunk.write

    def anyway(self: SqliteChunk, chunk: ChunkWrite) -> None:
        rows = self._db.execute("SELECT lane, next_offset, epoch FROM lane").fetchall()
        self._epochs = {lane: epoch for lane, _, epoch in rows}
        for lane, stands, _ in rows:
            if lane in chunk.positions:
                chunk.positions[lane] = (stands, chunk.positions[lane][1])
        write(self, chunk)

    patch.setattr(SqliteChunk, "write", anyway)


def timer_lost_on_restart(patch: pytest.MonkeyPatch) -> None:
    """Timers live as long as the process that set them."""
    claim = SqliteLanes.claim

    def without(self: SqliteLanes, lanes: Any = None) -> Claim:
        with self.database.write() as connection:
            connection.execute("DELETE FROM timer")
        return claim(self, lanes)

    patch.setattr(SqliteLanes, "claim", without)


def wrong_recipe(patch: pytest.MonkeyPatch) -> None:
    """A refund that left is booked against the guest and not against what was owed."""
    patch.setattr(recipes, "refund_executed", lambda folio, payment, minor, refund: recipes.foreign_refund(folio, payment, minor))


def published_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """The broker has an outcome before the store has it."""
    write, init = SqliteChunk.write, Broker.__init__
    brokers: list[Broker] = []

    def begin(self: Broker, *given: Any) -> None:
        init(self, *given)
        brokers[:] = [self]

    def tell_first(self: SqliteChunk, chunk: ChunkWrite) -> None:
        brokers[0].stream += [outgoing(row) for row in chunk.outbox]
        write(self, chunk)

    patch.setattr(Broker, "__init__", begin)
    patch.setattr(SqliteChunk, "write", tell_first)


def callback_overwrites(patch: pytest.MonkeyPatch) -> None:
    """A callback's word is taken for the state of a refund that is settled."""
    says = {"8": PartStatus.EXECUTED, "81": PartStatus.REQUESTED, "83": PartStatus.REFUSED}
    decide = ROUTES["provider.notified"]

    def overwriting(message: ProviderNotified, facts: Facts) -> Outcome:
        outcome, folio = decide(message, facts), facts.folio
        if folio is None or message.status not in says:
            return outcome
        of = {known.payment for known in folio.payments if known.reference == message.provider_reference}
        for refund in folio.refunds:
            for part in refund.parts:
                if part.payment in of and part.status in (PartStatus.EXECUTED, PartStatus.REFUSED):
                    folio = replace_part(folio, refund, replace(part, status=says[message.status]))
        return replace(outcome, state=folio)

    patch.setitem(ROUTES, "provider.notified", overwriting)


def outcome_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Outcomes are stored behind the decision, in a transaction of their own."""
    real, run = lane_transaction.insert, Hub.run_lanes
    kept: list[tuple[Any, ...]] = []

    def without(connection: Any, table: str, rows: Sequence[Any], columns: str = "") -> None:
        if table.startswith("outbox"):
            kept.append((table, rows, columns))
        else:
            real(connection, table, rows, columns)

    def behind(self: Hub) -> Ran:
        kept.clear()
        ran = run(self)
        with self.database.write() as connection:
            for rows in kept:
                real(connection, *rows)
        return ran

    patch.setattr(lane_transaction, "insert", without)
    patch.setattr(Hub, "run_lanes", behind)


def late_revision(patch: pytest.MonkeyPatch) -> None:
    """Whatever comes last is taken for the newest."""
    patch.setattr(booking, "_check_known", lambda message, folio, facts: None)


def parked_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What waited is taken out of the shelf, and nobody decides it."""
    released = parking.released

    def nothing(*given: Any) -> list[Waiting]:
        released(*given)
        return []

    patch.setattr(parking, "released", nothing)


def sent_under_a_lapsed_lease(patch: pytest.MonkeyPatch) -> None:
    """A sender that slept past its lease sends all the same."""
    make = EffectsRunner.make
    patch.setattr(EffectsRunner, "make", lambda self, call: make(self, call._replace(until=_NEVER))._replace(call=call))


def shown_and_not_told(patch: pytest.MonkeyPatch) -> None:
    """What a history shows of a request moves its row, and its folio hears nothing."""
    shown = histories.Histories._shown
    patch.setattr(histories.Histories, "_shown", lambda self, *given: shown(self, *given)._replace(told=None))


def set_aside_for_ever(patch: pytest.MonkeyPatch) -> None:
    """What was nobody's while a person was asked whose it is stays nobody's when the person has said so."""
    real = histories.compare
    aside: set[tuple[str, str]] = set()

    def forgetting(records: Sequence[ProviderRecord], known: Mapping[str, Known], opened: Sequence[Open]) -> Findings:
        found = real(records, known, opened)
        taken = [*(record for _, record in (*found.bound, *found.moved)), *found.foreign, *found.payment]
        for effect, _ in found.unclear:
            aside.update((effect, record.level) for record in records if record.level not in known and record not in taken)
        kept = tuple(one for one in found.foreign if not any((effect.id, one.level) in aside for effect in opened))
        return found._replace(foreign=kept)

    patch.setattr(histories, "compare", forgetting)


def brakes_off(patch: pytest.MonkeyPatch) -> None:
    """Nobody adds up what leaves in a day or an hour."""
    patch.setattr(effects, "brake_on", lambda *given: None)


def conflict_for_a_duplicate(patch: pytest.MonkeyPatch) -> None:
    """Another message under a known identity is dropped as if it were the same."""
    real = applying.repeated
    patch.setattr(applying, "repeated", lambda *given, same: real(*given, same=True))


BUGS: Sequence[Bug] = (
    Bug("no inbox", no_inbox, ("fates",)),
    Bug("acknowledged before the commit", acknowledged_before_the_commit, ("acknowledged",)),
    Bug("blind retry after a time-out", blind_retry, ("written to the wire",), seeds=80),
    Bug("unfenced writer", unfenced_writer, ("not fenced", "decisions of")),
    Bug("timer lost on restart", timer_lost_on_restart, ("timer",)),
    Bug("wrong recipe", wrong_recipe, ("account",)),
    Bug("published before the commit", published_before_the_commit, ("the broker has",)),
    Bug("callback overwrites a final status", callback_overwrites, ("account",), seeds=80),
    Bug("outcome forgotten in a crash", outcome_forgotten, ("after",)),
    Bug("late revision undoes a newer one", late_revision, ("was taken after",)),
    Bug("parked message forgotten", parked_forgotten, ("fates",)),
    Bug("sent under a lapsed lease", sent_under_a_lapsed_lease, ("its lease is over",), seeds=80),
    Bug("shown and not told", shown_and_not_told, ("is not",)),
    Bug("set aside for ever", set_aside_for_ever, ("folios",), seeds=80),
    Bug("brakes off", brakes_off, ("today", "an hour"), seeds=80),
    Bug("conflict taken for a duplicate", conflict_for_a_duplicate, ("another body",)),
)
