"""A restored backup and a moved store are a new generation: payouts stand still, and nothing that may have gone out goes out again."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from config.loader import load
from engine.store.listing import approvals
from engine.store.sqlite.database import Database
from engine.verify import verify
from schemas.errors import HubError
from tests.engine.sandbox import Sandbox


def stopped(world: Sandbox) -> list[tuple[int, str]]:
    return [(row["stopped"], row["by"]) for row in world.hub.reading.rows("SELECT stopped, by FROM payout_switch")]


def states(world: Sandbox) -> list[str]:
    return [row["state"] for row in world.hub.reading.rows("SELECT state FROM effect ORDER BY created_at, id")]


def reopened(world: Sandbox, path: Path) -> None:
    world.hub.close()
    world.database = Database(str(path))
    world.hub = world.open()


@pytest.fixture
def world(tmp_path: Path) -> Sandbox:
    """A refund is planned and waits, since payouts are stopped."""
    made = Sandbox(store=str(tmp_path / "hub.sqlite"))
    made.say("payouts.stop", {"reason": "counting"}, actor="operator")
    made.paid()
    made.say("cancellation.request", {"folio": "B-1", "request": "R-1", "confirm": True}, actor="guest")
    assert states(made) == ["planned"]
    return made


def refunds(world: Sandbox) -> int:
    return sum(
        operation.operation in ("RFD", "RFS")
        for p in world.provider.books.payments()
        for operation in world.provider.books.operations(p.payid)
    )


def test_a_refund_after_the_backup_is_not_made_again(world: Sandbox, tmp_path: Path) -> None:
    """Refund after the backup, restore, run: one refund, found by query."""
    path = tmp_path / "hub.sqlite"
    world.hub.close()
    shutil.copy(path, tmp_path / "backup")
    world.database = Database(str(path))
    world.hub = world.open()
    assert stopped(world) == [(1, "operator:operator-1")]
    world.say("payouts.start", {"reason": "go"}, actor="operator")
    assert (states(world), refunds(world)) == (["confirmed"], 1)
    world.hub.close()
    shutil.copy(tmp_path / "backup", path)

    world.database = Database(str(path))
    world.hub = world.open()
    assert (states(world), stopped(world)) == (["unknown"], [(1, "system:foliohub")])
    world.pass_time(60)

    assert (states(world), refunds(world)) == (["confirmed"], 1)
    world.say("payouts.start", {"reason": "looked"}, actor="operator")
    world.pass_time(3600)
    assert (states(world), refunds(world)) == (["confirmed"], 1)
    assert world.hub.reading.unsettled() == {"dead_letters": 0, "blocked": 0, "parked": 0}


def test_a_moved_store_asks_first(world: Sandbox, tmp_path: Path) -> None:
    """Nothing beside it says how far it had come."""
    world.hub.close()
    shutil.copy(tmp_path / "hub.sqlite", tmp_path / "moved.sqlite")

    reopened_at = Database(str(tmp_path / "moved.sqlite"))
    world.database = reopened_at
    world.hub = world.open()

    assert (states(world), stopped(world)) == (["unknown"], [(1, "system:foliohub")])
    assert [row["value"] for row in world.hub.reading.rows("SELECT value FROM meta WHERE name = 'generation'")] == ["2"]


def test_what_waited_for_approval_is_asked_about_and_the_log_still_makes_the_store(tmp_path: Path) -> None:
    """Somebody may have approved it after the backup: nobody can approve it now, and what the log decided stays as it was."""
    shipped = load(None, {})
    camp = msgspec.structs.replace(shipped.properties["camp-azur"], version="camp-azur/2", approval_above=1)
    settings = msgspec.structs.replace(shipped, properties={"camp-azur": camp})
    world = Sandbox(configuration=settings, store=str(tmp_path / "hub.sqlite"))
    world.paid()
    world.say("cancellation.request", {"folio": "B-1", "request": "R-1", "confirm": True}, actor="guest")
    effect = world.hub.reading.rows("SELECT id, needs_approval FROM effect")[0]
    assert (states(world), effect["needs_approval"]) == (["planned"], 1)
    world.hub.close()
    shutil.copy(tmp_path / "hub.sqlite", tmp_path / "moved.sqlite")
    world.database = Database(str(tmp_path / "moved.sqlite"))
    world.hub = world.open()

    world.say("approval.grant", {"subject": effect["id"], "reason": "why not"}, actor="operator")
    assert world.hub.reading.unsettled() == {"dead_letters": 0, "blocked": 0, "parked": 0}
    world.pass_time(86_400)

    assert (states(world), refunds(world)) == (["needs_person"], 0)
    assert approvals(world.hub.reading) == []
    assert verify(world.hub.database).differences == ()


def test_the_store_that_was_replaced_is_an_older_copy(world: Sandbox, tmp_path: Path) -> None:
    """Backup restored, then the store that it replaced is put back: a new generation again."""
    path = tmp_path / "hub.sqlite"
    world.hub.close()
    shutil.copy(path, tmp_path / "backup")
    world.database = Database(str(path))
    world.hub = world.open()
    world.hub.close()
    shutil.copy(path, tmp_path / "replaced")
    shutil.copy(tmp_path / "backup", path)
    world.database = Database(str(path))
    world.hub = world.open()
    world.hub.close()

    shutil.copy(tmp_path / "replaced", path)
    world.database = Database(str(path))
    assert world.database.renewed()[0].startswith("this store is an older copy")
    world.hub = world.open()


def test_a_restart_is_no_new_generation(world: Sandbox, tmp_path: Path) -> None:
    """The same store, opened again."""
    reopened(world, tmp_path / "hub.sqlite")

    assert (states(world), stopped(world)) == (["planned"], [(1, "operator:operator-1")])


@pytest.mark.parametrize("witness", ["hub.sqlite.lock", "hub.sqlite.key"])
@pytest.mark.parametrize("left", [None, 0, 4096])
def test_an_emptied_store_does_not_begin_anew(world: Sandbox, tmp_path: Path, witness: str, left: int | None) -> None:
    """The file is gone, or has nothing of what was in the write-ahead log; what stands beside it was not moved away. Nothing is made,
    so the next start says the same, until either way out was taken."""
    store = tmp_path / "hub.sqlite"
    world.hub.close()
    whole = store.read_bytes()
    (tmp_path / "hub.sqlite.key").write_text("ab" * 32)
    for path in (store, *({tmp_path / "hub.sqlite.lock", tmp_path / "hub.sqlite.key"} - {tmp_path / witness})):
        path.unlink()
    if left is not None:
        store.touch()
    if left:
        with closing(sqlite3.connect(store)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        assert store.stat().st_size == left

    for _ in range(2):
        with pytest.raises(HubError, match=r"put the store back, with its hub\.sqlite-wal") as lost:
            Database(str(store))
        assert (lost.value.code, witness in lost.value.message) == ("store_lost", True)

    store.write_bytes(whole)
    world.database = Database(str(store))
    world.hub = world.open()
    assert states(world) == ["planned" if witness.endswith(".lock") else "unknown"]
    world.hub.close()
    for path in tmp_path.iterdir():
        path.unlink()
    Database(str(store)).close()


def test_a_command_says_it_as_well(tmp_path: Path) -> None:
    """Beside an empty file with a key, `start foliohub run first` would be the wrong word."""
    (tmp_path / "hub.sqlite").touch()
    (tmp_path / "hub.sqlite.key").touch()

    with pytest.raises(HubError) as lost:
        Database(str(tmp_path / "hub.sqlite"), writer=False)

    assert lost.value.code == "store_lost"


def test_a_store_that_was_emptied_after_it_was_made_is_lost_too(world: Sandbox, tmp_path: Path) -> None:
    """Another new store in its place, which no hub has run on."""
    world.hub.close()
    Database(str(tmp_path / "new.sqlite")).close()
    shutil.copy(tmp_path / "new.sqlite", tmp_path / "hub.sqlite")
    world.database = Database(str(tmp_path / "hub.sqlite"))

    with pytest.raises(HubError) as lost:
        world.open()

    assert lost.value.code == "store_lost"
