"""What the other tests take for granted: a server that is killed comes back at its address with all that it had confirmed."""

from __future__ import annotations

import select

import psycopg
import pytest

from tests.services.postgresql import PostgreSQL


def test_a_committed_row_survives_a_kill(postgresql: PostgreSQL, postgres_url: str) -> None:
    """What was not committed does not, and the backend that held it is gone with its server."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE stay (id text)")
        connection.execute("INSERT INTO stay VALUES ('committed')")
        connection.commit()
        connection.execute("INSERT INTO stay VALUES ('under way')")
        postgresql.restart()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT id FROM stay").fetchall() == [("committed",)]


def test_a_frozen_database_answers_when_it_thaws(postgresql: PostgreSQL, postgres_url: str) -> None:
    """Its connections are frozen with it, and live."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        postgresql.freeze()
        try:
            connection.pgconn.send_query(b"SELECT 1")
            connection.pgconn.flush()
            assert not answered(connection, timeout_s=0.5)
        finally:
            postgresql.thaw()
        assert answered(connection, timeout_s=30)
        connection.close()


def answered(connection: psycopg.Connection[tuple[object, ...]], timeout_s: float) -> bool:
    """Whether anything came back on the connection's socket in time."""
    readable, _, _ = select.select([connection.fileno()], [], [], timeout_s)
    return bool(readable)
