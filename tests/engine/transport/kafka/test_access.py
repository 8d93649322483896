"""Brokers that ask who comes: every client of ours gets in as `[kafka]` says, and who is refused is told which key to mend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.loader import load
from config.settings import Configuration
from engine.transport.kafka.access import access_of
from engine.transport.kafka.assigning import AssigningTransport
from engine.transport.kafka.faust_transport import FaustTransport
from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.ownership import LaneTransport
from engine.transport.kafka.producer import KafkaProducer
from engine.transport.kafka.topology import cluster_id, problems, provision
from schemas.errors import HubError, Retryable
from tests.config.folders import HUB, folder
from tests.services.amqp_tools import wait_until
from tests.services.guarded_kafka import PASSWORD, USER, Authority, GuardedKafka
from tests.services.lane_leases import SqliteLeases
from tests.services.lane_workers import LANES, Member, Positions, arrived, topic_of
from tests.services.processes import running

NAME = f'username = "{USER}"\npassword = {{ env = "KAFKA_PASSWORD" }}\n'
WAYS = {
    "guarded": f'security = "sasl_ssl"\nca = "authority.pem"\n{NAME}',
    "guarded, plain": f'security = "sasl_ssl"\nca = "authority.pem"\nmechanism = "PLAIN"\n{NAME}',
    "mutual": 'security = "ssl"\nca = "authority.pem"\ncertificate = "hub.crt"\nkey = "hub.key"\n',
    "named": f'security = "sasl_plaintext"\nmechanism = "SCRAM-SHA-256"\n{NAME}',
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    with running(GuardedKafka(tmp_path_factory.mktemp("guarded"))) as one:
        one.authority.sign("hub")
        yield one


def address(broker: GuardedKafka, way: str) -> str:
    found: str = getattr(broker, way.partition(",")[0])
    return found


def settled(
    broker: GuardedKafka, at: Path, said: str, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, bytes] | None = None
) -> Configuration:
    """As a folder says that has the broker's files beside it."""
    beside = {path.name: path.read_bytes() for path in broker.folder.glob("*.*") if path.suffix in (".pem", ".crt", ".key")}
    folder(at, {"hub.toml": f'{HUB}\n[kafka]\nbootstrap = "b:9092"\n{said}', **beside, **(files or {})})
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    return load(at)


@pytest.mark.parametrize("way", WAYS)
def test_every_client_gets_in(broker: GuardedKafka, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who makes topics, who appends, both who read: what was appended is read by each."""
    access, bootstrap = access_of(settled(broker, tmp_path / "config", WAYS[way], monkeypatch)), address(broker, way)
    topic = re.sub(r"\W+", "-", way)
    provision(bootstrap, [topic_of(topic)], replication=1, min_insync=1, access=access)
    assert problems(bootstrap, [topic_of(topic)], single_node=True, access=access) == ()
    assert cluster_id(bootstrap, access=access) == cluster_id(broker.bootstrap)
    producer = KafkaProducer(bootstrap, intake=topic, partitions={topic: LANES}, access=access)
    producer.append([arrived(number) for number in range(200)])
    producer.close()

    def by_faust(mailboxes: Mailboxes, owner: Member) -> LaneTransport:
        return FaustTransport(
            bootstrap, topic, mailboxes, owner, group=topic, session_s=6, access=access, crashed=owner.crashes.append
        )

    def by_leases(mailboxes: Mailboxes, owner: Member) -> LaneTransport:
        leases = SqliteLeases(tmp_path / "leases.sqlite", LANES)
        return AssigningTransport(
            bootstrap, topic, mailboxes, owner, leases, member=owner.name, every_s=0.3, access=access, crashed=owner.crashes.append
        )

    for make in (by_faust, by_leases) if way in ("guarded", "mutual") else (by_faust,):
        positions = Positions()
        with Member("a", positions, make):
            wait_until(lambda positions=positions: positions.count() == 200, "all of it is read", 30)


STRANGER = "stranger.pem"
REFUSED = [
    pytest.param("guarded", WAYS["guarded"].replace(USER, "nobody"), "password", "refuses user 'nobody'", id="another name"),
    pytest.param(
        "guarded", WAYS["guarded"].replace("KAFKA_PASSWORD", "WRONG"), "password", "refuses user 'hub': mend [kafka] username or password",
        id="another password",
    ),
    pytest.param("guarded", WAYS["guarded, plain"].replace("KAFKA_PASSWORD", "WRONG"), "password", "refuses user 'hub'", id="in plain"),
    pytest.param(
        "guarded", WAYS["guarded"] + 'mechanism = "SCRAM-SHA-256"\n', "mechanism", "does not take SCRAM-SHA-256", id="another mechanism"
    ),
    pytest.param("guarded", WAYS["guarded"].replace("authority.pem", STRANGER), "ca", "mend [kafka] ca", id="another authority"),
]  # fmt: skip


@pytest.mark.parametrize(("way", "said", "key", "words"), REFUSED)
def test_who_is_refused_is_told_why(
    broker: GuardedKafka, tmp_path: Path, way: str, said: str, key: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the key that is to be mended; no password is in it."""
    monkeypatch.setenv("WRONG", "a-wrong-word")
    stranger = Authority(tmp_path, "stranger").file.read_bytes()
    access = access_of(settled(broker, tmp_path / "config", said, monkeypatch, {STRANGER: stranger}))

    with pytest.raises(HubError) as refused:
        problems(address(broker, way), [topic_of("any")], access=access)

    assert (refused.value.code, refused.value.field) == ("kafka_refused", key)
    assert words in refused.value.message
    assert "a-wrong-word" not in f"{refused.value.message} {refused.value.value} {access}"
    assert PASSWORD not in repr(access)


SPOKEN = [
    pytest.param("guarded", "", "PLAINTEXT", id="plain words to who wants TLS"),
    pytest.param("named", WAYS["guarded"], "SASL_SSL", id="TLS to who wants plain words"),
    pytest.param("mutual", 'security = "ssl"\nca = "authority.pem"\n', "SSL", id="no certificate"),
]


@pytest.mark.parametrize(("way", "said", "over"), SPOKEN)
def test_who_speaks_another_way_waits(
    broker: GuardedKafka, tmp_path: Path, way: str, said: str, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that hangs up may be starting: it is told over what it was asked."""
    access = access_of(settled(broker, tmp_path, said, monkeypatch))

    with pytest.raises(Retryable, match=rf"\(over {over}, as \[kafka\] security says\)"):
        problems(address(broker, way), [topic_of("any")], access=access)


UNUSABLE: list[Any] = [
    pytest.param('security = "ssl"\nca = "none.pem"\n', "ca", "none.pem: No such file", id="no file"),
    pytest.param('security = "ssl"\nca = "hub.key"\n', "ca", "in PEM", id="no certificate"),
    pytest.param(
        'security = "ssl"\ncertificate = "hub.crt"\nkey = "broker.key"\n', "certificate", "hub.crt, broker.key", id="another's key"
    ),
]


@pytest.mark.parametrize(("said", "key", "words"), UNUSABLE)
def test_a_file_that_is_of_no_use_is_named(
    broker: GuardedKafka, tmp_path: Path, said: str, key: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HubError) as wrong:
        access_of(settled(broker, tmp_path, said, monkeypatch))

    assert (wrong.value.code, wrong.value.field) == ("kafka_access", key)
    assert words in wrong.value.message


def test_a_secret_that_is_missing_is_named(broker: GuardedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = settled(broker, tmp_path, WAYS["named"], monkeypatch)
    monkeypatch.delenv("KAFKA_PASSWORD")

    with pytest.raises(HubError, match="KAFKA_PASSWORD is empty or not set"):
        access_of(configuration)
