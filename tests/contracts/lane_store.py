"""The suite that every store of lanes passes: what is appended is taken once, in order, by its owner alone, and all or nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest

from engine.store.chunk_write import ChunkWrite
from engine.store.contract import ChunkTransaction, Constraint, Fenced, LaneStore, Store
from engine.store.rows import (
    Arrived,
    BlockedRow,
    Cargo,
    DeadLetterRow,
    DecisionRow,
    InternalRow,
    Key,
    ParkedRow,
    StateWrite,
    SwitchRow,
    TimerRow,
)
from engine.store.switches import Switches

AT = 1_777_622_400_000_000


def message(id_: str) -> bytes:
    """A message's 16 bytes."""
    return uuid5(NAMESPACE_URL, id_).bytes


def arrived(id_: str, lane: int = 0, key: str = "B-1", at: int = AT) -> Arrived:
    """One intake row."""
    return Arrived(
        lane, message(id_), b"f" * 16, "azur", "pms", id_, "payment.received", "folio", key, at, at, "", "", "t", "", b"{}"
    )


def internal(id_: str, lane: int = 0, key: str = "B-1") -> InternalRow:
    """One message from inside."""
    return InternalRow(lane, message(id_), "azur", "foliohub", id_, "reply.arrived", "folio", key, AT, AT, "", "", 0, b"{}")


def cargo(id_: str) -> Cargo:
    """A message that is kept."""
    return Cargo(message(id_), "pms", id_, "payment.received", AT, AT, "", "", b"{}")


def decision(seq: int, place: int, lane: int = 0, origin: str = "intake", key: str = "B-1") -> DecisionRow:
    """One decision row."""
    return DecisionRow(
        seq, 0, seq, origin, lane, place, message(f"{origin}{place}"), "azur", "folio", key, "payment.received", "decided", AT, AT, AT, 1,
        "", "", b"{}",
    )  # fmt: skip


def state(key: Key, body: bytes = b"{}", sequence: int = 1, blocked: str = "") -> StateWrite:
    """An aggregate's next row."""
    return StateWrite(key.digest(), 0, *key, 1, sequence, 1, blocked, 1, body)


class LaneStoreContract(ABC):
    """`make` gives an empty store of that many lanes, owned by nobody yet, in `database`."""

    database: Store

    @abstractmethod
    def make(self, lanes: int) -> LaneStore:
        """Under test."""

    def test_what_is_appended_is_taken_in_order_of_arrival(self) -> None:
        """Across lanes, each with offsets of its own from 0."""
        store = self.make(2)
        claim = store.claim()
        store.append([arrived("a", 1), arrived("b", 0)], [], [], [])
        store.append([arrived("c", 1)], [], [], [])

        with store.chunk(claim) as chunk:
            taken = chunk.take(claim.positions, 10)

        assert [(row.id, row.lane, row.place) for row in taken] == [("a", 1, 0), ("b", 0, 0), ("c", 1, 1)]

    def test_a_chunk_takes_its_limit_and_internal_messages_first(self) -> None:
        """At most so many in all; without internal messages where they are not wanted."""
        store = self.make(1)
        claim = store.claim()
        store.append([arrived("a"), arrived("b")], [], [], [internal("i"), internal("j")])

        with store.chunk(claim) as chunk:
            assert [row.id for row in chunk.take(claim.positions, 1)] == ["i"]
            assert [row.id for row in chunk.take(claim.positions, 3)] == ["i", "j", "a"]
            assert [row.id for row in chunk.take(claim.positions, 3, internal=False)] == ["a", "b"]

    def test_a_written_chunk_is_not_taken_again(self) -> None:
        """Positions move, internal messages are done, the inbox knows its messages."""
        store = self.make(1)
        claim = store.claim()
        store.append([arrived("a"), arrived("b")], [], [], [internal("i")])
        with store.chunk(claim) as chunk:
            place = chunk.take(claim.positions, 1)[0].place
            first, second = chunk.number(), chunk.number()
            write = ChunkWrite(
                inbox=[(1, message("a"), b"f" * 16, 0, 0)],
                decisions=[decision(first, 0), decision(second, place, origin="internal")],
                done=[(second, place)],
                positions={0: (0, 1)},
            )
            chunk.write(write)

        with store.chunk(claim) as chunk:
            assert [row.id for row in chunk.take({0: 1}, 10)] == ["b"]
            assert {message("a"): b"f" * 16} == dict(chunk.seen([message("a"), message("b")]))
            assert chunk.number() > second > first
        assert store.waiting_count() == 1

    def test_another_claim_fences(self) -> None:
        """Whether the chunk moves a position or only fires a timer; nothing of it is written."""
        store = self.make(2)
        old = store.claim()
        new = store.claim()
        store.append([arrived("a")], [], [], [])
        assert all(new.epochs[lane] > old.epochs[lane] for lane in (0, 1))

        for write in (ChunkWrite(positions={0: (0, 1)}), ChunkWrite(states=[state(Key("azur", "folio", "B-1"))])):
            with pytest.raises(Fenced), store.chunk(old) as chunk:
                chunk.write(write)

        with store.chunk(new) as chunk:
            assert chunk.states([Key("azur", "folio", "B-1").digest()]) == {}
            chunk.write(ChunkWrite(positions={0: (0, 1)}))

    def test_a_position_that_is_not_ours_fences(self) -> None:
        """Compared and set."""
        store = self.make(1)
        claim = store.claim()
        store.append([arrived("a"), arrived("b")], [], [], [])

        with pytest.raises(Fenced) as fenced, store.chunk(claim) as chunk:
            chunk.write(ChunkWrite(positions={0: (1, 2)}))

        assert (fenced.value.field, fenced.value.value) == ("lane", "0")
        assert dict(store.claim().positions) == {0: 0}

    def test_all_or_nothing(self) -> None:
        """A row that is refused takes the whole chunk with it."""
        store = self.make(1)
        claim = store.claim()
        store.append([arrived("a")], [], [], [])
        write = ChunkWrite(
            positions={0: (0, 1)},
            states=[state(Key("azur", "folio", "B-1"))],
            totals=[("azur", "B-1", "P", "EUR", 100, 101)],
        )

        with pytest.raises(Constraint), store.chunk(claim) as chunk:
            chunk.write(write)

        with store.chunk(claim) as chunk:
            assert chunk.states([Key("azur", "folio", "B-1").digest()]) == {}
            assert [row.id for row in chunk.take({0: 0}, 1)] == ["a"]

    def test_the_last_total_of_a_payment_counts(self) -> None:
        """One that several messages of a chunk change is written as it is after the last."""
        store = self.make(1)
        claim = store.claim()
        totals = [("azur", "B-1", "P", "EUR", 100, 0), ("azur", "B-1", "P", "EUR", 100, 100)]
        with store.chunk(claim) as chunk:
            chunk.write(ChunkWrite(totals=totals))

        with pytest.raises(Constraint), store.chunk(claim) as chunk:
            chunk.write(ChunkWrite(totals=[("azur", "B-1", "P", "EUR", 100, 101)]))

    def test_the_latest_word_about_payouts_counts(self) -> None:
        """By when it was said, of several in one chunk as well."""
        store = self.make(1)
        switches = Switches(self.database)
        said = [SwitchRow("azur", stopped, "operator:ann", "", AT + after) for stopped, after in ((0, 2), (1, 3), (0, 1))]
        for words, left in ((said, 1), ([SwitchRow("azur", 0, "operator:bob", "", AT)], 1), ([said[0]._replace(at=AT + 3)], 0)):
            with store.chunk(store.claim()) as chunk:
                chunk.write(ChunkWrite(switches=words))
            assert switches.all()["azur"].stopped == left

    def test_an_exception_rolls_back(self) -> None:
        """Whatever it is."""
        store = self.make(1)
        claim = store.claim()
        store.append([arrived("a")], [], [], [])

        def die(chunk: ChunkTransaction) -> None:
            chunk.write(ChunkWrite(positions={0: (0, 1)}))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), store.chunk(claim) as chunk:
            die(chunk)

        assert dict(store.claim().positions) == {0: 0}

    def test_states_and_what_waits_for_them(self) -> None:
        """All keys at once; parked and blocked oldest first; gone when they are taken up."""
        store = self.make(1)
        claim = store.claim()
        one, two = Key("azur", "folio", "B-1"), Key("azur", "reference", "pms\x1fR1")
        with store.chunk(claim) as chunk:
            chunk.write(
                ChunkWrite(
                    states=[state(one, b'{"a":1}', 3, "letter")],
                    parked=[ParkedRow(two, "x", AT, 1, cargo("p1")), ParkedRow(two, "y", AT, 2, cargo("p2"))],
                    blocked=[BlockedRow(one, "letter", cargo("q1")), BlockedRow(one, "letter", cargo("q2"))],
                )
            )

        with store.chunk(claim) as chunk:
            (row,) = chunk.states([one.digest(), two.digest()]).values()
            assert (row.sequence, row.blocked, row.body) == (3, "letter", b'{"a":1}')
            parked, blocked = chunk.parked([one, two]), chunk.blocked(one)
            assert [row.cargo.id for row in parked] == ["p1", "p2"]
            assert [(row.dead_letter, row.cargo.id) for row in blocked] == [("letter", "q1"), ("letter", "q2")]
            chunk.write(ChunkWrite(unparked=[parked[0].seq], unblocked=[blocked[1].seq]))
        with store.chunk(claim) as chunk:
            assert [row.cargo.id for row in chunk.parked([two])] == ["p2"]
            assert [row.cargo.id for row in chunk.blocked(one)] == ["q1"]

    def test_timers_by_due_then_name(self) -> None:
        """Set, moved, cancelled; due up to an instant, at most so many."""
        store = self.make(1)
        claim = store.claim()
        rows = [
            TimerRow("azur", "folio", "B-1", name, 0, AT + due, "quote", "")
            for name, due in (("b", 1), ("a", 1), ("c", 0), ("d", 9))
        ]
        with store.chunk(claim) as chunk:
            chunk.write(ChunkWrite(timers={row[:4]: row for row in rows}))
        moved = rows[3]._replace(due=AT)
        with store.chunk(claim) as chunk:
            assert [row.name for row in chunk.due(AT + 1, 10)] == ["c", "a", "b"]
            assert [row.name for row in chunk.due(AT + 1, 2)] == ["c", "a"]
            chunk.write(ChunkWrite(timers={rows[2][:4]: None, moved[:4]: moved}))
        with store.chunk(claim) as chunk:
            assert [row.name for row in chunk.due(AT + 9, 10)] == ["d", "a", "b"]

    def test_dead_letters_open_and_close(self) -> None:
        """The same id again: as its row says."""
        store = self.make(1)
        claim = store.claim()
        letter = DeadLetterRow("l", AT, "azur", "", "", "undecodable", "c", "f", "v", "r", "d", "{}", b"x", None, "", AT)
        store.append([], [letter, letter], [], [])
        for status in ("replayed", "open"):
            with store.chunk(claim) as chunk:
                chunk.write(ChunkWrite(dead_letters=[letter._replace(status=status)]))
            with store.chunk(claim) as chunk:
                found = chunk.dead_letter("l")
                assert found is not None
                assert status == found.status

    def test_deaths_are_counted_and_forgiven(self) -> None:
        """With something waiting only; progress and a stop in good order forgive."""
        store = self.make(1)
        assert dict(store.claim().deaths) == {0: 0}
        assert dict(store.claim().deaths) == {0: 0}
        store.append([arrived("a"), arrived("b")], [], [], [])
        assert [store.claim().deaths[0] for _ in range(3)] == [1, 2, 3]
        store.try_alone(0, 0)
        claim = store.claim()
        assert (4, {(0, 0)}) == (claim.deaths[0], set(claim.suspects))

        with store.chunk(claim) as chunk:
            chunk.write(ChunkWrite(positions={0: (0, 1)}))
        claim = store.claim()
        assert (1, set()) == (claim.deaths[0], set(claim.suspects))
        store.release()
        assert dict(store.claim().deaths) == {0: 0}

    def test_old_identities_are_dropped_a_slice_at_a_time(self) -> None:
        """What is younger stays known."""
        store = self.make(1)
        claim = store.claim()
        week = 7 * 24 * 3600 * 1_000_000
        with store.chunk(claim) as chunk:
            inbox = [(AT // week - 9, message("old"), b"f", 0, 0), (AT // week, message("new"), b"f", 0, 1)]
            chunk.write(ChunkWrite(inbox=inbox))

        store.drop_slices(AT - 5 * week)

        with store.chunk(claim) as chunk:
            assert {message("new")} == set(chunk.seen([message("old"), message("new")]))

    def test_lanes_are_owned_one_by_one(self) -> None:
        """Who claims one of them fences whoever had it, and nobody else."""
        store = self.make(2)
        store.append([arrived("a", 0), arrived("b", 1)], [], [], [internal("i", 1)])
        both = store.claim()
        one = store.claim([1])
        assert (set(one.epochs), dict(one.positions)) == ({1}, {1: 0})

        with store.chunk(one) as chunk:
            assert [row.id for row in chunk.take(one.positions, 10)] == ["i", "b"]
            chunk.write(ChunkWrite(positions={1: (0, 1)}))
        with pytest.raises(Fenced), store.chunk(both) as chunk:
            chunk.write(ChunkWrite(positions={1: (1, 2)}))
        left = msgspec.structs.replace(both, epochs={0: both.epochs[0]}, positions={0: 0})
        with store.chunk(left) as chunk:
            assert [row.id for row in chunk.take(left.positions, 10)] == ["a"]
            chunk.write(ChunkWrite(positions={0: (0, 1)}))
        assert dict(store.claim().positions) == {0: 1, 1: 1}
