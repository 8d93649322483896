"""A real RabbitMQ of our own: loopback only, its own ports, data, cookie and port mapper; nothing of it outlives the tests.

Run as a module it says where the server was found, or what to install (exit 1).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.services.processes import START_TIMEOUT_S, Service, ServiceFailed, free_ports, killing

SCRIPTS = "lib/rabbitmq_server-*/sbin/rabbitmq-server"
HOMES = ("/usr/lib/rabbitmq", "/usr/local/lib/rabbitmq")
PLUGINS = ("rabbitmq_sharding", "rabbitmq_consistent_hash_exchange")  # both kinds of exchange that hash
CLEAN = b"\0\0\0\1"
LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
INSTALL = (
    "RabbitMQ is missing, and the tests need a real one. On Debian and Ubuntu: apt-get install rabbitmq-server. "
    "Elsewhere: install RabbitMQ 3.10 or newer with Erlang and set RABBITMQ_SERVER_SCRIPT to its own sbin/rabbitmq-server."
)


def find_server() -> Path:
    """The server's own script; the wrapper in PATH wants a user of its own. Raises ServiceFailed if something is missing."""
    said = os.environ.get("RABBITMQ_SERVER_SCRIPT")
    found = [Path(said)] if said else [path for home in HOMES for path in sorted(Path(home).glob(SCRIPTS))]
    if not found or not found[-1].exists() or not shutil.which("erl") or not shutil.which("epmd"):
        raise ServiceFailed(INSTALL)
    return found[-1]


class RabbitMQ(Service):
    """One node in `folder`. `kill` and `start` again keep its data and its address. `plugins`: those of its own that are enabled."""

    name = "RabbitMQ"

    def __init__(self, folder: Path, plugins: tuple[str, ...] = PLUGINS) -> None:
        port, self._dist_port, self._epmd_port = free_ports(3)
        super().__init__(folder, port, folder / "rabbitmq.log")
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._script = find_server()
        self._epmd: subprocess.Popen[bytes] | None = None
        files = {"enabled_plugins": f"[{','.join(plugins)}].\n", "env.conf": "", "rabbitmq.conf": "log.console.level = info\n"}
        for name, content in files.items():
            (folder / name).write_text(content)

    def start(self) -> None:
        """Returns when the node answers. Raises ServiceFailed with the end of its log if it does not."""
        environment = self._environment()
        if self._epmd is None:
            epmd = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = subprocess.Popen(epmd, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
        self._node = self._run([str(self._script)], environment)
        self._guard.stand(killing(self._node.pid, self._epmd.pid))
        self._wait_for_answer(str(self._script))

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

    def stop(self) -> None:
        """Everything that `start` started is gone afterwards."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None
        self._guard.dismiss()

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


if __name__ == "__main__":
    try:
        print(f"RabbitMQ: {find_server()}")
    except ServiceFailed as missing:
        sys.exit(str(missing))
