"""Senders that behave: each message is said again, under the same id, until it is acknowledged; the next about a stay is said when the
one before is decided. A part of the stays is told of by AMQP, where the broker acknowledges. Between them bodies that nobody can read, and
records written into the intake topic past every door.
"""

from __future__ import annotations

import asyncio
import json
import queue
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

import psycopg
import requests
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from benchmarks.messages import TENANT
from engine.transport.amqp.publisher import AmqpPublisher
from engine.transport.contract import Outgoing
from schemas.envelope import message_bytes
from schemas.errors import Retryable
from tests.distributed.platform import Platform
from tests.distributed.topics import STRANGE
from topics.catalogue import INTAKE

CHUNK: Final = 40  # stays whose messages go together
SENDERS: Final = 5
STEPS: Final = 4
BY_AMQP: Final = 3  # of ten stays
TWICE: Final = 0.05  # of all messages are sent once more
POISON_S: Final = 1.5
AGAIN_S: Final = 0.3
LOOK_S: Final = 0.1
STRANGERS: Final[Sequence[tuple[list[tuple[str, bytes]], bytes | None]]] = (
    ([], b"no envelope"),
    ([("ce_id", b"\xff\xfe")], b"not UTF-8"),
    ([], None),
    ([(name, b"x") for name in ("ce_id", "ce_source", "ce_tenant", "ce_type", "foliohub-schema")], b"{}"),
)


class Doors(NamedTuple):
    """A sender's own ways into the hub."""

    session: requests.Session
    sender: AmqpPublisher


def by_amqp(stay: str) -> bool:
    """Whether this stay is told of by AMQP, from its first message to its last."""
    return int(stay, 16) % 10 < BY_AMQP


def letter_of(event: bytes) -> Outgoing:
    """An event as a PMS says it by AMQP, with its stay as routing key."""
    attributes: dict[str, Any] = json.loads(event)
    body = json.dumps(attributes.pop("data")).encode()
    step, _, stay = attributes["id"].partition("-")
    return Outgoing(row=int(stay, 16) * 10 + int(step), topic="", key=stay, attributes=attributes, body=body)


class Load:
    """Carries stays through their four messages, spread over `span_s`. `wrong`: answers that a gateway must not give."""

    def __init__(self, platform: Platform, gateway: str, stays: Sequence[str], luck: random.Random, span_s: float) -> None:
        self.begun: list[str] = []
        self.acknowledged = self.by_amqp = self.twice = self.closed = 0
        self.letters: set[str] = set()  # dead letters that the gateway told us of
        self.unclear = 0  # bodies of which it could not say whether it kept them
        self.wrong: list[str] = []
        self._platform, self._gateway, self._luck = platform, gateway, luck
        self._fresh = [list(stays[at : at + CHUNK]) for at in range(0, len(stays), CHUNK)]
        self._pace_s = span_s / max(1, len(self._fresh))
        self._begun_at = 0.0
        self._number = 0
        self._lock = threading.Lock()
        self._half: queue.SimpleQueue[tuple[list[str], int]] = queue.SimpleQueue()
        self._last: list[bytes] = []
        self._ending, self._hurry = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._run, name="sender", daemon=True) for _ in range(SENDERS)]
        self._poisoner = threading.Thread(target=self._poison, name="poisoner", daemon=True)

    def start(self) -> None:
        """Returns at once."""
        self._begun_at = time.monotonic()
        for one in (*self._threads, self._poisoner):
            one.start()

    def finish(self, timeout_s: float) -> bool:
        """No new stays: those that were begun are carried to their end. Whether they were in time."""
        self._ending.set()
        until = time.monotonic() + timeout_s
        for one in (*self._threads, self._poisoner):
            one.join(max(0.0, until - time.monotonic()))
        if any(one.is_alive() for one in self._threads):
            self._hurry.set()
            return False
        return True

    def probe(self, stays: list[str], timeout_s: float) -> float | None:
        """The seconds until bookings of these new stays are decided, on all lanes that they lie on; None: not in time."""
        with self._lock:
            self.begun += stays
        began = time.monotonic()
        with self._doors() as doors:
            decided = self._step(doors, stays, 0, until=began + timeout_s)
        took = time.monotonic() - began
        self._half.put((stays, 1 if decided else 0))
        return took if decided else None

    # -- senders ---------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with self._doors() as doors:
            while not self._hurry.is_set():
                found = self._next()
                if found is None:
                    if self._ending.is_set() and self._half.empty():
                        return
                    time.sleep(LOOK_S)
                    continue
                stays, step = found
                while step < STEPS and self._step(doors, stays, step):
                    step += 1

    @contextmanager
    def _doors(self) -> Iterator[Doors]:
        with requests.Session() as session:
            session.trust_env = False
            exchange = self._platform.intake.name
            sender = AmqpPublisher(self._platform.amqp, exchange, routing_key=lambda message: message.key, confirm_timeout_s=5)
            try:
                yield Doors(session, sender)
            finally:
                sender.close()

    def _next(self) -> tuple[list[str], int] | None:
        try:
            return self._half.get_nowait()
        except queue.Empty:
            pass
        with self._lock:
            if self._ending.is_set() or not self._fresh or time.monotonic() < self._begun_at + self._pace_s * self._number:
                return None
            self._number += 1
            stays = self._fresh.pop(0)
            self.begun += stays
            return stays, 0

    def _step(self, doors: Doors, stays: Sequence[str], step: int, until: float = float("inf")) -> bool:
        """One message of each, until all are acknowledged and decided; False: not until then, or nobody waits any more."""
        own = self._platform.story(stays, step)
        with self._lock:
            extra = self._luck.sample(self._last, min(len(self._last), max(1, round(TWICE * len(own)))))
            self._last = [*self._last[-400:], *own]
        letters = [letter_of(event) for stay, event in zip(stays, own, strict=True) if by_amqp(stay)]
        posts = [event for stay, event in zip(stays, own, strict=True) if not by_amqp(stay)]
        for say in (partial(self._queue, doors.sender, letters), partial(self._post, doors.session, [*posts, *extra])):
            while not say():
                if self._hurry.is_set() or time.monotonic() > until:
                    return False
                time.sleep(AGAIN_S)
        with self._lock:
            self.acknowledged += len(own)
            self.by_amqp += len(own) - len(posts)
            self.twice += len(extra)
        ids = [message_bytes(TENANT, "pms.thais", f"{step}-{stay}") for stay in stays]
        while not self._decided(ids):
            if self._hurry.is_set() or time.monotonic() > until:
                return False
            time.sleep(LOOK_S)
        return True

    def _queue(self, sender: AmqpPublisher, letters: list[Outgoing]) -> bool:
        """Whether the broker has all of them; what it has is said no more."""
        try:
            done = set(sender.publish(letters)) if letters else set()
        except Retryable:
            return False
        letters[:] = [letter for letter in letters if letter.row not in done]
        return not letters

    def _post(self, session: requests.Session, events: Sequence[bytes]) -> bool:
        """Whether all were acknowledged."""
        body = b"[" + b",".join(events) + b"]"
        answer = self._asked(session, body, "application/cloudevents-batch+json", "")
        if answer is None:
            return False
        told = answer.json()["receipts"]
        odd = [one for one in told if one["taken"] not in ("accepted", "duplicate")]
        if odd or len(told) != len(events):
            self._odd(f"{len(told)} receipts for {len(events)} messages, {odd[:2]}")
        return True

    def _asked(self, session: requests.Session, body: bytes, content_type: str, id_: str) -> requests.Response | None:
        """The gateway's answer; None while it is away, or says that it cannot: then by the words of HTTP."""
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {self._platform.key}"} | ({"ce-id": id_} if id_ else {})
        try:
            url = f"{self._platform.urls[self._gateway]}/messages"
            answer = session.post(url, data=body, headers=headers, timeout=40)
        except requests.RequestException:
            return None
        if answer.status_code == 503 and answer.headers.get("retry-after"):
            with self._lock:
                self.closed += 1
            return None
        if answer.status_code >= 500:
            self._odd(f"the gateway answers {answer.status_code} {answer.text[:300]}")
            return None
        return answer

    def _decided(self, ids: Sequence[bytes]) -> bool:
        try:
            sql = "SELECT count(*) FROM foliohub.inbox WHERE message = ANY(%s)"
            with psycopg.connect(self._platform.beside, autocommit=True, connect_timeout=2) as connection:
                row = connection.execute(sql, (list(ids),)).fetchone()
        except psycopg.Error:
            return False
        return row is not None and row[0] == len(ids)

    def _odd(self, what: str) -> None:
        with self._lock:
            if len(self.wrong) < 10:
                self.wrong.append(what)

    # -- poison ----------------------------------------------------------------------------------------------------------------

    def _poison(self) -> None:
        number = 0
        with requests.Session() as session:
            session.trust_env = False
            while not self._ending.wait(POISON_S):
                number += 1
                self._unreadable(session, number)
                headers, value = STRANGERS[number % len(STRANGERS)]
                asyncio.run(self._stranger(number, headers, value))

    def _unreadable(self, session: requests.Session, number: int) -> None:
        answer = self._asked(session, b'{"specversion": %d' % number, "application/cloudevents+json", "")
        told: dict[str, Any] = answer.json() if answer is not None else {}
        with self._lock:
            if answer is None:
                self.unclear += 1
            elif 400 <= answer.status_code < 500 and told.get("dead_letter"):
                self.letters.add(told["dead_letter"])
            else:
                self.wrong.append(f"an unreadable body is answered with {answer.status_code} {told}")

    async def _stranger(self, number: int, headers: list[tuple[str, bytes]], value: bytes | None) -> None:
        """Written or not: whoever counts looks at the topic."""
        producer = AIOKafkaProducer(bootstrap_servers=self._platform.kafka, request_timeout_ms=2000, retry_backoff_ms=200)
        try:
            async with asyncio.timeout(3):
                await producer.start()
                await producer.send_and_wait(
                    INTAKE.name,
                    value,
                    key=b"strange",
                    partition=number * 7 % INTAKE.partitions,
                    headers=[*headers, (STRANGE, b"1")],
                )
        except (KafkaError, TimeoutError, AssertionError):
            pass
        finally:
            try:
                async with asyncio.timeout(2):
                    await producer.stop()
            except (KafkaError, TimeoutError):
                await producer.client.close()
