"""What a broker says of its cluster and of topics, their own ids included: one request of Kafka's protocol that aiokafka does not have.

aiokafka 0.14 speaks Metadata up to version 5; ids came with version 10. Version 12 is served by every broker from 2.8 on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Any, Final, NamedTuple
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

METADATA: Final = 3
VERSION: Final = 12
UNKNOWN_TOPIC: Final = 3
NOBODY: Final = bytes(16)


class Described(NamedTuple):
    """A topic as the broker has it: `id` is its own and never given again, `replicas` the fewest that a partition has."""

    id: str
    partitions: int
    replicas: int


class _Uuid:
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)

    @classmethod
    def repr(cls, value: bytes) -> str:
        return value.hex()


_TAGS: Final = ("tags", TaggedFields)


class _Answer(Response):  # type: ignore[misc]  # aiokafka comes without types
    API_KEY = METADATA
    API_VERSION = VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", CompactString()), ("port", Int32), ("rack", CompactString()), _TAGS)),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("operations", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _Question(RequestStruct):  # type: ignore[misc]  # aiokafka comes without types
    FLEXIBLE_VERSION = True
    API_KEY = METADATA
    API_VERSION = VERSION
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString()), _TAGS)),
        ("create", Boolean),
        ("operations", Boolean),
        _TAGS,
    )


class _Topics(Request[_Question]):  # type: ignore[misc]  # aiokafka comes without types
    API_KEY = METADATA

    def __init__(self, names: Collection[str]) -> None:
        self._names = sorted(names)

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([(NOBODY, name, {}) for name in self._names], False, False, {})


async def cluster_of(client: AIOKafkaClient) -> str:
    """The cluster's own id. Raises aiokafka's KafkaError."""
    return str((await _asked(client, ())).cluster_id)


async def _asked(client: AIOKafkaClient, names: Collection[str]) -> Any:
    return await client.send(client.get_random_node(), _Topics(names))


async def described(client: AIOKafkaClient, names: Collection[str]) -> Mapping[str, Described]:
    """Those of these topics that there are, by name; nothing is created. Raises aiokafka's KafkaError."""
    answer = await _asked(client, names)
    found: dict[str, Described] = {}
    for error, name, id_, _, partitions, *_ in answer.topics:
        if error == UNKNOWN_TOPIC:
            continue
        if error:
            raise for_code(error)(name)
        replicas = min((len(partition[4]) for partition in partitions), default=0)
        found[name] = Described(str(UUID(bytes=id_)), len(partitions), replicas)
    return found
