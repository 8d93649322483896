"""Lanes by a consumer group of Faust's, in a thread of its own.

Faust says which lanes are ours; the store says from where; the worker reads mailboxes. Nothing that happens in here is an
acknowledgement of anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import faust
import structlog
from aiokafka.errors import InconsistentGroupProtocolError

from engine.lid import calm
from engine.transport.kafka.access import OPEN, Access
from engine.transport.kafka.faust_parts import LaneFaustTransport, Lanes
from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.ownership import Claims, LaneOwner
from engine.transport.kafka.rates import Kind, Rates
from engine.transport.kafka.reading import METADATA_MS, LaneReader
from schemas.errors import HubError

log = structlog.get_logger(__name__)

SESSION_S: Final = 10.0  # a worker that is dead for so long loses its lanes
HEARTBEAT_S: Final = 0.5  # how soon a member hears that lanes are dealt out anew
REVOKE_S: Final = 4.0
STOP_S: Final = 15.0
FOREVER_S: Final = 7 * 24 * 3600.0


class FaustTransport:
    """A `LaneTransport`. `group`: members of one name share the lanes. `crashed` is told, once, what ends it before `stop` does:
    the process is to exit then and be started again. It is called by the thread that `stop` waits for."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        mailboxes: Mailboxes,
        owner: LaneOwner,
        *,
        group: str = "foliohub-workers",
        session_s: float = SESSION_S,
        access: Access = OPEN,
        crashed: Callable[[BaseException], None],
    ) -> None:
        if not 6 <= session_s <= 30:
            raise HubError(f"session time-out is {session_s} s, it must be 6 to 30", field="session_s", value=session_s)
        self._bootstrap, self._topic, self._group, self._session_s = bootstrap, topic, group, session_s
        self._mailboxes, self._owner, self._told, self._access = mailboxes, owner, crashed, access
        self._reader = LaneReader(topic, mailboxes, owner.lost)
        self._thread = threading.Thread(target=self._serve, name="kafka-faust", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._ending: asyncio.Event
        self._failed: BaseException | None = None
        self._rates: Rates | None = None
        self._lanes: Lanes | None = None
        self.committed = self._reader.committed
        self.lanes = self._reader.lanes
        self.connected = self._reader.connected
        self.lag = self._reader.lag
        self.unread = self._reader.unread

    def start(self) -> None:
        """See `LaneTransport`."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """See `LaneTransport`."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join()

    def settled(self) -> bool:
        """Whether lanes are dealt out, and those that are ours are claimed; ours may be none, when others have all of them."""
        return self._lanes is not None and self._lanes.settled

    def count(self, counted: Mapping[Kind, int]) -> None:
        """So many of each kind have been decided now, for `rates`. Never blocks; from any thread."""
        if self._rates is not None:
            self._rates.count(counted)

    def rates(self) -> Mapping[Kind, int]:
        """How many of each kind this process decided in the last whole minute; may have lost some."""
        return self._rates.last() if self._rates is not None else {}

    def _serve(self) -> None:
        try:
            with tempfile.TemporaryDirectory(
                prefix="foliohub-faust-"
            ) as folder:  # Faust wants one, for tables on disk that we have not
                asyncio.run(self._run(folder))
        except Exception as error:
            self._failed = self._failed or error
        if isinstance(self._failed, InconsistentGroupProtocolError):
            self._failed = HubError(
                f"[kafka] group = {self._group}: somebody who is no worker of ours is in this consumer group: stop whoever it is, or take"
                " another name",
                code="group_taken", field="group", value=self._group,
            )  # fmt: skip
        if self._failed is not None:
            log.error("lane transport ended", error=repr(self._failed)[:300])
            self._told(self._failed)

    async def _run(self, folder: str) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        claims = Claims(self._owner, revoke_s=REVOKE_S)
        self._lanes = lanes = Lanes(self._topic, self._reader, claims, self._crashed)
        self._ready.set()
        app = self._app(folder, lanes)
        self._rates = rates = Rates(app)
        await rates.start()
        calm("aiokafka", "faust", "mode")
        try:
            await self._alive(app)
        finally:
            await rates.stop()
            lanes.dealt += 1
            self._reader.close(lanes.asked)
            for claiming in lanes.claiming:
                claiming.cancel()
            try:
                await claims.give_up(lanes.asked)
            finally:  # whatever becomes of the lanes: a consumer that is left behind keeps the process from ending
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_S):
                        await app.stop()

    async def _alive(self, app: Any) -> None:
        """Until `stop` or the end of it. What ended it is in `_failed`."""
        starting = asyncio.create_task(app.start())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait((starting, ending), return_when="FIRST_COMPLETED")
        if starting.done():
            starting.result()
            await app.wait(ending)
        else:
            starting.cancel()
        if not self._ending.is_set():
            self._failed = app.crash_reason or RuntimeError("Faust ended by itself")
        ending.cancel()

    def _crashed(self, error: BaseException) -> None:
        """From any thread."""
        self._failed = self._failed or error
        self._loop.call_soon_threadsafe(self._ending.set)

    def _app(self, folder: str, lanes: Lanes) -> Any:
        request_s = max(20.0, self._session_s + 5)
        app = faust.App(
            self._group,
            broker=f"kafka://{self._bootstrap.replace(',', ';kafka://')}",
            broker_credentials=self._access.faust(),
            datadir=folder,
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            table_standby_replicas=0,
            stream_wait_empty=False,
            broker_commit_interval=1.0,
            broker_session_timeout=self._session_s,
            broker_heartbeat_interval=HEARTBEAT_S,
            broker_rebalance_timeout=max(self._session_s, REVOKE_S + 3),
            broker_request_timeout=request_s,
            broker_max_poll_interval=FOREVER_S,  # all lanes may be full for as long as the store is away
            consumer_metadata_max_age_ms=METADATA_MS,
            consumer_auto_offset_reset="earliest",  # seen as a gap, and then as what it is
        )
        transport = LaneFaustTransport(app.conf.broker, app)
        transport.lanes = lanes
        app.transport = transport
        topic = app.topic(self._topic, key_serializer="raw", key_type=bytes, value_serializer="raw", value_type=bytes)

        async def wake(stream: Any) -> None:
            async for event in stream.events():
                lanes.token_back(event.message.partition)
                self._mailboxes.wake()

        app.agent(topic, name="lanes")(wake)
        return app
