"""docs/simulation.md: every command in it is run and prints what stands below it; its table of bugs is what is planted."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.console.command.documented import Example, check, console_examples
from tests.simulation.planted.bugs import BUGS
from tests.simulation.planted.of_families import BUGS as OF_FAMILIES

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "simulation.md"
EXAMPLES = list(console_examples(DOCUMENT))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as somebody has it who has made its environment: with this Python for it, and a `var` of its own."""
    folder = tmp_path_factory.mktemp("checkout")
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "var":
            (folder / entry.name).symlink_to(entry)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    (folder / ".venv" / ".dev").touch()
    return folder


@pytest.mark.parametrize("example", [pytest.param(one, id=one.command) for one in EXAMPLES])
def test_example(example: Example, checkout: Path) -> None:
    """In the order of the document. The run of 10,000 worlds is played with two."""
    short = Example(*(text.replace("10000", "2") for text in example[:2]), example.status)

    check(short, checkout, {"PATH": os.environ["PATH"], "HOME": str(checkout), "LC_ALL": "C"})


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 6


def test_every_planted_bug_is_in_the_table() -> None:
    """By its name, and in its order."""
    told = re.findall(r"^\| ([^|]+) \|[^|]+\|$", DOCUMENT.read_text(encoding="utf-8").split("## Planted bugs")[1], re.MULTILINE)

    assert told[1:] == [bug.name for bug in (*BUGS, *OF_FAMILIES)]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", DOCUMENT.read_text(encoding="utf-8")):
        assert "://" in target or (DOCUMENT.parent / target).exists(), target
