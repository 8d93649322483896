"""Queues behind an exchange that hashes, against a real RabbitMQ: several readers, and of each key everything in order, whoever dies."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from engine.transport.amqp.consumer import AmqpSource, parts_of, surplus
from engine.transport.amqp.topology import AmqpQueue, AmqpTopology, Partitions, check_partitions, make_partitions, provision
from engine.transport.contract import Outgoing
from schemas.errors import HubError
from tests.services.amqp_tools import Running, Sender, channel, outgoing, ready, wait_until
from tests.services.processes import running
from tests.services.rabbitmq import RabbitMQ
from tests.services.recorder import Recorder

ROOT = Path(__file__).parents[2]
KEYS = 60
KINDS = ("x-modulus-hash", "x-consistent-hash")


def laid(url: str, name: str, count: int = 4, kind: str = KINDS[0]) -> Partitions:
    found = Partitions(name=name, count=count, kind=kind)
    make_partitions(url, [found])
    return found


def rounds(number: int) -> Iterator[list[Outgoing]]:
    """So many times one message of each key."""
    for one in range(number):
        yield [outgoing(one * KEYS + key + 1, folio=f"B-{key}") for key in range(KEYS)]


def disorder(ids: list[str]) -> int:
    """How many first occurrences came behind a later one of their key."""
    highest: dict[int, int] = defaultdict(int)
    wrong = 0
    for row in dict.fromkeys(int(id_.removeprefix("m-")) for id_ in ids):
        wrong += row < highest[row % KEYS]
        highest[row % KEYS] = max(row, highest[row % KEYS])
    return wrong


def lengths(url: str, partitions: Partitions) -> list[int]:
    return [ready(url, queue) for queue in partitions.queues()]


# -- what must be there --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_made_once_and_found(rabbitmq: RabbitMQ, name: str, kind: str) -> None:
    """All is made by the first run and nothing by the second; messages of a key lie in one queue, all queues get some."""
    partitions = Partitions(name=name, count=4, kind=kind)

    assert make_partitions(rabbitmq.url, [partitions]) == [name, partitions.readers, *partitions.queues()]
    assert make_partitions(rabbitmq.url, [partitions]) == []
    check_partitions(rabbitmq.url, [partitions])
    with Sender(rabbitmq.url, name) as sender:
        sender.say([outgoing(row, folio="B-1") for row in range(1, 11)])
        assert sorted(lengths(rabbitmq.url, partitions)) == [0, 0, 0, 10]
        for messages in rounds(1):
            sender.say(messages)
    assert all(lengths(rabbitmq.url, partitions))


def test_never_made_by_accident(rabbitmq: RabbitMQ, name: str) -> None:
    """Who reads makes nothing, and says what to run."""
    with pytest.raises(HubError, match=r"intake.partitions .* is 4: .* run `foliohub topics provision`") as error:
        check_partitions(rabbitmq.url, [Partitions(name=name, count=4, kind=KINDS[0])])
    assert error.value.code == "amqp_partitions"

    with channel(rabbitmq.url) as at, pytest.raises(Exception, match="NOT_FOUND"):
        at.queue_declare(f"{name}.00", passive=True)


@pytest.mark.parametrize("count", [2, 8])
def test_another_number_is_refused(rabbitmq: RabbitMQ, name: str, count: int) -> None:
    """By who makes and by who reads: a key's new messages would lie in another queue than those before them."""
    laid(rabbitmq.url, name)
    for act in (make_partitions, check_partitions):
        with pytest.raises(HubError, match=f"is {count}") as error:
            act(rabbitmq.url, [Partitions(name=name, count=count, kind=KINDS[0])])
        assert error.value.code == "amqp_partitions"
        assert error.value.field == "partitions"


def test_what_was_begun_is_finished(rabbitmq: RabbitMQ, name: str) -> None:
    """The command died after the last two of four queues."""
    partitions = Partitions(name=name, count=4, kind=KINDS[0])
    begun = tuple(AmqpQueue(name=queue, single_active=True) for queue in partitions.queues()[2:])
    provision(rabbitmq.url, AmqpTopology(queues=begun))

    assert make_partitions(rabbitmq.url, [partitions]) == [name, partitions.readers, *partitions.queues()[:2]]
    check_partitions(rabbitmq.url, [partitions])


def test_a_queue_with_other_arguments_is_refused(rabbitmq: RabbitMQ, name: str) -> None:
    """Without a single active consumer there is no order."""
    partitions = laid(rabbitmq.url, name)
    with channel(rabbitmq.url) as at:
        at.queue_delete(partitions.queues()[1])
    provision(rabbitmq.url, AmqpTopology(queues=(AmqpQueue(name=partitions.queues()[1]),)))

    with pytest.raises(HubError, match=r"intake.partitions .*x-single-active-consumer") as error:
        check_partitions(rabbitmq.url, [partitions])
    assert error.value.code == "amqp_topology"


@pytest.mark.parametrize(("kind", "plugin"), [(KINDS[0], "rabbitmq_sharding"), (KINDS[1], "rabbitmq_consistent_hash_exchange")])
def test_a_broker_without_the_plugin(tmp_path: Path, name: str, kind: str, plugin: str) -> None:
    """Says which one, how it is enabled, and which setting does without."""
    with running(RabbitMQ(tmp_path, plugins=())) as broker, pytest.raises(HubError, match=plugin) as error:
        make_partitions(broker.url, [Partitions(name=name, count=2, kind=kind)])
    assert error.value.code == "amqp_plugin"
    assert error.value.value == kind
    assert "intake.partitions" in error.value.message


# -- sharing -------------------------------------------------------------------------------------------------------------------


def test_a_fair_share() -> None:
    """What is busy beyond it is given up, the rest is kept; whoever reads alone keeps everything, and so does a whole queue."""
    whole = AmqpSource(queue="whole")
    four = parts_of(whole, Partitions(name="q", count=4, kind=KINDS[0]))
    busy = {"whole", *(source.queue for source in four)}

    def given(readers: int, busy: set[str]) -> list[str]:
        return [source.queue for source in surplus([*four, whole], busy, {**dict.fromkeys(busy, 1), "q.readers": readers})]

    assert given(1, busy) == []
    assert given(2, busy) == ["q.02", "q.03"]
    assert given(3, busy) == ["q.02", "q.03"]
    assert given(2, {"q.01", "q.03"}) == []


def test_two_readers_share(rabbitmq: RabbitMQ, name: str, tmp_path: Path) -> None:
    """Whoever came first has everything; soon who came second has half, and of no key is anything out of order."""
    partitions = laid(rabbitmq.url, name)
    recorder = Recorder(tmp_path / "arrivals.sqlite")
    first, second = Recorder(recorder.path), Recorder(recorder.path)
    with Running(rabbitmq.url, partitions, first) as one, Sender(rabbitmq.url, name) as sender:
        assert one.consumer.connected.wait(10)
        with Running(rabbitmq.url, partitions, second):
            sent = 0
            for messages in rounds(600):
                sender.say(messages)
                sent += len(messages)
                if sum(second.batches) > KEYS:
                    break
            wait_until(lambda: len(set(recorder.ids())) == sent, "all arrivals")

    assert sum(second.batches) > KEYS
    assert disorder(recorder.ids()) == 0


# -- who dies ------------------------------------------------------------------------------------------------------------------

READER = """
import os, signal, sys
from pathlib import Path
from engine.transport.amqp.consumer import AmqpConsumer, AmqpSource, Tuning, parts_of
from engine.transport.amqp.topology import Partitions
from tests.services.recorder import Recorder
url, path, name, count = sys.argv[1:]
sources = parts_of(AmqpSource(queue=name), Partitions(name=name, count=int(count), kind=""))
asked = []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(True))  # then it freezes with a batch in its hands, outside the recorder's lock
recorder = Recorder(Path(path), before=lambda: os.kill(os.getpid(), signal.SIGSTOP) if asked and asked.pop() else None)
AmqpConsumer(url, sources, recorder, Tuning(watch_s=0.5, batch=50, heartbeat_s=2)).run()
"""


def test_a_reader_is_killed_under_load(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """SIGKILL to one of two, five times, with much that it had not acknowledged: the other takes its queues over; nothing is lost, and
    of each key everything comes first in order."""
    partitions = laid(rabbitmq.url, name)
    sent = 0
    with ExitStack() as stack:
        readers = [_reader(stack, rabbitmq.url, recorder, partitions) for _ in range(2)]
        with Sender(rabbitmq.url, name) as sender:
            for number, messages in enumerate(rounds(150)):
                sender.say(messages)
                sent += len(messages)
                if number % 30 == 20:
                    readers[0].kill()
                    readers[0].wait()
                    readers = [readers[1], _reader(stack, rabbitmq.url, recorder, partitions)]
        wait_until(lambda: len(set(recorder.ids())) == sent, f"{sent} arrivals", 60)

    assert disorder(recorder.ids()) == 0


def test_a_reader_is_frozen_and_goes_on(rabbitmq: RabbitMQ, name: str, recorder: Recorder) -> None:
    """The broker takes one that says nothing for dead, and another goes on from the first that was not acknowledged; what the frozen one
    still holds it stores afterwards, and overtakes nothing."""
    partitions = laid(rabbitmq.url, name)
    plenty = rounds(600)
    sent = 0
    with ExitStack() as stack:
        readers = [_reader(stack, rabbitmq.url, recorder, partitions) for _ in range(2)]
        sender = stack.enter_context(Sender(rabbitmq.url, name))
        wait_until(lambda: _readers(rabbitmq.url, partitions) == 2, "both read")
        for reader in readers:
            reader.send_signal(signal.SIGUSR1)
            behind = 0
            while behind < 20:  # rounds that it does not see
                sender.say(next(plenty))
                sent += KEYS
                behind += _is_frozen(reader)
            wait_until(partial(_arrived, recorder, sent), "the other has everything", 60)
            reader.send_signal(signal.SIGCONT)
        sender.say(next(plenty))
        wait_until(partial(_arrived, recorder, sent + KEYS), "all arrivals", 60)
        wait_until(lambda: len(recorder.rows()) > sent + KEYS, "what a frozen one held, again")

    assert disorder(recorder.ids()) == 0


def test_a_reader_stops_under_load(rabbitmq: RabbitMQ, name: str, tmp_path: Path) -> None:
    """In good order, between two that go on: nothing that follows overtakes what it still held."""
    partitions = laid(rabbitmq.url, name)
    path = tmp_path / "arrivals.sqlite"
    recorder, slow = Recorder(path), Recorder(path)
    slow.before = lambda: threading.Event().wait(0.05)  # so that it holds something when it is told to stop
    sent = 0
    with Sender(rabbitmq.url, name) as sender:
        plenty = rounds(100)
        with Running(rabbitmq.url, partitions, slow) as one:
            assert one.consumer.connected.wait(10)
            with Running(rabbitmq.url, partitions, recorder) as two:
                assert two.consumer.connected.wait(10)
                for messages in itertools.islice(plenty, 50):
                    sender.say(messages)
                    sent += len(messages)
                one.consumer.stop()
                for messages in plenty:
                    sender.say(messages)
                    sent += len(messages)
                wait_until(lambda: len(set(recorder.ids())) == sent, "all arrivals")

    assert disorder(recorder.ids()) == 0


def test_the_broker_is_killed_under_load(tmp_path: Path, name: str, recorder: Recorder) -> None:
    """Twice, with queues full of what nobody had read: a key's queue is the same after each, and of no key is anything out of
    order. (With `x-consistent-hash` most keys move at a restart: docs/decisions/0014.)"""
    (tmp_path / "broker").mkdir()
    with running(RabbitMQ(tmp_path / "broker")) as broker:
        partitions = laid(broker.url, name)
        broker.settle()
        recorder.before = lambda: threading.Event().wait(0.1)  # far behind
        sent = 0
        with Running(broker.url, partitions, recorder) as reader, Sender(broker.url, name) as sender:
            for number, messages in enumerate(rounds(150)):
                sender.say(messages)
                sent += len(messages)
                if number % 60 == 40:
                    broker.restart()
            recorder.before = lambda: None
            wait_until(lambda: len(set(recorder.ids())) == sent, f"{sent} arrivals", 90)
            assert reader.alive()

    assert disorder(recorder.ids()) == 0


def _readers(url: str, partitions: Partitions) -> int:
    with channel(url) as at:
        return int(at.queue_declare(partitions.readers, passive=True).consumer_count)


def _is_frozen(process: subprocess.Popen[bytes]) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _arrived(recorder: Recorder, number: int) -> bool:
    return len(set(recorder.ids())) == number


def _reader(stack: ExitStack, url: str, recorder: Recorder, partitions: Partitions) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", READER, url, str(recorder.path), partitions.name, str(partitions.count)]
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process
