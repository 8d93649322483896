"""The distribution as others get it: one wheel, names that nobody else uses, and a command that works away from the sources."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

import pytest

from console.rules.table import rules

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed, without our sources on its path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_every_room_is_in_the_wheel() -> None:
    """A folder with code that is not named in pyproject.toml would be missing for everyone but us."""
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}

    assert rooms == set(ROOMS) == set(PROJECT["tool"]["importlinter"]["root_packages"])


@pytest.mark.parametrize("room", ROOMS)
def test_nobody_else_provides_our_names(room: str) -> None:
    """Our packages are top-level: another distribution with such a name would shadow them, or we it."""
    providers = set(importlib.metadata.packages_distributions().get(room, []))
    found = importlib.util.find_spec(room)

    assert providers <= {"foliohub"}
    assert found is not None
    assert found.origin == str(ROOT / room / "__init__.py")


@pytest.mark.timeout(600)
def test_wheel_in_a_clean_environment(tmp_path: Path) -> None:
    """Built, installed beside the runtime lock alone, and run from a folder that knows nothing of the sources."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist", cwd=ROOT)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=tmp_path)
    run(*pip, "--no-index", "--no-deps", wheel, cwd=tmp_path)

    foliohub = tmp_path / "clean" / "bin" / "foliohub"
    assert "simulator" in run(foliohub, "--help", cwd=tmp_path)
    shown = {rule["id"]: tuple(rule["shown_by"]) for rule in json.loads(run(foliohub, "rules", "--json", cwd=tmp_path))}
    assert shown == {rule.id: rule.shown_by for rule in rules()}, "a wheel has no tests, and says what they show all the same"
    where = run(python, "-c", f"import {', '.join(ROOMS)}; print({', '.join(f'{room}.__file__' for room in ROOMS)})", cwd=tmp_path)
    assert str(ROOT) not in where
    run(python, "-m", "pip", "check", cwd=tmp_path)
