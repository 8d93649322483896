"""What a clone must not carry: hosts in the locks, paths of somebody's machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-distributed.lock", "requirements-dev.lock")


def files() -> list[Path]:
    """Every file of the repository, those not yet added included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def requirements(lock: str) -> list[str]:
    """One a package, its hashes included."""
    return (ROOT / lock).read_text().replace("\\\n", " ").splitlines()


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_lock_names_a_host() -> None:
    """A lock pins by version and hash; where the files come from is for the machine that installs to know."""
    locks = [path for path in files() if "lock" in path.name.lower() and path.suffix != ".py"]

    assert {path.name for path in locks} >= set(LOCKS)
    for path in locks:
        assert not re.search(r"https?:|file:|--(index|extra|find|trusted)", path.read_text()), path


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes(lock: str) -> None:
    pinned = re.compile(r"[A-Za-z0-9._-]+==\S+ (; .+? )?( *--hash=sha256:[0-9a-f]{64} *)+$")

    assert [line for line in requirements(lock) if not pinned.match(line)] == []


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """A dependency without its line in the lock is missing on every machine but the one where it was tried. `make lock` mends it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {"requirements.lock": [*project["dependencies"], *extras["build"]]}
    asked["requirements-distributed.lock"] = [*asked["requirements.lock"], *extras["distributed"], *extras["otlp"]]
    asked["requirements-dev.lock"] = [*asked["requirements-distributed.lock"], *extras["dev"], *extras["bench"]]

    for lock, wanted in asked.items():
        held = {canonical(line.partition("==")[0]) for line in requirements(lock)}
        assert {canonical(re.split(r"[^\w.-]", name)[0]) for name in wanted} <= held, lock


def test_the_locks_agree() -> None:
    """One environment serves running, alone or among several, and testing: each lock is a part of the next larger."""
    small, middle, large = (set(requirements(lock)) for lock in LOCKS)

    assert small <= middle <= large


def test_no_path_of_a_machine() -> None:
    """Nothing points into somebody's home or to where this clone happens to lie."""
    homes = r"/(?:home|Users)/\w|/root/[.\w]|[A-Z]:\\\\?Users"
    here = [re.escape(str(place)) for place in (ROOT, Path.home()) if len(place.parts) > 2]
    pattern = re.compile(rf"(?<![\w.:/-])(?:{'|'.join([homes, *here])})")

    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in files()
        if path != Path(__file__) and "golden" not in path.parts
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert found == []
