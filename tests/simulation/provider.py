"""The scripted provider of a world: the simulator's own books on the world's clock, with a wire that may die, fail or fall silent."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime

import msgspec

from connectors.psp.ogone import callback
from connectors.psp.ogone.account import LevelAmounts
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.simulator.accounts import SANDBOX, merchant_account
from connectors.psp.ogone.simulator.answers import stands
from connectors.psp.ogone.simulator.books import Books
from connectors.psp.ogone.simulator.inprocess import InProcessWire
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.script import Script, parse
from connectors.psp.ogone.wire import Answered, NotConnected
from engine.clock import ManualClock, instant
from engine.transport.contract import Arrival
from tests.simulation.disk import Luck
from tests.simulation.messages import arrival

URL = "http://127.0.0.1/ncol/test/"
MAINTENANCE: dict[str, dict[str, object]] = {
    "plain": {},
    "silent after acting": {"answer": "silence"},
    "silent without acting": {"answer": "silence", "act": "never"},
    "acts while silent": {"answer": "silence", "act": "after", "act_after_s": 240},
    "acts after a query said nothing": {"answer": "silence", "act": "after_query", "act_after_s": 60},
    "too slow": {"answer_after_s": 45},
    "broken XML after acting": {"answer": "broken"},
    "broken XML without acting": {"answer": "broken", "act": "never"},
    "cut": {"answer": "cut"},
    "reset without acting": {"answer": "reset", "act": "never"},
    "HTTP 500 after acting": {"answer": "error"},
    "81 then 8": {"status": "81", "then": [{"after_s": 7000, "status": "8"}]},
    "81 then 83": {"status": "81", "then": [{"after_s": 90000, "status": "83"}]},
    "81 for ever": {"status": "81"},
    "82 then 8": {"status": "82", "then": [{"after_s": 500, "status": "8"}]},
    "82 then 83": {"status": "82", "then": [{"after_s": 4000, "status": "83"}]},
    "82 for ever": {"status": "82"},
    "92 then 8": {"status": "92", "then": [{"after_s": 500, "status": "8"}]},
    "92 then 83": {"status": "92", "then": [{"after_s": 4000, "status": "83"}]},
    "92 for ever": {"status": "92"},
    "91 then 8": {"status": "91", "then": [{"after_s": 500, "status": "8"}]},
    "8 then 83": {"then": [{"after_s": 86400, "status": "83"}]},
    "8 then 96": {"then": [{"after_s": 200000, "status": "96"}]},
    "8 then 83, and says so": {"then": [{"after_s": 86400, "status": "83"}], "callbacks": {"send": True}},
    "8 then 96, and says so": {"then": [{"after_s": 200000, "status": "96"}], "callbacks": {"send": True}},
    "silent, 8 then 96": {"answer": "silence", "then": [{"after_s": 40, "status": "96"}]},
    "83 then 8": {"status": "83", "then": [{"after_s": 3000, "status": "8"}]},
    "refused by status": {"status": "83"},
    "refused by error": {"ncerror": "30001001"},
    "wrong original status": {"ncerror": "50001127"},
    "uncertain error after acting": {"ncerror": "20001001", "act": "now"},
    "back office during a silence without acting": {"answer": "silence", "act": "never", "back_office": [{"after_s": 2}]},
    "back office during a silence after acting": {"answer": "silence", "back_office": [{"after_s": 2}]},
    "another amount from the back office": {"answer": "silence", "back_office": [{"after_s": 2, "amount": 1234}]},
}
CLOSING: dict[str, dict[str, object]] = {
    "closing silent after acting": {"answer": "silence"},
    "closing silent without acting": {"answer": "silence", "act": "never"},
    "closing broken XML": {"answer": "broken"},
    "closing refused": {"ncerror": "30001001"},
}
QUERIES: dict[str, dict[str, object]] = {
    "silent query": {"answer": "silence"},
    "failed query": {"status": "88"},
    "broken query": {"answer": "broken"},
    "maintenance window": {"answer": "error"},
}


class SimulatedWire:
    """In-process, with deaths before and after each call, and connections that are never made."""

    def __init__(self, inner: InProcessWire, luck: Luck, seed: int, refused: float) -> None:
        self._inner, self._luck, self._refused = inner, luck, refused
        self._random = random.Random(f"wire {seed}")

    def post(self, url: str, form: bytes, *, deadline_s: float, cap: int) -> Answered:
        page = url.rpartition("/")[2].removesuffix(".asp")
        self._luck.step(f"before the call of {page}")
        if self._random.random() < self._refused:
            raise NotConnected("connection refused")
        try:
            return self._inner.post(url, form, deadline_s=deadline_s, cap=cap)
        finally:
            self._luck.step(f"after the call of {page}")


class SimulatedProvider:
    """One provider, one merchant."""

    def __init__(self, seed: int, clock: ManualClock, luck: Luck) -> None:
        chance = random.Random(f"provider {seed}")
        self._clock = clock
        self.played: Counter[str] = Counter()
        script, amounts = _script(chance)
        account = msgspec.structs.replace(SANDBOX, callback_url=URL)
        self.provider = Provider(Books(":memory:"), msgspec.structs.replace(script, accounts=(account,)), (account,))
        wire = SimulatedWire(InProcessWire(self.provider, self.now), luck, seed, chance.choice((0.0, 0.0, 0.1)))
        merchant = msgspec.structs.replace(merchant_account(account, "azur", URL), level_amounts=amounts)
        self.connector = OgoneConnector(merchant, wire, lambda: self._clock.now() / 1_000_000)

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
        for payment in self.provider.books.payments():
            operations = [one for one in self.provider.books.operations(payment.payid) if stands(one)]
            captured = sum(one.minor for one in operations if one.operation in ("SAL", "SAS") and one.status in ("9", "91", "92"))
            refunded = sum(one.minor for one in operations if one.operation in ("RFD", "RFS"))
            sums[payment.payid] = (captured, refunded)
        return sums


def _script(chance: random.Random) -> tuple[Script, LevelAmounts]:
    """Some calls play something, most are answered plainly."""
    rules = []
    for call in range(1, 13):
        if chance.random() < 0.6:
            name = chance.choice(list(MAINTENANCE))
            when = {"endpoint": "maintenance", "operation": ["RFD", "RFS"], "call": call}
            rules.append({"name": name, "when": when, **MAINTENANCE[name]})
    for call in range(1, 4):
        if chance.random() < 0.4:
            name = chance.choice(list(CLOSING))
            when = {"endpoint": "maintenance", "operation": ["SAS", "DES"], "call": call}
            rules.append({"name": name, "when": when, **CLOSING[name]})
    for _ in range(chance.choice((0, 0, 1, 3))):
        name = chance.choice(list(QUERIES))
        rules.append({"name": name, "when": {"endpoint": "query", "call": chance.randrange(1, 60)}, **QUERIES[name]})
    if chance.random() < 0.05:
        first = chance.randrange(3, 30)
        rules += [
            {"name": "no query for days", "when": {"endpoint": "query", "call": call}, "status": "88"}
            for call in range(first, first + 40)
        ]
    amounts = chance.choice((LevelAmounts.OPERATION, LevelAmounts.OPERATION, LevelAmounts.CUMULATED))
    callbacks = {
        "send": chance.random() < 0.7,
        "repeat": chance.choice((1, 1, 2)),
        "delay_s": chance.choice((0, 3, 900)),
        "reverse": chance.random() < 0.2,
    }
    script = {
        "rules": rules, "level_amounts": amounts.value, "end_of_history": chance.choice(("50001130", "50001131", "88")),
        "shows_level": chance.random() < 0.8, "callbacks": callbacks,
    }  # fmt: skip
    return parse(msgspec.json.encode(script)), amounts
