"""A short run of chaos, with the faults that hurt most; `make chaos` draws others, and more of them."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.distributed.chaos import RECOVERY_S, Run, read, run, summary
from tests.distributed.faults import FAULTS, Servers, drawn
from tests.kills.forker import Forker
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.proxy import Proxy
from tests.services.rabbitmq import RabbitMQ

HURT = ("worker killed", "PostgreSQL killed", "worker stopped, goes on", "Kafka killed", "RabbitMQ killed")


def test_a_short_run(tmp_path: Path, postgresql: PostgreSQL, kafka: Kafka, rabbitmq: RabbitMQ) -> None:
    """A worker dies, the database dies, a worker goes on after others have its lanes, the brokers die: nothing is lost, nothing is done
    twice, and bookings are decided again within the bound each time."""
    with ExitStack() as stack:
        ways = [stack.enter_context(Proxy(server.port)) for server in (postgresql, kafka, rabbitmq)]
        forker = stack.enter_context(Forker())
        servers = Servers(postgresql, kafka, rabbitmq, *ways)
        told = run(7, servers, forker, tmp_path / "platform", messages=240, load_s=10, longest_s=2, faults=HURT, probe=20)

    assert told.wrong == []
    assert len(told.recovery_s) == len(HURT)
    assert all(took is not None and took < RECOVERY_S for took in told.recovery_s)
    assert told.messages >= 240
    assert told.by_amqp > 0
    assert told.dead_letters > 0


def test_luck_is_fair() -> None:
    """The same seed draws the same; none twice in a run; in 60 runs, wherever they begin, every fault at least 10 times."""
    runs = [drawn(seed, 3) for seed in range(200)]

    assert drawn(5, 3) == runs[5]
    assert all(len(set(faults)) == 3 for faults in runs)
    for first in range(len(runs) - 60):
        times = Counter(name for faults in runs[first : first + 60] for name in faults)
        assert all(times[name] >= 10 for name in FAULTS)


def test_the_table_is_read_again(tmp_path: Path) -> None:
    """A fault that was under way when its run was given up is counted nowhere; what was wrong is named by its seed."""
    assert read(tmp_path / "none") == []
    runs = [
        Run(seed=3, faults=["Kafka killed", "worker killed"], fault_s=[2.0, 0.0], recovery_s=[4.0, None], wrong=["x"]),
        Run(seed=4, faults=["Kafka killed", "effects killed"], fault_s=[3.0, 0.0], recovery_s=[6.0], messages=40),
    ]
    lines = summary(runs).splitlines()

    assert [line.split() for line in lines if line.startswith("Kafka killed")] == [
        ["Kafka", "killed", "2", "5.0", "s", "6.0", "s", "2.0", "to", "3.0", "s"]
    ]
    assert not any(line.startswith("effects killed") for line in lines)
    assert lines[-1].endswith("wrong: 1 [3]")
