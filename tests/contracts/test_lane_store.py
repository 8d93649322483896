"""Stores of lanes keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from engine.store.chunk_write import ChunkWrite
from engine.store.contract import Claim, Contended, LaneStore
from engine.store.postgresql.database import Database as PostgresDatabase
from engine.store.postgresql.lanes import PostgresLanes
from engine.store.rows import Key
from engine.store.sqlite.database import Database
from engine.store.sqlite.lanes import SqliteLanes
from tests.contracts.lane_store import AT, LaneStoreContract, arrived, message, state


class SqliteContract(LaneStoreContract):
    """What only one machine needs: its tables are cleared row by row."""

    def test_a_large_slice_is_forgotten_at_once_and_goes_piece_by_piece(self) -> None:
        """Others write between two pieces; what is left when it has to stop goes with the next call."""
        store = self.make(1)
        claim = store.claim()
        week = 7 * 24 * 3600 * 1_000_000
        names = [message(f"old {number}") for number in range(22_000)]
        with store.chunk(claim) as chunk:
            chunk.write(ChunkWrite(inbox=[(AT // week - 9, name, b"f", 0, 0) for name in names]))
        asked: list[int] = []

        def go_on() -> bool:
            with store.chunk(claim) as chunk:
                assert chunk.seen(names[5:1000]) == {}
                again = names[:5] if not asked else []  # by a clock that was set back
                chunk.write(ChunkWrite(inbox=[(AT // week - 9, name, b"g", 0, 0) for name in again]))
            asked.append(1)
            return len(asked) < 3

        store.drop_slices(AT - 5 * week, go_on)
        assert len(asked) == 3
        store.drop_slices(AT - 5 * week, lambda: asked.append(1) is None)

        assert 4 <= len(asked) <= 20
        with store.chunk(claim) as chunk:
            assert chunk.seen(names) == {}


class TestSqliteInMemory(SqliteContract):
    """A throw-away store."""

    def make(self, lanes: int) -> LaneStore:
        self.database = Database(":memory:", lanes=lanes)
        return SqliteLanes(self.database)


class TestSqliteFile(SqliteContract):
    """A file."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self, lanes: int) -> LaneStore:
        self.database = Database(str(self.folder / "hub.sqlite"), lanes=lanes)
        return SqliteLanes(self.database)


class TestPostgreSQL(LaneStoreContract):
    """A database."""

    @pytest.fixture(autouse=True)
    def _address(self, postgres_url: str) -> Iterator[None]:
        self.opened: list[PostgresDatabase] = []
        self.address = postgres_url
        yield
        for database in self.opened:
            database.close()

    def make(self, lanes: int) -> LaneStore:
        self.database = PostgresDatabase(self.address, lanes=lanes)
        self.opened.append(self.database)
        return PostgresLanes(self.database)

    def test_who_was_slower_reads_again(self) -> None:
        """Of two that have read one aggregate, of whatever lane, one stores it; the other has written nothing."""
        store = self.make(2)
        one, two, key = store.claim([0]), store.claim([1]), Key("azur", "folio", "B-1")
        store.append([arrived("a", 0), arrived("b", 1)], [], [], [])
        with store.chunk(one) as chunk:
            chunk.write(ChunkWrite(states=[state(key)]))

        def both(first: Claim, second: Claim) -> None:
            with store.chunk(first) as slow:
                version = slow.states([key.digest()])[key.digest()].version
                written = ChunkWrite(states=[state(key)._replace(version=version + 1)])

                def meanwhile() -> None:
                    with store.chunk(second) as fast:
                        fast.write(written)

                other = Thread(target=meanwhile)
                other.start()
                other.join()
                slow.write(ChunkWrite(states=written.states, positions={0: (0, 1)}))

        with pytest.raises(Contended):
            both(one, two)
        assert dict(store.claim().positions) == {0: 0, 1: 0}

    def test_numbers_follow_what_is_known(self) -> None:
        """Whoever has seen a decision numbers its own above it, however long ago its transaction began to wait."""
        store = self.make(2)
        one, two = store.claim([0]), store.claim([1])
        numbers = []
        for claim in (one, two, one):
            with store.chunk(claim) as chunk:
                chunk.seen([b"x" * 16])
                numbers += [chunk.number(), chunk.number()]
        assert numbers == sorted(set(numbers))
