"""A short run of chaos, with the faults that hurt most; `make chaos` draws others, and more of them."""

from __future__ import annotations

from pathlib import Path

from tests.distributed.chaos import RECOVERY_S, Run, read, run, summary
from tests.distributed.faults import FAULTS, Servers, drawn
from tests.kills.forker import Forker
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.proxy import Proxy

HURT = ("worker killed", "PostgreSQL killed", "worker stopped, goes on", "Kafka killed")


def test_a_short_run(tmp_path: Path, postgresql: PostgreSQL, kafka: Kafka) -> None:
    """A worker dies, the database dies, a worker goes on after others have its lanes, the broker dies: nothing is lost, nothing is done
    twice, and bookings are decided again within the bound each time."""
    with Proxy(postgresql.port) as to_postgresql, Proxy(kafka.port) as to_kafka, Forker() as forker:
        servers = Servers(postgresql, kafka, to_postgresql, to_kafka)
        told = run(7, servers, forker, tmp_path / "platform", messages=240, load_s=10, longest_s=2, faults=HURT, probe=20)

    assert told.wrong == []
    assert len(told.recovery_s) == len(HURT)
    assert all(took is not None and took < RECOVERY_S for took in told.recovery_s)
    assert told.messages >= 240
    assert told.dead_letters > 0


def test_luck_is_fair() -> None:
    """The same seed draws the same; among few seeds every fault is drawn; none twice in a run."""
    assert drawn(5, 3) == drawn(5, 3)
    assert {name for seed in range(40) for name in drawn(seed, 3)} == set(FAULTS)
    assert all(len(set(drawn(seed, 3))) == 3 for seed in range(40))


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
