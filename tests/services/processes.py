"""What the servers of the tests have in common: ports of their own, a log, and an end that comes whatever becomes of the test run.

A server runs in a process group of its own, which is how `kill`, `freeze` and `thaw` reach its children as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

START_TIMEOUT_S = 90


class ServiceFailed(Exception):
    """A server that the tests need is missing or did not start; the text says what to do or what it logged last."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has at this moment."""
    with contextlib.ExitStack() as open_sockets:
        held = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]


class Guard:
    """A shell that ends servers when this process is gone, however it went: then its standard input ends."""

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None

    def stand(self, command: str) -> None:
        """From now on `command` and no other is what the shell does then."""
        self.dismiss()
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", f"read word || {{ {command}; }}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        if self._shell is not None:
            assert self._shell.stdin is not None
            self._shell.stdin.write(b"leave\n")
            self._shell.stdin.close()
            self._shell.wait()
            self._shell = None


def killing(*groups: int) -> str:
    """What a guard does where nothing is left to tidy: SIGKILL to these process groups."""
    return "kill -s KILL -- " + " ".join(f"-{group}" for group in groups)


class Service:
    """One server of `name` in `folder`, which answers on `port`. Killed and started again it keeps its data and its address."""

    name: str

    def __init__(self, folder: Path, port: int, log: Path) -> None:
        self.folder = folder
        self.port = port
        self.log = log
        self._node: subprocess.Popen[bytes] | None = None
        self._guard = Guard()

    @property
    def pid(self) -> int:
        """Of the server's first process, while it runs."""
        assert self._node is not None
        return self._node.pid

    def start(self) -> None:
        """Returns when the server answers. Raises ServiceFailed with the end of its log if it does not."""
        raise NotImplementedError

    def _answers(self) -> bool:
        """Whether a real request is answered; a port that merely listens does not count."""
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL, as a machine that loses power; returns when the port is free."""
        if self._node is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._signal(signal.SIGKILL)
        self._node.wait()
        self._node = None
        while self._listens():
            time.sleep(0.02)

    def freeze(self) -> None:
        """Stopped where it stands: connections live, nothing answers. `thaw` lets it go on."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Killed and brought back, same data, same address."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Everything that `start` started is gone afterwards."""
        self.kill()
        self._guard.dismiss()

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        """To the server and all its children."""
        assert self._node is not None
        os.killpg(self._node.pid, number)

    def _run(
        self, command: list[str], environment: dict[str, str] | None = None, user: str | None = None
    ) -> subprocess.Popen[bytes]:
        """The server as a process group of its own that writes to the log; as `user`, if one is named, and in no group but theirs."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )

    def _wait_for_answer(self, told: str) -> None:
        """Stops the server and raises ServiceFailed if it ends or stays silent for long; `told` names what was run."""
        assert self._node is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._node.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServiceFailed(f"{self.name} did not start ({told}); its log ends:\n{self.log_tail()}")
            time.sleep(0.1)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


AService = TypeVar("AService", bound=Service)


@contextlib.contextmanager
def running(server: AService) -> Iterator[AService]:
    """Started, and stopped at the end whatever happened."""
    try:
        server.start()
        yield server
    finally:
        server.stop()
