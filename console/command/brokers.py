"""`foliohub topics provision` and `check`: what Kafka must have before several workers run on it; made by command, never by accident."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from config.settings import Configuration
from console.command.failing import Exit
from console.command.options import Config, Json, configured
from schemas.errors import HubError

Bootstrap = Annotated[
    str, typer.Option("--bootstrap", envvar="FOLIOHUB_KAFKA_BOOTSTRAP", help="host:port,…; else that of the configuration.")
]


def provision(config: Config = None, bootstrap: Bootstrap = "", as_json: Json = False) -> None:
    """Make the topics that are missing, as the catalogue has them; what is there is never changed. With `single_node` set one
    replica will do. Exit 0, or 3 when the brokers do not answer or refuse."""
    from engine.transport.kafka.access import access_of
    from engine.transport.kafka.topology import MIN_INSYNC, REPLICATION
    from engine.transport.kafka.topology import provision as make
    from topics.catalogue import TOPICS

    settled, brokers = _brokers(config, bootstrap)
    least = (
        {"replication": 1, "min_insync": 1} if settled.kafka.single_node else {"replication": REPLICATION, "min_insync": MIN_INSYNC}
    )
    made = make(brokers, TOPICS, **least, access=access_of(settled))
    if as_json:
        print(msgspec.json.encode({"made": made, "there": len(TOPICS) - len(made)}).decode())
        return
    for name in made:
        print(f"made {name}")
    print(f"{len(made)} topics were made, {len(TOPICS) - len(made)} were there")


def check(config: Config = None, bootstrap: Bootstrap = "", as_json: Json = False) -> None:
    """Whether every topic is as it must be: partitions, replicas, retention. Exit 0, or 1 when one is not."""
    from engine.transport.kafka.access import access_of
    from engine.transport.kafka.topology import problems
    from topics.catalogue import TOPICS

    settled, brokers = _brokers(config, bootstrap)
    found = problems(brokers, TOPICS, single_node=settled.kafka.single_node, access=access_of(settled))
    if as_json:
        told = [{"code": one.code, "field": one.field, "value": str(one.value), "message": one.message} for one in found]
        print(msgspec.json.encode({"problems": told}).decode())
    else:
        for one in found:
            print(one.message)
        print(f"{len(TOPICS)} topics, {len(found)} problems")
    if found:
        raise typer.Exit(Exit.FOUND)


def _brokers(config: Path | None, bootstrap: str) -> tuple[Configuration, str]:
    settled = configured(config)
    brokers = bootstrap or settled.kafka.bootstrap
    if not brokers:
        raise HubError(
            "no brokers are named: set [kafka] bootstrap, FOLIOHUB_KAFKA_BOOTSTRAP, or say --bootstrap", code="missing",
            field="bootstrap",
        )  # fmt: skip
    return settled, brokers
