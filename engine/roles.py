"""What a process of several does: any number of each, on one database, with Kafka as the log or without.

The store decides who may do what; roles only say who tries. A process that finds itself overtaken ends and is started again.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Gauge

from config.settings import Configuration
from engine.clock import Clock, SystemClock
from engine.connectors import connectors_of
from engine.hub import SLACK_US, Hub, Shared
from engine.post import post_of
from engine.relay import wanted
from engine.role import EVERY, Role
from engine.same_log import hold_to_cluster, hold_to_log
from engine.store.contract import LaneStore, StoreAway
from engine.store.opening import is_database
from engine.store.postgresql.database import Database
from engine.store.postgresql.lanes import PostgresLanes
from engine.store.postgresql.leases import Leases
from engine.store.rows import OutboxRow
from engine.transport.contract import Arrival
from engine.transport.kafka.access import access_of
from engine.transport.kafka.faust_transport import FaustTransport
from engine.transport.kafka.logged import KafkaLanes
from engine.transport.kafka.mailbox import LogRecord, Mailboxes
from engine.transport.kafka.producer import KafkaProducer
from engine.transport.kafka.records import Strange
from engine.transport.kafka.topology import cluster_id, problems, topic_ids
from schemas.errors import HubError
from schemas.registry import family
from topics.catalogue import INTAKE, TOPICS

if TYPE_CHECKING:
    from engine.spans import Tracer

TEND_S: Final = 1.0
LANE_LEASE_S: Final = 6.0

log = structlog.get_logger(__name__)
lanes_owned = Gauge("foliohub_lanes_owned", "Lanes that this process decides")
lanes_lost = Gauge("foliohub_lanes_lost", "Lanes that stand still, since the log does not hold their position any more")


class Member:
    """One process of several: its hub, and what it shares with the others. `roles`: what it does.

    Raises HubError for settings that do not fit, StoreAway, or Retryable when the brokers do not answer.
    """

    def __init__(
        self,
        configuration: Configuration,
        roles: frozenset[Role] = EVERY,
        *,
        clock: Clock | None = None,
        master: bytes | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        if not is_database(configuration.hub.store):
            raise HubError(
                "several processes need a PostgreSQL store: set [hub] store to postgresql://user@host/name, or leave out --role",
                code="not_shared", field="store", value=configuration.hub.store,
            )  # fmt: skip
        self.configuration, self.roles = configuration, roles
        self.name = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(3).hex()}"
        self.clock = clock or SystemClock()
        kafka = configuration.kafka
        self.producer: KafkaProducer | None = None
        self.mailboxes = Mailboxes()
        self.transport: FaustTransport | None = None
        self.dealing: FaustTransport | LeasedLanes | None = None
        if kafka.bootstrap:
            self._access = access_of(configuration)
            faults = problems(kafka.bootstrap, TOPICS, single_node=kafka.single_node, access=self._access)
            if faults:
                raise faults[0]
            self.producer = KafkaProducer(kafka.bootstrap, linger_ms=kafka.linger_ms, access=self._access)
        try:
            self.hub = Hub(
                configuration,
                configuration.hub.store,
                connectors_of(configuration) if Role.EFFECTS in roles else {},
                clock=self.clock,
                chunk=configuration.hub.chunk,
                master=master,
                shared=Shared(self._log, (), self._horizon),
                tracer=tracer,
                post=post_of(configuration) if Role.EFFECTS in roles else None,
            )
        except BaseException:
            if self.producer is not None:
                self.producer.close()
            raise
        assert isinstance(self.hub.database, Database)
        try:
            self._hold_to_log(self.hub.database)
        except BaseException:
            self.close()
            raise
        self.leases, self.lane_leases = Leases(self.hub.database), Leases(self.hub.database, for_s=LANE_LEASE_S)
        self.owner = OwnedLanes(self.hub)
        self._caught_up = 0

    def _hold_to_log(self, database: Database) -> None:
        """Whatever a process does: a gateway that appends elsewhere is never heard."""
        bootstrap = self.configuration.kafka.bootstrap
        if not bootstrap:
            hold_to_log(database, "")
            return
        hold_to_cluster(database, cluster_id(bootstrap, access=self._access), bootstrap)
        hold_to_log(database, topic_ids(bootstrap, [INTAKE.name], access=self._access)[INTAKE.name])

    def close(self) -> None:
        """Stop in good order."""
        self.hub.close()
        if self.producer is not None:
            self.producer.close()

    def own(self, crashed: Callable[[BaseException], None]) -> FaustTransport | LeasedLanes:
        """What deals lanes out to this process, not yet started; `crashed` is told what ends it."""
        kafka = self.configuration.kafka
        if not kafka.bootstrap:
            self.dealing = LeasedLanes(self.hub, self.owner, self.lane_leases, self.name, crashed)
            return self.dealing
        self.dealing = self.transport = FaustTransport(
            kafka.bootstrap, INTAKE.name, self.mailboxes, self.owner, group=kafka.group, session_s=kafka.session_s,
            access=self._access, crashed=crashed,
        )  # fmt: skip
        self.hub.watch.count = self.transport.count
        return self.transport

    def settled(self) -> bool:
        """Whether it has lanes, or all are others'; False until they are dealt out. Raises StoreAway."""
        return self.dealing is not None and self.dealing.settled()

    def _log(self, store: LaneStore) -> LaneStore:
        if self.producer is None:
            return store
        assert isinstance(store, PostgresLanes)
        return KafkaLanes(
            store, self.producer, self.mailboxes, lambda: self.hub.settled.tenants, self._keep, _asked(self.configuration)
        )

    def _keep(self, record: LogRecord, strange: Strange) -> None:
        """A record that is no message of ours: whoever wrote it past the doors is told where it is."""
        place = f"{record.partition}/{record.offset}"
        wrong = HubError(strange.reason, code="strange_record", field="record", value=place)
        arrival = Arrival(door=f"kafka:{INTAKE.name}/{place}", body=strange.body, attributes=strange.attributes)
        self.hub.intake.keep(arrival, strange.attributes.get("ce_tenant", ""), wrong, record.timestamp * 1000)

    def _horizon(self, now: int) -> int:
        """With Kafka, what is in the log and not in a mailbox yet may be earlier: time stands still until it is there."""
        if self.transport is None or (self.transport.connected() and not any(self.transport.unread().values())):
            self._caught_up = now - SLACK_US
        return self._caught_up


class OwnedLanes:
    """The worker's side of who owns which lanes (`engine.transport.kafka.ownership.LaneOwner`)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.lost_at: dict[int, str] = {}

    def assigned(self, lanes: frozenset[int], log_id: str) -> Mapping[int, int]:
        """Claims them. Raises HubError `log_changed` for a topic that was made anew, StoreAway."""
        assert isinstance(self._hub.database, Database)
        hold_to_log(self._hub.database, log_id)
        positions = self._hub.lanes.assign(lanes)
        lanes_owned.set(len(self._hub.lanes.claim.epochs))
        log.info("lanes_assigned", lanes=len(lanes), all=len(self._hub.lanes.claim.epochs))
        self._hub.wake.set()
        return positions

    def revoked(self, lanes: frozenset[int]) -> None:
        """Gives them up when nothing of theirs is under way."""
        self._hub.lanes.revoke(lanes)
        lanes_owned.set(len(self._hub.lanes.claim.epochs))
        log.info("lanes_revoked", lanes=len(lanes), left=len(self._hub.lanes.claim.epochs))

    def lost(self, lane: int, position: int, low: int, high: int) -> None:
        """The lane stands still: what it would jump over was never decided."""
        self.lost_at[lane] = f"position {position} is outside the log, which holds {low} to {high}"
        lanes_lost.set(len(self.lost_at))
        log.critical("lane_lost", lane=lane, position=position, low=low, high=high, meaning="messages are gone that nobody decided")


class LeasedLanes:
    """Deals lanes out by leases of the store, where no broker does: each member takes its share, and gives up what is more."""

    def __init__(
        self,
        hub: Hub,
        owner: OwnedLanes,
        leases: Leases,
        member: str,
        crashed: Callable[[BaseException], None],
        every_s: float = TEND_S,
    ) -> None:
        self._hub, self._owner, self._leases, self._member = hub, owner, leases, member
        self._crashed, self._every_s = crashed, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lane-leases", daemon=True)

    def start(self) -> None:
        """Begins to tend; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Gives everything up, so that others have it at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def lanes(self) -> frozenset[int]:
        """Those that are ours now."""
        return frozenset(self._hub.lanes.claim.epochs)

    def settled(self) -> bool:
        """Whether we have lanes, or all are others'. Raises StoreAway."""
        return bool(self.lanes()) or not self._leases.free()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._tend()
                except StoreAway as away:
                    log.warning("store_away", during="lane leases", reason=away.message)
                self._stopping.wait(self._every_s)
            self._owner.revoked(self.lanes())
            self._leases.leave(self._member)
        except StoreAway as away:
            log.warning("store_away", during="leaving", reason=away.message)
        except Exception as failure:
            self._crashed(failure)

    def _tend(self) -> None:
        held, surplus = self._leases.tend(self._member)
        ours = self.lanes()
        gone = frozenset(ours - held) | (ours & surplus)
        if gone:
            self._owner.revoked(gone)
        if surplus:
            self._leases.release(self._member, surplus)
        fresh = held - surplus - ours
        if fresh:
            self._owner.assigned(fresh, "")


def _asked(configuration: Configuration) -> Callable[[OutboxRow], bool]:
    """Whether a source wants an outcome by AMQP."""
    sources = wanted(configuration) if configuration.amqp.url else {}
    return lambda row: family(row.name) in sources.get(row.tenant, frozenset())
