"""PostgreSQL stores for many tests: made once, emptied in between, which is ten times faster than a database for each."""

from __future__ import annotations

import psycopg

_KEPT = ("lane", "lane_end", "meta")


def emptied(url: str) -> None:
    """The store at this address as if it had just been made; whoever was connected is cut off."""
    with psycopg.connect(url, options="-c search_path=foliohub") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        slices = connection.execute("SELECT slice FROM inbox_slice").fetchall()
        for (slice_,) in slices:
            connection.execute(f"DROP TABLE inbox_{slice_:d}".encode())
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'foliohub' AND NOT tablename = ANY(%s)"
            " AND NOT starts_with(tablename, 'inbox_')",
            (list(_KEPT),),
        ).fetchall()
        connection.execute("SET session_replication_role = replica")  # nothing is immutable here
        for name in [*(name for (name,) in tables), "inbox_slice"]:
            connection.execute(f"DELETE FROM {name}".encode())
        connection.execute("UPDATE lane SET epoch = 0, next_offset = 0, deaths = 0, trying = NULL")
        connection.execute("UPDATE lane_end SET ends = 0")
        connection.execute("DELETE FROM meta WHERE name NOT IN ('schema', 'lanes')")
        connection.execute("INSERT INTO meta VALUES ('generation', '1'), ('sends', '0')")
        for (name,) in connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'foliohub'").fetchall():
            connection.execute("SELECT setval(%s::regclass, 1, false)", (name,))
