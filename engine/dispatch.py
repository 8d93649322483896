"""The effects of a live hub: one thread does all of the store's part, in batches, and bounded pools of threads make the calls, one
pool a merchant, at the merchant's own pace.

The store's leases and marks decide what may be sent; nothing here can make a request go out twice. The pools end with the process:
a call that is under way when it stops is in doubt, and is asked about after the next start.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

import structlog
from prometheus_client import Gauge

from engine.calls import Act, Answer, Call
from engine.hub import Hub
from engine.pacing import Paced
from engine.store.contract import StoreAway
from engine.store.effects import Effect, PaymentAsk
from engine.together import Partly
from schemas.effect import Reply, Result

TICK_S: Final = 1.0
HOLD_S: Final = 15.0  # what could not go on is tried again after this, or when its payment has moved
_BATCH: Final = 100
_OTHERS: Final = 2  # threads for merchants that are not configured
_AHEAD: Final = 2  # so many items a thread may be under way, so that none waits for the store

log = structlog.get_logger(__name__)
busy = Gauge("foliohub_provider_calls_running", "Requests that threads carry at this moment", ("merchant",))

Item = Effect | PaymentAsk
Done = tuple[Call, Answer | None] | None  # None: something else to look at


class Pool:
    """So many threads for one merchant; they are started when they are needed and never outlive the process."""

    def __init__(self, merchant: str, size: int, hub: Hub, done: queue.SimpleQueue[Done]) -> None:
        self.merchant, self.size = merchant, size
        self._hub, self._done = hub, done
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._threads = 0

    def give(self, call: Call) -> None:
        """Make this call next."""
        if self._threads < self.size:
            threading.Thread(target=self._make, name=f"provider-{self.merchant}-{self._threads}", daemon=True).start()
            self._threads += 1
        self._calls.put(call)

    def recall(self) -> Iterator[Call]:
        """The calls that no thread has begun: they will not be made."""
        while True:
            try:
                yield self._calls.get_nowait()
            except queue.Empty:
                return

    def _make(self) -> None:
        """Calls, one after the other. Whatever happens to one, the thread goes on: its lease will be over."""
        while True:
            call = self._calls.get()
            answer = None
            try:
                answer = self._hub.effects.make(call)
            except Exception:
                log.exception("call_failed", merchant=self.merchant, act=call.act, reference=call.item.reference)
            self._done.put((call, answer))


class Dispatcher:
    """Runs in one thread until `stop` and until what was under way has ended; `run` never raises for what a provider or an item
    does."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._pools: dict[str, Pool] = {}
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._answers: list[Answer] = []  # heard and not yet stored
        self._under_way: dict[tuple[str, ...], Item] = {}
        self._calls: dict[tuple[str, ...], Call] = {}  # the call that each of them waits for
        self._held: dict[tuple[str, ...], tuple[float, Item]] = {}
        self._stopping = False
        self._idle = threading.Event()

    def run(self) -> None:
        """Store what was heard, hand out what may go, wait for calls to end."""
        away = False
        while not (self._stopping and not self._under_way):
            try:
                if self._stopping:
                    self._recall()
                self._store_answers()
                wait_s = TICK_S if self._stopping else self._hand_out()
                away = False
            except StoreAway as error:
                if not away:
                    log.warning("store_away", during="effects", reason=error.message)
                away, wait_s = True, TICK_S
            self._hear(wait_s)
        self._idle.set()

    def wake(self) -> None:
        """There may be something to do."""
        self._done.put(None)

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopping = True
        self.wake()

    def finished(self, timeout_s: float) -> bool:
        """Whether everything that was under way has ended in time."""
        return self._idle.wait(max(0.0, timeout_s))

    # -- one round -------------------------------------------------------------------------------------------------------------

    def _store_answers(self) -> None:
        if not self._answers:
            return
        heard, away = self._answers, None
        try:
            calls, self._answers = self._hub.effects.absorb(heard, sending=not self._stopping), []
        except Partly as partly:
            calls, self._answers, away = partly.made, partly.left, partly
        stored = heard[: len(heard) - len(self._answers)]
        self._give(calls, [answer.call.item for answer in stored if self._waits_for(answer.call)], moved=True)
        if away is not None:
            raise away

    def _recall(self) -> None:
        """What no thread has begun when the hub stops was marked and not sent: said so, it is sent after the next start."""
        unsent = Reply(result=Result.NOT_SENT, code="stopped", message="the hub was stopped before anything was written")
        for pool in self._pools.values():
            for call in pool.recall():
                self._done.put((call, Answer(call, unsent, self._hub.clock.now()) if call.act is Act.SEND else None))

    def _hand_out(self) -> float:
        """Begin what may go now; after how many seconds to look again."""
        running = Counter(item.merchant for item in self._under_way.values())
        room = {merchant: self._room(merchant, running[merchant]) for merchant in self._pools}
        items = []
        for item in self._due([merchant for merchant, free in room.items() if free <= 0]):
            if item.merchant not in room:
                room[item.merchant] = self._room(item.merchant, 0)
            if room[item.merchant] > 0 and self._may(item):
                room[item.merchant] -= 1
                items.append(item)
        for item in items:
            self._let_go(item)
        away = None
        try:
            calls = self._hub.effects.begin(items)
        except Partly as partly:
            calls, items, away = partly.made, items[: len(items) - len(partly.left)], partly
        for item in items:
            self._begun(item)
        self._give(calls, items, moved=False)
        if away is not None:
            raise away
        if items:
            return 0.0
        wait_s = min([TICK_S, *(pause_s for merchant in room if (pause_s := self._pause(merchant)) > 0)])
        due = self._hub.effects.next_due()
        if due is not None and due > (now := self._hub.clock.now()):
            wait_s = min(wait_s, (due - now) / 1_000_000)
        return max(wait_s, 0.005)

    def _due(self, closed: Collection[str]) -> Iterator[Item]:
        """X-28: what is due of merchants that are not closed, in order. Behind those that fill a whole look others are looked for, so that
        each has its turn however much is due of its neighbours."""
        seen, limit = set(closed), _BATCH + len(self._under_way) + len(self._held)
        while True:
            found = self._hub.effects.due(limit, seen)
            yield from found
            if len(found) < limit:
                return
            seen |= {item.merchant for item in found}

    def _room(self, merchant: str, running: int) -> int:
        """X-28: how many items of a merchant may begin, while so many are under way."""
        return 0 if self._pause(merchant) > 0 else self._pool(merchant).size * _AHEAD - running

    def _pause(self, merchant: str) -> float:
        connector = self._hub.effects.connector(merchant)
        return connector.pace.ready_in() if isinstance(connector, Paced) else 0.0

    def _may(self, item: Item) -> bool:
        """Whether it may begin: no call is made for it now but one whose lease is over, and it has moved since it was last tried, or
        waited long enough."""
        call = self._calls.get(_name(item))
        until, last = self._held.get(_name(item), (0.0, None))
        return (call is None or call.until <= self._hub.clock.now()) and (last != item or time.monotonic() >= until)

    def _let_go(self, item: Item) -> None:
        """If a thread still has it, its lease is over: what it brings is stored for what it is, and nobody waits for it."""
        call = self._calls.pop(_name(item), None)
        if call is not None:
            log.warning("call_late", merchant=item.merchant, act=call.act, reference=item.reference)
            del self._under_way[_name(item)]
            busy.labels(item.merchant).dec()

    def _waits_for(self, call: Call) -> bool:
        return self._calls.get(_name(call.item)) is call

    def _give(self, calls: list[Call], items: list[Item], *, moved: bool) -> None:
        """Hand these calls to their pools; of `items`, those without a call have gone as far as they go now: unless they have
        `moved`, they are left alone for a while."""
        going = {_name(call.item): call for call in calls}
        for item in items:
            if _name(item) not in going:
                self._ended(item, moved=moved)
        self._calls.update(going)
        for call in calls:
            self._begun(call.item)
            self._pool(call.item.merchant).give(call)
        if len(going) < len(items):
            self._hub.wake.set()

    def _begun(self, item: Item) -> None:
        if _name(item) not in self._under_way:
            self._under_way[_name(item)] = item
            busy.labels(item.merchant).inc()

    def _ended(self, item: Item, *, moved: bool) -> None:
        name, now = _name(item), time.monotonic()
        begun = self._under_way.pop(name)
        self._calls.pop(name, None)
        busy.labels(item.merchant).dec()
        for other, (until, held) in list(self._held.items()):  # its payment has moved, or their time is over
            if until <= now or (held.merchant, held.reference) == (item.merchant, item.reference):
                del self._held[other]
        if not moved:
            self._held[name] = (now + HOLD_S, begun)

    def _hear(self, wait_s: float) -> None:
        """Wait for a call to end, and take all that have."""
        try:
            done = self._done.get(timeout=wait_s) if wait_s else self._done.get_nowait()
            while True:
                if done is not None:
                    call, answer = done
                    if answer is not None:
                        self._answers.append(answer)
                    elif self._waits_for(call):
                        self._ended(call.item, moved=False)
                done = self._done.get_nowait()
        except queue.Empty:
            return

    def _pool(self, merchant: str) -> Pool:
        if merchant not in self._pools:
            connector = self._hub.effects.connector(merchant)
            size = connector.concurrency if isinstance(connector, Paced) else _OTHERS
            self._pools[merchant] = Pool(merchant, size, self._hub, self._done)
        return self._pools[merchant]


def _name(item: Item) -> tuple[str, ...]:
    return (item.id,) if isinstance(item, Effect) else (item.merchant, item.reference)
