"""All families on a platform of processes, on Kafka and PostgreSQL, while its processes are killed: `python -m tests.distributed.families
--stays 200 --seed 1`. In the end nobody is asked twice, no voucher is spent twice or turned into cash, each mail came once as far as SMTP
allows, and every booking has come to what one process makes of the same messages.

Exit 1 when anything was wrong.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from benchmarks.messages import ids
from config.loader import load
from connectors.psp.ogone.simulator.books import Books
from engine.store.postgresql.database import Database
from tests.distributed.chaos import Supervisor, settle
from tests.distributed.families_checks import wrongs
from tests.distributed.families_once import Once, add_cards
from tests.distributed.families_said import Story, stories
from tests.distributed.families_senders import LOOK_S, STEP_S, Senders
from tests.distributed.platform import Platform
from tests.distributed.topics import made_anew
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.mail import MailServer
from tests.services.postgresql import PostgreSQL
from tests.services.processes import running

ROLES: Final = ("gateway", "worker", "worker", "effects", "scheduler")
STRUCK: Final = ("worker", "effects", "gateway", "worker", "scheduler")
LEASES_OVER_S: Final = 100  # the clocks go on by so much in the end: what a sender that died was sending is in doubt then
NOTICES: Final = (
    "booking_confirmed", "cancellation_confirmed", "refund_executed", "refund_manual_required", "balance_asked", "balance_paid",
    "balance_replied", "balance_not_collected", "voucher_check", "voucher_accepted", "voucher_issued", "voucher_credited",
)  # fmt: skip
HUB: Final = """
[mail]
host = "127.0.0.1"
port = {port}
security = "none"
from = "folios@camp.example"
deadline_s = 2
retry_after_s = [0.2, 0.5, 1]
properties = [{{ property = "camp-azur", name = "Camping", merchant = "desk@camp.example" }}]
"""
PROPERTY: Final = """
payment_methods = ["card", "bank_transfer", "cheque"]
notices = {notices}

[balance]
due_days = 14
methods = ["card", "bank_transfer", "cheque"]
"""


class FamiliesPlatform(Platform):
    """A platform whose property asks for balances and writes to people."""

    def __init__(self, folder: Path, forker: Forker, store: str, kafka: str, port: int) -> None:
        self._port = port
        super().__init__(folder, forker, store, kafka)

    def _configure(self) -> dict[str, str]:
        environment = super()._configure()
        config = self.folder / "config"
        for file, more in (
            ("hub.toml", HUB.format(port=self._port)),
            ("properties/camp-azur.toml", PROPERTY.format(notices=msgspec.json.encode(NOTICES).decode())),
        ):
            with (config / file).open("a") as written:
                written.write(more)
        return environment


class Played(msgspec.Struct, kw_only=True):
    """What became of it. `by_person`: refunds of which somebody said that they were never made."""

    wrong: list[str]
    messages: int = 0
    kills: dict[str, int] = {}
    mails: int = 0
    by_person: int = 0
    load_s: float = 0
    quiet_s: float = 0


def play(seed: int, stays: int, folder: Path, store: str, kafka: Kafka, *, kills: int) -> Played:
    """One run on an empty store and empty topics; `kills`: so many processes die, while as much is said between them."""
    made_anew(kafka.bootstrap)
    Database(store).close()
    told = stories(ids(stays, seed), date.today())
    clock, server, played = folder / "clock", MailServer(), Played(wrong=[])
    clock.write_text("0")
    server.start()
    with ExitStack() as stack:
        stack.callback(server.stop)
        forker = stack.enter_context(Forker(clock=clock))
        platform = stack.enter_context(FamiliesPlatform(folder / "platform", forker, store, kafka.bootstrap, server.port))
        settings = load(folder / "platform" / "config", platform.environment)
        once = Once(told, settings, datetime.now(UTC).isoformat())
        played.wrong += [f"one process refuses: {name}" for name in once.refused]
        _cards(platform, told)
        gateway, *_ = [platform.start(role) for role in ROLES]
        platform.ready()
        _lived(played, platform, gateway, told, once, random.Random(seed), kills, clock)
        for name in list(platform.pids):
            platform.stop(name)
        mails = server.mails()
        played.mails = len(mails)
        played.wrong += wrongs(platform, told, once, mails, played.messages)
    return played


def _cards(platform: Platform, told: Sequence[Story]) -> None:
    now_ms = time.time_ns() // 1_000_000
    with closing(Books(platform.books)) as books, books.transaction():
        for story in told:
            add_cards(books, story, now_ms)


def _lived(
    played: Played, platform: Platform, gateway: str, told: Sequence[Story], once: Once, luck: random.Random, kills: int,
    clock: Path,
) -> None:  # fmt: skip
    """The stories are said, processes die, until nothing waits."""
    supervisor = Supervisor(platform)
    assert platform.key
    began = time.monotonic()
    senders = Senders(platform, gateway, told, once)
    try:
        whole = sum(len(step) for story in told for step in story.steps)
        for number in range(kills):
            senders.wait(partial(senders.have, whole * (number + 1) // (kills + 1)))
            role = STRUCK[number % len(STRUCK)]
            while not _killed(platform, role, luck):
                time.sleep(LOOK_S)
            played.kills[role] = played.kills.get(role, 0) + 1
        senders.wait(lambda: False)
        played.load_s = round(time.monotonic() - began, 1)
        played.wrong += senders.wrong
        played.messages = senders.acknowledged
        clock.write_text(str(LEASES_OVER_S))
        began = time.monotonic()
        _quiet(played, platform, gateway)
        played.quiet_s = round(time.monotonic() - began, 1)
        platform.ready(timeout_s=30)
    finally:
        supervisor.stop()
        played.wrong += supervisor.wrong


def _killed(platform: Platform, role: str, luck: random.Random) -> bool:
    """Whether one of this role was; one that has just ended is started again."""
    running = sorted(name for name in list(platform.pids) if name.rpartition("-")[0] == role)
    with suppress(KeyError, ProcessLookupError, IndexError):
        platform.signal(luck.choice(running), signal.SIGKILL)
        return True
    return False


def _quiet(played: Played, platform: Platform, gateway: str) -> None:
    settled: set[str] = set()

    def quiet() -> bool:
        for effect in platform.rows("SELECT * FROM effect WHERE state = 'needs_person'"):
            if effect["id"] not in settled:
                settled.add(effect["id"])
                played.messages += 1
                played.by_person += not settle(platform, gateway, effect)
        return (
            platform.count("SELECT count(*) FROM effect WHERE state NOT IN ('confirmed', 'refused')") == 0
            and platform.count("SELECT count(*) FROM internal WHERE decision = 0") == 0
            and platform.count("SELECT count(*) FROM notice WHERE state IN ('planned', 'sending')") == 0
            and platform.count("SELECT count(*) FROM outbox_waiting") == 0
        )

    try:
        wait_until(quiet, "nothing waits", STEP_S)
    except AssertionError:
        notices = platform.rows("SELECT state, count(*) AS n FROM notice GROUP BY 1")
        played.wrong.append(f"not quiet within {STEP_S} s: {notices} {platform._state()}")


def main() -> None:
    """The command line."""
    reader = argparse.ArgumentParser(prog="python -m tests.distributed.families", description=__doc__)
    reader.add_argument("--stays", type=int, default=200, help="of a run")
    reader.add_argument("--kills", type=int, default=20, help="of a run")
    reader.add_argument("--runs", type=int, default=1, help="seeds one after the other")
    reader.add_argument("--seed", type=int, default=1, help="the first")
    asked_for = reader.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    failed = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foliohub-families-")))
        for name in ("kafka", "postgresql"):
            (folder / name).mkdir()
        kafka = stack.enter_context(running(Kafka(folder / "kafka")))
        postgresql = stack.enter_context(running(PostgreSQL(folder / "postgresql")))
        for seed in range(asked_for.seed, asked_for.seed + asked_for.runs):
            (folder / f"run-{seed}").mkdir()
            store = postgresql.database()
            played = play(seed, asked_for.stays, folder / f"run-{seed}", store, kafka, kills=asked_for.kills)
            postgresql.drop(store)
            print(f"{seed}: {msgspec.json.encode(played).decode()}", flush=True)
            failed |= bool(played.wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
