"""What every payment connector keeps, against a provider that plays a named part over a real socket.

A provider's tests subclass `PaymentConnectorContract` and say how each part is played.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

import pytest

from connectors.psp.contract import Can, Deadline, PaymentConnector
from schemas.effect import EffectKind, EffectOrder, RecordKind, Reply, Result

DEADLINE_S = 1.0
MARGIN_S = 0.5  # for a slow machine; a stretched call would take far longer


class Part(StrEnum):
    """What the provider does with the refund that it is asked for."""

    ACCEPTS = "accepts at once"
    PENDING = "answers that it is pending"
    UNCERTAIN = "answers that it does not know"
    REFUSES = "refuses"
    ACTS_SILENT = "acts and stays silent"
    SILENT = "stays silent and does not act"
    SLOW = "acts and answers after the deadline"
    DRIPS = "acts and drips its answer"
    BROKEN = "acts and answers what is no answer"
    CUT = "acts and breaks off in the middle of its answer"
    RESET = "acts and closes the connection"
    EMPTY = "acts and answers nothing with a 200"
    ERROR = "acts and answers HTTP 500"
    QUERY_FAILS = "accepts, and fails when it is queried"
    QUERY_FAILS_LATER = "accepts, and fails in the middle of a query"


ACTS_UNSEEN = [Part.ACTS_SILENT, Part.SLOW, Part.DRIPS, Part.BROKEN, Part.CUT, Part.RESET, Part.EMPTY, Part.ERROR]


class PaymentConnectorContract(ABC):
    """Subclass as `Test...`; amounts are minor units of a payment of 200.00 EUR that was captured."""

    secrets: tuple[str, ...]

    @abstractmethod
    def connector(self, part: Part) -> PaymentConnector:
        """Under test, facing a provider that plays `part` with every refund."""

    @abstractmethod
    def unreachable(self) -> PaymentConnector:
        """Under test, its provider's port closed."""

    @abstractmethod
    def reference(self) -> str:
        """The provider's id of the captured payment."""

    @abstractmethod
    def requests_seen(self) -> int:
        """How many refunds the provider was asked for."""

    def refund(self, connector: PaymentConnector, minor: int = 2000, effect: str = "e1") -> Reply:
        order = EffectOrder(
            effect=effect,
            key=effect,
            kind=EffectKind.REFUND,
            provider=connector.name,
            merchant=connector.merchant,
            reference=self.reference(),
            order="B1001-1",
            minor=minor,
            currency="EUR",
        )
        return connector.send(order, Deadline.within(DEADLINE_S))

    def refunds(self, connector: PaymentConnector) -> list[int | None]:
        """Amounts of the refunds in the provider's history; requires that it could be read."""
        reply = connector.query(self.reference(), "B1001-1", Deadline.within(10))
        assert reply.result is Result.CONFIRMED
        return [record.minor for record in reply.records if record.kind is RecordKind.REFUND]

    def test_yes(self) -> None:
        """An explicit yes is CONFIRMED, with the record that the history then shows."""
        connector = self.connector(Part.ACCEPTS)
        reply = self.refund(connector)

        assert reply.result is Result.CONFIRMED
        if Can.QUERY in connector.can:
            history = connector.query(self.reference(), "", Deadline.within(10)).records
            assert reply.record in history
            assert [r.kind for r in history] == [RecordKind.CAPTURE, RecordKind.REFUND]
            assert [r.minor for r in history] == [20000, 2000]

    @pytest.mark.parametrize(
        ("part", "result"),
        [(Part.PENDING, Result.ACCEPTED), (Part.UNCERTAIN, Result.UNKNOWN), (Part.REFUSES, Result.REFUSED)],
    )
    def test_explicit_answers(self, part: Part, result: Result) -> None:
        """Pending is not done, uncertain is not refused, refused is."""
        reply = self.refund(self.connector(part))

        assert reply.result is result
        assert reply.code

    @pytest.mark.parametrize("part", ACTS_UNSEEN)
    def test_silence_is_unknown(self, part: Part) -> None:
        """Whatever is not an answer is UNKNOWN, in time; the history shows that it was done, once."""
        connector = self.connector(part)
        started = time.monotonic()
        reply = self.refund(connector)

        assert time.monotonic() - started < DEADLINE_S + MARGIN_S
        assert reply.result is Result.UNKNOWN
        assert self.requests_seen() == 1
        if Can.QUERY in connector.can:
            assert self.refunds(connector) == [2000]

    def test_silence_without_acting(self) -> None:
        """It looks the same to whoever asked; only the history tells."""
        connector = self.connector(Part.SILENT)

        assert self.refund(connector).result is Result.UNKNOWN
        if Can.QUERY in connector.can:
            assert self.refunds(connector) == []

    def test_closed_port_is_not_sent(self) -> None:
        """Nothing was written: it may be sent again."""
        assert self.refund(self.unreachable()).result is Result.NOT_SENT

    def test_no_time_is_not_sent(self) -> None:
        """A deadline that has passed sends nothing."""
        connector = self.connector(Part.ACCEPTS)
        order = EffectOrder(
            effect="e",
            key="e",
            kind=EffectKind.REFUND,
            provider=connector.name,
            merchant=connector.merchant,
            reference=self.reference(),
            order="o",
            minor=1,
            currency="EUR",
        )

        assert connector.send(order, Deadline.within(0)).result is Result.NOT_SENT
        assert self.requests_seen() == 0

    @pytest.mark.parametrize("part", [Part.QUERY_FAILS, Part.QUERY_FAILS_LATER])
    def test_a_query_that_fails_shows_nothing(self, part: Part) -> None:
        """Half a history would be taken for a short one."""
        connector = self.connector(part)
        if Can.QUERY not in connector.can:
            pytest.fail("a provider that cannot be queried needs another contract")
        self.refund(connector)
        reply = connector.query(self.reference(), "", Deadline.within(DEADLINE_S))

        assert (reply.result, reply.records) == (Result.UNKNOWN, ())

    def test_unreachable_query(self) -> None:
        """A query that was not sent knows nothing."""
        reply = self.unreachable().query(self.reference(), "", Deadline.within(DEADLINE_S))

        assert (reply.result, reply.records) == (Result.UNKNOWN, ())

    def test_equal_refunds_are_two(self) -> None:
        """Each is an operation of its own, oldest first, with its own amount."""
        connector = self.connector(Part.ACCEPTS)
        for effect, minor in (("a", 2000), ("b", 2000), ("c", 500)):
            assert self.refund(connector, minor, effect).result is Result.CONFIRMED

        assert self.refunds(connector) == [2000, 2000, 500]

    def test_threads(self) -> None:
        """One connector serves several threads."""
        connector = self.connector(Part.ACCEPTS)
        with ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(lambda n: self.refund(connector, 100 + n, f"e{n}"), range(6)))

        assert {reply.result for reply in replies} == {Result.CONFIRMED}
        assert sorted(reply.record.minor or 0 for reply in replies if reply.record) == list(range(100, 106))

    @pytest.mark.parametrize("part", [Part.ACCEPTS, Part.REFUSES, Part.BROKEN])
    def test_evidence_keeps_no_secret(self, part: Part) -> None:
        """Request and answer are kept, passwords and passphrases are not."""
        connector = self.connector(part)
        replies = [self.refund(connector), connector.query(self.reference(), "", Deadline.within(10))]

        for reply in replies:
            assert self.reference() in reply.request
            assert reply.answer
            for secret in self.secrets:
                assert secret not in repr(reply)
