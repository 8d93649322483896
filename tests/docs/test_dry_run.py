"""The examples of docs/dry-run.md, run as they stand there: every shown line is real, in its place."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = re.findall(r"```console\n\$ (foliohub .*)\n((?:.+\n)*?)(?:\$ echo \$\?\n(\d+)\n)?```", (DOCS / "dry-run.md").read_text())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 12


@pytest.mark.parametrize(("command", "shown", "status"), [pytest.param(*one, id=one[0]) for one in EXAMPLES])
def test_example(command: str, shown: str, status: str) -> None:
    """`…` on a line of its own stands for any lines, inside a line for any text."""
    arguments = shlex.split(command)[1:]
    ran = subprocess.run(
        [sys.executable, "-c", "from console.command.main import main; main()", *arguments],
        cwd=DOCS,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(DOCS.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    pieces = [
        r"(?:.*\n)*?"
        if line == "…"
        else "".join(".*?" if part == "…" else re.escape(part) for part in re.split("(…)", line)) + r"\n"
        for line in shown.splitlines()
    ]

    assert re.fullmatch("".join(pieces), ran.stdout.decode()), ran.stdout.decode()
    assert ran.returncode == int(status or 0)
