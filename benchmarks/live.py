"""A hub with its own clock and threads, in this process: filled by hand, then waited for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from engine.hub import Hub
from engine.transport.contract import Arrival, Taken

APPEND = 500  # arrivals of one durable append, as a batch over HTTP or a broker's prefetch brings them
_LOOK_S = 0.01
_ZONE = ZoneInfo("Europe/Paris")  # the shipped property's


def today() -> date:
    """The day at the property, now."""
    return datetime.now(_ZONE).date()


def batches(events: Iterable[bytes], size: int = APPEND) -> Iterator[list[bytes]]:
    """Lists of so many, the last one shorter."""
    waiting = iter(events)
    while batch := list(islice(waiting, size)):
        yield batch


def arrivals(batch: Iterable[bytes]) -> list[Arrival]:
    """As a door brings them."""
    return [Arrival(door="bench", body=body, content_type="application/cloudevents+json") for body in batch]


def decide(hub: Hub, events: Iterable[bytes]) -> None:
    """Append and decide everything; requests to providers stay where they are."""
    for batch in batches(events):
        receipts = hub.intake.append(arrivals(batch))
        assert all(receipt.taken is Taken.ACCEPTED for receipt in receipts)
        while hub.run_lanes().decided:
            pass


def settled(hub: Hub, refunds: int, wait_s: float) -> None:
    """Wait until so many refunds have been told as executed. Raises AssertionError when they are not within `wait_s`."""
    end = time.monotonic() + wait_s
    while hub.effects.next_due() is not None or _told(hub) < refunds:
        assert time.monotonic() < end, f"{_told(hub)} of {refunds} refunds were told after {wait_s:g} s"
        time.sleep(_LOOK_S)


def _told(hub: Hub) -> int:
    rows = hub.reading.rows("SELECT count(*) AS n FROM outbox WHERE name = 'refund.executed'")
    return int(rows[0]["n"])
