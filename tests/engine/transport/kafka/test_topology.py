"""Topics on a real Kafka: made as the catalogue says, never changed, and what is wrong is told with what to do."""

from __future__ import annotations

import msgspec
import pytest

from engine.transport.kafka.topology import MAX_MESSAGE, problems, provision, settings_of, topic_ids
from schemas.errors import HubError, Retryable
from tests.distributed.topics import gone
from tests.services.kafka import Kafka
from tests.services.lane_workers import administer, topic_of
from topics.catalogue import TOPICS, Topic

DAY_MS = 24 * 3600 * 1000
CATALOGUE = [
    msgspec.structs.replace(topic, partitions=2) for topic in TOPICS
]  # three hundred partitions take a broker half a minute


def test_the_catalogue_is_made_once(kafka: Kafka) -> None:
    """A second run makes none; one node is well behind its setting, and told without it."""
    gone(kafka.bootstrap)  # others may have had them
    made = provision(kafka.bootstrap, CATALOGUE, replication=1, min_insync=1)

    assert sorted(made) == sorted(topic.name for topic in CATALOGUE)
    assert provision(kafka.bootstrap, CATALOGUE, replication=1, min_insync=1) == ()
    assert problems(kafka.bootstrap, CATALOGUE, single_node=True) == ()
    told = problems(kafka.bootstrap, CATALOGUE[:1])
    assert [(one.code, one.field, one.value) for one in told] == [
        ("topic_replication", "replication", "1"), ("topic_min_insync", "min.insync.replicas", "1"),
    ]  # fmt: skip


def test_what_is_wrong_is_told(kafka: Kafka) -> None:
    """Missing, dealt out otherwise, kept too short, too small, compacted: each by its name; nothing is changed."""
    topic = topic_of("topology.other")
    short = msgspec.structs.replace(topic, partitions=3, retention_days=1)
    provision(kafka.bootstrap, [short], replication=1, min_insync=1)
    missing = topic_of("topology.missing")

    told = problems(kafka.bootstrap, [topic, missing], single_node=True)

    assert [(one.code, one.value) for one in told] == [
        ("topic_partitions", "3"), ("topic_retention", str(DAY_MS)), ("topic_missing", "topology.missing"),
    ]  # fmt: skip
    assert "foliohub topics provision" in told[-1].message
    assert provision(kafka.bootstrap, [topic], replication=1) == ()
    assert len(problems(kafka.bootstrap, [topic], single_node=True)) == 2
    compacted = msgspec.structs.replace(short, compacted=True)
    assert [one.code for one in problems(kafka.bootstrap, [compacted], single_node=True)] == ["topic_cleanup"]


def test_settings() -> None:
    """Whole for its days, and the last of each key for good where it is compacted."""
    topic = Topic(name="t", about="", key="", retention_days=35)
    common = {"min.insync.replicas": "2", "max.message.bytes": str(MAX_MESSAGE + 4096)}

    assert settings_of(topic) == {"cleanup.policy": "delete", "retention.ms": str(35 * DAY_MS), **common}
    compacted = settings_of(msgspec.structs.replace(topic, compacted=True))
    assert compacted == {"cleanup.policy": "compact", "min.compaction.lag.ms": str(35 * DAY_MS), **common}


def test_a_topic_made_anew_has_another_id(kafka: Kafka) -> None:
    """And the same one as long as it lives; one that is not there has none."""
    topic = topic_of("topology.anew")
    provision(kafka.bootstrap, [topic], replication=1, min_insync=1)
    first = topic_ids(kafka.bootstrap, [topic.name, "topology.never"])
    assert first.keys() == {topic.name}
    assert topic_ids(kafka.bootstrap, [topic.name]) == first

    administer(kafka.bootstrap, lambda admin: admin.delete_topics([topic.name]))
    provision(kafka.bootstrap, [topic], replication=1, min_insync=1)

    assert topic_ids(kafka.bootstrap, [topic.name])[topic.name] != first[topic.name]


def test_brokers_that_refuse_and_brokers_that_are_away(kafka: Kafka) -> None:
    """Three replicas on one node cannot be; nobody at the address is for later."""
    with pytest.raises(HubError) as refused:
        provision(kafka.bootstrap, [topic_of("topology.three")])
    assert (refused.value.code, refused.value.value) == ("kafka_topology", "topology.three")
    for ask in (lambda: provision("127.0.0.1:1", TOPICS), lambda: problems("127.0.0.1:1", TOPICS)):
        with pytest.raises(Retryable) as away:
            ask()
        assert (away.value.code, away.value.value) == ("broker_away", "127.0.0.1:1")
