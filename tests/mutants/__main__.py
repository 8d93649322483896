"""`python -m tests.mutants --mutants N --seed S`: changes N places of engine, ledger and handlers, one at a time, and prints which
changes no test saw. Exit 0 when every room reached the share asked for, 1 when one did not, 2 when it could not be tried.

It works on a copy, so that the files can be edited meanwhile. The same seed takes the same changes of the same files.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants import report
from tests.mutants.changes import Change, changes_of, files
from tests.mutants.checked import Checker
from tests.mutants.choosing import Chooser
from tests.mutants.excuses import without_excused
from tests.mutants.reach import ROOMS, Reach, Red
from tests.mutants.running import reach_of
from tests.mutants.session import Tool, control_of, trial_of, try_all

TARGETS = (
    "tests/handlers", "tests/ledger", "tests/engine", "tests/contracts",
    "tests/scenarios/test_scenarios.py", "tests/scenarios/test_kept.py", "tests/mutants/worlds.py",
    "tests/console/gateway", "tests/console/command/test_operators.py", "tests/console/command/test_exits.py",
)  # fmt: skip
_LEFT = shutil.ignore_patterns(".git", ".venv", "var", "dist", "__pycache__", ".*_cache", ".hypothesis", "benchmarks")
_CONTROLS = 1  # a room
_KEPT = Path(".pytest_cache/mutants.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Copies the project and tries there."""
    given = _given(argv)
    if given.here:
        return _try(given, Path.cwd())
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(folder) / "project"
        shutil.copytree(Path.cwd(), root, ignore=_LEFT)
        kept = str(Path.cwd() / _KEPT)
        again = [sys.executable, "-m", "tests.mutants", *(sys.argv[1:] if argv is None else argv), "--here", "--kept", kept]
        if given.again:
            again += ["--again", str(Path(given.again).resolve())]
        return subprocess.run(again, cwd=root, check=False).returncode


def _given(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--mutants", type=int, default=300, help="how many, the same number for each room as far as it has them")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--room", action="append", choices=ROOMS, help="only this room; may be given again")
    parser.add_argument("--only", default="", help="only changes whose line of the report has this text in it; all of them")
    parser.add_argument(
        "--again", default="", help="only the changes that this file, a former report, says nobody saw; all of them"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of testing, of a quiet machine, that a change is worth")
    parser.add_argument("--share", type=float, default=80.0, help="per cent that must be seen, in each room")
    parser.add_argument("--verbose", action="store_true", help="tell of each change what became of it")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--kept", default="", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _try(given: argparse.Namespace, root: Path) -> int:
    began = time.monotonic()
    rooms = given.room or list(ROOMS)
    try:
        reach = reach_of(root, Path(given.kept), TARGETS)
        chooser = Chooser(root, reach, given.budget)
        chosen = _sample({room: _changes(root, room) for room in rooms}, given)
        trials = [trial_of(chooser, change) for change in chosen]
        trials += [control_of(chooser, path) for path in _controls(root, rooms, given.seed, reach)]
        book = report.Book(len(trials), verbose=given.verbose)
        try_all(root, trials, chooser, TARGETS, given.jobs, book.note)
        book.ask(Checker(root))
    except (Red, Tool) as fault:
        print(f"could not be tried: {fault}", file=sys.stderr)
        return 2
    print(report.summary(book.all, time.monotonic() - began))
    if report.failed_controls(book.all):
        return 2
    return 0 if all(share >= given.share for share in report.shares(book.all).values()) else 1


def _changes(root: Path, room: str) -> list[Change]:
    return without_excused(change for path in files(root, room) for change in changes_of(path, (root / path).read_text()))


def _sample(changes: dict[str, list[Change]], given: argparse.Namespace) -> list[Change]:
    """As many of each room as of the others; what a small room has not, the others give."""
    if given.only:
        return [change for known in changes.values() for change in known if given.only in str(change)]
    if given.again:
        text = Path(given.again).read_text()
        unseen = {line.strip() for line in text.splitlines() if line.startswith("  ")}
        return [change for known in changes.values() for change in known if str(change) in unseen]
    chosen: list[Change] = []
    left = given.mutants
    for at, room in enumerate(sorted(changes, key=lambda room: len(changes[room]))):
        share = min(left // (len(changes) - at), len(changes[room]))
        chosen += random.Random(f"{given.seed} {room}").sample(changes[room], share)
        left -= share
    return chosen


def _controls(root: Path, rooms: Sequence[str], seed: int, reach: Reach) -> list[str]:
    known = {room: [path for path in files(root, room) if any(reach.lines.get(path, {}).values())] for room in rooms}
    return [
        path for room in rooms for path in random.Random(f"control {seed}").sample(known[room], min(_CONTROLS, len(known[room])))
    ]


if __name__ == "__main__":
    raise SystemExit(main())
