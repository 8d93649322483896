"""`foliohub topics provision` and `check` on a RabbitMQ: what several gateways share is made by command, and by nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from config.loader import SHIPPED
from console.command.failing import Exit
from tests.console.command.conftest import foliohub
from tests.services.rabbitmq import RabbitMQ

AMQP = """
[amqp]
url = "{url}"
password = {{ env = "BROKER_PASSWORD" }}

[[amqp.intake]]
queue = "command.in"
partitions = {partitions}
"""


def configured(folder: Path, url: str, partitions: int) -> Path:
    """The shipped configuration with a broker."""
    config = folder / f"config-{partitions}"
    shutil.copytree(SHIPPED, config)
    with (config / "hub.toml").open("a") as hub:
        hub.write(AMQP.format(url=url.replace("guest:guest@", "guest@"), partitions=partitions))
    return config


def test_made_looked_at_and_never_another_number(tmp_path: Path, rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, made, there; and a configuration with another number is told what to do, by both commands."""
    monkeypatch.setenv("BROKER_PASSWORD", "guest")
    four, eight = (configured(tmp_path, rabbitmq.url, number) for number in (4, 8))

    missing = foliohub("topics", "check", "--config", four, "--json")
    assert missing.exit_code == Exit.FOUND
    (problem,) = json.loads(missing.stdout)["problems"]
    assert problem["code"] == "amqp_partitions"
    assert "foliohub topics provision" in problem["message"]

    made = foliohub("topics", "provision", "--config", four, "--json")
    assert made.exit_code == Exit.DONE, made.output
    queues = [f"command.in.{number:02}" for number in range(4)]
    assert json.loads(made.stdout) == {"made": ["command.in", "command.in.readers", *queues], "there": 0}
    assert json.loads(foliohub("topics", "provision", "--config", four, "--json").stdout) == {"made": [], "there": 6}
    assert foliohub("topics", "check", "--config", four).exit_code == Exit.DONE

    other = foliohub("topics", "provision", "--config", eight)
    assert other.exit_code == Exit.WRONG
    assert "intake.partitions of command.in is 8: there are fewer queues" in other.stderr
    assert foliohub("topics", "check", "--config", eight).exit_code == Exit.FOUND


def test_no_broker_at_all(tmp_path: Path) -> None:
    """One queue for one reader is declared by the hub itself, and is no reason to run this."""
    ran = foliohub("topics", "provision", "--config", configured(tmp_path, "amqp://guest@localhost/", 0))

    assert ran.exit_code == Exit.WRONG
    assert "intake.partitions" in ran.stderr
