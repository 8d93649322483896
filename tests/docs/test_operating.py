"""docs/operating: every command is run as it stands there, on a campsite's store and a database of the test's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.moving import move
from tests.console.command.conftest import ROOT, bare
from tests.console.command.documented import Example, check, console_examples
from tests.engine.campsite import Campsite, asked, booking, eventful, payment

DATABASE = "postgresql://hub@db/foliohub"
FOLDER = ROOT / "docs" / "operating"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a hub was stopped: its store is `var/foliohub.sqlite`."""
    (tmp_path / "var").mkdir()
    camp = Campsite(tmp_path / "var" / "foliohub.sqlite")
    eventful(camp)
    camp.close()
    return tmp_path


def run_through(document: str, place: Path, address: str, **environment: str) -> int:
    examples = list(console_examples(FOLDER / document))
    for one in examples:
        check(Example(one.command.replace(DATABASE, address), one.printed, one.status), place, bare(place, **environment))
    return len(examples)


def test_moving(place: Path, postgres_url: str) -> None:
    assert run_through("moving.md", place, postgres_url) == 8


def test_backup(place: Path, tmp_path_factory: pytest.TempPathFactory, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database has a store as well, which moved there."""
    folder = tmp_path_factory.mktemp("moved")
    camp = Campsite(folder / "camp.sqlite")
    for said in (booking("A"), payment("A", "3001"), asked("A", confirm=True)):
        camp.send(said)
    camp.close()
    key = (folder / "camp.sqlite.key").read_text().strip()
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", key)
    move(str(folder / "camp.sqlite"), postgres_url)

    assert run_through("backup.md", place, postgres_url) == 8


@pytest.mark.parametrize("document", ["backup.md", "growth.md", "moving.md", "retention.md", "running.md"])
def test_links_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (FOLDER / document).read_text(encoding="utf-8")):
        assert (FOLDER / target).exists(), target
