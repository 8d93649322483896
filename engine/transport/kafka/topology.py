"""Topics as the catalogue wants them: made where they are missing, never changed where they are.

A topic that is there and is different is for a person: other partitions would deal the keys out anew and break their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from engine.opening import MAX_BODY
from engine.transport.kafka.access import OPEN, Access, refusal
from engine.transport.kafka.described import Described, cluster_of, described
from schemas.errors import HubError, Retryable
from topics.catalogue import Topic

log = structlog.get_logger(__name__)

REPLICATION: Final = 3
MIN_INSYNC: Final = 2
MAX_MESSAGE: Final = 2 * MAX_BODY  # bytes of key, body and headers of one message: what a door takes, with its fields sealed
OVERHEAD: Final = 4 * 1024  # bytes that a batch of one message adds to it
REQUEST_TIMEOUT_MS: Final = 10_000
SOON_S: Final = 0.05
HEARD_S: Final = 60.0  # three hundred partitions take a busy broker ten seconds
DAY_MS: Final = 24 * 3600 * 1000
PROVISION: Final = "run `foliohub topics provision`"


def settings_of(topic: Topic, *, min_insync: int = MIN_INSYNC) -> dict[str, str]:
    """A topic's settings under Kafka's names. Compacted: everything for `retention_days`, then the last of each key for good."""
    kept = str(topic.retention_days * DAY_MS)
    keeping = (
        {"cleanup.policy": "compact", "min.compaction.lag.ms": kept}
        if topic.compacted
        else {"cleanup.policy": "delete", "retention.ms": kept}
    )
    return {**keeping, "min.insync.replicas": str(min_insync), "max.message.bytes": str(MAX_MESSAGE + OVERHEAD)}


def provision(
    bootstrap: str, topics: Sequence[Topic], *, replication: int = REPLICATION, min_insync: int = MIN_INSYNC, access: Access = OPEN
) -> tuple[str, ...]:
    """Makes the topics that are missing and returns their names; a second run makes none.

    Raises Retryable when no broker answers, HubError when the brokers refuse one (`kafka_topology`) or us (`kafka_refused`).
    """

    async def make() -> tuple[str, ...]:
        async with _admin(bootstrap, access) as admin:
            names = [topic.name for topic in topics]
            there = await described(admin._client, names)
            missing = [topic for topic in topics if topic.name not in there]
            if not missing:
                return ()
            settings = {topic.name: settings_of(topic, min_insync=min_insync) for topic in missing}
            new = [NewTopic(one.name, one.partitions, replication, topic_configs=settings[one.name]) for one in missing]
            made = _made(await admin.create_topics(new))
            async with asyncio.timeout(HEARD_S):  # a broker hears of them later than the controller, and makes one after the other
                while set(names) - (await described(admin._client, names)).keys():
                    await asyncio.sleep(SOON_S)
            return made

    made = asyncio.run(make())
    log.info("kafka provisioned", broker=bootstrap, made=list(made), there=len(topics) - len(made))
    return made


def problems(bootstrap: str, topics: Sequence[Topic], *, single_node: bool = False, access: Access = OPEN) -> tuple[HubError, ...]:
    """What is not as it must be, one error a fault, none if all is well. `single_node` allows one replica, for trials only.

    Raises Retryable when no broker answers, HubError (`kafka_refused`).
    """

    async def look() -> tuple[HubError, ...]:
        async with _admin(bootstrap, access) as admin:
            there = await described(admin._client, [topic.name for topic in topics])
            settings = await _settings(admin, sorted(there)) if there else {}
            return tuple(
                fault
                for topic in topics
                for fault in _faults(topic, there.get(topic.name), settings.get(topic.name, {}), single_node=single_node)
            )

    return asyncio.run(look())


def topic_ids(bootstrap: str, names: Iterable[str], *, access: Access = OPEN) -> Mapping[str, str]:
    """Kafka's own id of each of these topics that there is: one made anew under the same name has another. Raises Retryable, HubError
    (`kafka_refused`)."""

    async def ask() -> Mapping[str, str]:
        async with _admin(bootstrap, access) as admin:
            return {name: one.id for name, one in (await described(admin._client, list(names))).items()}

    return asyncio.run(ask())


def cluster_id(bootstrap: str, *, access: Access = OPEN) -> str:
    """The cluster's own id, which it keeps while brokers come and go. Raises Retryable, HubError (`kafka_refused`)."""

    async def ask() -> str:
        async with _admin(bootstrap, access) as admin:
            return await cluster_of(admin._client)

    return asyncio.run(ask())


def _faults(topic: Topic, there: Described | None, settings: Mapping[str, str], *, single_node: bool) -> Iterable[HubError]:
    def fault(code: str, field: str, value: object, wanted: str) -> HubError:
        return HubError(f"topic {topic.name}: {field} is {value}, {wanted}", code=code, field=field, value=value)

    if there is None:
        yield HubError(f"topic {topic.name} is missing: {PROVISION}", code="topic_missing", field="topic", value=topic.name)
        return
    if there.partitions != topic.partitions:
        yield fault(
            "topic_partitions", "partitions", there.partitions,
            f"the catalogue says {topic.partitions}: the number is fixed for good, do not change it; move the topic away",
        )  # fmt: skip
    if not single_node and there.replicas < REPLICATION:
        yield fault("topic_replication", "replication", there.replicas, f"it must be {REPLICATION}: reassign its partitions")
    insync = int(settings.get("min.insync.replicas", "1"))
    if not single_node and insync < MIN_INSYNC:
        yield fault("topic_min_insync", "min.insync.replicas", insync, f"it must be {MIN_INSYNC}: alter the topic's settings")
    bytes_ = int(settings.get("max.message.bytes", "0"))
    if bytes_ < MAX_MESSAGE + OVERHEAD:
        yield fault("topic_message_bytes", "max.message.bytes", bytes_, f"it must be {MAX_MESSAGE + OVERHEAD} or more")
    kept = int(settings.get("retention.ms", "-1"))
    if not topic.compacted and 0 <= kept < topic.retention_days * DAY_MS:
        yield fault("topic_retention", "retention.ms", kept, f"the catalogue says {topic.retention_days} days or more")
    if ("compact" in settings.get("cleanup.policy", "delete")) != topic.compacted:
        yield fault("topic_cleanup", "cleanup.policy", settings.get("cleanup.policy"), "the catalogue says otherwise")


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for error, text, _, name, entries in answer.resources:
            if error:
                raise for_code(error)(text)
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _made(answer: Any) -> tuple[str, ...]:
    for name, error, text, *_ in answer.topic_errors:
        if error and for_code(error) is not TopicAlreadyExistsError:
            raise HubError(
                f"the brokers did not make topic {name}: {text or for_code(error).__name__}",
                code="kafka_topology", field="topic", value=name,
            )  # fmt: skip
    return tuple(name for name, error, *_ in answer.topic_errors if not error)


@asynccontextmanager
async def _admin(bootstrap: str, access: Access) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS, **access.client())
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError, OSError) as error:
        raise await refusal(bootstrap, access) or away(
            bootstrap, error, f" (over {access.protocol}, as [kafka] security says)"
        ) from error
    finally:
        await admin.close()


def away(bootstrap: str, error: BaseException, how: str = "") -> Retryable:
    """The brokers do not answer, or say that they cannot now."""
    why = str(error) or type(error).__name__
    return Retryable(f"Kafka at {bootstrap} is away{how}: {why}", code="broker_away", field="bootstrap", value=bootstrap)
