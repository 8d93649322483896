"""A real PostgreSQL of our own: loopback only, its own port, socket and data; nothing of it outlives the tests.

It syncs as in production, since what a kill leaves is what the tests are about. A cluster that the system runs is never touched.
Run as a module it says where the server was found, or what to install (exit 1).
"""

from __future__ import annotations

import itertools
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.services.processes import Service, ServiceFailed, free_ports

BINARIES = Path("/usr/lib/postgresql")
USER = "postgres"
STOP_TIMEOUT_S = 10
INSTALL = (
    "PostgreSQL is missing, and the tests need a real one. On Debian and Ubuntu: apt-get install postgresql. "
    "Elsewhere: install PostgreSQL 15 or newer and set FOLIOHUB_POSTGRESQL_BIN to the folder with its initdb and postgres."
)
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "1GB",
    "dynamic_shared_memory_type": "mmap",  # files of its data folder, so that a kill leaves none elsewhere
}


def find_binaries() -> Path:
    """The folder of the newest server's programs. Raises ServiceFailed if there is none, or nobody to run it as."""
    said = os.environ.get("FOLIOHUB_POSTGRESQL_BIN")
    versions = sorted(BINARIES.glob("[0-9]*/bin"), key=lambda path: int(path.parent.name))
    found = [path for path in ([Path(said)] if said else versions) if (path / "initdb").exists() and (path / "postgres").exists()]
    if not found:
        raise ServiceFailed(INSTALL)
    if os.geteuid() == 0 and USER not in {one.pw_name for one in pwd.getpwall()}:
        raise ServiceFailed(f"PostgreSQL refuses to run as root, and there is no user {USER} to run it as: add one")
    return found[-1]


class PostgreSQL(Service):
    """One cluster, whose log lies in `folder`. `kill` and `start` again keep its data and its address; `stop` removes the data.

    The data lie in a folder of their own under the system's temporary one, since the user that runs the server when we are root
    cannot enter ours.
    """

    name = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        super().__init__(folder, port, folder / "postgresql.log")
        self.url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        self._binaries = find_binaries()
        self._user = USER if os.geteuid() == 0 else None
        self._home: Path | None = None
        self._names = (f"hub_{number}" for number in itertools.count(1))

    def start(self) -> None:
        """Returns when the server answers. Raises ServiceFailed with the end of its log if it does not."""
        home = self._home = self._home or self._make_home()
        options = {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(home)} | SETTINGS
        command = [str(self._binaries / "postgres"), "-D", str(home / "data")]
        self._node = self._run(
            [*command, *(f"--{name}={value}" for name, value in options.items())], {"LANG": "C.UTF-8"}, self._user
        )
        self._guard.stand(ending(self._node.pid, home))
        self._wait_for_answer(str(self._binaries))

    def stop(self) -> None:
        """Everything that `start` started or made is gone afterwards."""
        if self._node is not None:
            self.thaw()
            self._node.send_signal(signal.SIGQUIT)  # at once, but the kernel gets its shared memory back
            try:
                self._node.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._node = None
        self._guard.dismiss()
        if self._home is not None:
            shutil.rmtree(self._home)
            self._home = None

    def database(self) -> str:
        """The address of a new, empty database; `drop` takes it away again."""
        name = next(self._names)
        self._command(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        return f"{self.url.rpartition('/')[0]}/{name}"

    def drop(self, url: str) -> None:
        """The database that `database` gave, whoever is still connected to it."""
        name = urlsplit(url).path.lstrip("/")
        self._command(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _command(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def _make_home(self) -> Path:
        home = Path(tempfile.mkdtemp(prefix="foliohub-postgresql-"))
        if self._user is not None:
            shutil.chown(home, self._user, self._user)
        made = subprocess.run(
            [
                *(str(self._binaries / "initdb"), "--pgdata", str(home / "data"), "--username", USER),
                *("--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )
        if made.returncode:
            shutil.rmtree(home)
            raise ServiceFailed(
                f"PostgreSQL could not make a cluster in {home}, which its user must be able to enter:\n{made.stderr}"
            )
        return home

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=5) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        """Each child has a process group of its own, so each is told; the server is stopped first, so that none is born unseen."""
        assert self._node is not None
        self._node.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._node.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        told = children(self._node.pid)
        for one in (*told, self._node.pid):
            os.kill(one, number)
        while number is signal.SIGKILL and any(map(lives, told)):  # a new server refuses the data while one of them has its memory
            time.sleep(0.01)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if listed.exists():
        return [int(word) for word in listed.read_text().split()]
    return [int(word) for word in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, check=False).stdout.split()]


def lives(pid: int) -> bool:
    """Not so a zombie, which its parent has not asked about yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ending(pid: int, home: Path) -> str:
    """What the guard does: the end that `stop` would have made."""
    alive = f"kill -s 0 {pid} && sleep 0.1"
    return f"kill -s QUIT {pid}; kill -s CONT {pid}; while {alive}; do :; done; rm -rf -- {shlex.quote(str(home))}"


if __name__ == "__main__":
    try:
        print(f"PostgreSQL: {find_binaries()}")
    except ServiceFailed as missing:
        sys.exit(str(missing))
