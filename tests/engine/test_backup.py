"""A backup is whole while hubs go on, and a restored store is a new generation: what went out after it does not go out again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest

from engine.backup import back_up, restore
from engine.store.contract import StoreTaken
from engine.store.opening import open_store
from engine.store.status import standing
from engine.verify import verify
from schemas.errors import HubError
from tests.engine.sandbox import Sandbox
from tests.services.postgresql import PostgreSQL


class Place(NamedTuple):
    """Where a store of an engine is, and another place."""

    store: str
    other: str


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(str(tmp_path / "hub.sqlite"), str(tmp_path / "other.sqlite"))
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    one, other = server.database(), server.database()
    yield Place(one, other)
    server.drop(one)
    server.drop(other)


def opened(place: Place) -> Sandbox:
    """A refund is planned and waits, since payouts are stopped."""
    made = Sandbox(store=place.store)
    made.say("payouts.stop", {"reason": "counting"}, actor="operator")
    made.paid()
    made.say("cancellation.request", {"folio": "B-1", "request": "R-1", "confirm": True}, actor="guest")
    assert states(made) == ["planned"]
    return made


def states(world: Sandbox) -> list[str]:
    return [row["state"] for row in world.rows("SELECT state FROM effect ORDER BY created_at, id")]


def switches(world: Sandbox) -> list[tuple[int, str]]:
    return [(row["stopped"], row["by"]) for row in world.rows("SELECT stopped, by FROM payout_switch")]


def refunds(world: Sandbox) -> int:
    return sum(
        operation.operation in ("RFD", "RFS")
        for p in world.provider.books.payments()
        for operation in world.provider.books.operations(p.payid)
    )


def again(world: Sandbox, address: str) -> None:
    """Another hub on what is there now."""
    world.database = open_store(address)
    world.hub = world.open()


def generation(world: Sandbox) -> str:
    return str(world.one("SELECT value FROM meta WHERE name = 'generation'")["value"])


def test_a_refund_after_the_backup_is_not_made_again(place: Place, tmp_path: Path) -> None:
    """Backup while the hub runs, refund, restore in its place, run: one refund, found by query."""
    world = opened(place)
    made = back_up(place.store, str(tmp_path / "hub.backup"))
    assert (made.generation, made.last_decision > 3, made.size > 1000) == (1, True, True)
    assert (tmp_path / "hub.backup").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["hub.backup"]
    world.say("payouts.start", {"reason": "go"}, actor="operator")
    assert (states(world), refunds(world)) == (["confirmed"], 1)
    world.hub.close()

    found = restore(str(tmp_path / "hub.backup"), place.store, replace=True)
    assert (found.last_decision, bool(found.kept)) == (made.last_decision, True)
    assert standing(place.store).state == "restored"
    again(world, place.store)
    assert (states(world), switches(world), generation(world)) == (["unknown"], [(1, "system:foliohub")], "2")
    reason = world.one("SELECT reason FROM payout_switch")["reason"]
    assert reason == f"this store was restored from a backup of {found.backup_at}: money may have moved since"
    world.pass_time(60)
    assert (states(world), refunds(world)) == (["confirmed"], 1)
    world.say("payouts.start", {"reason": "looked"}, actor="operator")
    world.pass_time(3600)
    assert (states(world), refunds(world)) == (["confirmed"], 1)
    assert world.hub.reading.unsettled() == {"dead_letters": 0, "blocked": 0, "parked": 0}
    assert verify(world.database).differences == ()
    world.hub.close()

    again(world, place.store)
    assert (generation(world), standing(place.store).state) == ("2", "here"), "said once"
    world.hub.close()


def test_a_restore_elsewhere_asks_first_too(place: Place, tmp_path: Path) -> None:
    """Into an empty place; nothing has happened since, which nobody there can know."""
    world = opened(place)
    back_up(place.store, str(tmp_path / "hub.backup"))
    assert restore(str(tmp_path / "hub.backup"), place.other).kept == ""
    world.hub.close()

    again(world, place.other)
    assert (states(world), switches(world)) == (["unknown"], [(1, "system:foliohub")])
    world.hub.close()


def test_what_is_refused(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written over, nothing that is no backup is taken for one, and nobody is put aside while a hub runs."""
    world = opened(place)
    backup = tmp_path / "hub.backup"
    back_up(place.store, str(backup))

    def refused(act: Callable[[], object]) -> str:
        with pytest.raises(HubError) as wrong:
            act()
        return wrong.value.code

    assert refused(lambda: back_up(place.store, str(backup))) == "exists"
    assert refused(lambda: back_up(place.store, str(tmp_path / "no" / "folder"))) == "unwritable"
    assert refused(lambda: restore(str(backup), place.store)) in ("not_empty", "store_taken")
    assert refused(lambda: restore(str(backup), place.store, replace=True)) == "store_taken"
    world.hub.close()
    assert refused(lambda: restore(str(backup), place.store)) == "not_empty"
    assert refused(lambda: restore(str(tmp_path / "nothing"), place.other)) == "unreadable"
    (tmp_path / "letter").write_text("to my aunt")
    assert refused(lambda: restore(str(tmp_path / "letter"), place.other)) == "not_a_backup"
    wrong = "postgresql://127.0.0.1:1/x" if place.store.startswith("/") else str(tmp_path / "x.sqlite")
    assert refused(lambda: restore(str(backup), wrong)) == "not_a_backup"
    if not place.store.startswith("/"):
        assert refused(lambda: restore(str(backup), f"{place.other}_is_none")) == "store_refused"
    whole = backup.read_bytes()
    for torn in (whole[: len(whole) // 2], whole[:-5000]):
        (tmp_path / "torn").write_bytes(torn)
        assert refused(lambda: restore(str(tmp_path / "torn"), place.store, replace=True)) == "backup_broken"
    again(world, place.store)
    assert (states(world), generation(world)) == (["planned"], "1"), "what was there is as it was"
    world.hub.close()


def test_a_file_is_backed_up_while_its_hub_writes(tmp_path: Path) -> None:
    """Between two of its transactions, whole; what is in the write-ahead log is in it."""
    world = Sandbox(store=str(tmp_path / "hub.sqlite"))
    for number in range(3):
        world.paid(f"B-{number}", order=f"O-{number}")
        made = back_up(str(tmp_path / "hub.sqlite"), str(tmp_path / f"{number}.backup"))
        copy = open_store(str(tmp_path / f"{number}.backup"), writer=False)
        assert verify(copy).differences == ()
        copy.close()
        assert made.last_decision == world.one("SELECT max(seq) AS seq FROM decision")["seq"]
    world.hub.close()


def test_a_buried_file_does_not_rise_again(tmp_path: Path) -> None:
    """What moved away is neither backed up nor replaced by its own past."""
    world = opened(Place(str(tmp_path / "hub.sqlite"), ""))
    back_up(str(tmp_path / "hub.sqlite"), str(tmp_path / "hub.backup"))
    world.hub.close()
    with closing(sqlite3.connect(tmp_path / "hub.sqlite")) as connection, connection:
        connection.execute('INSERT INTO meta VALUES (\'moved\', \'{"to":"elsewhere","at":"then","token":"t"}\')')

    for act in (
        lambda: back_up(str(tmp_path / "hub.sqlite"), str(tmp_path / "other")),
        lambda: restore(str(tmp_path / "hub.backup"), str(tmp_path / "hub.sqlite"), replace=True),
    ):
        with pytest.raises(HubError, match="has moved to elsewhere") as gone:
            act()
        assert gone.value.code == "store_moved"


def test_a_broken_file_is_replaced(tmp_path: Path) -> None:
    """That is what backups are for; what is left of it stays beside it."""
    path = tmp_path / "hub.sqlite"
    world = opened(Place(str(path), ""))
    back_up(str(path), str(tmp_path / "hub.backup"))
    world.hub.close()
    path.write_bytes(b"x" * 4096)
    (tmp_path / "hub.sqlite-wal").write_bytes(b"y" * 4096)

    found = restore(str(tmp_path / "hub.backup"), str(path), replace=True)

    assert Path(found.kept).read_bytes() == b"x" * 4096
    assert Path(f"{found.kept}-wal").read_bytes() == b"y" * 4096
    again(world, str(path))
    assert states(world) == ["unknown"]
    world.hub.close()


def by_hand(source: str, target: str, *, clean: bool) -> None:
    """As an administrator does it, who has never heard of `foliohub restore`."""
    if clean:
        with psycopg.connect(target) as connection:
            connection.execute("DROP SCHEMA foliohub CASCADE")
    subprocess.run(["pg_restore", "--no-owner", f"--dbname={target}", source], check=True)


@pytest.mark.parametrize("clean", [True, False], ids=["in its place", "elsewhere"])
@pytest.mark.parametrize("ordinary", [False, True], ids=["as the owner", "as one who may ask for little"])
def test_a_restore_by_hand_is_a_new_generation(tmp_path: Path, postgresql: PostgreSQL, clean: bool, ordinary: bool) -> None:
    """Also in the very same database, and for a role that may not ask which server this is."""
    one, other = postgresql.database(), postgresql.database()
    here, there = one, one if clean else other
    if ordinary:
        with psycopg.connect(postgresql.url, autocommit=True) as admin:
            if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'little'").fetchone():
                admin.execute("CREATE ROLE little LOGIN")
        for url in (one, other):
            with psycopg.connect(url) as admin:
                admin.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
                admin.execute(f"GRANT CREATE ON DATABASE {urlsplit(url).path[1:]} TO little".encode())
        here, there = (url.replace("postgres@", "little@") for url in (here, there))
    world = opened(Place(here, ""))
    back_up(here, str(tmp_path / "hub.backup"))
    world.say("payouts.start", {"reason": "go"}, actor="operator")
    assert refunds(world) == 1
    world.hub.close()
    again(world, here)
    assert generation(world) == "1", "a restart is none"
    world.hub.close()

    by_hand(str(tmp_path / "hub.backup"), there, clean=clean)
    again(world, there)
    assert (states(world), switches(world)) == (["unknown"], [(1, "system:foliohub")])
    world.pass_time(60)
    assert (states(world), refunds(world)) == (["confirmed"], 1)
    world.hub.close()
    for url in (one, other):
        postgresql.drop(url)


def test_a_promoted_server_is_asked_about(postgres_url: str) -> None:
    """Another timeline of the same server: what it had acknowledged last may be lost."""
    world = opened(Place(postgres_url, ""))
    world.hub.close()
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "UPDATE foliohub.meta SET value = regexp_replace(value, '/0*[0-9A-F]+$', '/00000000') WHERE name = 'home'"
        )

    again(world, postgres_url)
    assert (states(world), switches(world)) == (["unknown"], [(1, "system:foliohub")])
    reason = world.one("SELECT reason FROM payout_switch")["reason"]
    assert reason.startswith("this server was promoted, or recovered to a point in time")
    world.hub.close()


def test_a_hub_that_dies_before_it_has_doubted_everything_is_asked_again(place: Place, tmp_path: Path) -> None:
    """Why a store is a new generation is said until everything is in doubt."""
    world = opened(place)
    back_up(place.store, str(tmp_path / "hub.backup"))
    world.hub.close()
    restore(str(tmp_path / "hub.backup"), place.store, replace=True)

    for _ in range(2):
        store = open_store(place.store)
        assert store.renewed()[0].startswith("this store was restored from a backup of 2")
        store.close()


def test_no_password_is_on_a_command_line(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of others see command lines; the environment is ours."""
    (tmp_path / "bin").mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        real = shutil.which(name)
        program = tmp_path / "bin" / name
        program.write_text(
            f'#!/bin/sh\necho "$0 $*" >>"{tmp_path}/said"\necho "$PGPASSWORD" >>"{tmp_path}/known"\nexec {real} "$@"\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    secret = postgres_url.replace("postgres@", "postgres:hidden@")
    open_store(secret).close()

    back_up(secret, str(tmp_path / "backup"))
    restore(str(tmp_path / "backup"), secret)

    said = (tmp_path / "said").read_text()
    assert sorted(line.split()[0].rpartition("/")[2] for line in said.splitlines()) == [
        "pg_dump", "pg_restore", "pg_restore", "pg_restore", "pg_restore", "psql",
    ]  # fmt: skip
    assert "hidden" not in said
    assert set((tmp_path / "known").read_text().split()) == {"hidden"}


def test_without_postgresqls_programs_it_says_what_to_install(
    postgres_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HubError, match="apt-get install postgresql-client") as missing:
        back_up(postgres_store, str(tmp_path / "backup"))

    assert missing.value.code == "not_installed"
    assert not isinstance(missing.value, StoreTaken)
    assert list(tmp_path.iterdir()) == []
