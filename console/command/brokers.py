"""`foliohub topics provision` and `check`: what Kafka and RabbitMQ must have before several processes run on them; made by command,
never by accident."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from config.settings import Configuration
from console.command.failing import Exit
from console.command.options import Config, Json, configured
from schemas.errors import HubError, Retryable

Bootstrap = Annotated[
    str, typer.Option("--bootstrap", envvar="FOLIOHUB_KAFKA_BOOTSTRAP", help="host:port,…; else that of the configuration.")
]


def provision(config: Config = None, bootstrap: Bootstrap = "", as_json: Json = False) -> None:
    """Make the topics that are missing, as the catalogue has them, and the partitions of AMQP sources; what is there is never changed.
    With `single_node` set one replica will do. Exit 0, or 3 when the brokers do not answer or refuse."""
    from engine.relay import broker_url, partitions
    from engine.transport.amqp.topology import make_partitions
    from engine.transport.kafka.access import access_of
    from engine.transport.kafka.topology import MIN_INSYNC, REPLICATION
    from engine.transport.kafka.topology import provision as make
    from topics.catalogue import TOPICS

    settled = configured(config)
    brokers, single, queues = bootstrap or settled.kafka.bootstrap, settled.kafka.single_node, partitions(settled)
    _named(settled, brokers)
    made: list[str] = []
    all_ = 0
    if brokers:
        least = {"replication": 1, "min_insync": 1} if single else {"replication": REPLICATION, "min_insync": MIN_INSYNC}
        made += make(brokers, TOPICS, **least, access=access_of(settled))
        all_ += len(TOPICS)
    if settled.amqp.url and queues:
        made += make_partitions(broker_url(settled), queues)
        all_ += sum(2 + one.count for one in queues)  # their exchange, and the queue of readers
    if as_json:
        print(msgspec.json.encode({"made": made, "there": all_ - len(made)}).decode())
        return
    for name in made:
        print(f"made {name}")
    print(f"{len(made)} topics and queues were made, {all_ - len(made)} were there")


def check(config: Config = None, bootstrap: Bootstrap = "", as_json: Json = False) -> None:
    """Whether every topic is as it must be (partitions, replicas, retention), and the partitions of AMQP sources. Exit 0, or 1 when one
    is not."""
    from engine.transport.kafka.access import access_of
    from engine.transport.kafka.topology import problems
    from topics.catalogue import TOPICS

    settled = configured(config)
    brokers = bootstrap or settled.kafka.bootstrap
    _named(settled, brokers)
    found = problems(brokers, TOPICS, single_node=settled.kafka.single_node, access=access_of(settled)) if brokers else []
    found = [*found, *_queue_problems(settled)]
    if as_json:
        told = [{"code": one.code, "field": one.field, "value": str(one.value), "message": one.message} for one in found]
        print(msgspec.json.encode({"problems": told}).decode())
    else:
        for one in found:
            print(one.message)
        print(f"{len(TOPICS) if brokers else 0} topics, {len(found)} problems")
    if found:
        raise typer.Exit(Exit.FOUND)


def _queue_problems(settled: Configuration) -> list[HubError]:
    from engine.relay import broker_url, partitions
    from engine.transport.amqp.topology import check_partitions

    found = []
    for one in partitions(settled) if settled.amqp.url else []:
        try:
            check_partitions(broker_url(settled), [one])
        except Retryable:
            raise
        except HubError as wrong:
            found.append(wrong)
    return found


def _named(settled: Configuration, brokers: str) -> None:
    if not brokers and not (settled.amqp.url and any(one.partitions for one in settled.amqp.intake)):
        raise HubError(
            "no brokers are named: set [kafka] bootstrap, FOLIOHUB_KAFKA_BOOTSTRAP, or say --bootstrap; or [amqp] url and"
            " intake.partitions", code="missing", field="bootstrap",
        )  # fmt: skip
