"""A database that goes away under those who use it: told as what it is, and taken up again when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from structlog.testing import capture_logs

from config.loader import load
from engine.role import Role
from engine.roles import Member
from engine.serving import Serving
from engine.store.contract import StoreAway
from engine.store.postgresql.database import Database
from tests.services.amqp_tools import wait_until
from tests.services.postgresql import PostgreSQL
from tests.services.proxy import Proxy


@pytest.fixture
def way(postgresql: PostgreSQL) -> Iterator[Proxy]:
    with Proxy(postgresql.port) as proxy:
        yield proxy


def by(way: Proxy, url: str) -> str:
    """The same database by the proxy."""
    begin, _, rest = url.rpartition("@")
    return f"{begin}@127.0.0.1:{way.port}/{rest.partition('/')[2]}"


def written(database: Database, *steps: str | Callable[[], None]) -> None:
    """Statements of one transaction, and what happens between them."""
    with database.write() as link:
        for step in steps:
            if isinstance(step, str):
                link.execute(step)
            else:
                step()


def test_who_stands_still_inside_a_transaction(postgres_store: str) -> None:
    """The server undoes it and hangs up, as it should: others are not kept waiting. That is a store which was away, no defect."""
    database = Database(postgres_store)
    with pytest.raises(StoreAway):
        written(database, "SET idle_in_transaction_session_timeout = 50", lambda: time.sleep(0.5), "SELECT 1")

    database.probe()
    database.close()


def test_cut_inside_a_transaction(postgres_store: str, way: Proxy) -> None:
    """Nothing of it is stored, and the next one has a new connection."""
    database = Database(by(way, postgres_store))
    with pytest.raises(StoreAway):
        written(database, "INSERT INTO meta VALUES ('cut', '1')", way.cut, "SELECT 1")
    with pytest.raises(StoreAway):
        database.probe()
    way.heal()

    with database.read() as link:
        assert link.execute("SELECT count(*) FROM meta WHERE name = 'cut'").fetchone()[0] == 0
    database.close()


def test_an_outage_that_is_over(postgres_store: str, way: Proxy) -> None:
    """Whoever did nothing meanwhile hears nothing of it, in whatever way the store is used next."""
    database = Database(by(way, postgres_store))
    for use in (database.read, database.write, database.look):
        with use() as link:
            link.execute("SELECT 1")
        way.cut()
        wait_until(lambda: way.clients() == 0, "its connection is reset")
        way.heal()
        with use() as link:
            assert link.execute("SELECT 1").fetchone() == (1,)
    database.close()


def test_a_commit_that_never_arrived(postgres_store: str, way: Proxy) -> None:
    """It is asked about when the way is open again: not committed is told as what it is."""
    database = Database(by(way, postgres_store))

    def soon() -> None:
        """From here on nothing arrives, and before long the connection is cut."""
        way.silence()
        threading.Timer(0.3, lambda: (way.cut(), way.heal())).start()

    with pytest.raises(StoreAway):
        written(database, "INSERT INTO meta VALUES ('lost', '1')", soon)

    with database.read() as link:
        assert link.execute("SELECT count(*) FROM meta WHERE name = 'lost'").fetchone()[0] == 0
    database.close()


def test_a_job_is_nobodys_while_nobody_can_be_asked(postgres_store: str, way: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts, or waits for its turn, while the store is away does not take the job for its own."""
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", "5f" * 32)
    configuration = load(None, {})
    configuration = msgspec.structs.replace(
        configuration, hub=msgspec.structs.replace(configuration.hub, store=by(way, postgres_store))
    )
    member = Member(configuration, frozenset({Role.SCHEDULER}))
    serving = Serving(member.hub, {}, member)
    way.cut()
    try:
        with capture_logs() as logs:
            serving.start()
            wait_until(lambda: any(one.get("during") == "housekeeping" for one in logs), "it was asked for")
            assert not any(one["event"] == "job_ours" for one in logs)
            way.heal()
            wait_until(lambda: any(one["event"] == "job_ours" for one in logs), "it is ours")
        assert not serving.failed.is_set()
    finally:
        way.heal()
        serving.stop()
        member.close()
