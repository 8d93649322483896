"""`foliohub run` as it is started from a shell: stopped in good order under load it leaves nothing to redo, and at rest it rests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kills.checks import listen, wrongs
from tests.kills.folios import Stay, bearer
from tests.kills.forker import ROOT, Forker
from tests.kills.stage import OPEN, Stage
from tests.services.amqp_tools import wait_until
from tests.services.rabbitmq import RabbitMQ

STOP_S = 3.0
REST_S = 20.0
SLOW = {"rules": [{"when": {"endpoint": "maintenance"}, "answer_after_s": 0.4}]}
SILENT = {"rules": [{"when": {"endpoint": "maintenance"}, "answer": "silence"}]}


@pytest.fixture
def forker() -> Iterator[Forker]:
    """For the simulator and for commands; the hub comes from a shell here."""
    with Forker() as forker:
        yield forker


@contextmanager
def from_shell(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """The hub, ready."""
    environment = {**stage.environment, "PYTHONPATH": str(ROOT)}
    with (stage.folder / "hub.log").open("ab") as log:
        command = [sys.executable, "-m", "console.command", "run", "--port", str(stage.port)]
        hub = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        stage.ready()
        yield hub
    finally:
        hub.kill()
        hub.wait()


def stopped(hub: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Its exit status, and how long it took."""
    begun = time.monotonic()
    hub.send_signal(signal.SIGTERM)
    return hub.wait(20), time.monotonic() - begun


def under_load(stage: Stage, count: int) -> list[Stay]:
    """Senders that go on for a while, whatever happens to the hub."""
    stays = [Stay(stage, f"{stage.name}.{number}", (10_000 + number, 20_000 + number), over="http") for number in range(count)]
    for stay in stays:
        stay.start()
    return stays


@contextmanager
def half_a_request(stage: Stage) -> Iterator[None]:
    """Somebody began to post a message, and does not go on."""
    key = bearer(stage, "messages")["Authorization"]
    head = f"POST /messages HTTP/1.1\r\nHost: hub\r\nAuthorization: {key}\r\nContent-Length: 999\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", stage.port)) as link:
        link.sendall(head.encode())
        time.sleep(0.2)
        yield


def count(stage: Stage, what: str) -> int:
    return int(stage.rows(f"SELECT count(*) AS n FROM {what}")[0]["n"])


@pytest.mark.parametrize("moment", ["intake", "effect WHERE state = 'sending'", "effect WHERE state = 'confirmed'"])
def test_a_stop_under_load_leaves_nothing_to_redo(moment: str, forker: Forker, tmp_path: Path) -> None:
    """Exit 0 within three seconds, while messages come and requests are at the provider: no death is counted, no request is left
    between its mark and its answer, nothing that was acknowledged is missing; the next start goes on, and asks nobody twice."""
    with Stage(tmp_path / "stop", forker, script=SLOW, deadline_s=5.0, lease_s=6.0) as stage:
        with from_shell(stage) as hub:
            stays = under_load(stage, 25)
            wait_until(lambda: count(stage, moment) >= 3, moment)
            told = [one.id for stay in stays for one in stay.told]
            status, took_s = stopped(hub)
            assert (status, took_s < STOP_S) == (0, True), f"{status} after {took_s:.1f} s: {stage.log()}"
        known = {row["id"] for row in stage.rows("SELECT id FROM intake")}
        assert [id_ for id_ in told if id_ not in known] == []
        assert [row["deaths"] for row in stage.rows("SELECT deaths FROM lane")] == [-1]
        assert count(stage, "effect WHERE state = 'sending'") == 0
        assert count(stage, "effect WHERE lease_until > 0 AND state <> 'confirmed'") == 0

        with from_shell(stage) as hub:
            for stay in stays:
                stay.join(60)
            wait_until(lambda: count(stage, "effect") == 50 and not count(stage, f"effect WHERE {OPEN}"), "all is refunded", 60)
            wait_until(lambda: not count(stage, "internal WHERE decision = 0"), "all is told")
            assert wrongs(stage, stays, [])[0] == []
            assert count(stage, "evidence WHERE act = 'send' AND result <> 'not_sent'") == 50
            assert count(stage, "decision WHERE name = 'reply.arrived' AND record LIKE '%abandoned%'") == 0
            assert stopped(hub)[0] == 0


def test_nobody_who_is_slow_delays_the_stop(forker: Forker, tmp_path: Path) -> None:
    """A provider that says nothing, a sender who stops half-way through a request. What the provider has not answered when the time is
    over is in doubt, and is only asked about after the next start; what was behind it is in nobody's doubt."""
    with Stage(tmp_path / "silent", forker, script=SILENT, deadline_s=8.0, lease_s=9.0) as stage:
        with from_shell(stage) as hub:
            stays = under_load(stage, 4)
            wait_until(lambda: count(stage, "effect WHERE state = 'sending'") >= 4, "each thread has a request")
            with half_a_request(stage):
                status, took_s = stopped(hub)
            assert (status, took_s < STOP_S) == (0, True), f"{status} after {took_s:.1f} s: {stage.log()}"
        assert count(stage, "effect WHERE state = 'sending'") == len(
            stage.provider_rows("SELECT 1 FROM requests WHERE endpoint = 'maintenance'")
        )

        with from_shell(stage) as hub:
            for stay in stays:
                stay.join(60)
            wait_until(lambda: count(stage, "effect WHERE state = 'confirmed'") == 8, "all are found", 60)
            wait_until(lambda: not count(stage, "internal WHERE decision = 0"), "all is told")
            assert wrongs(stage, stays, [])[0] == []
            assert stopped(hub)[0] == 0


def test_a_stop_leaves_the_one_file(forker: Forker, tmp_path: Path) -> None:
    """Nothing is left in the write-ahead log, whoever of the hub's threads has read: a copy of the one file, with its key, is the whole
    store. Without the file the next start says so, and makes no new hub that has forgotten its refunds."""
    with Stage(tmp_path / "one", forker) as stage:
        with from_shell(stage) as hub:
            stays = under_load(stage, 5)
            for stay in stays:
                stay.join(60)
            status, took_s = stopped(hub)
            assert (status, took_s < STOP_S) == (0, True), f"{status} after {took_s:.1f} s: {stage.log()}"
        log = stage.store.with_name("hub.sqlite-wal")
        assert not log.exists() or log.stat().st_size == 0
        copy = tmp_path / "copy.sqlite"
        for end in ("", ".key"):
            shutil.copyfile(f"{stage.store}{end}", f"{copy}{end}")
        decisions = count(stage, "decision")
        assert f"agrees: {decisions} decisions" in stage.foliohub("verify")
        assert f"agrees: {decisions} decisions" in stage.foliohub("verify", "--store", str(copy))
        assert decisions > 20

        copy.unlink()
        command = [sys.executable, "-m", "console.command", "run", "--port", "0", "--store", str(copy)]
        environment = {**stage.environment, "PYTHONPATH": str(ROOT)}
        refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
        assert (refused.returncode, refused.stderr.split(":")[1]) == (2, " store_lost"), refused.stderr
        assert all(word in refused.stderr for word in (f"{copy}.key", "copy.sqlite-wal", "put the store back", "remove"))


class Use(NamedTuple):
    """What a process has used: seconds of both kinds of processor time, and memory that is resident."""

    cpu_s: float
    resident_mb: float

    @staticmethod
    def of(pid: int) -> Use:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return Use(sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def test_a_hub_at_rest_rests(rabbitmq: RabbitMQ, forker: Forker, tmp_path: Path) -> None:
    """With its broker, after some work: under 1 % of one processor, and neither file nor memory grows."""
    with Stage(tmp_path / "resting", forker, rabbitmq.url) as stage, from_shell(stage) as hub:
        stays = under_load(stage, 5)
        for stay in stays:
            stay.join(60)
        wait_until(lambda: count(stage, "effect WHERE state = 'confirmed'") == 10, "all is refunded", 60)
        wait_until(lambda: not count(stage, "outbox WHERE published = 0"), "all is published")
        time.sleep(2)  # callbacks and what they ask for
        sizes = {path.name: path.stat().st_size for path in stage.folder.glob("hub.sqlite*")}
        before = Use.of(hub.pid)
        time.sleep(REST_S)
        after = Use.of(hub.pid)

        share = (after.cpu_s - before.cpu_s) / REST_S
        assert share < 0.01, f"{share:.2%} of a processor"
        assert after.resident_mb - before.resident_mb < 0.5, (before, after)
        assert {path.name: path.stat().st_size for path in stage.folder.glob("hub.sqlite*")} == sizes
        assert wrongs(stage, stays, listen(stage))[0] == []
        assert stopped(hub)[0] == 0
