"""A file of messages played through the very same engine on a throw-away store (design, faces): the way to try a policy, to write a
scenario, to reproduce a complaint.

Time is the messages': the clock stands at the latest `time` so far, and what is due by then (timers, requests, callbacks) comes
before a message of the same instant. Nothing leaves this process, and the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, Any, Final, NamedTuple

import msgspec

from config.settings import Configuration
from connectors.psp.accepting import AcceptingProviders
from connectors.psp.ogone.simulator.script import Script
from engine import dry_run_report as report
from engine.clock import ManualClock, micros
from engine.hub import Hub
from engine.luck import derived
from engine.scripted_ogone import ScriptedOgone
from engine.transport.contract import Arrival
from schemas.common import DATES, Instant, within_dates
from schemas.errors import HubError

LONGEST_LINE: Final = 16 * 1024 * 1024
_MASTER: Final = bytes(32)  # what is sealed with it is thrown away with the store
_STRUCTURED: Final = "application/cloudevents+json"
_AT_ONE_INSTANT: Final = 10_000


class Unreadable(HubError):
    """Input that no message can be made of; the text names file, line and reason."""

    code = "unreadable"


class Line(NamedTuple):
    """One message as it stands in a file; `time` in microseconds."""

    file: str
    number: int
    time: int
    body: bytes


class _Head(msgspec.Struct):
    """What must be known of a line before it is played."""

    time: Instant
    tenant: Any = ""
    type: Any = ""
    data: msgspec.Raw = msgspec.Raw(b"")


_HEAD: Final = msgspec.json.Decoder(_Head)


def read(name: str, stream: IO[bytes]) -> Iterator[Line]:
    """The messages of one file, one JSON object a line; empty lines count and say nothing. Memory stays flat.

    Raises Unreadable for what is not UTF-8, not a JSON object, without `time` (an instant with offset), or longer than 16 MiB.
    """
    number = 0
    while raw := stream.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(raw) > LONGEST_LINE:
            raise _unreadable(name, number, f"longer than {LONGEST_LINE} bytes")
        if body := raw.strip():
            yield Line(name, number, _time(name, number, body), body)


def _time(name: str, number: int, body: bytes) -> int:
    try:
        body.decode()
        at = _HEAD.decode(body).time
    except UnicodeDecodeError as wrong:
        raise _unreadable(name, number, f"not UTF-8 at byte {wrong.start}") from None
    except msgspec.ValidationError as wrong:
        raise _unreadable(name, number, _reason(str(wrong))) from None
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise _unreadable(name, number, f"not JSON: {wrong}") from None
    if not within_dates(at):
        raise _unreadable(name, number, f"`time` {at.isoformat()} is not {DATES}")
    return micros(at)


def _reason(text: str) -> str:
    if "required field" in text:
        return "there is no `time`"
    return "`time` is not an instant with offset (RFC 3339)" if "$.time" in text else "not a JSON object"


def instant_of(text: str) -> int:
    """An instant with offset as microseconds. Raises Unreadable, also for one that is not within `schemas.common.DATES`."""
    try:
        at: datetime = msgspec.convert(text, Instant)
    except msgspec.ValidationError:
        raise Unreadable(f"{text[:60]!r} is not an instant with offset (RFC 3339)", field="until", value=text) from None
    if not within_dates(at):
        raise Unreadable(f"{text[:60]!r} is not {DATES}", field="until", value=text)
    return micros(at)


def _unreadable(name: str, number: int, reason: str) -> Unreadable:
    return Unreadable(f"{name}:{number}: {reason}", field=f"{name}:{number}", value=reason)


class DryRun:
    """One play. Lines of output come out of `play` and `pass_until`, in order; `unsettled` says how it ended.

    Providers accept everything, or play `script` with Ogone's simulator.
    """

    def __init__(
        self,
        configuration: Configuration,
        script: Script | None = None,
        *,
        explain: bool = False,
        store: str = ":memory:",
        make: Callable[..., Hub] = Hub,
    ) -> None:
        """`store`: an empty one, in memory unless told otherwise. `make`: makes the hub, from what a hub is made of."""
        self.clock = ManualClock()
        self._ogone = ScriptedOgone(script, configuration, self.clock) if script is not None else None
        self.hub = make(
            configuration,
            store,
            self._ogone if self._ogone is not None else AcceptingProviders(),
            clock=self.clock,
            chunk=configuration.hub.chunk,
            master=_MASTER,
            luck=derived,
        )
        self._explain = report.Explaining(self.hub.reading) if explain else None

    def play(self, line: Line) -> Iterator[bytes]:
        """One message at its time, or now if that has passed, with everything that follows inside."""
        yield from self.pass_until(line.time)
        if self._ogone is not None:
            head = _HEAD.decode(line.body)
            self._ogone.learn(str(head.tenant), str(head.type), bytes(head.data))
        self.hub.intake.append([Arrival(door="dry-run", body=line.body, content_type=_STRUCTURED)])
        yield from self._drained()

    def pass_until(self, at: int) -> Iterator[bytes]:
        """Let time go on to an instant: everything due by then, each at its own time."""
        steps = 0
        while (due := self._next_due()) is not None and due <= at:
            steps = 0 if due > self.clock.now() else steps + 1
            if steps > _AT_ONE_INSTANT:
                raise HubError(f"the engine does not come to rest at {due}", code="restless", field="next_due", value=due)
            self.clock.advance(due)
            yield from self._drained()
        self.clock.advance(at)

    def ledger(self) -> Iterator[bytes]:
        """The balances, one line an account."""
        return report.balances(self.hub.reading)

    def unsettled(self) -> list[str]:
        """What ended dead-lettered, blocked or still parked, in words; a refusal is none of these."""
        return report.unsettled(self.hub.reading)

    def provider_operations(self) -> dict[str, int]:
        """How often the simulated provider's books show each operation; empty where providers accept everything."""
        return self._ogone.operations() if self._ogone is not None else {}

    def close(self) -> None:
        """Throw the store away."""
        self.hub.close()

    def _next_due(self) -> int | None:
        dues = [self.hub.next_due()]
        if self._ogone is not None:
            dues.append(self._ogone.next_due())
        return min((due for due in dues if due is not None), default=None)

    def _drained(self) -> Iterator[bytes]:
        while True:
            outbox = self.hub.drain()
            yield from self._explain.lines(outbox) if self._explain is not None else map(report.published, outbox)
            callbacks = self._ogone.callbacks() if self._ogone is not None else []
            if not callbacks:
                return
            self.hub.intake.append(callbacks)
