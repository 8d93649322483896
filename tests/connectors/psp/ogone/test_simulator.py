"""The simulated provider in-process: what it plays, what it refuses by itself, and what its books show afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.psp.contract import Deadline
from connectors.psp.ogone import callback
from connectors.psp.ogone.account import LevelAmounts
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.signature import Charset
from connectors.psp.ogone.simulator.accounts import SANDBOX, SimulatorAccount, merchant_account
from connectors.psp.ogone.simulator.books import Books
from connectors.psp.ogone.simulator.inprocess import InProcessWire
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.script import Script
from schemas.effect import EffectKind, EffectOrder, RecordKind, Reply, Result
from schemas.errors import Rejected

BASE_URL = "http://127.0.0.1/ncol/test/"
REFUND = {"endpoint": "maintenance", "operation": ["RFD"]}


class World:
    """A provider, a merchant and a clock that only the test moves."""

    def __init__(
        self, *rules: dict[str, Any], account: SimulatorAccount = SANDBOX, path: Path | str = ":memory:", **script: Any
    ) -> None:
        self.now = datetime(2026, 5, 1, 8, tzinfo=UTC)
        self.account = msgspec.structs.replace(account, callback_url="http://127.0.0.1:1/psp")
        self.provider = Provider(Books(path), msgspec.convert({**script, "rules": rules}, Script), [self.account])
        own = merchant_account(self.account, "azur", BASE_URL)
        amounts = LevelAmounts(script.get("level_amounts", "operation"))
        self.merchant = msgspec.structs.replace(own, level_amounts=amounts)
        self.connector = OgoneConnector(self.merchant, InProcessWire(self.provider, lambda: self.now))
        found = self.provider.books.payment("", order_id="B1")
        self.payid = found.payid if found else self.provider.create("B1", 20000, "EUR", self.now, callback=False)

    def send(self, minor: int = 2000, kind: EffectKind = EffectKind.REFUND, last: bool = False, reference: str = "") -> Reply:
        order = EffectOrder(
            effect="e", key="e", kind=kind, provider="ogone", merchant="azur", reference=reference or self.payid, order="B1",
            minor=minor, currency="EUR", last=last,
        )  # fmt: skip
        return self.connector.send(order, Deadline.within(10))

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.provider.advance(self.now)

    def history(self) -> list[tuple[str, Result, int | None]]:
        """Status, result and amount of every level after the order."""
        reply = self.connector.query(self.payid, "", Deadline.within(10))
        assert reply.result is Result.CONFIRMED, reply
        return [(r.status, r.result, r.minor) for r in reply.records[1:]]

    def told(self) -> list[tuple[str, str]]:
        """Level and status of the callbacks that go out now, each verified as the hub would."""
        out: list[tuple[str, str]] = []
        while due := self.provider.due_callbacks(self.now):
            for one in due:
                got = callback.verify(one.form, self.merchant)
                assert got.reference == self.payid
                out.append((got.level, got.status))
                self.provider.callback_tried(one, True, self.now)
        return out


@pytest.mark.parametrize("amounts", ["operation", "cumulated"])
@pytest.mark.parametrize("end", ["50001130", "50001131", "88"])
def test_histories_both_ways(amounts: str, end: str) -> None:
    """Level amounts and cumulated amounts, and each way of ending a history, read the same."""
    world = World(level_amounts=amounts, end_of_history=end)
    for minor in (2000, 2000, 500):
        world.send(minor)

    assert [minor for _, _, minor in world.history()] == [2000, 2000, 500]


def test_cumulated_amounts_read_as_operations_would_be_wrong() -> None:
    """The account setting matters: the same bytes read the other way give sums."""
    world = World(level_amounts="cumulated")
    world.send(2000)
    world.send(2000)
    wrong = OgoneConnector(
        msgspec.structs.replace(world.merchant, level_amounts=LevelAmounts.OPERATION),
        InProcessWire(world.provider, lambda: world.now),
    )

    assert [r.minor for r in wrong.query(world.payid, "", Deadline.within(10)).records] == [20000, 2000, 4000]


@pytest.mark.parametrize("end", ["50001130", "88"])
def test_answers_without_a_level(end: str) -> None:
    """Where PAYIDSUB is missing from answers, the level is the one that was asked for; sent records have none to name."""
    world = World(shows_level=False, end_of_history=end)

    assert world.send(2000).record is None
    assert world.send(500).result is Result.CONFIRMED
    assert world.history() == [("8", Result.CONFIRMED, 2000), ("8", Result.CONFIRMED, 500)]


def test_acts_after_a_query_said_nothing() -> None:
    """The trap of all retries: a query shows nothing, and a minute later the refund is there, once."""
    world = World({"when": REFUND, "act": "after_query", "act_after_s": 60, "answer": "silence"})

    assert world.send().result is Result.UNKNOWN
    world.wait(600)
    assert world.history() == []
    world.wait(59)
    assert world.history() == []
    world.wait(2)
    assert world.history() == [("8", Result.CONFIRMED, 2000)]


def test_acts_later() -> None:
    """By itself, without a query."""
    world = World({"when": REFUND, "act": "after", "act_after_s": 30, "answer": "silence"})
    world.send()

    assert world.history() == []
    world.wait(30)
    assert world.history() == [("8", Result.CONFIRMED, 2000)]


@pytest.mark.parametrize(
    ("first", "then", "results"),
    [
        ("81", "8", (Result.ACCEPTED, Result.CONFIRMED)),
        ("82", "8", (Result.UNKNOWN, Result.CONFIRMED)),
        ("82", "83", (Result.UNKNOWN, Result.REFUSED)),
        ("8", "83", (Result.CONFIRMED, Result.REFUSED)),
        ("8", "96", (Result.CONFIRMED, Result.REVERSED)),
        ("92", "8", (Result.UNKNOWN, Result.CONFIRMED)),
    ],
)
def test_settling(first: str, then: str, results: tuple[Result, Result]) -> None:
    """Pending, uncertain, and successes that later fail; each step is told by a callback."""
    world = World({"when": REFUND, "status": first, "then": [{"after_s": 60, "status": then}]})

    assert world.send().result is results[0]
    world.wait(60)
    assert world.history() == [(then, results[1], 2000)]
    assert world.told() == [("1", first), ("1", then)]


def test_back_office_refund_of_the_same_amount() -> None:
    """During the silence somebody else refunds as much: two records, one of them nobody's of ours."""
    world = World({"when": REFUND, "answer": "silence", "back_office": [{"after_s": 5}]})
    world.send()

    assert len(world.history()) == 1
    world.wait(5)
    assert world.history() == [("8", Result.CONFIRMED, 2000)] * 2
    assert [o.source for o in world.provider.books.operations(world.payid)] == ["merchant", "merchant", "back_office"]


def test_second_of_two_equal_refunds_is_silent() -> None:
    """The n-th call that a rule is about."""
    world = World({"when": {**REFUND, "amount": 2000, "call": 2}, "answer": "silence"})

    assert [world.send(m).result for m in (2000, 500, 2000, 2000)] == [
        Result.CONFIRMED,
        Result.CONFIRMED,
        Result.UNKNOWN,
        Result.CONFIRMED,
    ]
    assert [m for _, _, m in world.history()] == [2000, 500, 2000, 2000]


def test_first_matching_rule_is_played() -> None:
    """All rules count the calls that they are about; the first whose turn it is speaks."""
    world = World(
        {"when": {"operation": ["RFD"], "call": 1}, "ncerror": "30051001"},
        {"when": {"operation": ["RFD"], "call": 2}, "status": "81"},
        {"when": {"operation": ["RFD"], "from_call": 4}, "ncerror": "50001218"},
    )

    assert [world.send().code for _ in range(5)] == ["30051001", "81", "8", "50001218", "50001218"]


@pytest.mark.parametrize(("when", "played"), [({"order": "B1"}, True), ({"order": "B2"}, False), ({"payid": "3000000001"}, True)])
def test_rules_by_payment(when: dict[str, str], played: bool) -> None:
    """By ORDERID, also where the request names only PAYID, and by PAYID."""
    world = World({"when": when, "ncerror": "50001218"})

    assert (world.send().result is Result.REFUSED) is played


def test_callbacks_repeated_and_reversed() -> None:
    """Every one twice, the newest first."""
    how = {"repeat": 2, "reverse": True, "delay_s": 30}
    world = World({"when": REFUND, "status": "81", "then": [{"after_s": 10, "status": "8"}], "callbacks": how})
    world.send()
    world.wait(10)

    assert world.told() == []
    world.wait(20)
    assert world.told() == [("1", "8"), ("1", "8"), ("1", "81"), ("1", "81")]


def test_callbacks_are_tried_again() -> None:
    """Every ten minutes, and then no more."""
    world = World(callbacks={"tries": 3})
    world.send()
    tries = 0
    for _ in range(8):
        for one in world.provider.due_callbacks(world.now):
            tries += 1
            world.provider.callback_tried(one, False, world.now)
        assert world.provider.due_callbacks(world.now) == []
        world.wait(600)

    assert tries == 3
    assert world.provider.books.callbacks()[0]["state"] == "given_up"


@pytest.mark.parametrize("charset", list(Charset))
@pytest.mark.parametrize("feedback", [None, *Charset])
def test_callbacks_in_every_encoding(charset: Charset, feedback: Charset | None) -> None:
    """The holder's accents, signed in one and sent in another encoding, verify."""
    world = World(account=msgspec.structs.replace(SANDBOX, charset=charset, feedback_charset=feedback, holder="Zoë Müller"))
    world.send()

    assert world.told() == [("1", "8")]


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        pytest.param([("refund", 20001)], "50001129", id="refund above captured"),
        pytest.param([("refund", 15000), ("refund", 5001)], "50001129", id="sum above captured"),
        pytest.param([("last", 100), ("refund", 100)], "50001127", id="after the last refund"),
        pytest.param([("capture", 100)], "50001127", id="captured already"),
        pytest.param([("refund", 100), ("void", 100)], "50001127", id="void after a refund"),
    ],
)
def test_refuses_by_itself(steps: list[tuple[str, int]], code: str) -> None:
    """The provider's own limits, with its own codes."""
    world = World()
    replies = [
        world.send(minor, EffectKind.REFUND if what == "last" else EffectKind(what), last=what == "last") for what, minor in steps
    ]

    assert [r.result for r in replies[:-1]] == [Result.CONFIRMED] * (len(steps) - 1)
    assert replies[-1].code == code
    assert replies[-1].result is not Result.CONFIRMED


def test_a_refund_shown_by_a_payments_status_takes_of_what_was_captured() -> None:
    """92 on a refund: no second one of more than what is left."""
    world = World({"when": {"endpoint": "maintenance", "call": 1}, "status": "92"})
    world.send(15_000)

    assert world.send(5_001).code == "50001129"


def test_authorise_capture_and_void() -> None:
    """RES, then SAL and SAS up to the authorised amount; another authorisation deleted; a same-day sale deleted."""
    world = World()
    held = world.provider.create("B2", 10000, "EUR", world.now, operation="RES")
    freed = world.provider.create("B3", 10000, "EUR", world.now, operation="RES")

    assert world.send(6000, EffectKind.CAPTURE, reference=held).result is Result.CONFIRMED
    assert world.send(4001, EffectKind.CAPTURE, reference=held).code == "50001126"
    assert world.send(4000, EffectKind.CAPTURE, last=True, reference=held).result is Result.CONFIRMED
    assert world.send(10000, EffectKind.VOID, last=True, reference=freed).code == "6"
    assert world.send(20000, EffectKind.VOID, last=True).code == "7"
    kinds = [r.kind for r in world.connector.query(held, "", Deadline.within(10)).records]
    assert kinds == [RecordKind.AUTHORISATION, RecordKind.CAPTURE, RecordKind.CAPTURE]


def test_old_sale_cannot_be_deleted() -> None:
    """After a day it is refunded instead."""
    world = World()
    world.wait(86_400)

    assert world.send(20000, EffectKind.VOID, last=True).code == "50001127"


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"pspid": "other"}, "50001118"), ({"sha_in": "other"}, "50001184"), ({"pswd": "other"}, "50001119")],
)
def test_refuses_strangers(changes: dict[str, str], code: str) -> None:
    """Unknown account, wrong signature, wrong password: a refusal that did nothing."""
    world = World()
    stranger = OgoneConnector(msgspec.structs.replace(world.merchant, **changes), InProcessWire(world.provider, lambda: world.now))
    world.connector = stranger
    reply = world.send()

    assert (reply.result, reply.code) == (Result.REFUSED, code)
    assert len(world.provider.books.operations(world.payid)) == 1


def test_rotated_sha_in() -> None:
    """The provider, too, accepts two passphrases while one is changed."""
    world = World(account=msgspec.structs.replace(SANDBOX, sha_in=("new", "old")))
    for passphrase, result in (("new", Result.CONFIRMED), ("old", Result.CONFIRMED), ("older", Result.REFUSED)):
        account = msgspec.structs.replace(world.merchant, sha_in=passphrase)
        world.connector = OgoneConnector(account, InProcessWire(world.provider, lambda: world.now))
        assert world.send().result is result


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 1999), ("KWD", 1990), ("EUR", 1999)])
def test_currencies_through_the_wire(currency: str, minor: int) -> None:
    """No factor of a hundred is lost or won on the way there or back."""
    world = World()
    payid = world.provider.create("B2", minor * 10, currency, world.now)
    order = EffectOrder(
        effect="e", key="e", kind=EffectKind.REFUND, provider="ogone", merchant="azur", reference=payid, order="B2", minor=minor,
        currency=currency,
    )  # fmt: skip
    reply = world.connector.send(order, Deadline.within(10))

    assert reply.record is not None
    assert reply.record.minor == minor
    assert [r.minor for r in world.connector.query(payid, "", Deadline.within(10)).records] == [minor * 10, minor]
    assert [o.minor for o in world.provider.books.operations(payid)] == [minor * 10, minor]


def test_unknown_payment() -> None:
    """Nothing to refund, nothing to show."""
    world = World()

    assert world.send(reference="3999999999").code == "50001130"
    assert world.connector.query("3999999999", "", Deadline.within(10)).code == "50001130"
    assert world.connector.query("", "B1", Deadline.within(10)).records[0].reference == world.payid


def test_same_story_same_bytes() -> None:
    """Two worlds with the same script and the same times are the same, books and answers."""
    rules = [
        {"when": {**REFUND, "call": 2}, "act": "after", "act_after_s": 5, "answer": "silence", "back_office": [{"after_s": 1}]}
    ]
    shown = []
    for _ in range(2):
        world = World(*rules)
        replies = [world.send(), world.send(700)]
        world.wait(10)
        shown.append((replies, world.history(), world.provider.shown()))

    assert shown[0] == shown[1]


def test_books_outlive_the_provider(tmp_path: Path) -> None:
    """Payments, plans, counts and callbacks are in the file."""
    rules = [{"when": {**REFUND, "call": 2}, "act": "after", "act_after_s": 60, "answer": "silence"}]
    first = World(*rules, path=tmp_path / "books.db")
    first.send(100)
    first.provider.books.close()
    second = World(*rules, path=tmp_path / "books.db")

    assert second.send(200).result is Result.UNKNOWN
    second.provider.books.close()
    third = World(*rules, path=tmp_path / "books.db")
    third.wait(60)
    assert [m for _, _, m in third.history()] == [100, 200]
    assert len(third.told()) == 2
    third.provider.books.close()


def test_books_keep_no_secret() -> None:
    """The request log has the fields, without password and signature."""
    world = World()
    world.send()
    shown = json.dumps(world.provider.shown())

    assert '"AMOUNT": "2000"' in shown
    for secret in (SANDBOX.pswd, *SANDBOX.sha_in, SANDBOX.sha_out):
        assert secret not in shown


def test_unknown_books(tmp_path: Path) -> None:
    """Books of another version are refused, not rewritten."""
    books = Books(tmp_path / "b.db")
    books._db.execute("PRAGMA user_version = 99")
    books.close()

    with pytest.raises(Rejected):
        Books(tmp_path / "b.db")
