"""What happens on a simulated payment, asked for or by itself: operations, later statuses, and the callbacks they cause.

Whoever calls holds the provider's lock and an open transaction of the books.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from connectors.psp.ogone import codes
from connectors.psp.ogone.simulator import answers, rules
from connectors.psp.ogone.simulator.accounts import SANDBOX, SimulatorAccount
from connectors.psp.ogone.simulator.books import Books, Operation, Payment
from connectors.psp.ogone.simulator.script import BackOffice, Callbacks, Script, Settle
from schemas.errors import Rejected
from schemas.money import exponent

STATUSES: Mapping[str, str] = {"RES": "5", "SAL": "9", "SAS": "9", "RFD": "8", "RFS": "8", "DEL": "6", "DES": "6", "REN": "5"}


class Work(msgspec.Struct, frozen=True, kw_only=True, tag_field="does", tag="operate", omit_defaults=True):
    """An operation to come."""

    operation: str
    minor: int
    status: str
    source: str
    then: tuple[Settle, ...] = ()
    callbacks: Callbacks = Callbacks()


class Turn(msgspec.Struct, frozen=True, kw_only=True, tag_field="does", tag="settle", omit_defaults=True):
    """A status to come."""

    level: int
    status: str
    callbacks: Callbacks = Callbacks()


class Works:
    """Changes the books, and says so to the merchant."""

    def __init__(self, books: Books, script: Script, accounts: Sequence[SimulatorAccount]) -> None:
        self.books = books
        self.script = script
        known = (*accounts, *script.accounts) or (SANDBOX,)
        self.accounts = {account.pspid: account for account in known}

    def create(
        self,
        order: str,
        minor: int,
        currency: str,
        now: datetime,
        *,
        operation: Literal["RES", "SAL"] = "SAL",
        pspid: str = "",
        status: str = "",
        callback: bool = True,
        payid: str = "",
    ) -> str:
        """A payment as a guest would have made it; its PAYID, the next one unless it is given. Raises Rejected for an order or
        PAYID that exists or a bad amount."""
        exponent(currency)
        if minor <= 0:
            raise Rejected("the amount is not above zero", field="minor", value=minor)
        account = self._account(pspid)
        if self.books.payment(account.pspid, order_id=order):
            raise Rejected(f"order {order} exists", code="50001113", field="order", value=order)
        if payid and self.books.payment("", payid=payid):
            raise Rejected(f"payment {payid} exists", code="50001113", field="payid", value=payid)
        payment = self.books.add_payment(account.pspid, order, currency, ms(now), payid)
        callbacks = msgspec.structs.replace(self.script.callbacks, send=callback and self.script.callbacks.send)
        work = Work(
            operation=operation,
            minor=minor,
            status=status or self.status(operation),
            source="merchant",
            callbacks=callbacks,
        )
        self.operate(payment, work, ms(now))
        return payment.payid

    def back_office(self, payid: str, operation: str, minor: int, now: datetime, *, status: str = "") -> int:
        """Somebody clicks in the provider's back office; the new level. Raises Rejected with the provider's code."""
        payment = self._known(payid)
        refusal = rules.refusal(self.books.operations(payid), operation, minor, ms(now))
        if refusal:
            raise Rejected(f"{operation} of {minor} on {payid}", code=refusal, field="operation", value=operation)
        work = Work(
            operation=operation,
            minor=minor,
            status=status or self.status(operation),
            source="back_office",
            callbacks=self.script.callbacks,
        )
        return self.operate(payment, work, ms(now))

    def settle(self, payid: str, level: int, status: str, now: datetime) -> None:
        """A status changes, as an acquirer would have it. Raises Rejected for a level that is not there."""
        payment = self._known(payid)
        self.turn(payment, Turn(level=level, status=status, callbacks=self.script.callbacks), ms(now))

    def elsewhere(self, payment: Payment, other: BackOffice, minor: int, callbacks: Callbacks, now_ms: int) -> None:
        """Somebody else's operation is planned."""
        work = Work(
            operation=other.operation,
            minor=other.amount or minor,
            status=self.status(other.operation),
            source="back_office",
            callbacks=callbacks,
        )
        self.books.plan(payment.payid, msgspec.json.encode(work), due_ms=now_ms + round(other.after_s * 1000))

    def happen(self, payid: str, data: bytes, at_ms: int) -> None:
        """Something planned: an operation that no longer fits is dropped, as an acquirer would drop it."""
        payment = self._known(payid)
        work = msgspec.json.decode(data, type=Work | Turn)
        if isinstance(work, Turn):
            self.turn(payment, work, at_ms)
        elif not rules.refusal(self.books.operations(payid), work.operation, work.minor, at_ms):
            self.operate(payment, work, at_ms)

    def operate(self, payment: Payment, work: Work, at_ms: int) -> int:
        """An operation enters the books, with what will become of it and what is told of it."""
        _check_status(work.status)
        level = self.books.add_operation(payment.payid, work.operation, work.minor, work.status, work.source, at_ms)
        for settle in work.then:
            turn = Turn(level=level, status=settle.status, callbacks=work.callbacks)
            self.books.plan(payment.payid, msgspec.json.encode(turn), due_ms=at_ms + round(settle.after_s * 1000))
        self.tell(payment, level, work.callbacks, at_ms)
        return level

    def turn(self, payment: Payment, turn: Turn, at_ms: int) -> None:
        """An operation's status changes."""
        _check_status(turn.status)
        if not self.books.set_status(payment.payid, turn.level, turn.status):
            raise Rejected(f"payment {payment.payid} has no level {turn.level}", field="level", value=turn.level)
        self.tell(payment, turn.level, turn.callbacks, at_ms)

    def tell(self, payment: Payment, level: int, how: Callbacks, at_ms: int) -> None:
        """The callbacks about an operation are made ready; with `reverse` before those that wait."""
        account = self.accounts.get(payment.pspid)
        if not how.send or account is None or not account.callback_url:
            return
        operation = self._level(payment.payid, level)
        due_ms = at_ms + round(how.delay_s * 1000)
        if how.reverse:
            first_ms = self.books.first_waiting_ms(payment.payid)
            due_ms = due_ms if first_ms is None else min(due_ms, first_ms - 1)
        body = answers.callback_form(account, payment, operation, at_ms)
        for _ in range(how.repeat):
            self.books.add_callback(
                payment.payid,
                level,
                operation.status,
                account.callback_method,
                account.callback_url,
                body,
                due_ms=due_ms,
                tries=how.tries,
                retry_ms=round(how.retry_s * 1000),
            )

    def _level(self, payid: str, level: int) -> Operation:
        return next(o for o in self.books.operations(payid) if o.level == level)

    def _known(self, payid: str) -> Payment:
        payment = self.books.payment("", payid=payid)
        if payment is None:
            raise Rejected(f"no payment {payid}", code="50001130", field="payid", value=payid)
        return payment

    def _account(self, pspid: str) -> SimulatorAccount:
        if not pspid:
            return next(iter(self.accounts.values()))
        if pspid not in self.accounts:
            raise Rejected(f"no account {pspid}", code="50001118", field="pspid", value=pspid)
        return self.accounts[pspid]

    def status(self, operation: str) -> str:
        """The status that an operation gets where no rule says another."""
        return self.script.statuses.get(operation) or STATUSES[operation]  # type: ignore[call-overload]  # one of the operations


def _check_status(status: str) -> None:
    if status not in codes.STATUS:
        raise Rejected(f"status {status} is not one of the provider's", field="status", value=status)


def ms(now: datetime) -> int:
    """Milliseconds since 1970 of an aware instant."""
    if now.tzinfo is None:
        raise Rejected("the time has no zone", field="now", value=now)
    return round(now.timestamp() * 1000)
