"""A payment provider that accepts everything at once and keeps what it did, in memory: for trying things out, never for money.

What was taken before it is unknown to it: its history of a payment begins with the first request of ours.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

from connectors.psp.contract import Can, Deadline, PaymentConnector
from schemas.effect import EffectKind, EffectOrder, ProviderRecord, RecordKind, Reply, Result

_SAID: Mapping[EffectKind, tuple[RecordKind, str]] = {
    EffectKind.REFUND: (RecordKind.REFUND, "refunded"),
    EffectKind.CAPTURE: (RecordKind.CAPTURE, "captured"),
    EffectKind.VOID: (RecordKind.VOID, "voided"),
}


class AcceptingConnector:
    """One merchant's account. Thread-safe; levels count from 1 per payment, in the order of the requests."""

    name = "accepting"
    can = Can.REFUND | Can.PARTIAL_REFUND | Can.CAPTURE | Can.VOID | Can.QUERY

    def __init__(self, merchant: str) -> None:
        self.merchant = merchant
        self._history: dict[str, list[ProviderRecord]] = {}
        self._lock = threading.Lock()

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        """CONFIRMED, if it comes in time, with a record that every later query shows."""
        if deadline.left_s() <= 0:
            return Reply(result=Result.NOT_SENT, code="deadline")
        kind, status = _SAID[order.kind]
        payment = order.reference or order.order
        with self._lock:
            history = self._history.setdefault(payment, [])
            record = ProviderRecord(
                reference=payment,
                level=str(len(history) + 1),
                kind=kind,
                result=Result.CONFIRMED,
                status=status,
                currency=order.currency,
                minor=order.minor,
            )
            history.append(record)
        return Reply(result=Result.CONFIRMED, record=record)

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply:  # noqa: ARG002  # the contract's; nothing here takes time
        """CONFIRMED with everything that was asked of this payment, oldest first."""
        with self._lock:
            return Reply(result=Result.CONFIRMED, records=tuple(self._history.get(reference or order, ())))


class AcceptingProviders(Mapping[str, PaymentConnector]):
    """An accepting account for whatever merchant is named."""

    def __init__(self) -> None:
        self._accounts: dict[str, PaymentConnector] = {}

    def __getitem__(self, merchant: str) -> PaymentConnector:
        return self._accounts.setdefault(merchant, AcceptingConnector(merchant))

    def __contains__(self, merchant: object) -> bool:
        return isinstance(merchant, str)

    def __iter__(self) -> Iterator[str]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)
