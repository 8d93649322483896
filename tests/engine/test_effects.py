"""Requests to providers: sent once, doubted, queried, bound, or given to a person; never sent again by themselves."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from config.settings import Configuration
from connectors.psp.contract import Can, Deadline, PaymentConnector
from engine.calls import Act, Answer, Call
from engine.transport.contract import Taken
from schemas.effect import EffectOrder, ProviderRecord, RecordKind, Reply, Result
from schemas.policy import TenantPolicy
from tests.engine.sandbox import CONFIGURATION, Sandbox, arrival, booking, names

MAINTENANCE = {"endpoint": "maintenance"}
HOUR = 3600


class Instead:
    """A provider with another answer to `send`; queries are the real one's."""

    name = "ogone"
    merchant = "azur"
    can = Can.REFUND | Can.QUERY

    def __init__(self, real: PaymentConnector, *replies: Reply | None) -> None:
        self._real, self._replies = real, list(replies)
        self.sent: list[EffectOrder] = []
        self.ends: list[float] = []

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        self.ends.append(deadline.end_s)
        reply = self._replies.pop(0) if self._replies else None
        if reply is not None:
            return reply
        self.sent.append(order)
        return self._real.send(order, deadline)

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply:
        return self._real.query(reference, order, deadline)


def instead(box: Sandbox, *replies: Reply | None) -> Instead:
    """The sandbox with these answers, then the provider's own."""
    other = Instead(box.connector, *replies)
    box.connectors["azur"] = other
    return other


def test_a_refund_is_sent_once_and_bound() -> None:
    """The plain case: one request, one record, one `refund.executed`."""
    box = Sandbox()
    payid = box.paid()

    outcomes = box.cancel()

    assert ("RFS", 20_000, "8") in box.operations(payid)
    assert "refund.executed" in names(outcomes)
    assert (box.effect()["state"], box.effect()["record"]) == ("confirmed", "1")
    assert box.sent() == 1


def test_nothing_written_is_planned_again_and_sent_again() -> None:
    """`NOT_SENT` is the only word after which a request is sent again."""
    box = Sandbox()
    payid = box.paid()
    other = instead(box, Reply(result=Result.NOT_SENT, code="not_connected"))

    box.cancel()
    assert (box.effect()["state"], box.effect()["attempts"]) == ("planned", 1)
    box.pass_time(HOUR)

    assert (box.effect()["state"], box.effect()["attempts"]) == ("confirmed", 2)
    assert box.operations(payid) == [("RFS", 20_000, "8")]
    assert len(other.sent) == 1


def test_silence_is_queried_and_bound() -> None:
    """The provider takes the order and says nothing: it is asked, the record is found, nothing is sent again."""
    box = Sandbox({"when": MAINTENANCE, "answer": "silence"})
    payid = box.paid()

    first = box.cancel()
    later = box.pass_time(HOUR)

    assert "refund.unknown" in names(first)
    assert [name for name in names(later) if name.startswith("refund.")] == ["refund.executed"]
    assert box.operations(payid) == [("RFS", 20_000, "8")]
    assert box.sent() == 1


def test_silence_without_acting_ends_with_a_person() -> None:
    """Queries at rising intervals, then a person, with the reason; never a second send."""
    box = Sandbox({"when": MAINTENANCE, "answer": "silence", "act": "never"})
    payid = box.paid()
    box.cancel()

    outcomes = box.pass_time(20 * HOUR)

    assert "effect.needs_person" in names(outcomes)
    assert box.effect()["state"] == "needs_person"
    assert "shows nothing" in box.effect()["reason"]
    assert box.sent() == 1
    assert box.operations(payid) == []
    waits = [row["at"] for row in box.rows("SELECT at FROM evidence WHERE act = 'query' ORDER BY seq")]
    gaps = [after - before for before, after in itertools.pairwise(waits)]
    assert sorted(gaps) == gaps


def test_a_provider_that_cannot_be_asked_ends_with_a_person_too() -> None:
    """Queries that fail are counted and come at rising intervals: no polling for ever."""
    box = Sandbox({"when": MAINTENANCE, "answer": "silence"}, {"when": {"endpoint": "query", "from_call": 4}, "status": "88"})
    box.paid()
    box.cancel()

    outcomes = box.pass_time(20 * HOUR)

    assert "effect.needs_person" in names(outcomes)
    assert "cannot be asked" in box.effect()["reason"]


def test_acting_after_a_query_said_nothing_is_never_sent_again() -> None:
    """60 s after a query said nothing the provider acts: the next query binds it."""
    box = Sandbox({"when": MAINTENANCE, "answer": "silence", "act": "after_query", "act_after_s": 60})
    payid = box.paid()
    box.cancel()

    box.pass_time(HOUR)

    assert box.effect()["state"] == "confirmed"
    assert box.operations(payid) == [("RFS", 20_000, "8")]
    assert box.sent() == 1


def test_two_equal_partial_refunds_of_which_the_second_is_silent() -> None:
    """The first is bound to its own record, so that the new one is the second's."""
    box = Sandbox({"when": {**MAINTENANCE, "call": 2}, "answer": "silence"})
    line = {"price": 10_000, "trade": "outdoor", "terms": "outdoor/flexible", "arrival": "2026-07-24", "departure": "2026-07-31"}
    stay = {"folio": "B-1", "property": "camp-azur", "currency": "EUR", "lines": [{**line, "line": "1"}, {**line, "line": "2"}]}
    box.say("booking.confirmed", stay)
    payid = box.pay("B-1", 20_000, "O-1")
    box.cancel(request="C-1", lines=["1"])

    box.cancel(request="C-2", lines=["2"])
    box.pass_time(HOUR)

    assert [(row["state"], row["record"]) for row in box.rows("SELECT state, record FROM effect ORDER BY record")] == [
        ("confirmed", "1"),
        ("confirmed", "2"),
    ]
    assert box.operations(payid) == [("RFD", 10_000, "8"), ("RFS", 10_000, "8")]


def test_a_back_office_refund_of_the_same_amount_during_the_silence() -> None:
    """Two new records of that amount: which is ours cannot be told, a person decides; then the other one is foreign."""
    box = Sandbox({"when": MAINTENANCE, "answer": "silence", "back_office": [{"after_s": 2}]})
    payid = box.paid(price=40_000, amount=40_000)
    box.say("booking.cancelled", {"folio": "B-1", "refund": 15_000})

    outcomes = box.pass_time(HOUR)

    assert "effect.needs_person" in names(outcomes)
    assert box.effect()["state"] == "needs_person"
    assert box.sent() == 1
    effect = box.effect()["id"]

    settle = {"subject": effect, "result": "confirmed", "reason": "their page", "provider_record": f"{payid}/1"}
    settled = box.say("effect.settle", settle, actor="operator")

    assert "refund.executed" in names(settled)
    (paid,) = box.folio().payments
    assert (paid.refunded, paid.foreign) == (15_000, 15_000)
    assert {"1": f"effect:{effect}", "2": "foreign"} == {
        row["level"]: row["owner"] for row in box.rows("SELECT level, owner FROM provider_record WHERE level > '0'")
    }


def test_a_foreign_refund_is_decided_before_the_send() -> None:
    """What the provider already shows is stored and decided first: a planned refund that no longer fits is not sent."""
    box = Sandbox()
    payid = box.paid()
    box.provider.back_office(payid, "RFD", 20_000, box.now())

    box.cancel()
    box.pass_time(HOUR)

    assert box.sent() == 0
    assert box.operations(payid) == [("RFD", 20_000, "8")]
    assert box.effect()["state"] == "refused"
    (paid,) = box.folio().payments
    assert (paid.refunded + paid.refunding, paid.foreign) == (0, 20_000)


def test_a_foreign_refund_that_fails_later_is_taken_back() -> None:
    """8, then 83 at somebody else's refund: its money is with us again."""
    box = Sandbox()
    payid = box.paid()
    level = box.provider.back_office(payid, "RFD", 5_000, box.now())
    box.notified(payid)
    assert box.folio().payments[0].foreign == 5_000

    box.provider.settle(payid, level, "83", box.now())
    box.notified(payid, "83")

    assert box.folio().payments[0].foreign == 0
    assert box.one("SELECT coalesce(sum(CASE WHEN debit LIKE 'guest:%' THEN minor ELSE -minor END), 0) AS owed FROM transfer"
                        " WHERE debit LIKE 'guest:%' OR credit LIKE 'guest:%'")["owed"] == 0  # fmt: skip


@pytest.mark.parametrize("script", [{"when": MAINTENANCE, "status": "83"}, {}], ids=["refused", "reversed"])
def test_a_refund_that_turns_again_and_again_is_told_each_time(script: dict[str, object]) -> None:
    """83, 8, 83, 8, ...: folio and provider agree after each turn, whatever the request's own end was."""
    box = Sandbox(script)
    payid = box.paid()
    box.cancel()
    box.drain()

    for status, refunded in (("83", 0), ("8", 20_000), ("83", 0), ("8", 20_000), ("83", 0)):
        box.wait(HOUR)
        box.provider.settle(payid, 1, status, box.now())
        box.notified(payid, status)
        assert (box.folio().payments[0].refunded, box.folio().payments[0].foreign) == (refunded, 0), status


def test_somebody_elses_refund_that_turns_again_and_again_is_told_each_time() -> None:
    box = Sandbox()
    payid = box.paid()
    level = box.provider.back_office(payid, "RFD", 5_000, box.now())
    for status, foreign in (("8", 5_000), ("83", 0), ("8", 5_000), ("83", 0)):
        box.wait(HOUR)
        box.provider.settle(payid, level, status, box.now())
        box.notified(payid, status)
        assert box.folio().payments[0].foreign == foreign, status


def test_a_refused_capture_that_is_done_after_all_is_the_payments() -> None:
    """93, then 9: money taken, and no refund of anybody."""
    box = Sandbox({"when": MAINTENANCE, "status": "93"})
    box.say("booking.confirmed", booking("B-1", price=20_000))
    payid = box.provider.create("O-1", 20_000, "EUR", box.now(), operation="RES", callback=False)
    paid = {
        "folio": "B-1", "payment": "P-1", "amount": 20_000, "currency": "EUR", "provider": "ogone", "merchant": "azur",
        "provider_reference": payid, "order": "O-1", "occurred_at": box.now().isoformat(),
    }  # fmt: skip
    box.say("payment.authorised", paid)
    box.say("booking.cancelled", {"folio": "B-1", "revision": 2, "reason": "", "refund": "none"})
    assert (box.effect()["kind"], box.effect()["state"]) == ("capture", "refused")

    box.provider.settle(payid, 1, "9", box.now())
    outcomes = box.notified(payid, "9")

    (payment,) = box.folio().payments
    assert "payment.captured" in names(outcomes)
    assert (payment.captured, payment.foreign) == (20_000, 0)


def test_success_that_turns_into_failure_is_reversed() -> None:
    """8, then 83 (or 96): an entry and a fact of its own, and a person gives the money back."""
    for status in ("83", "96"):
        box = Sandbox()
        payid = box.paid()
        box.cancel()
        box.provider.settle(payid, 1, status, box.now())

        outcomes = box.notified(payid, status)

        assert [name for name in names(outcomes) if name.startswith("refund.")] == ["refund.reversed", "refund.manual_required"]
        assert box.effect()["state"] == "reversed"
        assert (box.folio().payments[0].refunded, box.folio().payments[0].refunding) == (0, 20_000)


def test_a_refusal_that_turns_into_success_closes_what_a_person_would_give() -> None:
    """83, then 8: the guest has the money, nobody gives it twice."""
    box = Sandbox({"when": MAINTENANCE, "status": "83"})
    payid = box.paid()
    refused = box.cancel()
    assert "refund.refused_by_provider" in names(refused)

    box.provider.settle(payid, 1, "8", box.now())
    outcomes = box.notified(payid)

    assert "refund.executed" in names(outcomes)
    assert box.folio().payments[0].refunded == 20_000


@pytest.mark.parametrize(("status", "ends"), [("8", "confirmed"), ("83", "refused")])
def test_pending_is_asked_after_until_it_ends(status: str, ends: str) -> None:
    """81, then 8 or 83."""
    box = Sandbox({"when": MAINTENANCE, "status": "81", "then": [{"after_s": 7_000, "status": status}]})
    box.paid()
    box.cancel()
    assert box.effect()["state"] == "accepted"

    box.pass_time(30 * HOUR)

    assert ends == box.effect()["state"]
    assert box.sent() == 1


@pytest.mark.parametrize("status", ["81", "82"])
def test_pending_or_uncertain_for_ever_ends_with_a_person(status: str) -> None:
    """No request is asked after for ever."""
    box = Sandbox({"when": MAINTENANCE, "status": status})
    box.paid()
    box.cancel()

    box.pass_time(60 * 24 * HOUR)

    assert box.effect()["state"] == "needs_person"
    assert None is box.hub.effects.next_due()


@pytest.mark.parametrize(
    ("status", "ends", "told"), [("8", "confirmed", "refund.executed"), ("83", "refused", "refund.refused_by_provider")]
)
@pytest.mark.parametrize("uncertain", ["52", "62", "72", "82", "92"])
def test_a_refund_shown_by_a_payments_uncertain_status_is_ours_when_it_settles(
    uncertain: str, status: str, ends: str, told: str
) -> None:
    """92 for a refund, then 8 or 83: the level is nobody's until it says what it is, and the payment hears nothing of it."""
    box = Sandbox({"when": MAINTENANCE, "status": uncertain, "then": [{"after_s": 30, "status": status}]})
    payid = box.paid()
    first = box.cancel()
    assert box.effect()["state"] == "unknown"

    seen = box.notified(payid, uncertain)
    later = box.pass_time(HOUR)

    assert [name for name in names(first + seen + later) if name.startswith(("payment.", "effect."))] == []
    assert told in names(later)
    assert (box.effect()["state"], box.effect()["record"]) == (ends, "1")
    assert box.one("SELECT owner FROM provider_record WHERE level = '1'")["owner"] == f"effect:{box.effect()['id']}"
    assert box.sent() == 1


def test_an_uncertain_status_for_ever_ends_with_a_person_and_a_callback_ends_that() -> None:
    """92 for days: a person; then 8 and a callback: bound, without a word of the person."""
    box = Sandbox({"when": MAINTENANCE, "status": "92"})
    payid = box.paid()
    box.cancel()
    box.pass_time(60 * 24 * HOUR)
    assert (box.effect()["state"], box.hub.effects.next_due()) == ("needs_person", None)

    box.provider.settle(payid, 1, "8", box.now())
    outcomes = box.notified(payid)

    assert "refund.executed" in names(outcomes)
    assert (box.effect()["state"], box.folio().payments[0].foreign) == ("confirmed", 0)


def test_an_uncertain_level_of_the_payment_that_turns_into_a_refund() -> None:
    """Stored as the payment's when nobody asked for anything: its owner changes, and the folio hears of somebody else's refund."""
    box = Sandbox()
    payid = box.paid()
    level = box.provider.back_office(payid, "RFD", 5_000, box.now(), status="92")
    box.notified(payid, "92")
    owner = "SELECT owner FROM provider_record WHERE level = '1'"
    assert box.one(owner)["owner"] == "payment"

    box.provider.settle(payid, level, "8", box.now())
    box.notified(payid)

    assert (box.one(owner)["owner"], box.folio().payments[0].foreign) == ("foreign", 5_000)


@pytest.mark.parametrize("pending", ["51", "91"])
def test_a_refund_shown_by_a_payments_pending_status_is_ours_when_it_settles(pending: str) -> None:
    """91 for a refund, then 8: stored as the payment's meanwhile, and given to the effect when it shows itself."""
    box = Sandbox({"when": MAINTENANCE, "status": pending, "then": [{"after_s": 30, "status": "8"}]})
    box.paid()
    box.cancel()
    box.pass_time(20)
    assert box.one("SELECT owner FROM provider_record WHERE level = '1'")["owner"] == "payment"

    box.pass_time(HOUR)

    assert (box.effect()["state"], box.effect()["record"]) == ("confirmed", "1")
    assert box.one("SELECT owner FROM provider_record WHERE level = '1'")["owner"] == f"effect:{box.effect()['id']}"


def test_a_yes_without_its_number_is_told_by_the_history() -> None:
    """An answer without PAYIDSUB is no binding: unknown, queried, bound."""
    box = Sandbox(shows_level=False)
    box.paid()
    box.cancel()
    assert box.effect()["state"] == "unknown"

    box.pass_time(HOUR)

    assert (box.effect()["state"], box.effect()["record"]) == ("confirmed", "1")


def test_a_callback_settles_nothing_it_asks() -> None:
    """Twice the same callback: one is a repeat; what it claims is not believed, the query tells."""
    box = Sandbox({"when": MAINTENANCE, "answer": "silence", "act": "never"})
    payid = box.paid()
    box.cancel()

    first = box.notified(payid, "8", id_="callback")
    second = box.notified(payid, "8", id_="callback")

    assert box.effect()["state"] == "unknown"
    assert first + second == []
    assert [result for result in box.results("provider.notified") if result != "forwarded"] == ["decided", "duplicate"]


def test_a_callback_brings_what_a_person_was_waiting_for() -> None:
    """`needs_person`, then the provider acts at last and says so: the query finds it."""
    box = Sandbox({"when": MAINTENANCE, "answer": "silence", "act": "after", "act_after_s": 30 * HOUR})
    payid = box.paid()
    box.cancel()
    box.pass_time(29 * HOUR)
    assert box.effect()["state"] == "needs_person"

    box.wait(2 * HOUR)
    outcomes = box.notified(payid)

    assert "refund.executed" in names(outcomes)
    assert box.effect()["state"] == "confirmed"


def test_one_request_in_flight_per_provider_payment() -> None:
    """A payment that serves two folios: the second waits until the first is told."""
    box = Sandbox({"when": {**MAINTENANCE, "call": 1}, "answer": "silence", "act": "after", "act_after_s": 600})
    box.say("booking.confirmed", {"folio": "B-2", "property": "camp-azur", "currency": "EUR", "lines": [
        {"line": "1", "price": 10_000, "trade": "outdoor", "terms": "outdoor/flexible", "arrival": "2026-07-24"}]})  # fmt: skip
    payid = box.paid(price=10_000, amount=30_000)
    box.say("payment.received", {"folio": "B-2", "payment": "P-2", "amount": 10_000, "currency": "EUR", "provider": "ogone",
                                 "merchant": "azur", "provider_reference": payid, "occurred_at": box.now().isoformat()})  # fmt: skip
    box.say("booking.cancelled", {"folio": "B-1", "refund": 7_000})

    box.say("booking.cancelled", {"folio": "B-2", "refund": 3_000})

    assert {"unknown", "planned"} == {row["state"] for row in box.rows("SELECT state FROM effect")}
    assert box.sent() == 1
    box.pass_time(3 * HOUR)
    assert [row["state"] for row in box.rows("SELECT state FROM effect")] == ["confirmed", "confirmed"]
    assert sum(minor for _, minor, _ in box.operations(payid)) == 10_000


def test_a_sender_that_died_after_its_mark_is_doubted_never_repeated() -> None:
    """The lease guards our row: its end permits a query, never another send."""
    box = Sandbox()
    payid = box.paid()
    _marked(box)

    box.wait(89)
    box.drain()
    assert box.effect()["state"] == "sending"
    box.wait(2)
    outcomes = box.drain()

    assert "refund.unknown" in names(outcomes)
    assert (box.effect()["state"], box.sent()) == ("unknown", 0)
    box.pass_time(20 * HOUR)
    assert (box.effect()["state"], box.operations(payid)) == ("needs_person", [])


@pytest.mark.parametrize(("slept_s", "left_s"), [(0, 30), (60, 30), (75, 15), (89, 1)])
def test_a_send_ends_at_one_instant_and_never_after_its_lease(slept_s: int, left_s: int) -> None:
    """Whatever is slept on the way to the wire, the end does not move: who comes there after it has written nothing."""
    box = Sandbox()
    payid = box.paid()
    other = instead(box)
    sent = _marked(box)
    box.wait(slept_s)
    end_s = box.clock.elapsed_s() + left_s

    class Sleeping(Instead):
        def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
            box.wait(left_s)
            return other.send(order, deadline)

    answer = box.hub.effects.make(sent._replace(connector=Sleeping(box.connector)))

    assert (answer.reply.result, answer.reply.code, other.ends) == (Result.NOT_SENT, "deadline", [end_s])
    assert (box.sent(), box.operations(payid), end_s * 1_000_000 <= sent.until) == (0, [], True)


def test_a_pause_while_the_end_is_fixed_shortens_the_call() -> None:
    """The machine's seconds are read before the hub's time, from which the rest of the lease is counted."""
    box = Sandbox()
    box.paid()
    other = instead(box)
    sent = _marked(box)
    before_s, now = box.clock.elapsed_s(), box.clock.now

    def later() -> int:
        box.clock.advance(int((before_s + 80) * 1_000_000))
        return now()

    box.clock.now = later  # type: ignore[method-assign]  # the pause falls on this very look
    box.hub.effects.make(sent._replace(connector=other))

    assert other.ends == [before_s + 10]


def test_a_late_reply_is_kept_as_evidence() -> None:
    """A sender thought dead answers: the fence has moved, nothing changes, what it heard is kept."""
    box = Sandbox()
    box.paid()
    sent = _marked(box)
    box.wait(100)
    box.drain()
    assert box.effect()["state"] == "unknown"

    late = Reply(result=Result.CONFIRMED, code="8", answer="late but whole")
    assert box.hub.effects.absorb([Answer(sent, late, box.clock.now())]) == []

    assert box.effect()["state"] == "unknown"
    assert box.one("SELECT answer FROM evidence WHERE act = 'late'")["answer"] == "late but whole"


def test_an_answer_that_is_stored_already_changes_nothing() -> None:
    """Whoever hands it on again, not knowing that it was stored, adds evidence and nothing else."""
    box = Sandbox({"when": MAINTENANCE, "status": "81"})
    box.paid()
    box.append(arrival("cancel", "cancellation.request", {"folio": "B-1", "request": "C-1", "confirm": True}, actor="guest"))
    box.hub.run_lanes()
    effects = box.hub.effects
    (look,) = effects.begin(effects.due())
    (send,) = effects.absorb([effects.make(look)])
    answer = effects.make(send)
    assert effects.absorb([answer]) == []
    box.drain()
    before = box.effect()

    effects.absorb([answer._replace(reply=Reply(result=Result.REFUSED, code="83"))])

    assert (before["state"], box.effect(), names(box.drain())) == ("accepted", before, [])
    assert [row["code"] for row in box.rows("SELECT code FROM evidence WHERE act = 'late'")] == ["83"]


def test_an_older_history_that_comes_after_a_newer_one_changes_nothing() -> None:
    """Somebody asked while the refund was uncertain and was slow to hear; meanwhile a callback let another ask, who saw it refused."""
    box = Sandbox({"when": MAINTENANCE, "status": "82", "then": [{"after_s": 10, "status": "83"}]})
    payid = box.paid()
    box.cancel()
    effects = box.hub.effects
    box.wait(5)
    (call,) = effects.begin(effects.due())
    slow = effects.make(call)
    box.wait(10)
    assert "refund.refused_by_provider" in names(box.notified(payid, "83"))

    assert effects.absorb([slow]) == []
    outcomes = box.drain()

    assert outcomes == []
    assert (box.effect()["state"], box.folio().payments[0].refunded) == ("refused", 0)
    assert [row["result"] for row in box.rows("SELECT result FROM evidence WHERE act = 'late'")] == ["confirmed"]


def test_an_older_history_of_a_payment_is_asked_for_again() -> None:
    """The same with two callbacks of which the first was slow: the newer word stays, and the wish is not forgotten."""
    box = Sandbox({"when": MAINTENANCE, "status": "81"})
    payid = box.paid()
    box.cancel()
    effects = box.hub.effects
    box.append(arrival("told", "provider.notified", {"provider": "ogone", "merchant": "azur", "provider_reference": payid}))
    box.hub.run_lanes()
    (call,) = effects.begin(effects.due())
    slow = effects.make(call)
    box.provider.settle(payid, 1, "83", box.now())
    box.wait(60)
    assert "refund.refused_by_provider" in names(box.drain())
    box.provider.settle(payid, 1, "8", box.now())

    effects.absorb([slow])
    assert (names(box.drain()), box.effect()["state"]) == ([], "refused")
    outcomes = box.pass_time(HOUR)

    assert "refund.executed" in names(outcomes)
    assert box.rows("SELECT * FROM payment_query") == []


def test_who_slept_since_the_look_looks_again() -> None:
    """What the provider shows before a send is no older than a lease: meanwhile its back office may have been there."""
    box = Sandbox()
    payid = box.paid()
    box.append(arrival("cancel", "cancellation.request", {"folio": "B-1", "request": "C-1", "confirm": True}, actor="guest"))
    box.hub.run_lanes()
    effects = box.hub.effects
    (look,) = effects.begin(effects.due())
    seen = effects.make(look)
    box.provider.back_office(payid, "RFD", 20_000, box.now())
    box.wait(100)

    assert effects.absorb([seen]) == []
    box.drain()

    assert (box.sent(), box.effect()["state"], box.folio().payments[0].foreign) == (0, "refused", 20_000)


def _marked(box: Sandbox) -> Call:
    """The call of a refund that is marked, by a sender that does nothing yet."""
    box.append(arrival("cancel", "cancellation.request", {"folio": "B-1", "request": "C-1", "confirm": True}, actor="guest"))
    while box.hub.run_lanes().decided:
        pass
    assert box.effect()["state"] == "planned"
    effects = box.hub.effects
    (look,) = effects.begin(effects.due())
    (send,) = effects.absorb([effects.make(look)])
    assert (send.act, send.until, box.effect()["state"]) == (Act.SEND, box.clock.now() + 90_000_000, "sending")
    return send


def test_an_answer_with_another_operations_number_binds_nothing() -> None:
    """A record belongs to exactly one effect: an answer that names somebody else's is no answer, and is queried."""
    box = Sandbox()
    payid = box.paid()
    box.say("booking.cancelled", {"folio": "B-1", "refund": 5_000})
    known = ProviderRecord(
        reference=payid, level="1", kind=RecordKind.REFUND, result=Result.CONFIRMED, status="8", currency="EUR", minor=5_000
    )
    instead(box, Reply(result=Result.CONFIRMED, code="8", record=known))
    box.say("booking.confirmed", booking("B-2", price=5_000))
    box.say("payment.received", {"folio": "B-2", "payment": "P-2", "amount": 5_000, "currency": "EUR", "provider": "ogone",
                                 "merchant": "azur", "provider_reference": payid, "occurred_at": box.now().isoformat()})  # fmt: skip

    box.cancel("B-2")

    assert [row["state"] for row in box.rows("SELECT state FROM effect ORDER BY folio")] == ["confirmed", "unknown"]
    assert "effect:" in box.one("SELECT owner FROM provider_record WHERE level = '1'")["owner"]


def _both_planned(box: Sandbox) -> dict[str, str]:
    """The refunds of two folios, due at the same instant, by folio."""
    for folio in ("B-1", "B-2"):
        box.paid(folio, price=10_000, order=f"O-{folio}")
    for folio in ("B-1", "B-2"):
        asked = {"folio": folio, "request": f"C-{folio}", "confirm": True}
        box.append(arrival(f"cancel-{folio}", "cancellation.request", asked, actor="guest"))
    while box.hub.run_lanes().decided:
        pass
    planned = {row["folio"]: row["id"] for row in box.rows("SELECT folio, id FROM effect WHERE state = 'planned'")}
    assert (len(planned), len(box.hub.effects.due())) == (2, 2)
    return planned


def test_an_answer_whose_number_the_store_refuses_is_queried() -> None:
    """A second record for one effect is refused by the store: that one is in doubt, what is stored with it goes on."""
    box = Sandbox()
    planned = _both_planned(box)
    with box.hub.database.write() as connection:
        connection.execute(
            "INSERT INTO provider_record VALUES ('azur', 'another', '7', 'ogone', 'refund', 'confirmed', '8', 1, 'EUR', ?, 1)",
            (f"effect:{planned['B-1']}",),
        )

    outcomes = box.drain()

    assert {row["folio"]: row["state"] for row in box.rows("SELECT folio, state FROM effect")} == {
        "B-1": "unknown",
        "B-2": "confirmed",
    }
    assert {"refund.unknown", "refund.executed"} <= set(names(outcomes))
    assert [row["result"] for row in box.rows("SELECT result FROM evidence WHERE act = 'send'")] == ["confirmed", "confirmed"]


# -- brakes ------------------------------------------------------------------------------------------------------------------------


def braked(**knobs: Any) -> Any:
    """The shipped configuration with other brakes."""
    tenant = msgspec.structs.replace(CONFIGURATION.tenants["azur"], **knobs)
    return msgspec.structs.replace(CONFIGURATION, tenants={"azur": tenant})


def test_x_27_the_days_sum_holds_back_until_midnight() -> None:
    """One alarm; the rest goes out after the tenant's midnight."""
    box = Sandbox(configuration=braked(day_sum=15_000))
    for folio in ("B-1", "B-2"):
        box.paid(folio, price=10_000, order=f"O-{folio}")

    first = box.cancel("B-1")
    second = box.cancel("B-2")

    assert "refund.executed" in names(first)
    assert "payout.alarm" in names(second)
    assert box.sent() == 1
    later = box.pass_time(24 * HOUR)
    assert [name for name in names(later) if name.startswith(("refund.", "payout."))] == ["refund.executed"]


@pytest.mark.parametrize(
    "knobs", [{"day_sum": 15_000}, {"property_day_sum": 15_000}, {"velocity_per_hour": 1}], ids=["day", "property", "velocity"]
)
def test_x_27_what_is_sent_at_once_counts(knobs: dict[str, int]) -> None:
    """Two refunds of one batch: what the first one takes is gone for the second."""
    box = Sandbox(configuration=braked(**knobs))
    _both_planned(box)

    outcomes = box.drain()

    assert (box.sent(), names(outcomes).count("payout.alarm")) == (1, 1)
    assert sorted(row["state"] for row in box.rows("SELECT state FROM effect")) == ["confirmed", "planned"]


def test_x_27_velocity() -> None:
    """So many refunds an hour and no more."""
    box = Sandbox(configuration=braked(velocity_per_hour=1))
    for folio in ("B-1", "B-2"):
        box.paid(folio, price=10_000, order=f"O-{folio}")
    box.cancel("B-1")
    box.cancel("B-2")

    box.pass_time(1800)
    assert box.sent() == 1
    box.pass_time(HOUR)

    assert box.sent() == 2


def test_x_27_the_stop_switch_is_read_before_each_send() -> None:
    """Payouts stand still until they are started again; nothing is forgotten."""
    box = Sandbox()
    box.paid()
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    box.cancel()
    box.pass_time(HOUR)
    assert (box.effect()["state"], box.sent()) == ("planned", 0)

    box.say("payouts.start", {"reason": "go on"}, actor="operator")
    box.pass_time(HOUR)

    assert (box.effect()["state"], box.sent()) == ("confirmed", 1)


def test_x_27_approval_by_a_second_person() -> None:
    """Not sent before it is granted; granted twice is sent once."""
    camp = msgspec.structs.replace(CONFIGURATION.properties["camp-azur"], approval_above=1_000)
    box = Sandbox(configuration=msgspec.structs.replace(CONFIGURATION, properties={"camp-azur": camp}))
    box.paid()
    asked = box.cancel()
    box.pass_time(HOUR)
    assert ("approval.requested" in names(asked), 0) == (True, box.sent())

    effect = box.effect()["id"]
    for _ in range(2):
        box.say("approval.grant", {"subject": effect, "reason": "fine"}, actor="merchant")

    assert (box.effect()["state"], box.sent()) == ("confirmed", 1)


def test_a_merchant_without_connector_is_tried_again_later() -> None:
    """Nothing is lost and nothing spins while a merchant is not configured."""
    box = Sandbox()
    payid = box.paid()
    connector = box.connectors.pop("azur")
    box.cancel()
    box.notified(payid)
    assert (box.effect()["state"], box.sent()) == ("planned", 0)
    due = box.hub.next_due()
    assert due is not None
    assert due > box.clock.now()

    box.connectors["azur"] = connector
    box.pass_time(HOUR)

    assert box.effect()["state"] == "confirmed"


def handed_over() -> Configuration:
    """The account of azur is another tenant's now."""
    dunes = TenantPolicy(tenant="dunes", version="dunes/1")
    return msgspec.structs.replace(
        CONFIGURATION,
        tenants={**CONFIGURATION.tenants, "dunes": dunes},
        merchants={"azur": msgspec.structs.replace(CONFIGURATION.merchants["azur"], tenant="dunes")},
    )


def test_x_12_a_payment_by_the_account_of_another_tenant_is_not_taken() -> None:
    """Else its refund would be paid with their money."""
    box = Sandbox(configuration=handed_over())
    box.say("booking.confirmed", booking("B-1"))
    payment = {"folio": "B-1", "payment": "P-1", "amount": 20_000, "currency": "EUR", "provider": "ogone", "merchant": "azur"}

    (receipt,) = box.append(arrival("p-1", "payment.received", payment))

    assert (receipt.taken, receipt.code, receipt.field) == (Taken.DEAD, "unknown_merchant", "merchant")


def test_x_12_no_request_goes_out_by_the_account_of_another_tenant() -> None:
    """Whatever is in the store already; by its own it goes."""
    box = Sandbox()
    its_own = box.configuration
    box.paid()
    box.say("payouts.stop", {"reason": "look"}, actor="operator")
    box.cancel()
    box.configuration = handed_over()
    box.hub = box.open()

    box.say("payouts.start", {"reason": "go on"}, actor="operator")
    box.pass_time(HOUR)
    assert (box.effect()["state"], box.sent()) == ("planned", 0)

    box.configuration = its_own
    box.hub = box.open()
    box.pass_time(HOUR)
    assert (box.effect()["state"], box.sent()) == ("confirmed", 1)
