"""Senders of stories that behave: a step is said until it is acknowledged, and the next one when it has come to what it must."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import psycopg
import requests

from benchmarks.messages import TENANT
from schemas.envelope import message_bytes
from tests.distributed.families_once import Once, names
from tests.distributed.families_said import Story
from tests.distributed.platform import Platform

SENDERS: Final = 6
STEP_S: Final = 60.0
LOOK_S: Final = 0.05


class Senders:
    """Say the stories, several at a time. `acknowledged`: messages so far; `wrong`: steps that did not come to what they must."""

    def __init__(self, platform: Platform, gateway: str, told: Sequence[Story], once: Once) -> None:
        self.wrong: list[str] = []
        self.acknowledged = 0
        self._platform, self._gateway, self._once = platform, gateway, once
        self._left = list(told)
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(SENDERS)]
        for one in self._threads:
            one.start()

    def have(self, acknowledged: int) -> bool:
        """Whether so many messages were."""
        return self.acknowledged >= acknowledged

    def wait(self, enough: Callable[[], bool]) -> None:
        """Until it is `enough`, or all is said."""
        while not enough() and any(one.is_alive() for one in self._threads):
            time.sleep(LOOK_S)

    def _run(self) -> None:
        with psycopg.connect(self._platform.beside, autocommit=True, options="-c search_path=foliohub") as connection:
            while True:
                with self._lock:
                    if not self._left:
                        return
                    story = self._left.pop(0)
                for step in range(len(story.steps)):
                    if not self._say(connection, story, step):
                        break

    def _say(self, connection: psycopg.Connection, story: Story, step: int) -> bool:
        until = time.monotonic() + STEP_S
        said = story.events(step)
        while not self._posted([event for _, event in said]):
            if time.monotonic() > until:
                return self._late(f"{story.kind} {story.stay} step {step} is not acknowledged")
            time.sleep(0.2)
        with self._lock:
            self.acknowledged += len(said)
        wanted, marks = self._once.steps[story.stay, step], [message_bytes(TENANT, "pms.thais", id_) for id_, _ in said]
        while (found := self._found(connection, story)) != wanted or not self._decided(connection, marks):
            if time.monotonic() > until:
                return self._late(
                    f"{story.kind} {story.stay} step {step}: {dict(found - wanted)} more, {dict(wanted - found)} less"
                )
            time.sleep(LOOK_S)
        return True

    def _posted(self, events: Sequence[bytes]) -> bool:
        try:
            receipts = self._platform.send(self._gateway, events)
        except (requests.RequestException, KeyError):  # it is killed, or not there again yet
            return False
        return all(one["taken"] in ("accepted", "duplicate") for one in receipts)

    def _found(self, connection: psycopg.Connection, story: Story) -> Counter[str]:
        rows = connection.execute("SELECT name FROM outbox WHERE key = ANY(%s)", (list(story.folios),)).fetchall()
        return names([{"name": name} for (name,) in rows])

    def _decided(self, connection: psycopg.Connection, messages: list[bytes]) -> bool:
        row = connection.execute("SELECT count(*) FROM inbox WHERE message = ANY(%s)", (messages,)).fetchone()
        return row is not None and row[0] == len(messages)

    def _late(self, what: str) -> bool:
        with self._lock:
            self.wrong.append(f"after {STEP_S} s: {what}")
        return False
