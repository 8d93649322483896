"""Transports of lanes keep the contract."""

from __future__ import annotations

from engine.transport.kafka.assigning import AssigningTransport
from engine.transport.kafka.faust_transport import FaustTransport
from engine.transport.kafka.mailbox import Mailboxes
from engine.transport.kafka.ownership import LaneTransport
from tests.contracts.lane_transport import LaneTransportContract
from tests.services.lane_leases import SqliteLeases
from tests.services.lane_workers import LANES, Member


class TestFaust(LaneTransportContract):
    """A consumer group, carried by Faust."""

    def make(self, mailboxes: Mailboxes, owner: Member) -> LaneTransport:
        return FaustTransport(
            self.bootstrap, self.topic, mailboxes, owner, group=self.topic, session_s=6, crashed=owner.crashes.append
        )


class TestAssigning(LaneTransportContract):
    """Leases of the store."""

    def make(self, mailboxes: Mailboxes, owner: Member) -> LaneTransport:
        leases = SqliteLeases(self.folder / "leases.sqlite", LANES)
        return AssigningTransport(
            self.bootstrap, self.topic, mailboxes, owner, leases, member=owner.name, every_s=0.3, crashed=owner.crashes.append
        )
