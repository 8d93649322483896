"""A real RabbitMQ of our own: loopback only, its own ports, data, cookie and port mapper; nothing of it outlives the tests.

Run as a script it says where the server was found, or what to install (exit 1).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SCRIPTS = "lib/rabbitmq_server-*/sbin/rabbitmq-server"
HOMES = ("/usr/lib/rabbitmq", "/usr/local/lib/rabbitmq")
START_TIMEOUT_S = 90
CLEAN = b"\0\0\0\1"
LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
INSTALL = (
    "RabbitMQ is missing, and the tests need a real one. On Debian and Ubuntu: apt-get install rabbitmq-server. "
    "Elsewhere: install RabbitMQ 3.10 or newer with Erlang and set RABBITMQ_SERVER_SCRIPT to its own sbin/rabbitmq-server."
)


class ServiceFailed(Exception):
    """A server that the tests need is missing or did not start; the text says what to do or what it logged last."""


def find_server() -> Path:
    """The server's own script; the wrapper in PATH wants a user of its own. Raises ServiceFailed if something is missing."""
    said = os.environ.get("RABBITMQ_SERVER_SCRIPT")
    found = [Path(said)] if said else [path for home in HOMES for path in sorted(Path(home).glob(SCRIPTS))]
    if not found or not found[-1].exists() or not shutil.which("erl") or not shutil.which("epmd"):
        raise ServiceFailed(INSTALL)
    return found[-1]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has at this moment."""
    with contextlib.ExitStack() as open_sockets:
        held = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]


class RabbitMQ:
    """One node in `folder`. `kill` and `start` again keep its data and its address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._dist_port, self._epmd_port = free_ports(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.log = folder / "rabbitmq.log"
        self._script = find_server()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        for name, content in (("enabled_plugins", "[].\n"), ("env.conf", ""), ("rabbitmq.conf", "log.console.level = info\n")):
            (folder / name).write_text(content)

    def start(self) -> None:
        """Returns when the node answers. Raises ServiceFailed with the end of its log if it does not."""
        environment = self._environment()
        if self._epmd is None:
            epmd = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = subprocess.Popen(epmd, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
        with self.log.open("ab") as log:
            self._node = subprocess.Popen(
                [str(self._script)],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._stand_guard(self._node.pid, self._epmd.pid)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._node.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServiceFailed(f"RabbitMQ did not start ({self._script}); its log ends:\n{self.log_tail()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL, as a machine that loses power; returns when the port is free."""
        if self._node is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._node.pid, signal.SIGKILL)
        self._node.wait()
        self._node = None
        while self._listens():
            time.sleep(0.02)

    def settle(self) -> None:
        """Waits until the queues declared so far survive a `kill`.

        RabbitMQ 3.10 keeps the names of its quorum queues in a dets file and marks it clean a second after the last change; a
        queue whose name was not on disk comes back without a leader and answers nobody (rabbitmq-server issue 10070).
        """
        (names,) = self.folder.glob("data/*/quorum/*/names.dets")
        deadline = time.monotonic() + START_TIMEOUT_S
        while names.read_bytes()[8:12] != CLEAN:
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{names} is not clean; the log ends:\n{self.log_tail()}")
            time.sleep(0.1)

    def freeze(self) -> None:
        """Stopped where it stands: connections live, nothing answers. `thaw` lets it go on."""
        assert self._node is not None
        os.killpg(self._node.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._node is not None
        os.killpg(self._node.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Killed and brought back, same data, same address."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Everything that `start` started is gone afterwards."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None
        self._dismiss_guard()

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),  # the cookie is made here
            "RABBITMQ_NODENAME": "hub@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            # no busy waiting: the machine is shared with the tests
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": LOOPBACK + " +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _answers(self) -> bool:
        """A broker says Connection.Start to whoever names the protocol; a port that merely listens does not."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _stand_guard(self, *groups: int) -> None:
        """A shell that kills the servers when this process is gone, however it went: then its standard input ends."""
        self._dismiss_guard()
        targets = " ".join(f"-{group}" for group in groups)
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", f"read word || kill -s KILL -- {targets}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            assert self._guard.stdin is not None
            self._guard.stdin.write(b"leave\n")
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None


@contextlib.contextmanager
def running(folder: Path) -> Iterator[RabbitMQ]:
    """A started node, stopped at the end whatever happened."""
    server = RabbitMQ(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


if __name__ == "__main__":
    try:
        print(f"RabbitMQ: {find_server()}")
    except ServiceFailed as missing:
        sys.exit(str(missing))
