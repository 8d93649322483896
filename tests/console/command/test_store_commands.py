"""`migrate`, `backup`, `restore` and `store` as programs call them: JSON, and an exit status for each way in which they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from console.command.failing import Exit
from engine.store.opening import open_store
from engine.store.postgresql.upgrading import SCHEMA_VERSION
from tests.console.command.conftest import foliohub
from tests.engine.campsite import Campsite, asked, booking, payment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A stopped hub's file, with a refund in it and a message that waits."""
    camp = Campsite(tmp_path / "camp.sqlite")
    for said in (booking("A"), payment("A", "3001"), asked("A", confirm=True)):
        camp.send(said)
    camp.close()
    return tmp_path / "camp.sqlite"


def parsed(*arguments: object, env: dict[str, str | None] | None = None) -> Any:
    ran = foliohub(*arguments, "--json", env=env)
    assert ran.exit_code == Exit.DONE, ran.output
    return json.loads(ran.stdout)


def ended(*arguments: object, env: dict[str, str | None] | None = None) -> tuple[int, str]:
    ran = foliohub(*arguments, env=env)
    assert "Traceback" not in ran.output
    return ran.exit_code, ran.stderr


def test_a_store_is_backed_up_moved_and_looked_at(path: Path, tmp_path: Path, postgres_url: str) -> None:
    """The database is named like a file everywhere, and its hub is found by it."""
    key: dict[str, str | None] = {"FOLIOHUB_MASTER_KEY": Path(f"{path}.key").read_text().strip()}
    made = parsed("backup", "--store", path, "--to", tmp_path / "backup")
    assert (made["engine"], made["generation"], made["last_decision"]) == ("sqlite", 1, 5)
    assert parsed("restore", "--from", tmp_path / "backup", "--to", tmp_path / "two.sqlite")["kept"] == ""

    moved = parsed("migrate", "--from", path, "--to", postgres_url, "--lanes", 4, env=key)
    assert (moved["before"], moved["proof"]["rows"]["intake"]) == (False, 3)
    assert parsed("migrate", "--from", path, "--to", postgres_url, env=key)["before"] is True
    told = parsed("store", "status", "--store", postgres_url)
    assert (told["state"], len(told["lanes"]), told["rows"]["effect"]) == ("here", 4, 1)
    assert parsed("store", "upgrade", "--store", postgres_url) == {"before": SCHEMA_VERSION, "now": SCHEMA_VERSION}
    assert parsed("verify", "--store", postgres_url, env=key)["agrees"] is True
    (switch,) = parsed("payouts", "status", "--store", postgres_url, env=key)
    assert switch["stopped"] is False
    for said in (("payouts", "stop", "--reason", "odd", "--by", "olga"), ("keys", "add")):
        assert ended(*said, "--store", path)[1].startswith("foliohub: store_moved: "), said
        status, text = ended(*said, "--store", postgres_url, env=key)
        assert status == Exit.DONE, text
    assert parsed("payouts", "status", "--store", postgres_url, env=key)[0]["stopped"] is True


def test_how_they_end(path: Path, tmp_path: Path, postgres_url: str) -> None:
    """2: it may not. 3: it cannot be had now."""
    key: dict[str, str | None] = {"FOLIOHUB_MASTER_KEY": Path(f"{path}.key").read_text().strip()}
    away = "postgresql://postgres@127.0.0.1:1/x"
    assert ended("migrate", "--from", path, "--to", postgres_url)[0] == Exit.WRONG
    assert ended("migrate", "--from", tmp_path / "none", "--to", postgres_url)[0] == Exit.AWAY
    assert not (tmp_path / "none").exists()
    assert ended("migrate", "--from", path, "--to", away, env=key)[0] == Exit.AWAY
    hub = open_store(str(path))
    assert ended("migrate", "--from", path, "--to", postgres_url, env=key)[0] == Exit.AWAY
    hub.close()
    assert ended("backup", "--store", away, "--to", tmp_path / "b")[0] == Exit.AWAY
    assert ended("restore", "--from", path, "--to", path)[0] == Exit.WRONG
    assert ended("store", "status", "--store", away)[0] == Exit.AWAY
    assert ended("store", "status", "--store", postgres_url)[0] == Exit.AWAY
    assert ended("store", "upgrade", "--store", path)[0] == Exit.WRONG
    assert ended("store", "upgrade", "--store", postgres_url)[0] == Exit.AWAY
    assert ended("verify", "--store", postgres_url, env=key)[1].startswith("foliohub: no_store: postgresql://postgres@127.0.0.1:")


def test_a_password_is_not_told(path: Path) -> None:
    """In an address it is the operator's own; we do not repeat it."""
    key: dict[str, str | None] = {"FOLIOHUB_MASTER_KEY": Path(f"{path}.key").read_text().strip()}
    secret = "postgresql://hub:hidden@127.0.0.1:1/x"
    for said in (
        ("verify", "--store", secret), ("store", "status", "--store", secret), ("migrate", "--from", path, "--to", secret),
        ("backup", "--store", secret, "--to", path.parent / "b"), ("payouts", "stop", "--store", secret),
        ("store", "upgrade", "--store", secret),
    ):  # fmt: skip
        status, text = ended(*said, env=key)
        assert (status, "hidden" in text) == (Exit.AWAY, False), text
