"""The sample day as a process of its own, started as a newcomer does; and the command called inside the test's process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest
import structlog
from typer.testing import CliRunner, Result

from console.command.main import app

ROOT = Path(__file__).parents[3]


def bare(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which only what is given counts."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder), "LANG": "C.UTF-8", "USER": "tester", **more}


class Running:
    """`foliohub run` in a folder of its own; what it printed so far is in `lines`. Ends with its test at the latest."""

    started: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder = folder
        self.begun = time.monotonic()
        self.lines: list[str] = []
        self._spoke = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console.command", "run", *arguments],
            cwd=folder,
            env=bare(folder, **environment),
            stdout=subprocess.PIPE,
            stderr=(folder / "run.log").open("ab"),
            text=True,
        )
        self.started.append(self.process)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._spoke:
                self.lines.append(line.rstrip("\n"))
                self._spoke.notify_all()
        with self._spoke:
            self._spoke.notify_all()

    def until(self, word: str, timeout_s: float = 60) -> str:
        """The first line that holds a word."""
        end = time.monotonic() + timeout_s
        with self._spoke:
            while True:
                found = next((line for line in self.lines if word in line), None)
                if found is not None:
                    return found
                assert time.monotonic() < end, f"no {word!r} in {self.lines}, {self.log()}"
                assert self._reader.is_alive() or self._spoke.wait(0.2), f"ended without {word!r}: {self.lines}, {self.log()}"
                self._spoke.wait(0.2)

    def log(self) -> str:
        return (self.folder / "run.log").read_text()[-3000:]

    def ready(self) -> float:
        """Seconds until it listened."""
        self.until("Foliohub listens at")
        return time.monotonic() - self.begun

    @property
    def address(self) -> str:
        found = re.search(r"listens at (\S+);", self.until("Foliohub listens at"))
        assert found is not None
        return found[1]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Its exit status, and how long it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(20)
        self._reader.join(5)
        return status, time.monotonic() - begun


class SampleHub(NamedTuple):
    """A running sample day: what it printed, and the environment in which other commands meet it."""

    running: Running
    environment: dict[str, str]


@pytest.fixture(scope="session")
def sample_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleHub]:
    """`foliohub run --sample-day`, on a free port, with the shipped configuration."""
    folder = tmp_path_factory.mktemp("sample")
    running = Running(folder, "--sample-day", "--port", "0")
    try:
        running.ready()
        key = running.until("Key ").split()[-1]
        yield SampleHub(running, bare(folder, FOLIOHUB_URL=running.address, FOLIOHUB_KEY=key))
    finally:
        running.process.kill()
        running.process.wait()


@pytest.fixture(autouse=True)
def _no_hub_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that failed half-way leaves nothing running."""
    if "sample_hub" in request.fixturenames:
        request.getfixturevalue("sample_hub")
    first = len(Running.started)
    yield
    for process in Running.started[first:]:
        process.kill()
        process.wait()
    del Running.started[first:]


def foliohub(*arguments: object, stdin: str = "", env: dict[str, str | None] | None = None) -> Result:
    """The command, called in this process; it sets logging up for its own, and here that is the tests'."""
    cleared: dict[str, str | None] = {name: None for name in os.environ if name.startswith("FOLIOHUB_")}
    before = structlog.get_config()
    try:
        return CliRunner().invoke(app, [str(one) for one in arguments], input=stdin, env={**cleared, **(env or {})})
    finally:
        structlog.configure(**before)
