"""PostgreSQL stores for many tests: made once, emptied in between, which is many times faster than a database for each."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from engine.store.postgresql.database import Database
from tests.services.postgresql import PostgreSQL

_OPTIONS: Final = (
    "-c search_path=foliohub -c session_replication_role=replica -c synchronous_commit=off -c client_min_messages=warning"
)
"""Nothing is immutable for whoever empties a store, and what a kill takes of it nobody misses."""
_EMPTY: Final = """
DO $$
DECLARE
    name text;
    filled boolean;
    wanted bigint := %(lanes)s;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR name IN SELECT 'inbox_' || slice FROM inbox_slice LOOP
        EXECUTE format('DROP TABLE IF EXISTS %%I', name);
    END LOOP;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'foliohub' AND tablename NOT IN ('lane', 'lane_end', 'meta', 'inbox')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %%I)', name) INTO filled;
        IF filled THEN EXECUTE format('DELETE FROM %%I', name); END IF;
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'foliohub' AND last_value IS NOT NULL LOOP
        PERFORM setval(name::regclass, 1, false);
    END LOOP;
    wanted := coalesce(wanted, (SELECT count(*) FROM lane));
    DELETE FROM lane;
    DELETE FROM lane_end;
    INSERT INTO lane SELECT number, 0, 0, 0, NULL FROM generate_series(0, wanted - 1) AS number;
    INSERT INTO lane_end SELECT number, 0 FROM generate_series(0, wanted - 1) AS number;
    DELETE FROM meta WHERE meta.name <> 'schema';
    INSERT INTO meta VALUES ('lanes', wanted::text), ('generation', '1'), ('sends', '0');
END $$
"""


def emptied(url: str, lanes: int | None = None) -> None:
    """The store at this address as if it had just been made, with so many lanes (None: as many as it has); whoever was connected is
    cut off."""
    with psycopg.connect(url, options=_OPTIONS) as connection:
        _empty(connection, lanes)


def _empty(connection: psycopg.Connection[Any], lanes: int | None) -> None:
    connection.execute((_EMPTY % {"lanes": "NULL" if lanes is None else int(lanes)}).encode())


class Stores:
    """Stores that tests have one after the other, as many as one test needs at the same time."""

    def __init__(self, server: PostgreSQL) -> None:
        self._server = server
        self._free: list[str] = []
        self._lent: list[str] = []
        self._open: list[Database] = []

    def address(self, lanes: int = 1) -> str:
        """The address of an empty store, for this test alone."""
        if self._free:
            url = self._free.pop()
            emptied(url, lanes)
        else:
            url = self._server.database()
            Database(url, lanes=lanes).close()
        self._lent.append(url)
        return url

    def lend(self, lanes: int = 1) -> Database:
        """An empty store, open."""
        self._open.append(Database(self.address(lanes), lanes=lanes))
        return self._open[-1]

    def back(self) -> None:
        """The test is over."""
        for database in self._open:
            database.close()
        self._open.clear()
        self._free += self._lent
        self._lent.clear()
