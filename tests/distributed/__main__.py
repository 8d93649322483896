"""`make run-distributed`: the sample day on Kafka, PostgreSQL and RabbitMQ, with each role a process of its own, until it is stopped.

Beside it stands a PMS that speaks AMQP: it sends a booking, and tells what comes back, of the sample day as well.

The servers are private, on loopback, and end with it; nothing is kept but what the sample day writes to var/.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from importlib import resources
from pathlib import Path
from typing import IO, Final

import msgspec

from config.loader import load
from config.settings import Configuration
from console.command import sample_day as the
from engine.relay import partitions, topology
from engine.transport.amqp.consumer import AmqpConsumer, AmqpSource
from engine.transport.amqp.publisher import AmqpPublisher
from engine.transport.amqp.topology import make_partitions
from engine.transport.amqp.topology import provision as declare
from engine.transport.contract import Arrival, Outgoing, Receipt, Taken
from engine.transport.kafka.topology import provision
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.processes import ServiceFailed, free_ports, running
from tests.services.rabbitmq import RabbitMQ
from topics.catalogue import TOPICS

ROLES: Final = ("worker", "worker", "effects", "scheduler", "gateway")
PMS: Final = "pms.thais"  # the shipped source, and the queue of what it wants
SETTINGS: Final = """
[kafka]
bootstrap = "{bootstrap}"
single_node = true

[amqp]
url = "{amqp}"
password = {{ env = "BROKER_PASSWORD" }}

[[amqp.intake]]
queue = "foliohub.intake"
partitions = 4

[effects]
deadline_s = 2
lease_s = 10
query_after_s = [2, 5, 15, 60, 600]
pending_after_s = [2, 10, 60, 600]
"""


def main() -> int:
    """0 when it was stopped; 1 when a server or a process could not start, or ended by itself."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foliohub-distributed-")))
        for name in ("postgresql", "kafka", "rabbitmq"):
            (folder / name).mkdir()
        try:
            print("== PostgreSQL, Kafka and RabbitMQ start", flush=True)
            database = stack.enter_context(running(PostgreSQL(folder / "postgresql")))
            kafka = stack.enter_context(running(Kafka(folder / "kafka")))
            rabbitmq = stack.enter_context(running(RabbitMQ(folder / "rabbitmq")))
        except ServiceFailed as failed:
            print(failed, file=sys.stderr)
            return 1
        made = provision(kafka.bootstrap, TOPICS, replication=1, min_insync=1)
        print(f"== {len(made)} topics at {kafka.bootstrap}, the store at {database.url}", flush=True)
        environment = _environment(folder, database.database(), kafka.bootstrap, rabbitmq.url)
        settled = load(folder / "config", environment)
        queues = make_partitions(rabbitmq.url, partitions(settled))
        declare(rabbitmq.url, topology(settled))
        print(f"== {len(queues)} queues and exchanges at 127.0.0.1:{rabbitmq.port}", flush=True)
        print("== for commands in another terminal:", flush=True)
        for name in ("FOLIOHUB_CONFIG", "FOLIOHUB_MASTER_KEY", "BROKER_PASSWORD"):
            print(f"export {name}={environment[name]}", flush=True)
        processes = []
        for number, role in enumerate(ROLES):
            words = ["run", "--profile", "distributed", "--role", role, "--log", "warning"]
            words += ["--sample-day"] if role == "gateway" else ["--port", "0"]
            processes.append(_started(f"{role} {number}", words, environment))
            stack.callback(_ended, processes[-1])
        pms = threading.Thread(target=_pms, args=(rabbitmq.url, settled, stop), name="pms", daemon=True)
        pms.start()
        stack.callback(pms.join)
        stack.callback(stop.set)
        while not stop.wait(0.5):
            if any(process.poll() is not None for process in processes):
                print("== a process has ended by itself: everything is stopped", file=sys.stderr)
                return 1
    return 0


def _pms(url: str, settled: Configuration, stop: threading.Event) -> None:
    """A booking in by AMQP, outcomes out by it: what a PMS would do."""
    (intake,) = partitions(settled)
    event = the.booking("B-2010", date.today(), (10, 14), (("stay", 12_000, "outdoor/flexible"),))
    attributes, body = {name: said for name, said in event.items() if name != "data"}, msgspec.json.encode(event["data"])
    sender = AmqpPublisher(url, intake.name, routing_key=lambda message: message.key)
    sender.publish([Outgoing(row=1, topic="", key="B-2010", attributes=attributes, body=body)])
    sender.close()
    print(f"{PMS:12} sent the booking of B-2010", flush=True)
    recorder = AmqpConsumer(url, [AmqpSource(queue=PMS)], Printed())
    ending = threading.Thread(target=lambda: (stop.wait(), recorder.stop()), name="pms ends", daemon=True)
    ending.start()
    recorder.run()


class Printed:
    """An intake that tells what it gets."""

    def append(self, arrivals: Sequence[Arrival]) -> Sequence[Receipt]:
        """See `Intake`."""
        for one in arrivals:
            print(f"{PMS:12} got {one.attributes['type']} of {one.attributes.get('subject', '')}", flush=True)
        return [Receipt(taken=Taken.ACCEPTED, id=one.attributes["id"]) for one in arrivals]


def _environment(folder: Path, store: str, bootstrap: str, amqp: str) -> dict[str, str]:
    config = folder / "config"
    shutil.copytree(str(resources.files("config") / "shipped"), config)
    hub = config / "hub.toml"
    hub.write_text(hub.read_text() + SETTINGS.format(bootstrap=bootstrap, amqp=amqp.replace("guest:guest@", "guest@")))
    (port,) = free_ports(1)
    return {
        **os.environ,
        "BROKER_PASSWORD": "guest",
        "FOLIOHUB_CONFIG": str(config),
        "FOLIOHUB_STORE": store,
        "FOLIOHUB_MASTER_KEY": os.urandom(32).hex(),
        "FOLIOHUB_MERCHANT_AZUR_BASE_URL": f"http://127.0.0.1:{port}/ncol/test/",
    }


def _started(name: str, words: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "console.command", *words], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    threading.Thread(target=_show, args=(name, process.stdout), daemon=True).start()
    return process


def _show(name: str, lines: IO[bytes]) -> None:
    for line in lines:
        print(f"{name:12} {line.decode(errors='replace').rstrip()}", flush=True)


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
