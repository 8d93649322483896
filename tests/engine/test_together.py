"""What a batch of requests does when one of them, the store or a person gets in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest

from connectors.psp.contract import Can, Deadline, PaymentConnector
from engine.calls import Act, Call
from engine.effects import EffectsRunner
from engine.store.contract import StoreAway
from engine.store.effects import Effect, EffectStore, EffectTransaction
from engine.store.opening import effects_of
from engine.store.rows import SwitchRow
from engine.store.sqlite import database
from engine.store.switches import Switches
from engine.together import Partly
from schemas.effect import EffectOrder, Reply, Result
from tests.engine.sandbox import Sandbox, arrival

DAY = 86_400
NO_TEXT = "\udcff"  # half of a character: no text for a store


def planned(box: Sandbox, count: int) -> None:
    """So many refunds of as many stays, decided and not sent."""
    for number in range(count):
        box.paid(f"B-{number}", order=f"O-{number}")
    for number in range(count):
        cancel = {"folio": f"B-{number}", "request": f"R-{number}", "confirm": True}
        box.append(arrival(f"c-{number}", "cancellation.request", cancel, actor="guest"))
    while box.hub.run_lanes().decided:
        pass


def states(box: Sandbox) -> list[tuple[str, int]]:
    return [(row["state"], row["attempts"]) for row in box.rows("SELECT state, attempts FROM effect ORDER BY id")]


class Tripping:
    """A store whose transactions fail by this list, one after the other, before anything is written; then it is well."""

    failures: Sequence[Exception | None] = ()

    def __init__(self, store: EffectStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[EffectTransaction]:
        failure, self.failures = (self.failures[0], self.failures[1:]) if self.failures else (None, ())
        if failure is not None:
            raise failure
        with self._store.transaction() as transaction:
            yield transaction


def tripping(box: Sandbox) -> tuple[EffectsRunner, Tripping]:
    """The sandbox's requests by another runner, on such a store."""
    store, hub = Tripping(effects_of(box.hub.database)), box.hub
    return EffectsRunner(
        cast(EffectStore, store), box.connectors, hub.settled.tenants, hub.clock, owners=hub.settled.merchants
    ), store


def away() -> StoreAway:
    return StoreAway("the disk is full", field="store", value="hub.sqlite")


# -- the store goes away between two of a batch --------------------------------------------------------------------------------------


def test_what_was_marked_before_the_store_went_away_is_sent() -> None:
    """One of a batch trips, each is tried alone, and the store goes away after the first: its call is made, the others are looked at
    again later, and each is sent once."""
    box = Sandbox()
    planned(box, 3)
    runner, store = tripping(box)
    looked = [runner.make(call) for call in runner.begin(runner.due())]
    store.failures = (RuntimeError("one trips"), None, away())

    with pytest.raises(Partly) as partly:
        runner.absorb(looked)

    assert [call.act for call in partly.value.made] == [Act.SEND]
    assert partly.value.left == looked[1:]
    assert sorted(states(box)) == [("planned", 0), ("planned", 0), ("sending", 1)]
    calls = [*partly.value.made, *runner.absorb(partly.value.left)]
    assert runner.absorb([runner.make(call) for call in calls]) == []
    assert (states(box), box.sent()) == ([("confirmed", 1)] * 3, 3)


def test_by_hand_it_goes_on_by_itself() -> None:
    """`work` keeps what is left, and each answer is stored once."""
    box = Sandbox()
    planned(box, 3)
    runner, store = tripping(box)
    items = runner.due()
    store.failures = (None, RuntimeError("one trips"), None, away(), RuntimeError("again"))

    runner.work(items)
    box.drain()

    assert (states(box), box.sent()) == ([("confirmed", 1)] * 3, 3)
    assert box.one("SELECT count(*) AS n FROM evidence WHERE act = 'send'")["n"] == 3
    assert box.one("SELECT count(*) AS n FROM internal WHERE name = 'reply.arrived'")["n"] == 3


def test_a_store_that_is_away_from_the_first_has_nothing() -> None:
    """Then it is the whole batch again."""
    box = Sandbox()
    planned(box, 2)
    runner, store = tripping(box)
    store.failures = (away(),)

    with pytest.raises(StoreAway) as nothing:
        runner.begin(runner.due())

    assert not isinstance(nothing.value, Partly)
    assert states(box) == [("planned", 0)] * 2


def test_what_is_committed_counts_when_it_cannot_be_noted_beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The disk refuses the side file after the commit of the marks: what is marked is sent."""
    box = Sandbox(store=str(tmp_path / "hub.sqlite"))
    planned(box, 3)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(database, "put_beside", full)
    box.drain()

    assert (states(box), box.sent()) == ([("confirmed", 1)] * 3, 3)


# -- one that cannot be stored -------------------------------------------------------------------------------------------------------


class Garbled:
    """The sandbox's provider; what it answers to these acts cannot be stored."""

    name, merchant, can = "ogone", "azur", Can.REFUND | Can.QUERY

    def __init__(self, real: PaymentConnector, acts: frozenset[str], first: Reply | None = None) -> None:
        self._real, self._acts, self._first = real, acts, first
        self.asked = 0

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        if self._first is not None:
            return self._first
        reply = self._real.send(order, deadline)
        return self._garbled(reply) if "send" in self._acts else reply

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply:
        self.asked += 1
        reply = self._real.query(reference, order, deadline)
        return self._garbled(reply) if "query" in self._acts else reply

    @staticmethod
    def _garbled(reply: Reply) -> Reply:
        return Reply(result=reply.result, record=reply.record, records=reply.records, code=reply.code, answer=NO_TEXT)


def garbled(box: Sandbox, *acts: str, first: Reply | None = None) -> Garbled:
    connector = Garbled(box.connector, frozenset(acts), first)
    box.connectors["azur"] = connector
    return connector


def test_a_look_that_cannot_be_stored_is_taken_ever_more_seldom() -> None:
    """It is not asked for again at once for ever, and what can be kept of it is."""
    box = Sandbox()
    box.paid()
    connector = garbled(box, "query")

    box.cancel()
    assert connector.asked == 1
    box.pass_time(DAY)

    assert 3 < connector.asked < 40
    assert (box.effect()["state"], box.effect()["reason"]) == ("planned", "the provider says what cannot be stored: see the log")
    assert {(row["act"], row["answer"]) for row in box.rows("SELECT act, answer FROM evidence")} == {("late", "")}
    box.connectors["azur"] = box.connector
    box.pass_time(DAY)
    assert (box.effect()["state"], box.sent()) == ("confirmed", 1)


def test_a_doubt_whose_history_cannot_be_stored_comes_to_a_person() -> None:
    """After as many questions as any other."""
    box = Sandbox()
    box.paid()
    connector = garbled(box, first=Reply(result=Result.UNKNOWN, code="silence"))
    box.cancel()
    box.connectors["azur"] = connector = Garbled(box.connector, frozenset({"query"}))

    outcomes = box.pass_time(6 * DAY)

    assert box.effect()["state"] == "needs_person"
    assert "says what cannot be stored" in box.effect()["reason"]
    assert "effect.needs_person" in [name for name, _ in outcomes]
    assert connector.asked < 20


def test_an_answer_that_cannot_be_stored_is_in_doubt_and_found() -> None:
    """The refund was made: it is not sent again, and its history settles it."""
    box = Sandbox()
    payid = box.paid()
    garbled(box, "send")

    box.cancel()
    assert (box.effect()["state"], box.sent()) == ("sending", 1)
    assert [row["act"] for row in box.rows("SELECT act FROM evidence ORDER BY seq")] == ["query", "late"]
    box.pass_time(DAY)

    assert (box.effect()["state"], box.operations(payid)) == ("confirmed", [("RFS", 20_000, "8")])


# -- a person, and a callback --------------------------------------------------------------------------------------------------------


def test_x_27_payouts_that_are_stopped_after_the_mark_are_not_sent() -> None:
    """The switch is read before each send, however long a call has waited for its thread; started again, it is sent once."""
    box = Sandbox()
    planned(box, 1)
    effects, switches = box.hub.effects, Switches(box.hub.database)
    (look,) = effects.begin(effects.due())
    (send,) = effects.absorb([effects.make(look)])
    switches.set(SwitchRow("azur", 1, "operator:ann", "look first", box.clock.now()))

    answer = effects.make(send)

    assert (answer.reply.result, answer.reply.code) == (Result.NOT_SENT, "payouts_stopped")
    assert effects.absorb([answer]) == []
    assert (states(box), box.sent()) == ([("planned", 1)], 0)
    switches.set(SwitchRow("azur", 0, "operator:ann", "looked", box.clock.now()))
    box.pass_time(DAY)
    assert (states(box), box.sent()) == ([("confirmed", 2)], 1)


def test_x_27_a_capture_is_no_payout() -> None:
    """It is not held by the switch."""
    box = Sandbox()
    planned(box, 1)
    effects = box.hub.effects
    (look,) = effects.begin(effects.due())
    (send,) = effects.absorb([effects.make(look)])
    Switches(box.hub.database).set(SwitchRow("azur", 1, "operator:ann", "look first", box.clock.now()))

    assert isinstance(send.item, Effect)
    capture = Call(send.act, send.item._replace(kind="capture"), send.connector, send.until)
    assert effects.make(capture).reply.code != "payouts_stopped"


def test_a_callback_does_not_wait_for_a_backlog() -> None:
    """However much is to be paid out: what a provider tells of is asked about first."""
    box = Sandbox()
    payid = box.paid("B-9", order="O-9")
    planned(box, 5)
    box.append(arrival("told", "provider.notified", {"provider": "ogone", "merchant": "azur", "provider_reference": payid}))
    box.hub.run_lanes()

    due = box.hub.effects.due(limit=3)

    assert (due[0].reference, due[0].folio) == (payid, "B-9")
    assert len(due) > 1
