"""Live rates for operators: how many of each kind a minute, in a windowed table of Faust's.

They may be lost, and are with every start: the table has no changelog, so that nothing of it is ever written to Kafka. What is
counted comes through a channel in memory, a few times a second whatever there is to count; whoever counts never waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

import faust
from faust.windows import TumblingWindow

WINDOW_S: Final = 60.0
KEPT_S: Final = 3 * WINDOW_S
EVERY_S: Final = 0.25  # so long counts wait for company

Kind = tuple[str, str]
"""`message` or `outcome`, and its name."""


class _Unlogged(faust.Table[Kind, int]):
    """A table that is nowhere but here. It is no table of the application's: nothing is subscribed, declared or recovered for it."""

    async def on_start(self) -> None:
        await self.add_runtime_dependency(self.data)

    def partition_for_key(self, key: Any) -> int:  # noqa: ARG002  # Faust's signature
        return 0

    def send_changelog(self, partition: int | None, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(message=SimpleNamespace(partition=partition))


class Rates:
    """Of one process. Made and run in the application's loop; `count` and `last` from any thread."""

    def __init__(self, app: Any) -> None:
        self._channel = app.channel(value_type=dict)
        self._window = TumblingWindow(WINDOW_S, KEPT_S)
        self._table = _Unlogged(app, name="rates", default=int, store="memory://")
        windowed: Any = self._table.using_window(self._window)
        self._counts = windowed.relative_to(lambda _: time.time())
        self._lock = threading.Lock()
        self._pending: Counter[Kind] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._putting: asyncio.Future[Any] | None = None
        app.agent(self._channel, name="rates")(self._add)

    async def start(self) -> None:
        """From now on it counts."""
        await self._table.start()
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """No more."""
        self._loop = None
        await self._table.stop()

    def count(self, counted: Mapping[Kind, int]) -> None:
        """So many more, now."""
        loop = self._loop
        if loop is None:
            return
        with self._lock:
            first = not self._pending
            self._pending.update(counted)
        if first:
            with contextlib.suppress(RuntimeError):  # its loop has ended meanwhile
                loop.call_soon_threadsafe(loop.call_later, EVERY_S, self._put)

    def last(self) -> Mapping[Kind, int]:
        """The counts of the last whole minute."""
        window = self._window.current(time.time() - WINDOW_S)
        return {key: count for (key, range_), count in list(self._table.data.items()) if range_ == window}

    def _put(self) -> None:
        with self._lock:
            counted, self._pending = self._pending, Counter()
        self._putting = asyncio.ensure_future(self._channel.send(value=counted))

    async def _add(self, stream: Any) -> None:
        async for counted in stream:
            for kind, count in counted.items():
                self._counts[kind] += count
