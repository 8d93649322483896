"""Named points laid around a hub from outside, at its outermost places: the store's commits, a provider's wire, the doors, the broker.

A process in which they are laid tells the test when it stands at the one that was asked for, and stands there until it is told to go
on: a signal strikes exactly there. What a commit is for is told by what it changed in the tables, not by who asked for it.
"""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple

STAND_S = 20.0
"""So long at most: a test that is gone stops nobody for ever."""

STORED: dict[str, str] = {
    "own": "take the lanes over",
    "append": "append what came in",
    "decide": "decide a chunk",
    "claim": "claim a request",
    "mark": "mark it as sending",
    "settle": "store the answer to a request",
    "learn": "store what a history shows",
    "doubt": "doubt what its sender left",
    "noted": "note what the broker has confirmed",
}
"""What a transaction is for."""

OTHERS: dict[str, str] = {
    "acknowledge": "stored, the sender not yet told (HTTP)",
    "acknowledge-queue": "stored, the broker not yet told (AMQP)",
    "beside": "marked, not yet noted beside the store",
    "send": "marked, no connection yet",
    "connected": "connected, nothing written",
    "half": "head written, body not",
    "written": "written, nothing read",
    "answered": "answer read, not stored",
    "query": "before a query",
    "queried": "query answered, not stored",
    "publish": "before outcomes go to the broker",
}
"""Places that are no commit."""

POINTS: dict[str, str] = {
    **{f"{side}-{name}": f"{side} the commit: {what}" for name, what in STORED.items() for side in ("before", "after")},
    **OTHERS,
}
"""Every point, and what it is."""


class Points:
    """Inside the hub's process: what the test asked for, and standing there. Thread-safe."""

    def __init__(self, link: socket.socket) -> None:
        """Returns when the first word has come: which point is wanted, if any."""
        self._link, self._words = link, link.makefile("r")
        self._lock = threading.Lock()
        self._wanted, self._left = "", 0
        self._go = threading.Event()
        self._hear(self._words.readline())
        threading.Thread(target=self._listen, name="points", daemon=True).start()

    def wanted(self) -> str:
        """The point at which the next one to come stands."""
        return self._wanted

    def reach(self, point: str) -> None:
        """Stand here if this is the point."""
        if self._wanted != point:
            return
        with self._lock:
            if self._wanted != point:
                return
            self._left -= 1
            if self._left > 0:
                return
            self._wanted = ""
            self._go.clear()
        self._link.sendall(f"{point}\n".encode())
        self._go.wait(STAND_S)

    def _listen(self) -> None:
        for line in self._words:
            self._hear(line)

    def _hear(self, line: str) -> None:
        told = json.loads(line)
        if "at" in told:
            with self._lock:
                self._wanted, self._left = told["at"], told["nth"]
        else:
            self._go.set()


class Counts(NamedTuple):
    """What stands in the tables, inside a transaction."""

    epochs: int
    arrived: int
    decided: int
    claimed: int
    attempts: int
    sends: int
    queries: int
    sending: int
    unpublished: int

    @staticmethod
    def of(connection: sqlite3.Connection) -> Counts:
        return Counts(*connection.execute(_COUNTS).fetchone())


_COUNTS = """SELECT (SELECT sum(epoch) FROM lane), (SELECT count(*) FROM intake), (SELECT count(*) FROM decision),
 (SELECT count(*) FROM effect WHERE lease_until > 0 AND state <> 'sending') + (SELECT count(*) FROM payment_query WHERE lease_until > 0),
 (SELECT coalesce(sum(attempts), 0) FROM effect), (SELECT count(*) FROM evidence WHERE act <> 'query'),
 (SELECT count(*) FROM evidence WHERE act = 'query'), (SELECT count(*) FROM effect WHERE state = 'sending'),
 (SELECT count(*) FROM outbox WHERE published = 0)"""


def purposes(before: Counts, after: Counts) -> Iterator[str]:
    """What a transaction was for: a batch may be for several things."""
    if after.epochs > before.epochs:
        yield "own"
    if after.arrived > before.arrived:
        yield "append"
    if after.decided > before.decided:
        yield "decide"
    if after.claimed > before.claimed:
        yield "claim"
    if after.attempts > before.attempts:
        yield "mark"
    if after.sends > before.sends:
        yield "settle"
    if after.queries > before.queries:
        yield "learn"
    if after.sending < before.sending and after.sends == before.sends:
        yield "doubt"
    if after.unpublished < before.unpublished:
        yield "noted"


def lay(port: int) -> Points:
    """Points into this process; whoever listens at this port of loopback asks for them."""
    points = Points(socket.create_connection(("127.0.0.1", port)))
    _around_commits(points)
    _around_the_wire(points)
    _at_the_doors(points)
    _at_the_broker(points)
    return points


def _around_commits(points: Points) -> None:
    from engine.store.sqlite.database import Database, Progress

    write, note = Database.write, Database.note
    inside = threading.local()
    epochs: set[int] = set()

    @contextmanager
    def counted(database: Database) -> Iterator[sqlite3.Connection]:
        _side, _, name = points.wanted().partition("-")
        if getattr(inside, "yes", False) or name not in STORED:
            with write(database) as connection:
                yield connection
            return
        done: Sequence[str] = ()
        inside.yes = True
        try:
            with write(database) as connection:
                before = Counts.of(connection)
                yield connection
                done = tuple(purposes(before, Counts.of(connection)))
                if name in done:
                    points.reach(f"before-{name}")
        finally:
            inside.yes = False
        if name in done:
            points.reach(f"after-{name}")

    def noted(database: Database, progress: Progress) -> None:
        if progress.epoch in epochs:  # lanes that were taken over just now are no mark
            points.reach("beside")
        epochs.add(progress.epoch)
        note(database, progress)

    Database.write, Database.note = counted, noted


def _around_the_wire(points: Points) -> None:
    from connectors.psp.ogone.client import OgoneConnector

    send, query = OgoneConnector.send, OgoneConnector.query
    write, read = http.client.HTTPConnection.send, http.client.HTTPConnection.getresponse
    call = threading.local()

    @wraps(send)
    def sent(connector: OgoneConnector, *order: Any) -> Any:
        points.reach("send")
        call.writes = 0
        try:
            reply = send(connector, *order)
        finally:
            call.writes = None
        points.reach("answered")
        return reply

    @wraps(query)
    def queried(connector: OgoneConnector, *payment: Any) -> Any:
        points.reach("query")
        reply = query(connector, *payment)
        points.reach("queried")
        return reply

    def written(connection: http.client.HTTPConnection, data: Any) -> None:
        writes = getattr(call, "writes", None)
        if writes is not None and connection.sock is not None:
            call.writes = writes + 1
            points.reach(("connected", "half")[min(writes, 1)])
        write(connection, data)

    def responded(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        if getattr(call, "writes", None) is not None:
            points.reach("written")
        return read(connection)

    OgoneConnector.send, OgoneConnector.query = sent, queried
    http.client.HTTPConnection.send, http.client.HTTPConnection.getresponse = written, responded


def _at_the_doors(points: Points) -> None:
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

    respond = RequestResponseCycle.send

    async def responded(cycle: RequestResponseCycle, message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] in (200, 202) and cycle.scope["path"] == "/messages":
            points.reach("acknowledge")
        await respond(cycle, message)

    RequestResponseCycle.send = responded


def _at_the_broker(points: Points) -> None:
    from amqp.channel import Channel

    from engine.transport.amqp.publisher import AmqpPublisher

    _before(Channel, "basic_ack", lambda: points.reach("acknowledge-queue"))
    _before(AmqpPublisher, "publish", lambda: points.reach("publish"))


def _before(owner: type, name: str, reach: Callable[[], None]) -> None:
    inner = getattr(owner, name)

    @wraps(inner)
    def reached(*arguments: Any, **named: Any) -> Any:
        reach()
        return inner(*arguments, **named)

    setattr(owner, name, reached)
