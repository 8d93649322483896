"""The simulated provider itself: requests in, books changed, answers out. No socket, no clock: time is an argument.

What it refuses by itself follows the provider's published error codes; everything else is the script's.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from connectors.psp.ogone import codec, evidence, form, signature
from connectors.psp.ogone.simulator import answers, rules
from connectors.psp.ogone.simulator.accounts import SimulatorAccount
from connectors.psp.ogone.simulator.answers import Played
from connectors.psp.ogone.simulator.books import Books, Callback, Payment
from connectors.psp.ogone.simulator.script import Act, Answering, Endpoint, Rule, Script
from connectors.psp.ogone.simulator.works import STATUSES, Work, Works, ms
from schemas.errors import HubError, Undecodable

_PAGES = {
    "orderdirect": Endpoint.ORDER,
    "maintenancedirect": Endpoint.MAINTENANCE,
    "querydirect": Endpoint.QUERY,
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was read and whose sender is known. `operation` is empty for a query."""

    endpoint: Endpoint
    account: SimulatorAccount
    order_id: str
    payid: str
    operation: str
    minor: int | None
    currency: str
    level: str


class Provider:
    """One provider with its books and its script. Thread-safe; every answer is given after its books are on the disk."""

    def __init__(self, books: Books, script: Script | None = None, accounts: Sequence[SimulatorAccount] = ()) -> None:
        self.books = books
        self.script = script or Script()
        self.works = Works(books, self.script, accounts)
        self._keys = [f"{n}:{hashlib.sha256(msgspec.json.encode(rule)).hexdigest()}" for n, rule in enumerate(self.script.rules)]
        self._lock = threading.RLock()

    def handle(self, page: str, data: bytes, now: datetime) -> Played:
        """One request: `page` as in the address (`maintenancedirect`, with or without `_utf8`), `data` the form's bytes."""
        endpoint = _PAGES.get(page.removesuffix("_utf8"))
        if endpoint is None:
            return Played(body=b"<html>404</html>", http_status=404, content_type="text/html")
        now_ms = ms(now)
        with self._lock:
            self.advance(now)
            with self.books.transaction():
                return self._handle(endpoint, data, now_ms)

    def advance(self, now: datetime) -> None:
        """Everything that happens by itself until now, each thing at its own time."""
        with self._lock:
            while planned := self.books.next_planned(ms(now)):
                with self.books.transaction():
                    self.books.unplan(planned.id)
                    self.works.happen(planned.payid, planned.work, planned.due_ms)

    def due_callbacks(self, now: datetime) -> list[Callback]:
        """What is to be sent now, in order."""
        with self._lock:
            return self.books.due_callbacks(ms(now))

    def callback_tried(self, callback: Callback, delivered: bool, now: datetime) -> None:
        """How a callback fared."""
        with self._lock, self.books.transaction():
            self.books.callback_tried(callback.id, delivered, ms(now))

    def next_due(self) -> int | None:
        """When the next thing happens by itself, in milliseconds since 1970; None: never."""
        with self._lock:
            return self.books.next_due_ms()

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
        with self._lock, self.books.transaction():
            return self.works.create(
                order, minor, currency, now, operation=operation, pspid=pspid, status=status, callback=callback, payid=payid
            )

    def back_office(self, payid: str, operation: str, minor: int, now: datetime, *, status: str = "") -> int:
        """Somebody clicks in the provider's back office; the new level. Raises Rejected with the provider's code."""
        with self._lock, self.books.transaction():
            return self.works.back_office(payid, operation, minor, now, status=status)

    def settle(self, payid: str, level: int, status: str, now: datetime) -> None:
        """A status changes, as an acquirer would have it. Raises Rejected for a level or a status that is not there."""
        with self._lock, self.books.transaction():
            self.works.settle(payid, level, status, now)

    def shown(self) -> dict[str, object]:
        """The books as plain data."""
        with self._lock:
            payments = [
                {**msgspec.to_builtins(p), "operations": msgspec.to_builtins(self.books.operations(p.payid))}
                for p in self.books.payments()
            ]
            return {"payments": payments, "requests": self.books.requests(), "callbacks": self.books.callbacks()}

    def _handle(self, endpoint: Endpoint, data: bytes, now_ms: int) -> Played:
        try:
            values = form.parameters(data)
        except Undecodable as error:
            return Played(body=answers.failure("", "", "50001111", error.code))
        fields = {name: form.text(value) for name, value in values.items()}
        kept = {name: evidence.kept_value(name, value) for name, value in fields.items()}
        asked = self._asked(endpoint, values, fields)
        if isinstance(asked, Played):
            self.books.log(now_ms, endpoint.value, kept, "", asked.body.decode("iso-8859-1"))
            return asked
        rule = self._rule(asked)
        play = self._query if endpoint is Endpoint.QUERY else self._act
        played = play(asked, rule, now_ms)
        said = played.body.decode("iso-8859-1") if played.answering is Answering.NORMAL else played.answering.value
        self.books.log(now_ms, endpoint.value, kept, rule.name, said)
        return played

    def _asked(self, endpoint: Endpoint, values: Mapping[str, bytes], fields: Mapping[str, str]) -> Asked | Played:
        """The request as values, or the answer that refuses it."""

        def refuse(ncerror: str, plus: str) -> Played:
            return Played(body=answers.failure(fields.get("ORDERID", ""), fields.get("PAYID", ""), ncerror, plus))

        account = self.works.accounts.get(fields.get("PSPID", ""))
        if account is None:
            return refuse("50001118", "unknown pspid")
        signed = {name: value for name, value in values.items() if name != "SHASIGN"}
        verdict = signature.verify(signed, fields.get("SHASIGN", ""), account.sha_in, account.signs_in)
        if not verdict.ok:
            return refuse("50001184", "unknown order/1/s" if fields.get("SHASIGN") else "unknown order/0/s")
        if (fields.get("USERID"), fields.get("PSWD")) != (account.userid, account.pswd):
            return refuse("50001119", "wrong user or password")
        operation = fields.get("OPERATION", "RES" if endpoint is Endpoint.ORDER else "").upper()
        if endpoint is not Endpoint.QUERY and operation not in STATUSES:
            return refuse("50001111", "no operation")
        payment = self.books.payment(account.pspid, payid=fields.get("PAYID", ""), order_id=fields.get("ORDERID", ""))
        currency = fields.get("CURRENCY", "") or (payment.currency if payment else "")
        minor: int | None = None
        if endpoint is not Endpoint.QUERY and fields.get("AMOUNT"):
            try:
                minor = codec.minor_of_wire(fields["AMOUNT"], currency, account.wire_digits)
            except (HubError, ValueError) as error:
                decimals = isinstance(error, HubError) and error.code == "amount_decimals"
                return refuse("50001121" if decimals else "50001111", "amount")
        if payment and endpoint is not Endpoint.ORDER and currency != payment.currency:
            return refuse("50001120", "currency")
        return Asked(
            endpoint=endpoint,
            account=account,
            order_id=fields.get("ORDERID", "") or (payment.order_id if payment else ""),
            payid=payment.payid if payment and endpoint is not Endpoint.ORDER else fields.get("PAYID", ""),
            operation="" if endpoint is Endpoint.QUERY else operation,
            minor=minor,
            currency=currency,
            level=fields.get("PAYIDSUB", ""),
        )

    def _rule(self, asked: Asked) -> Rule:
        """The rule to play. Every rule counts the calls that it is about, played or not."""
        chosen: Rule | None = None
        for key, rule in zip(self._keys, self.script.rules, strict=True):
            if rules.matches(rule.when, asked):
                number = self.books.count(key)
                due = number == rule.when.call if rule.when.call else number >= (rule.when.from_call or 1)
                if due and chosen is None:
                    chosen = rule
        return chosen or Rule()

    def _query(self, asked: Asked, rule: Rule, now_ms: int) -> Played:
        payment = self.books.payment(asked.account.pspid, payid=asked.payid, order_id=asked.order_id)
        history = self.books.operations(payment.payid) if payment else []
        if payment:
            self.books.queried(payment.payid, now_ms)
        if rule.ncerror or rule.status:
            body = answers.failure(asked.order_id, asked.payid, rule.ncerror, rule.ncerrorplus, rule.status or "0")
            return self._played(body, rule)
        wanted = asked.level or (str(history[-1].level) if history else "")
        found = next((o for o in history if str(o.level) == wanted), None)
        if payment is None or found is None:
            end = self.script.end_of_history
            if end == "88" and payment:
                body = answers.failure(asked.order_id, asked.payid, "", "", status="88")
            else:
                body = answers.failure(asked.order_id, asked.payid, "50001130" if end == "88" else end, "unknown payid")
        else:
            body = answers.level_answer(payment, found, history, self.script.level_amounts, self.script.shows_level)
        return self._played(body, rule)

    def _act(self, asked: Asked, rule: Rule, now_ms: int) -> Played:
        if asked.endpoint is Endpoint.ORDER:
            payment, refusal = self._order(asked, rule, now_ms)
        else:
            payment = self.books.payment(asked.account.pspid, payid=asked.payid, order_id=asked.order_id)
            refusal = "" if payment else "50001130"
        if payment is None:
            ncerror = rule.ncerror or refusal
            return self._played(answers.failure(asked.order_id, asked.payid, ncerror, rule.ncerrorplus), rule)
        history = self.books.operations(payment.payid)
        minor = asked.minor if asked.minor is not None else rules.left(history, asked.operation)
        if asked.endpoint is Endpoint.MAINTENANCE:
            refusal = rules.refusal(history, asked.operation, minor, now_ms)
        work = Work(
            operation=asked.operation,
            minor=minor,
            status=rule.status or rules.shown_status(history, asked.operation) or self.works.status(asked.operation),
            source="merchant",
            then=rule.then,
            callbacks=rule.callbacks or self.script.callbacks,
        )
        level: int | None = None
        if not refusal:
            wait_ms = round(rule.act_after_s * 1000)
            match rule.acts:
                case Act.NOW:
                    level = self.works.operate(payment, work, now_ms)
                case Act.AFTER:
                    self.books.plan(payment.payid, msgspec.json.encode(work), due_ms=now_ms + wait_ms)
                case Act.AFTER_QUERY:
                    self.books.plan(payment.payid, msgspec.json.encode(work), due_ms=None, wait_ms=wait_ms)
                case Act.NEVER:
                    pass
        for other in rule.back_office:
            self.works.elsewhere(payment, other, minor, work.callbacks, now_ms)
        if refusal or rule.ncerror:
            body = answers.failure(payment.order_id, payment.payid, rule.ncerror or refusal, rule.ncerrorplus)
        else:
            body = answers.success(payment, level if self.script.shows_level else None, work.status, minor)
        return self._played(body, rule)

    def _order(self, asked: Asked, rule: Rule, now_ms: int) -> tuple[Payment | None, str]:
        """A new payment, or the error that refuses it. Card data is read by nobody and kept nowhere."""
        if rule.acts is Act.NEVER:
            return None, rule.ncerror
        if not asked.order_id or not asked.minor or not asked.currency or len(asked.order_id) > 40:
            return None, "50001111"
        if self.books.payment(asked.account.pspid, order_id=asked.order_id):
            return None, "50001113"
        if asked.operation not in ("RES", "SAL", "RFD"):
            return None, "50001186"
        return self.books.add_payment(asked.account.pspid, asked.order_id, asked.currency, now_ms), ""

    def _played(self, body: bytes, rule: Rule) -> Played:
        after_s = rule.answer_after_s
        match rule.answer:
            case Answering.BROKEN:
                return Played(body=b'<?xml version="1.0"?>\n<ncresponse\n</ncresponse>', answering=rule.answer, after_s=after_s)
            case Answering.EMPTY:
                return Played(answering=rule.answer, after_s=after_s)
            case Answering.ERROR:
                page = b"<html><body>Service unavailable</body></html>"
                return Played(body=page, answering=rule.answer, after_s=after_s, http_status=500, content_type="text/html")
            case _:
                return Played(body=body, answering=rule.answer, after_s=after_s)
