"""Between the event loop and the hub: requests that come together share one durable append, callers that wait are told.

Nothing here blocks the loop: the store is met in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from engine.hub import Hub
from engine.keys import DoorKeys
from engine.serving import Serving
from engine.store.rows import OutboxRow
from engine.transport.contract import Arrival, Receipt
from schemas.errors import Retryable

THREADS: Final = 6
BATCH: Final = 1000  # arrivals of one append
WAITING: Final = 2000  # callers that wait at once; others are answered without an outcome

P = ParamSpec("P")
T = TypeVar("T")
_Turn = tuple[Sequence[Arrival], "asyncio.Future[Sequence[Receipt]]"]


class Desk:
    """What all doors share: the hub, its keys, and the ways into the store. Made before the loop, used inside one."""

    def __init__(self, hub: Hub, serving: Serving | None) -> None:
        self.hub, self.serving = hub, serving
        self.keys = DoorKeys(hub.database, hub.clock)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")
        self._queue: list[_Turn] = []
        self._flushing: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Future[Sequence[OutboxRow] | None]] = set()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def begin(self) -> None:
        """Remember the loop that this is used on."""
        self._loop = asyncio.get_running_loop()

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that may meet the disk, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))

    # -- appending -------------------------------------------------------------------------------------------------------------

    async def append(self, arrivals: Sequence[Arrival]) -> Sequence[Receipt]:
        """Receipts of a durable append, shared with whoever comes meanwhile. Raises StoreAway: nothing was taken."""
        turn: _Turn = (arrivals, asyncio.get_running_loop().create_future())
        self._queue.append(turn)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush())
        return await turn[1]

    async def _flush(self) -> None:
        while self._queue:
            turns: list[_Turn] = []
            size = 0
            while self._queue and (not turns or size + len(self._queue[0][0]) <= BATCH):
                turns.append(self._queue.pop(0))
                size += len(turns[-1][0])
            await self._append(turns)

    async def _append(self, turns: Sequence[_Turn]) -> None:
        try:
            receipts = await self.run(self.hub.intake.append, [arrival for arrivals, _ in turns for arrival in arrivals])
        except Exception as failure:
            if len(turns) > 1 and not isinstance(failure, Retryable):
                for turn in turns:  # one of them is at fault: each for itself
                    await self._append((turn,))
                return
            for _, future in turns:
                if not future.done():
                    future.set_exception(failure)
            return
        place = 0
        for arrivals, future in turns:
            if not future.done():
                future.set_result(receipts[place : place + len(arrivals)])
            place += len(arrivals)

    # -- waiting ---------------------------------------------------------------------------------------------------------------

    async def outcomes(self, message: str, wait_s: float) -> Sequence[OutboxRow] | None:
        """The outcomes of a message that was taken, as soon as they are stored; None when the time is over first."""
        if self._closed or len(self._waiting) >= WAITING:
            wait_s = 0
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[OutboxRow] | None] = loop.create_future()

        def settle(rows: Sequence[OutboxRow]) -> None:
            if not future.done():
                future.set_result(rows)

        def tell(rows: Sequence[OutboxRow]) -> None:
            with contextlib.suppress(RuntimeError):  # the gateway has stopped: nobody waits any more
                loop.call_soon_threadsafe(settle, rows)

        self._waiting.add(future)
        stop = await self.run(self.hub.on_answer, message, tell)
        try:
            done, _ = await asyncio.wait({future}, timeout=max(wait_s, 0.0))
            return future.result() if done else None
        finally:
            self._waiting.discard(future)
            stop()

    def close(self) -> None:
        """End every wait now, from any thread; to be called before the server stops."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        self._closed = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def end(self) -> None:
        """No more threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
