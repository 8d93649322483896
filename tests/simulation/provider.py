"""The scripted provider of a world: the simulator's own books on the world's clock, behind a wire on which hubs die, connections are
not made, queries fail and time passes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from connectors.psp.contract import Deadline
from connectors.psp.ogone import callback
from connectors.psp.ogone.account import LevelAmounts
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.form import parameters, text
from connectors.psp.ogone.simulator import answers
from connectors.psp.ogone.simulator.accounts import SANDBOX, merchant_account
from connectors.psp.ogone.simulator.answers import stands
from connectors.psp.ogone.simulator.books import FIRST_PAYID, Books, Operation
from connectors.psp.ogone.simulator.inprocess import InProcessWire
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.rules import refusal
from connectors.psp.ogone.simulator.script import Callbacks, Rule, Script
from connectors.psp.ogone.simulator.works import ms
from connectors.psp.ogone.wire import Answered, Silent
from engine.clock import ManualClock, instant
from engine.transport.contract import Arrival
from tests.simulation import scripts
from tests.simulation.aims import Aims
from tests.simulation.messages import arrival

URL = "http://127.0.0.1/ncol/test/"


class OnTheWire(Protocol):
    """What befalls the call that is under way."""

    def before(self, *, first: bool) -> None:
        """Before each exchange. Raises NotConnected. `first`: of the call."""

    def answer(self) -> Answered | None:
        """What comes back instead of the provider's answer. Raises Silent."""

    def after(self, *, first: bool) -> None:
        """After each exchange."""

    def reached(self, script: str) -> None:
        """A request came to the provider, and this is what it plays."""


class _Noting(Books):
    """Books that say which rule was played last."""

    rule = ""

    def log(self, at_ms: int, endpoint: str, fields: Mapping[str, str], rule: str, answer: str) -> None:
        self.rule = rule
        super().log(at_ms, endpoint, fields, rule, answer)


class SimulatedWire:
    """In-process; what befalls a call on its way is said by who makes it."""

    def __init__(self, inner: InProcessWire, books: _Noting, now: Callable[[], datetime]) -> None:
        self._inner, self._books, self._now = inner, books, now
        self.under_way: Callable[[], OnTheWire] | None = None

    def post(self, url: str, form: bytes, *, deadline: Deadline, cap: int) -> Answered:
        assert self.under_way is not None
        call = self.under_way()
        query = "querydirect" in url
        first = not query or b"PAYIDSUB" not in form
        call.before(first=first)
        try:
            instead = call.answer()
            if instead is not None:
                return instead
            if query:
                return self._inner.post(url, form, deadline=deadline, cap=cap)
            refused = self._refuses(form)
            try:
                return self._inner.post(url, form, deadline=deadline, cap=cap)
            finally:
                call.reached(scripts.NOT_ALLOWED if refused else self._books.rule)
        finally:
            call.after(first=first)

    def _refuses(self, form: bytes) -> bool:
        """Whether the provider's own books stand against this request."""
        said = {name: text(value) for name, value in parameters(form).items()}
        history = self._books.operations(said["PAYID"])
        return bool(refusal(history, said["OPERATION"], int(said.get("AMOUNT") or 0), ms(self._now())))


def failed_query(how: str) -> Answered:
    """What comes back of a query that fails. Raises Silent."""
    match how:
        case "failed query":
            return Answered(status=200, content_type=answers.CONTENT_TYPE, body=answers.failure("", "", "", "", status="88"))
        case "broken query":
            return Answered(status=200, content_type=answers.CONTENT_TYPE, body=b'<?xml version="1.0"?>\n<ncresponse\n')
        case "maintenance window":
            return Answered(status=500, content_type="text/html", body=b"<html><body>Service unavailable</body></html>")
        case _:
            raise Silent("silence")


class SimulatedProvider:
    """One provider, one merchant. Most of its requests meet the script that the world aims at."""

    def __init__(self, seed: int, clock: ManualClock, aims: Aims) -> None:
        chance = random.Random(f"provider {seed}")
        self._clock = clock
        self.waiting: dict[tuple[str, bool, int], str] = {}
        amounts = chance.choice((LevelAmounts.OPERATION, LevelAmounts.OPERATION, LevelAmounts.CUMULATED))
        account = msgspec.structs.replace(SANDBOX, callback_url=URL)
        self.books = _Noting(":memory:")
        self.provider = Provider(self.books, self._script(chance, amounts, aims), (account,))
        self.wire = SimulatedWire(InProcessWire(self.provider, self.now), self.books, self.now)
        merchant = msgspec.structs.replace(merchant_account(account, "azur", URL), level_amounts=amounts)
        self.connector = OgoneConnector(merchant, self.wire)

    def _script(self, chance: random.Random, amounts: LevelAmounts, aims: Aims) -> Script:
        """What waits for each call on each payment."""
        return Script(
            rules=tuple(self._rules(chance, aims.script)),
            level_amounts=amounts,
            end_of_history=chance.choice(("50001130", "50001131", "88")),
            shows_level=chance.random() < (0.1 if aims.goal == "unknown" else 0.8),
            callbacks=Callbacks(
                send=chance.random() < 0.7,
                repeat=chance.choice((1, 1, 2)),
                delay_s=chance.choice((0, 3, 900)),
                reverse=chance.random() < 0.2,
            ),
        )

    def _rules(self, chance: random.Random, focus: str) -> list[Rule]:
        rules = []
        for number in range(scripts.PAYMENTS):
            payid = str(FIRST_PAYID + number)
            for closing, names in ((False, list(scripts.REFUNDS)), (True, list(scripts.CLOSINGS))):
                for call in range(1, scripts.CALLS + 1):
                    name = focus if focus in names and chance.random() < 0.9 else chance.choice([names[0], names[0], *names])
                    self.waiting[payid, closing, call] = name
                    if name not in (scripts.PLAIN, "closing plain"):
                        rules.append(scripts.rule(name, payid, call))
        return rules

    def now(self) -> datetime:
        """The world's time."""
        return instant(self._clock.now())

    def next_due(self) -> int | None:
        """When it next does something by itself, microseconds."""
        due_ms = self.provider.next_due()
        return None if due_ms is None else due_ms * 1000 + 999

    def callbacks(self) -> list[Arrival]:
        """What it has done by itself, and the callbacks that are due, as the gateway hands them on."""
        self.provider.advance(self.now())
        arrivals = []
        for due in self.provider.due_callbacks(self.now()):
            self.provider.callback_tried(due, True, self.now())
            said = callback.verify(due.form, self.connector.account)
            data = {
                "provider": "ogone", "merchant": "azur", "provider_reference": said.reference, "order": said.order,
                "status": said.status, "raw": dict(said.fields),
            }  # fmt: skip
            arrivals.append(arrival("psp.ogone.azur", said.identity[:64], "provider.notified", data, self.now()))
        return arrivals

    def captured_and_refunded(self) -> dict[str, tuple[int, int]]:
        """By PAYID: what stands captured and what stands refunded, minor units."""
        sums = {}
        for payment in self.books.payments():
            captured, refunded = captures_standing(self.books, payment.payid), refunds_standing(self.books, payment.payid)
            sums[payment.payid] = (sum(one.minor for one in captured), sum(one.minor for one in refunded))
        return sums

    def left(self, payid: str) -> int:
        """What may still be given back of a payment."""
        captured, refunded = self.captured_and_refunded()[payid]
        return captured - refunded


def refunds_standing(books: Books, payid: str) -> list[Operation]:
    """What was given back of a payment, or may yet be."""
    return [one for one in books.operations(payid) if stands(one) and one.operation in ("RFD", "RFS")]


def captures_standing(books: Books, payid: str) -> list[Operation]:
    """What was taken of a payment, or may yet be."""
    standing = [one for one in books.operations(payid) if stands(one)]
    return [one for one in standing if one.operation in ("SAL", "SAS") and one.status in ("9", "91", "92")]
