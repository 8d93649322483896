"""Every private name and signature of faust and aiokafka that lanes by Faust rely on. One that has changed is looked at by a person
before the pin in pyproject.toml moves."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.producer.sender import Sender
from aiokafka.protocol.api import Request, RequestStruct
from faust import App, Table
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import ConsumerMessage

SIGNATURES: list[tuple[Callable[..., Any], str]] = [
    (driver.AIOKafkaConsumerThread._create_worker_consumer, "self, transport"),
    (driver.AIOKafkaConsumerThread._fetch_records, "self, consumer, active_partitions, timeout, max_records"),
    (driver.AIOKafkaConsumerThread._commit, "self, offsets"),
    (driver.AIOKafkaConsumerThread._ensure_consumer, "self"),
    (driver.AIOKafkaConsumerThread.call_thread, "self, fun, args, kwargs"),
    (driver.AIOKafkaConsumerThread.on_start, "self"),
    (driver.AIOKafkaConsumerThread.on_thread_stop, "self"),
    (driver.Consumer._new_consumer_thread, "self"),
    (driver.Consumer.on_partitions_revoked, "self, revoked"),
    (driver.Consumer.verify_event_path, "self, now, tp"),
    (Consumer.seek_to_committed, "self"),
    (Consumer.getmany, "self, timeout"),
    (Consumer._wait_next_records, "self, timeout"),
    (Consumer.ack, "self, message"),
    (Consumer._filter_tps_with_pending_acks, "self, topics"),
    (Consumer._new_offset, "self, tp"),
    (Consumer._add_gap, "self, tp, offset_from, offset_to"),
    (driver.ensure_aiokafka_TP, "tp"),
    (Table.on_start, "self"),
    (Table.partition_for_key, "self, key"),
    (Table.send_changelog, "self, partition, key, value, key_serializer, value_serializer"),
    (Table.using_window, "self, window, key_index"),
    (App.wait, "self, coros, timeout"),
    (AIOKafkaConsumer.seek, "self, partition, offset"),
    (AIOKafkaConsumer.assign, "self, partitions"),
    (AIOKafkaConsumer.getmany, "self, partitions, timeout_ms, max_records"),
    (AIOKafkaConsumer.beginning_offsets, "self, partitions"),
    (AIOKafkaConsumer.end_offsets, "self, partitions"),
    (Fetcher.fetched_records, "self, partitions, timeout, max_records"),
    (FetchResult.check_assignment, "self, tp"),
    (AIOKafkaProducer.send, "self, topic, value, key, partition, timestamp_ms, headers"),
    (AIOKafkaClient.send, "self, node_id, request, group"),
    (AIOKafkaClient.get_random_node, "self"),
    (Request.prepare, "self, versions"),
    (
        ConsumerMessage.__init__,
        "self, topic, partition, offset, timestamp, timestamp_type, headers, key, value, checksum, serialized_key_size,"
        " serialized_value_size, tp, time_in, time_out, time_total, generation_id",
    ),
]

SAID: list[tuple[Any, str]] = [
    (AIOKafkaConsumer, "self._fetch_max_wait_ms = fetch_max_wait_ms"),
    (AIOKafkaConsumer.start, "fetch_max_wait_ms=self._fetch_max_wait_ms"),
    (AIOKafkaConsumer.start, "self._fetcher = Fetcher("),
    (AIOKafkaConsumer.start, "self._coordinator = GroupCoordinator("),
    (AIOKafkaConsumer.getmany, "self._coordinator.check_errors()"),
    (AIOKafkaConsumer.start, "assignors=self._partition_assignment_strategy"),
    (AIOKafkaConsumer, "self._client = AIOKafkaClient("),
    (AIOKafkaAdminClient, "self._client = AIOKafkaClient("),
    (AIOKafkaProducer, "self.client = AIOKafkaClient("),
    (AIOKafkaProducer, "self._sender = Sender("),
    (AIOKafkaProducer, "self._closed = False"),
    (Sender, "def sender_task(self)"),
    (Fetcher, "backoff=self._prefetch_backoff"),
    # what was fetched from another position than the consumer's is never given: `LaneReader.open` rests on it
    (FetchResult.check_assignment, "if position != self._partition_records.next_fetch_offset:"),
    # nothing is awaited between the last step that takes records out and the return to us
    (driver.AIOKafkaConsumerThread._fetch_records, "return await fetcher.fetched_records("),
    (AIOKafkaConsumer.getmany, "records = await self._fetcher.fetched_records("),
    (Consumer._commit_tps, "self._filter_committable_offsets(tps)"),
    (Consumer._filter_committable_offsets, "self._new_offset(tp)"),
    (Consumer, "self._unacked_messages = WeakSet()"),
    # every assignment ends in the claim, and nothing flows before it
    (Recovery._resume_streams, "consumer.perform_seek()"),
    (Consumer.perform_seek, "await self.seek_to_committed()"),
    (driver.ConsumerRebalanceListener.on_partitions_assigned, "self._thread.app.consumer_generation_id = generation"),
    (driver.AIOKafkaConsumerThread._create_worker_consumer, "else RoundRobinPartitionAssignor"),
    (RequestStruct, "FLEXIBLE_VERSION"),
]


@pytest.mark.parametrize(("what", "parameters"), SIGNATURES, ids=lambda one: getattr(one, "__qualname__", ""))
def test_signature(what: Callable[..., Any], parameters: str) -> None:
    """Names of the parameters, in their order."""
    assert ", ".join(inspect.signature(what).parameters) == parameters


@pytest.mark.parametrize(("what", "line"), SAID, ids=[f"{what.__qualname__}: {line[:40]}" for what, line in SAID])
def test_said(what: Any, line: str) -> None:
    """A line of theirs that ours stands on."""
    assert line in inspect.getsource(what)


def test_releases() -> None:
    """Those that were read."""
    assert version("faust-streaming").rpartition(".")[0] == "0.15"
    assert version("aiokafka").rpartition(".")[0] == "0.14"
