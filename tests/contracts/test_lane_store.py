"""Stores of lanes keep the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.store.contract import LaneStore
from engine.store.sqlite.database import Database
from engine.store.sqlite.lanes import SqliteLanes
from tests.contracts.lane_store import LaneStoreContract


class TestSqliteInMemory(LaneStoreContract):
    """A throw-away store."""

    def make(self, lanes: int) -> LaneStore:
        return SqliteLanes(Database(":memory:", lanes=lanes))


class TestSqliteFile(LaneStoreContract):
    """A file."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self, lanes: int) -> LaneStore:
        return SqliteLanes(Database(str(self.folder / "hub.sqlite"), lanes=lanes))
