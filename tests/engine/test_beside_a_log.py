"""A store whose log is a broker's, or that others are at work on: what one process alone may not do there, and what operators may."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from engine.relay import OfLanes
from engine.store.contract import StoreTaken
from engine.store.postgresql.database import Database
from engine.store.postgresql.leases import Leases
from engine.store.rows import SwitchRow
from engine.store.switches import Switches
from schemas.errors import HubError
from tests.engine.sandbox import CONFIGURATION, Sandbox, arrival, booking


def foliohub(store: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of its own, without the master key."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FOLIOHUB_")}
    return subprocess.run(
        [sys.executable, "-m", "console.command", *words, "--store", store], env=environ, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip


@pytest.fixture
def logged(postgres_store: str) -> Iterator[str]:
    """A store that a hub has run on, and whose log is a topic since."""
    Sandbox(store=postgres_store, lanes=4).hub.close()
    with closing(Database(postgres_store, writer=False)) as database:
        database.remember("log", "a topic")
    return postgres_store


def stopped(store: str) -> bool:
    """Whether payouts stand still."""
    with closing(Database(store, writer=False)) as database:
        row = Switches(database).all().get("azur")
        return row is not None and bool(row.stopped)


def test_one_process_alone_is_refused(logged: str) -> None:
    """It would decide nothing that is in the log, and what it decided would never reach it."""
    with pytest.raises(HubError, match="--profile distributed") as refused:
        Sandbox(store=logged)
    assert refused.value.code == "log_elsewhere"


def test_one_process_alone_is_refused_beside_others(postgres_store: str) -> None:
    """Until they have gone."""
    with closing(Database(postgres_store)) as database:
        Leases(database, for_s=60).here("host:1")
        with pytest.raises(StoreTaken, match="host:1"):
            Sandbox(store=postgres_store)
        Leases(database).give_back("process:host:1", "host:1")
    Sandbox(store=postgres_store).hub.close()


def test_payouts_stop_at_once_and_start_on_record_only(logged: str) -> None:
    """The emergency switch needs no key and no gateway; who starts them again says so where it is kept."""
    told = foliohub(logged, "payouts", "stop", "--reason", "look", "--by", "olga")
    assert (told.returncode, told.stderr) == (0, ""), told
    assert "--url" in told.stdout
    assert stopped(logged)

    refused = foliohub(logged, "payouts", "start", "--by", "olga")
    assert refused.returncode == 2
    assert "--url" in refused.stderr
    assert "nothing was changed" in refused.stderr
    assert stopped(logged)
    assert "STOPPED" in foliohub(logged, "payouts", "status").stdout


@pytest.mark.both_stores
def test_a_word_that_is_decided_late_undoes_no_later_one() -> None:
    """Somebody says start, then stops payouts at the store itself; or the log is read again after a restore."""
    box = Sandbox(lanes=4)
    box.append(arrival("start", "payouts.start", {"reason": "go"}, actor="operator"))
    box.wait(1)
    Switches(box.database).set(SwitchRow("azur", 1, "operator:olga", "look", box.clock.now()))
    assert [name for name, _ in box.drain()] == ["payouts.started"]
    assert Switches(box.database).all()["azur"].stopped == 1

    box.wait(1)
    box.say("payouts.start", {"reason": "looked"}, actor="operator")
    assert Switches(box.database).all()["azur"].stopped == 0
    box.hub.close()


def test_outcomes_are_looked_for_from_the_first_that_may_wait(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is passed over: neither what waits when lanes come, nor what is decided after everything was confirmed."""
    monkeypatch.setattr("engine.relay.LOOK_S", 0.0)
    logged = msgspec.structs.replace(CONFIGURATION, kafka=msgspec.structs.replace(CONFIGURATION.kafka, bootstrap="nowhere:1"))
    box = Sandbox(store=Database(postgres_store), configuration=logged)
    lanes, told = list(range(box.database.lanes)), list[int]()
    owned = lanes
    outbox = OfLanes(box.hub.reading, lambda: owned)
    for number in range(30):
        box.say("booking.confirmed", booking(f"B-{number}"))
        owned = lanes[::2] if 15 <= number < 20 else lanes
        waits = [row.seq for row in outbox.waiting(100)]
        told += waits
        outbox.done(waits)
    with box.database.read() as link:
        every = [row[0] for row in link.execute("SELECT seq FROM outbox_row ORDER BY seq").fetchall()]

    assert len(every) >= 60
    assert sorted(told) == every
    assert told != every  # those of the lanes that were away came later
    assert outbox.waiting(100) == []
    box.hub.close()
