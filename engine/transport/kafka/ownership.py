"""What a transport of lanes and a worker promise each other, whatever the transport is made of.

A lane is one partition of the intake topic, a position the Kafka offset of its next record. The transport says which lanes are
ours and brings their records; the worker says from which position on, since the store alone knows. The fence is the store's epoch:
a transport that is wrong about who owns a lane costs time and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

import structlog
from aiokafka.errors import KafkaError

from schemas.errors import Retryable

T = TypeVar("T")

log = structlog.get_logger(__name__)


class LaneOwner(Protocol):
    """The worker, as a transport sees it. `assigned` and `revoked` are called from threads of the transport's, one at a time."""

    def assigned(self, lanes: frozenset[int], log_id: str) -> Mapping[int, int]:
        """Claims these lanes: raises their epochs in the store, publishes what their outbox still holds; the next offset by lane.

        `log_id` is the topic's own id; the worker keeps it beside the positions and raises HubError if they belong to another.
        A lane that it leaves out of its answer is not read. Blocks. Raises Retryable when the store or the broker is away:
        the transport asks again; anything else ends the transport.
        """

    def revoked(self, lanes: frozenset[int]) -> None:
        """These lanes are about to be somebody else's: returns when no transaction of theirs is under way. Blocks; the
        transport waits for a bounded time only. Lanes that were never claimed may be among them. Raises Retryable when the store is
        away: they are given up all the same."""

    def lost(self, lane: int, position: int, low: int, high: int) -> None:
        """The position lies outside the log, which holds [low, high): records are gone that were never decided, or the topic
        was made anew. The lane stands still until a person decides; the others go on. For an alarm: must not block."""


class LaneTransport(Protocol):
    """Brings records of the lanes that are ours into `Mailboxes`."""

    def start(self) -> None:
        """Begins, in threads of its own. What ends it later is told to the callback that it was made with."""

    def stop(self) -> None:
        """Gives the lanes up in good order (`LaneOwner.revoked`, then the others are told), then returns. May be called twice."""

    def committed(self, lane: int, next_offset: int) -> None:
        """The store has committed up to here. For Kafka's lag monitors and for `lag`; decides nothing. Never blocks."""

    def lanes(self) -> frozenset[int]:
        """Lanes that are claimed and read now."""

    def connected(self) -> bool:
        """Whether the broker answered lately."""

    def lag(self) -> Mapping[int, int]:
        """Records between what the store has committed and the end of the log, by lane; a few seconds old."""

    def unread(self) -> Mapping[int, int]:
        """Records of the log that are not in a mailbox yet, by lane; as old."""


CLAIM_AGAIN_S: Final = 1.0


class Claims:
    """An owner's blocking calls, made from a loop: one at a time, each to its end even if nobody waits for it any more."""

    def __init__(self, owner: LaneOwner, *, revoke_s: float) -> None:
        self._owner, self._revoke_s = owner, revoke_s
        self._one = asyncio.Lock()
        self._calls: set[asyncio.Task[Any]] = set()

    async def claim(
        self,
        lanes: frozenset[int],
        identify: Callable[[], Awaitable[str]],
        open_: Callable[[Mapping[int, int]], Awaitable[Any]],
        still: Callable[[], bool] = lambda: True,
    ) -> None:
        """Asks the owner until it answers, as long as the lanes `still` are ours, then opens them where it says.

        Raises what the owner raises, but for Retryable.
        """
        while still():
            try:
                await open_(await self._call(self._owner.assigned, lanes, await identify()))
                return
            except (Retryable, KafkaError) as away:
                log.warning("lanes cannot be claimed yet", lanes=len(lanes), error=str(away)[:200])
                await asyncio.sleep(CLAIM_AGAIN_S)

    async def give_up(self, lanes: frozenset[int]) -> None:
        """Waits, for a bounded time, until nothing of these lanes is under way. Later the fence decides. Raises what the owner raises,
        but for Retryable."""
        try:
            async with asyncio.timeout(self._revoke_s):
                await self._call(self._owner.revoked, lanes)
        except TimeoutError:
            log.warning("lanes given up while a transaction is under way", lanes=len(lanes), waited_s=self._revoke_s)
        except Retryable as away:  # they are not ours any more; whoever claims them takes this for the end of a process
            log.warning("lanes given up while the store is away", lanes=len(lanes), error=away.message[:200])

    async def _call(self, what: Callable[..., T], *arguments: Any) -> T:
        async def to_its_end() -> T:
            async with self._one:
                return await asyncio.to_thread(what, *arguments)

        call = asyncio.create_task(to_its_end())
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await asyncio.shield(call)
