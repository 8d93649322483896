"""The rows of requests: each call moves the one row it names, when it may, and says so; whatever else has the same merchant, payment,
tenant or folio stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.reconcile import Known
from engine.store.contract import Constraint
from engine.store.effects import Effect, Evidence, Learned, PaymentAsk, Spent
from engine.store.rows import InternalRow
from engine.store.sqlite.database import Database
from engine.store.sqlite.effects import SqliteEffects
from schemas.effect import EffectState, ProviderRecord, RecordKind, Result

HOUR = 3_600_000_000
NOW = 100 * HOUR
LATER = NOW + 90_000_000
EFFECT = {
    "tenant": "t", "folio": "f", "lane": 0, "business_key": "", "kind": "refund", "provider": "ogone", "merchant": "m", "payment": "p",
    "reference": "r", "order_ref": "o", "minor": 500, "currency": "EUR", "refund": "x", "property": "camp", "last": 0,
    "needs_approval": 0, "state": "planned", "reason": "as it was", "decision": 1, "created_at": 1, "correlation": "", "traceparent": "",
    "next_at": NOW, "attempts": 0, "queries": 3, "fence": 7, "lease_until": 0, "sent_at": 0, "record": "",
}  # fmt: skip
EVIDENCE = Evidence(NOW, "e", "m", "r", "send", "confirmed", "", "asked", "answered")


class Store:
    """A store in memory with what a test puts there."""

    def __init__(self) -> None:
        self.database = Database(":memory:")
        self.effects = SqliteEffects(self.database)

    def put(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        with self.database.write() as connection:
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({','.join('?' * len(values))})", tuple(values.values()))

    def effect(self, id_: str, **more: Any) -> None:
        self.put("effect", **{**EFFECT, "id": id_, "business_key": id_, **more})

    def news(self, **more: Any) -> None:
        self.put("internal", **{**told("n")._asdict(), **more})

    def asked(self, merchant: str, reference: str, **more: Any) -> None:
        known = {
            "merchant": merchant, "reference": reference, "provider": "ogone", "order_ref": "o", "tenant": "t", "folio": "f", "lane": 0,
            "payment": "p", "due": NOW, "attempts": 0, "lease_until": 0,
        }  # fmt: skip
        self.put("payment_query", **{**known, **more})

    def stopped(self, tenant: str, stopped: int = 1) -> None:
        self.put("payout_switch", tenant=tenant, stopped=stopped, by="olga", reason="a look", at=NOW)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            cursor = connection.execute(statement)
            names = [one[0] for one in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def whole(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Requests and payments to ask about, by name."""
        found = {("effect", row["id"]): row for row in self.rows("SELECT * FROM effect")}
        return found | {(row["merchant"], row["reference"]): row for row in self.rows("SELECT * FROM payment_query")}

    def said(self) -> list[str]:
        return [row["id"] for row in self.rows("SELECT id FROM internal ORDER BY seq")]

    def read(self, id_: str) -> Effect:
        found = self.effects.effect(id_)
        assert found is not None
        return found


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.database.close()


def told(id_: str) -> InternalRow:
    return InternalRow(0, id_.encode(), "t", "foliohub", id_, "reply.arrived", "folio", "f", NOW, NOW, "", "", 0, b"{}")


def record(
    level: str, kind: RecordKind = RecordKind.REFUND, result: Result = Result.CONFIRMED, minor: int | None = 500
) -> ProviderRecord:
    return ProviderRecord(reference="r", level=level, kind=kind, result=result, status="8", currency="EUR", minor=minor)


def changes(store: Store, before: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """What differs, by row and column."""
    after = store.whole()
    return {
        name: {
            column: value for column, value in after.get(name, {"gone": True}).items() if column not in row or row[column] != value
        }
        for name, row in before.items()
        if after.get(name) != row
    }


# -- claims --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["unknown", "accepted"])
def test_what_is_in_doubt_or_pending_is_claimed_to_ask(store: Store, state: str) -> None:
    """Once its lease is over, to the microsecond, and no other row."""
    store.effect("e", state=state, lease_until=NOW)
    store.effect("other", state=state)
    before = store.whole()

    assert store.effects.claim_ask("e", NOW, LATER) == 8
    assert changes(store, before) == {("effect", "e"): {"lease_until": LATER, "next_at": LATER, "fence": 8}}
    assert store.effects.claim_ask("e", NOW, LATER) is None


@pytest.mark.parametrize("state", ["planned", "sending", "confirmed", "refused", "reversed", "needs_person"])
def test_nothing_else_is_claimed_to_ask(store: Store, state: str) -> None:
    """A request that was not sent, or is final."""
    store.effect("e", state=state)

    assert store.effects.claim_ask("e", NOW, LATER) is None


def test_a_payment_is_claimed_to_ask(store: Store) -> None:
    """That payment of that merchant, unless somebody asks already."""
    for merchant, reference in (("m", "r"), ("m", "s"), ("n", "r")):
        store.asked(merchant, reference, lease_until=NOW)
    before = store.whole()

    assert store.effects.claim_payment("m", "r", NOW, LATER)
    assert changes(store, before) == {("m", "r"): {"lease_until": LATER}}
    assert not store.effects.claim_payment("m", "r", NOW, LATER)
    assert not store.effects.claim_payment("m", "nobody's", NOW, LATER)


def test_a_sender_that_fell_silent_leaves_a_doubt(store: Store) -> None:
    """When its lease is over, and its folio is told."""
    store.effect("e", state="sending", lease_until=NOW)
    store.effect("other", state="sending", lease_until=NOW, reference="s")
    before = store.whole()
    store.effects.doubt_abandoned("e", NOW, LATER, told("doubt"))

    assert changes(store, before) == {("effect", "e"): {"state": "unknown", "fence": 8, "next_at": LATER, "lease_until": 0}}
    assert store.said() == ["doubt"]


@pytest.mark.parametrize(("state", "lease"), [("sending", NOW + 1), ("planned", 0), ("unknown", 0), ("confirmed", 0)])
def test_no_doubt_about_what_somebody_has(store: Store, state: str, lease: int) -> None:
    """A lease that still runs, or a request that is not being sent."""
    store.effect("e", state=state, lease_until=lease)
    before = store.whole()
    store.effects.doubt_abandoned("e", NOW, LATER, told("doubt"))

    assert (changes(store, before), store.said()) == ({}, [])


# -- the mark ------------------------------------------------------------------------------------------------------------------------


def test_the_mark(store: Store) -> None:
    """Everything that a sender needs to be found again, in that row alone; the store counts what it sends."""
    store.effect("e")
    store.effect("other", reference="s")
    before, sends = store.whole(), store.rows("SELECT value FROM meta WHERE name = 'sends'")

    assert store.effects.mark_sending("e", 7, NOW, LATER) == 8
    assert changes(store, before) == {
        ("effect", "e"): {
            "state": "sending", "sent_at": NOW, "attempts": 1, "queries": 0, "lease_until": LATER, "next_at": LATER, "reason": "",
            "fence": 8,
        }
    }  # fmt: skip
    assert int(store.rows("SELECT value FROM meta WHERE name = 'sends'")[0]["value"]) == int(sends[0]["value"]) + 1


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        pytest.param({"fence": 8}, {}, id="somebody had it since"),
        pytest.param({"state": "sending"}, {}, id="sent already"),
        pytest.param({"state": "unknown"}, {}, id="in doubt"),
        pytest.param({"needs_approval": 1}, {}, id="a second person has to approve"),
        pytest.param({}, {"effect": {"state": "sending"}}, id="another one is being sent"),
        pytest.param({}, {"effect": {"state": "unknown"}}, id="another one is in doubt"),
        pytest.param({}, {"effect": {"state": "accepted"}}, id="another one is pending without a number"),
        pytest.param({}, {"news": {}}, id="its folio has yet to hear something"),
        pytest.param({}, {"stopped": 1}, id="payouts are stopped"),
    ],
)
def test_no_mark(store: Store, mine: dict[str, Any], others: dict[str, Any]) -> None:
    """What must not go, is not marked and not counted."""
    store.effect("e", **mine)
    if "effect" in others:
        store.effect("other", **others["effect"])
    if "news" in others:
        store.news(**others["news"])
    if "stopped" in others:
        store.stopped("t", others["stopped"])
    before, sends = store.whole(), store.rows("SELECT value FROM meta")

    assert store.effects.mark_sending("e", 7, NOW, LATER) is None
    assert changes(store, before) == {}
    assert store.rows("SELECT value FROM meta") == sends


@pytest.mark.parametrize(
    "others",
    [
        pytest.param({"effect": {"state": "sending", "merchant": "n"}}, id="another merchant's payment of that number"),
        pytest.param({"effect": {"state": "unknown", "reference": "s"}}, id="another payment of the merchant"),
        pytest.param({"effect": {"state": "accepted", "record": "1"}}, id="a pending one whose number is known"),
        pytest.param({"effect": {"state": "planned"}}, id="another one that is planned"),
        pytest.param({"effect": {"state": "confirmed"}}, id="another one that is done"),
        pytest.param({"news": {"tenant": "u"}}, id="news for another tenant's folio of that name"),
        pytest.param({"news": {"key": "g"}}, id="news for another folio"),
        pytest.param({"news": {"kind": "area"}}, id="news for what is no folio"),
        pytest.param({"news": {"decision": 5}}, id="news that were decided"),
        pytest.param({"stopped": "u"}, id="another tenant's payouts are stopped"),
        pytest.param({"started": "t"}, id="payouts were stopped and go on"),
    ],
)
def test_nothing_else_is_in_the_way(store: Store, others: dict[str, Any]) -> None:
    """What only looks alike, both to the mark and to what is due."""
    store.effect("e")
    if "effect" in others:
        store.effect("other", next_at=LATER, **others["effect"])
    if "news" in others:
        store.news(**others["news"])
    for tenant in (others.get("stopped"), others.get("started")):
        if tenant:
            store.stopped(tenant, int("stopped" in others))

    assert [one.id for one in store.effects.due(NOW, 10)] == ["e"]
    assert store.effects.next_due() == NOW
    assert store.effects.mark_sending("e", 7, NOW, LATER) == 8


def test_stopped_payouts_hold_no_capture(store: Store) -> None:
    """They are about money that leaves."""
    store.effect("e", kind="capture")
    store.stopped("t")

    assert [one.id for one in store.effects.due(NOW, 10)] == ["e"]
    assert store.effects.mark_sending("e", 7, NOW, LATER) == 8


# -- what is due ---------------------------------------------------------------------------------------------------------------------


def test_what_is_due(store: Store) -> None:
    """Requests and payments whose time has come, in order, but for merchants that rest."""
    store.effect("b", state="unknown", reference="1")
    store.effect("a", state="accepted", reference="2")
    store.effect("first", state="sending", reference="3", next_at=NOW - 1)
    store.effect("n", merchant="n")
    store.effect("later", reference="4", next_at=NOW + 1)
    for state in ("confirmed", "refused", "reversed", "needs_person"):
        store.effect(state, state=state, reference=state)
    for place, (merchant, reference) in enumerate((("m", "r2"), ("m", "r1"), ("n", "r1"))):
        store.asked(merchant, reference, due=NOW - (place == 2), attempts=place)
    store.asked("m", "later", due=NOW + 1)
    store.asked("m", "theirs", lease_until=NOW + 1)

    assert [one.id for one in store.effects.due(NOW, 10)] == ["first", "a", "b", "n"]
    assert [one.id for one in store.effects.due(NOW, 2)] == ["first", "a"]
    assert [one.id for one in store.effects.due(NOW, 10, ["m"])] == ["n"]
    assert [(one.merchant, one.reference) for one in store.effects.asks(NOW, 10)] == [("n", "r1"), ("m", "r1"), ("m", "r2")]
    assert store.effects.asks(NOW, 1, ["n"]) == [PaymentAsk("m", "r1", "ogone", "o", "t", "f", 0, "p", 1)]


@pytest.mark.parametrize(
    "held",
    [
        pytest.param({"needs_approval": 1}, id="waits for a second person"),
        pytest.param({"behind": "unknown"}, id="behind another one"),
        pytest.param({"stopped": True}, id="payouts are stopped"),
        pytest.param({"news": True}, id="its folio has yet to hear something"),
    ],
)
def test_what_is_held_is_not_due(store: Store, held: dict[str, Any]) -> None:
    """Its own time says nothing then; what is in doubt is asked about all the same."""
    store.effect("e", needs_approval=held.get("needs_approval", 0))
    store.effect("doubt", state="unknown", reference="s", needs_approval=held.get("needs_approval", 0), next_at=NOW + 5)
    if "behind" in held:
        store.effect("other", state=held["behind"], next_at=NOW + 9)
    if "stopped" in held:
        store.stopped("t")
    if "news" in held:
        store.news()

    assert [one.id for one in store.effects.due(NOW + 5, 10)] == ["doubt"]
    assert store.effects.next_due() == NOW + 5


@pytest.mark.parametrize(
    ("due", "lease", "next_"), [(NOW, 0, NOW), (NOW, NOW + 3, NOW + 3), (NOW + 9, NOW + 3, NOW + 9)]
)  # fmt: skip
def test_when_a_payment_is_next_asked_about(store: Store, due: int, lease: int, next_: int) -> None:
    """When it is due and nobody has it."""
    assert store.effects.next_due() is None
    store.asked("m", "r", due=due, lease_until=lease)
    store.asked("m", "s", due=NOW + HOUR)

    assert store.effects.next_due() == next_


# -- answers -------------------------------------------------------------------------------------------------------------------------


def test_putting_off(store: Store) -> None:
    """Under its fence; what is to be said is said only then."""
    store.effect("e", lease_until=LATER)
    store.effect("other", lease_until=LATER)
    before = store.whole()
    store.effects.put_off("e", 6, LATER, "not mine any more", told("late"))
    assert (changes(store, before), store.said()) == ({}, [])

    store.effects.put_off("e", 7, LATER, "the day's sum", told("braked"), queried=1)

    assert changes(store, before) == {
        ("effect", "e"): {"lease_until": 0, "next_at": LATER, "reason": "the day's sum", "queries": 4}
    }
    assert store.said() == ["braked"]


def test_an_answer_settles(store: Store) -> None:
    """State, number, evidence, the record that is its own, and the word to its folio."""
    store.effect("e", state="sending", lease_until=LATER, record="")
    store.effect("other", state="planned", lease_until=LATER)
    before = store.whole()
    settled = store.effects.settle(
        store.read("e"),
        7,
        EffectState.CONFIRMED,
        next_at=5,
        reason="done",
        record=record("1"),
        evidence=EVIDENCE,
        told=[told("yes")],
        now=NOW,
    )

    assert settled
    assert changes(store, before) == {
        ("effect", "e"): {
            "state": "confirmed", "next_at": 5, "reason": "done", "lease_until": 0, "request": "asked", "reply": "answered", "record": "1",
        }
    }  # fmt: skip
    assert store.said() == ["yes"]
    assert [(row["act"], row["effect"], row["result"], row["at"]) for row in store.rows("SELECT * FROM evidence")] == [
        ("send", "e", "confirmed", NOW)
    ]
    assert store.effects.known_records("m", "r") == {"1": Known("effect:e", RecordKind.REFUND, Result.CONFIRMED, NOW)}


def test_an_answer_without_a_number_keeps_what_is_known(store: Store) -> None:
    """Neither a record of its own nor none."""
    store.effect("e", state="sending", record="4")
    for none in (None, record("")):
        store.effects.settle(
            store.read("e"), 7, EffectState.UNKNOWN, next_at=5, reason="", record=none, evidence=EVIDENCE, told=[], now=NOW
        )  # fmt: skip

    assert (store.read("e").state, store.read("e").record) == ("unknown", "4")
    assert store.effects.known_records("m", "r") == {}


def test_an_answer_that_comes_too_late_is_evidence(store: Store) -> None:
    """Others had it meanwhile: nothing moves, nobody is told."""
    store.effect("e", state="unknown", fence=8)
    before = store.whole()
    settled = store.effects.settle(
        store.read("e"),
        7,
        EffectState.CONFIRMED,
        next_at=5,
        reason="",
        record=record("1"),
        evidence=EVIDENCE,
        told=[told("yes")],
        now=NOW,
    )

    assert not settled
    assert (changes(store, before), store.said(), store.effects.known_records("m", "r")) == ({}, [], {})
    assert [row["act"] for row in store.rows("SELECT act FROM evidence")] == ["late"]


def test_a_record_of_another_request_settles_nothing(store: Store) -> None:
    """It is told apart by its owner, and everything is undone."""
    store.effect("e", state="sending")
    store.put(
        "provider_record", merchant="m", reference="r", level="1", provider="ogone", kind="refund", result="confirmed", status="8",
        currency="EUR", owner="effect:other", seen_at=1,
    )  # fmt: skip
    before = store.whole()
    with pytest.raises(Constraint) as wrong:
        store.effects.settle(
            store.read("e"),
            7,
            EffectState.CONFIRMED,
            next_at=5,
            reason="",
            record=record("1"),
            evidence=EVIDENCE,
            told=[told("yes")],
            now=NOW,
        )

    assert (wrong.value.field, wrong.value.value) == ("record", "1")
    assert (changes(store, before), store.said(), store.rows("SELECT * FROM evidence")) == ({}, [], [])


# -- what a history teaches ----------------------------------------------------------------------------------------------------------


def learn(store: Store, *moves: Learned, owners: Any = (), said: Any = (), asked: int | None = None) -> None:
    store.effects.learn("m", "ogone", "r", owners=owners, moves=moves, evidence=EVIDENCE, told=said, now=NOW, asked=asked)


def test_what_a_history_shows_moves_its_request(store: Store) -> None:
    """With the record that is its own, and the word to its folio."""
    store.effect("e", state="unknown", lease_until=LATER)
    store.effect("other", state="unknown", lease_until=LATER)
    before = store.whole()
    learn(
        store,
        Learned("e", EffectState.UNKNOWN, EffectState.CONFIRMED, "seen", record("2"), LATER, told("yes")),
        said=[told("more")],
    )

    assert changes(store, before) == {
        ("effect", "e"): {
            "state": "confirmed", "reason": "seen", "record": "2", "next_at": LATER, "queries": 4, "lease_until": 0, "fence": 8,
        }
    }  # fmt: skip
    assert sorted(store.said()) == ["more", "yes"]
    assert store.effects.known_records("m", "r")["2"].owner == "effect:e"
    assert len(store.rows("SELECT * FROM evidence")) == 1


@pytest.mark.parametrize(
    "stands", [pytest.param({"state": "confirmed"}, id="it has gone on"), pytest.param({"record": "1"}, id="it has another record")]
)
def test_what_has_gone_on_meanwhile_is_left_alone(store: Store, stands: dict[str, Any]) -> None:
    """With its record and its message: the next query sees it again."""
    store.effect("e", **{"state": "unknown", **stands})
    before = store.whole()
    learn(store, Learned("e", EffectState.UNKNOWN, EffectState.CONFIRMED, "", record("2"), LATER, told("yes")))

    assert (changes(store, before), store.said(), store.effects.known_records("m", "r")) == ({}, [], {})


def test_its_own_record_again_and_no_record_at_all(store: Store) -> None:
    """Both move it, and the number stays."""
    store.effect("e", state="accepted", record="2")
    learn(store, Learned("e", EffectState.ACCEPTED, EffectState.ACCEPTED, "", None, LATER, None))
    learn(store, Learned("e", EffectState.ACCEPTED, EffectState.CONFIRMED, "", record("2"), LATER, None))

    assert (store.read("e").state, store.read("e").record, store.read("e").queries, store.said()) == ("confirmed", "2", 5, [])


def test_whose_a_record_is(store: Store) -> None:
    """The first owner stays, but for the payment's own that shows itself to be something else; what it says is what it said last."""
    learn(store, owners=[(record("1", RecordKind.CAPTURE, minor=900), "payment"), (record("2"), "foreign")])
    learn(store, owners=[(record("1", minor=None, result=Result.REFUSED), "foreign"), (record("2"), "payment")])

    assert store.effects.known_records("m", "r") == {
        "1": Known("foreign", RecordKind.REFUND, Result.REFUSED, NOW),
        "2": Known("foreign", RecordKind.REFUND, Result.CONFIRMED, NOW),
    }
    assert [row["minor"] for row in store.rows("SELECT minor FROM provider_record ORDER BY level")] == [900, 500]
    assert store.effects.known_records("n", "r") == store.effects.known_records("m", "s") == {}


@pytest.mark.parametrize(("asked", "left"), [(LATER, 2), (LATER - 1, 3), (None, 3)])
def test_a_wish_is_done_unless_it_was_renewed(store: Store, asked: int | None, left: int) -> None:
    """Under the lease that it was asked under."""
    for merchant, reference in (("m", "r"), ("m", "s"), ("n", "r")):
        store.asked(merchant, reference, lease_until=LATER)
    learn(store, asked=asked)

    assert len(store.rows("SELECT * FROM payment_query")) == left


def test_asking_again(store: Store) -> None:
    """Later, with one more try, and what came is kept."""
    store.asked("m", "r", lease_until=LATER)
    store.asked("m", "s", lease_until=LATER)
    store.asked("n", "r", lease_until=LATER)
    before = store.whole()
    store.effects.ask_again("m", "r", LATER, EVIDENCE)
    store.effects.keep_evidence(EVIDENCE)

    assert changes(store, before) == {("m", "r"): {"due": LATER, "attempts": 1, "lease_until": 0}}
    assert len(store.rows("SELECT * FROM evidence")) == 2


def test_requests_of_a_payment(store: Store) -> None:
    """All of them, by id, and no other payment's or merchant's."""
    for id_, merchant, reference in (("b", "m", "r"), ("a", "m", "r"), ("c", "m", "s"), ("d", "n", "r")):
        store.effect(id_, merchant=merchant, reference=reference)

    assert [one.id for one in store.effects.effects_on("m", "r")] == ["a", "b"]


def test_what_was_spent(store: Store) -> None:
    """X-27: refunds that were sent today, the property's, and those of the last hour; refused ones never left."""
    day = NOW - 10 * HOUR
    for id_, more in {
        "today": {"sent_at": day},
        "an hour ago": {"sent_at": NOW - HOUR},
        "elsewhere": {"sent_at": NOW, "property": "other"},
        "yesterday": {"sent_at": day - 1},
        "refused": {"sent_at": NOW, "state": "refused"},
        "planned": {"sent_at": NOW, "state": "planned"},
        "capture": {"sent_at": NOW, "kind": "capture"},
        "their own": {"sent_at": NOW, "tenant": "u"},
    }.items():
        store.effect(id_, **{"state": "confirmed", **more})

    assert store.effects.spent("t", "camp", day, NOW) == Spent(1_500, 1_000, 2)


def test_spent_in_the_first_minutes_of_a_day(store: Store) -> None:
    """The hour reaches back beyond midnight, the day does not."""
    store.effect("before midnight", state="confirmed", sent_at=NOW - HOUR // 2)

    assert store.effects.spent("t", "camp", NOW - 60_000_000, NOW) == Spent(0, 0, 1)


def test_a_new_generation_doubts_everything_that_is_not_final(store: Store) -> None:
    """Payouts stand still at every tenant; who was not in doubt before is told."""
    for state in ("planned", "sending", "accepted", "unknown", "confirmed", "refused", "reversed", "needs_person"):
        store.effect(state, state=state, reference=state, lease_until=LATER)
    before = store.whole()
    doubted = store.effects.new_generation(["t", "u"], "restored", 40, NOW + 1, lambda effect: told(effect.id))

    open_ = {"fence": 8, "queries": 0, "lease_until": 0, "next_at": NOW + 1, "reason": "restored"}
    moved = {("effect", state): {"state": "unknown", **open_} for state in ("planned", "sending", "accepted")}
    assert changes(store, before) == {**moved, ("effect", "unknown"): open_}
    assert (doubted, sorted(store.said())) == (3, ["accepted", "planned", "sending"])
    assert [(row["tenant"], row["stopped"]) for row in store.rows("SELECT * FROM payout_switch ORDER BY tenant")] == [
        ("t", 1),
        ("u", 1),
    ]
    assert {row["epoch"] for row in store.rows("SELECT epoch FROM lane")} == {40}
