"""How a store stands, told without opening it; and the way of a PostgreSQL store to a newer schema, with its data."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from engine.moving import move
from engine.store.contract import StoreTaken
from engine.store.opening import open_store
from engine.store.postgresql import upgrading
from engine.store.postgresql.standing import upgraded
from engine.store.status import standing
from engine.verify import verify
from schemas.errors import HubError
from tests.engine.sandbox import MASTER, Sandbox, arrival, booking

NOW = upgrading.SCHEMA_VERSION
NEXT, AFTER = NOW + 1, NOW + 2
LATER = {
    str(NEXT): "-- step a name for what belongs together\nALTER TABLE effect ADD COLUMN bundle word NOT NULL DEFAULT '';\n"
    "-- step so that it is found\nCREATE INDEX effect_bundle ON effect (bundle) WHERE bundle <> '';\n"
    "DO $$ BEGIN PERFORM 1; END $$;\n",
    str(AFTER): "-- step every request has one\nUPDATE effect SET bundle = folio;\n",
}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_store_that_is_here(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """While its hub runs: lanes, positions, what waits."""
    address = str(tmp_path / "hub.sqlite") if engine == "sqlite" else request.getfixturevalue("postgres_url")
    world = Sandbox(store=address)
    world.paid()
    world.append(arrival("w", "booking.confirmed", booking("B-9")))

    found = standing(address)

    assert (found.engine, found.state, found.generation) == (engine, "here", 1)
    assert found.schema == found.known_schema
    assert found.size > 10_000
    assert found.rows["intake"] == 3
    assert {lane.epoch for lane in found.lanes} == {1}
    assert (sum(lane.next_offset for lane in found.lanes), sum(lane.waiting for lane in found.lanes)) == (2, 1)
    world.hub.close()


def test_a_store_that_is_coming_or_gone(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says from or to where, when nobody can open it."""
    path = str(tmp_path / "hub.sqlite")
    world = Sandbox(store=path)
    world.paid()
    world.hub.close()
    (tmp_path / "hub.sqlite.key").write_text(MASTER.hex())
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", MASTER.hex())
    seen = {}

    def at(step: str, there: object) -> None:
        del there
        if step in ("arriving", "moved"):
            seen[step] = standing(postgres_url)

    move(path, postgres_url, at=at)

    assert {step: one.state for step, one in seen.items()} == {"arriving": "arriving", "moved": "arriving"}
    assert path in seen["arriving"].where
    assert (standing(postgres_url).state, path in standing(postgres_url).where) == ("here", True)
    assert standing(path).state == "moved"
    assert standing(path).where.startswith("to postgresql://postgres@127.0.0.1:")


def test_what_is_none(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "letter").write_text("to my aunt" * 1000)
    for address, code in (
        (postgres_url, "no_store"), ("postgresql://postgres@127.0.0.1:1/x", "store_away"),
        (str(tmp_path / "empty"), "no_store"), (str(tmp_path / "letter"), "store_broken"),
    ):  # fmt: skip
        with pytest.raises(HubError) as wrong:
            standing(address)
        assert wrong.value.code == code


def test_a_store_with_data_goes_from_version_to_version(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By releases that are made up here: each version is one transaction, told step by step, and refused while a hub runs."""
    for version, script in LATER.items():
        (tmp_path / f"{version}.sql").write_text(script)
    world = Sandbox(store=postgres_url)
    world.paid()
    world.cancel()
    said: list[str] = []
    with pytest.raises(StoreTaken):
        upgraded(postgres_url, said.append, version=AFTER, scripts=tmp_path)
    world.hub.close()
    assert upgraded(postgres_url, said.append) == (NOW, NOW)
    assert said == []

    (tmp_path / f"{AFTER}.sql").write_text(
        "-- step every request has one\nUPDATE effect SET bundle = folio;\n-- step no\nSELECT 1 / 0;\n"
    )
    with pytest.raises(HubError, match="division by zero"):
        upgraded(postgres_url, said.append, version=AFTER, scripts=tmp_path)
    assert standing(postgres_url).schema == NEXT, "the version that was done stays, the other left nothing"
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT DISTINCT bundle FROM foliohub.effect").fetchall() == [("",)]
    (tmp_path / f"{AFTER}.sql").write_text(LATER[str(AFTER)])
    assert upgraded(postgres_url, said.append, version=AFTER, scripts=tmp_path) == (NEXT, AFTER)

    assert said[:2] == [
        f"version {NEXT}, step 1 of 2: a name for what belongs together",
        f"version {NEXT}, step 2 of 2: so that it is found",
    ]
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT DISTINCT bundle FROM foliohub.effect").fetchall() == [("B-1",)]
    with pytest.raises(HubError) as newer:
        open_store(postgres_url, writer=False)
    assert newer.value.code == "schema_newer"
    with pytest.raises(HubError) as newer:
        upgraded(postgres_url, said.append)
    assert newer.value.code == "schema_newer"

    monkeypatch.setattr(upgrading, "SCHEMA_VERSION", AFTER)
    store = open_store(postgres_url)
    assert store.renewed() == ("", 0), "it is where it was"
    assert verify(store).differences == ()
    store.close()


BESIDE = f"-- beside {NOW}\n-- step a note\nALTER TABLE effect ADD COLUMN note word NOT NULL DEFAULT '';\n"


def test_an_upgrade_that_only_adds_leaves_hubs_at_work(postgres_url: str, tmp_path: Path) -> None:
    """The release before goes on, and may be started again; the one after the next may not have it beside itself."""
    (tmp_path / f"{NEXT}.sql").write_text(BESIDE)
    (tmp_path / f"{AFTER}.sql").write_text(BESIDE.replace(f"beside {NOW}", f"beside {NEXT}").replace("note", "other"))
    world = Sandbox(store=postgres_url)
    world.paid()
    said: list[str] = []

    assert upgraded(postgres_url, said.append, version=NEXT, scripts=tmp_path) == (NOW, NEXT)
    world.cancel()
    world.hub.close()
    again = open_store(postgres_url)
    with pytest.raises(StoreTaken, match=f"connections of releases before schema {NEXT} have this store open: stop those hubs"):
        upgraded(postgres_url, said.append, version=AFTER, scripts=tmp_path)
    assert upgraded(postgres_url, said.append) == (NEXT, NEXT), "the release before leaves it as it is"
    again.close()

    assert upgraded(postgres_url, said.append, version=AFTER, scripts=tmp_path) == (NEXT, AFTER)
    with pytest.raises(HubError, match=f"only releases of {NEXT} and later may run on it: upgrade foliohub") as newer:
        open_store(postgres_url)
    assert newer.value.code == "schema_newer"
    assert said == [f"version {NEXT}, step 1 of 1: a note", f"version {AFTER}, step 1 of 1: a other"]


def test_hubs_do_not_wait_long_behind_an_upgrade(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that a long transaction has is left alone; nothing was changed."""
    (tmp_path / f"{NEXT}.sql").write_text(BESIDE)
    open_store(postgres_url).close()
    monkeypatch.setattr(upgrading, "_WAIT", "50ms")
    with psycopg.connect(postgres_url) as long:
        long.execute("SELECT count(*) FROM foliohub.effect")
        with pytest.raises(StoreTaken, match="say it again"):
            upgraded(postgres_url, print, version=NEXT, scripts=tmp_path)
    assert standing(postgres_url).schema == NOW
    assert upgraded(postgres_url, print, version=NEXT, scripts=tmp_path) == (NOW, NEXT)


def test_an_older_store_says_what_to_do(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(postgres_url).close()
    monkeypatch.setattr(upgrading, "SCHEMA_VERSION", NEXT)
    with pytest.raises(HubError, match="foliohub store upgrade") as older:
        open_store(postgres_url)

    assert older.value.code == "schema_older"
