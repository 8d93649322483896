"""The rows of requests: each step of a batch moves the one row it names, when it may, and says so; whatever else has the same
merchant, payment, tenant or folio stays as it is. What a batch gets wrong, the store refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from engine.effect_batch import About, Batch
from engine.reconcile import Known
from engine.store.contract import Constraint, Fenced
from engine.store.effects import Effect, EffectWrite, Evidence, Learned, Moved, Owned, PaymentAsk, Spent, Wish
from engine.store.opening import effects_of
from engine.store.rows import InternalRow
from engine.store.sqlite.database import Database
from schemas.effect import EffectState, ProviderRecord, RecordKind, Result
from tests.engine import sandbox

pytestmark = pytest.mark.both_stores

HOUR = 3_600_000_000
NOW = 100 * HOUR
LATER = NOW + 90_000_000
EFFECT = {
    "tenant": "t", "folio": "f", "lane": 0, "business_key": "", "kind": "refund", "provider": "ogone", "merchant": "m", "payment": "p",
    "reference": "r", "order_ref": "o", "minor": 500, "currency": "EUR", "refund": "x", "property": "camp", "last": 0,
    "needs_approval": 0, "state": "planned", "reason": "as it was", "decision": 1, "created_at": 1, "correlation": "", "traceparent": "",
    "next_at": NOW, "attempts": 0, "queries": 3, "fence": 7, "lease_until": 0, "sent_at": 0, "record": "",
}  # fmt: skip
ASK = PaymentAsk("m", "r", "ogone", "o", "t", "f", 0, "p", 0)
EVIDENCE = Evidence(NOW, "e", "m", "r", "send", "confirmed", "", "asked", "answered")


class Store:
    """An empty store with what a test puts there."""

    def __init__(self) -> None:
        self.database = sandbox.fresh_store(1)
        self.effects = effects_of(self.database)

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
        (row,) = self.rows(f"SELECT {', '.join(Effect._fields)} FROM effect WHERE id = '{id_}'")
        return Effect(**row)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """A batch about everything there is."""
        about = [self.read(row["id"]) for row in self.rows("SELECT id FROM effect")]
        columns = ", ".join(PaymentAsk._fields)
        asks = [PaymentAsk(**row) for row in self.rows(f"SELECT {columns} FROM payment_query")]
        payments = {("m", "r"), *((one.merchant, one.reference) for one in (*about, *asks))}
        with self.effects.transaction() as transaction:
            batch = Batch(transaction, NOW, About([*about, *asks], payments, payments))
            yield batch
            batch.write()

    def claim(self, id_: str) -> int | None:
        with self.batch() as batch:
            claimed = batch.claim(self.read(id_), LATER)
        return claimed.fence if claimed is not None else None

    def claim_payment(self, merchant: str, reference: str) -> bool:
        with self.batch() as batch:
            return batch.claim_payment(ASK._replace(merchant=merchant, reference=reference), LATER)

    def doubt(self, id_: str) -> None:
        with self.batch() as batch:
            batch.doubt(self.read(id_), LATER, told("doubt"))

    def mark(self, id_: str, fence: int = 7) -> int | None:
        with self.batch() as batch:
            return batch.mark(self.read(id_)._replace(fence=fence), LATER)

    def settle(self, state: EffectState, record_: ProviderRecord | None, said: InternalRow | None, reason: str = "") -> bool:
        effect = self.read("e")._replace(fence=7)
        with self.batch() as batch:
            return batch.settle(effect, state, next_at=5, reason=reason, record=record_, evidence=EVIDENCE, told=said)

    def known(self, merchant: str, reference: str) -> Mapping[str, Known]:
        with self.effects.transaction() as transaction:
            return transaction.records([(merchant, reference)]).get((merchant, reference), {})

    def spent(self, day_start: int) -> Spent:
        with self.effects.transaction() as transaction:
            return transaction.spent("t", "camp", day_start, NOW)

    def write(self, write: EffectWrite) -> None:
        with self.effects.transaction() as transaction:
            transaction.write(write)


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


def forged(store: Store) -> Moved:
    """A mark of which nobody asked whether it may be made."""
    stood = store.read("e")._replace(fence=7)
    return Moved(stood, stood._replace(state="sending", sent_at=NOW, attempts=1, lease_until=LATER, next_at=LATER, fence=8))


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

    assert store.claim("e") == 8
    assert changes(store, before) == {("effect", "e"): {"lease_until": LATER, "next_at": LATER, "fence": 8}}
    assert store.claim("e") is None


@pytest.mark.parametrize("state", ["planned", "sending", "confirmed", "refused", "reversed", "needs_person"])
def test_nothing_else_is_claimed_to_ask(store: Store, state: str) -> None:
    """A request that was not sent, or is final."""
    store.effect("e", state=state)

    assert store.claim("e") is None


def test_a_payment_is_claimed_to_ask(store: Store) -> None:
    """That payment of that merchant, unless somebody asks already."""
    for merchant, reference in (("m", "r"), ("m", "s"), ("n", "r")):
        store.asked(merchant, reference, lease_until=NOW)
    before = store.whole()

    assert store.claim_payment("m", "r")
    assert changes(store, before) == {("m", "r"): {"lease_until": LATER}}
    assert not store.claim_payment("m", "r")
    assert not store.claim_payment("m", "nobody's")


def test_a_sender_that_fell_silent_leaves_a_doubt(store: Store) -> None:
    """When its lease is over, and its folio is told."""
    store.effect("e", state="sending", lease_until=NOW)
    store.effect("other", state="sending", lease_until=NOW, reference="s")
    before = store.whole()
    store.doubt("e")

    assert changes(store, before) == {("effect", "e"): {"state": "unknown", "fence": 8, "next_at": LATER, "lease_until": 0}}
    assert store.said() == ["doubt"]


@pytest.mark.parametrize(("state", "lease"), [("sending", NOW + 1), ("planned", 0), ("unknown", 0), ("confirmed", 0)])
def test_no_doubt_about_what_somebody_has(store: Store, state: str, lease: int) -> None:
    """A lease that still runs, or a request that is not being sent."""
    store.effect("e", state=state, lease_until=lease)
    before = store.whole()
    store.doubt("e")

    assert (changes(store, before), store.said()) == ({}, [])


# -- the mark ------------------------------------------------------------------------------------------------------------------------


def test_the_mark(store: Store) -> None:
    """Everything that a sender needs to be found again, in that row alone; a file counts what it sends, to be known as an older copy."""
    store.effect("e")
    store.effect("other", reference="s")
    before, sends = store.whole(), store.rows("SELECT value FROM meta WHERE name = 'sends'")

    assert store.mark("e") == 8
    assert changes(store, before) == {
        ("effect", "e"): {
            "state": "sending", "sent_at": NOW, "attempts": 1, "queries": 0, "lease_until": LATER, "next_at": LATER, "reason": "",
            "fence": 8,
        }
    }  # fmt: skip
    counted = int(store.rows("SELECT value FROM meta WHERE name = 'sends'")[0]["value"]) - int(sends[0]["value"])
    assert counted == isinstance(store.database, Database)


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
    """What must not go, is not marked and not counted: not by a batch, and not by the store if a batch had it wrong."""
    store.effect("e", **mine)
    if "effect" in others:
        store.effect("other", **others["effect"])
    if "news" in others:
        store.news(**others["news"])
    if "stopped" in others:
        store.stopped("t", others["stopped"])
    before, sends = store.whole(), store.rows("SELECT value FROM meta")

    assert store.mark("e") is None
    with pytest.raises(Fenced):
        store.write(EffectWrite(marks=[forged(store)]))
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
    assert store.mark("e") == 8


def test_stopped_payouts_hold_no_capture(store: Store) -> None:
    """They are about money that leaves."""
    store.effect("e", kind="capture")
    store.stopped("t")

    assert [one.id for one in store.effects.due(NOW, 10)] == ["e"]
    assert store.mark("e") == 8


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
    with store.batch() as batch:
        batch.put_off(store.read("e")._replace(fence=6), LATER, "not mine any more", told("late"))
    assert (changes(store, before), store.said()) == ({}, [])

    with store.batch() as batch:
        batch.put_off(store.read("e"), LATER, "the day's sum", told("braked"), queried=1)

    assert changes(store, before) == {
        ("effect", "e"): {"lease_until": 0, "next_at": LATER, "reason": "the day's sum", "queries": 4}
    }
    assert store.said() == ["braked"]


def test_an_answer_settles(store: Store) -> None:
    """State, number, evidence, the record that is its own, and the word to its folio."""
    store.effect("e", state="sending", lease_until=LATER, record="")
    store.effect("other", state="planned", lease_until=LATER)
    before = store.whole()
    settled = store.settle(EffectState.CONFIRMED, record("1"), told("yes"), "done")

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
    assert store.known("m", "r") == {"1": Known("effect:e", RecordKind.REFUND, Result.CONFIRMED, NOW, 500)}


def test_an_answer_without_a_number_keeps_what_is_known(store: Store) -> None:
    """Neither a record of its own nor none."""
    store.effect("e", state="sending", record="4")
    for none in (None, record("")):
        store.settle(EffectState.UNKNOWN, none, None)

    assert (store.read("e").state, store.read("e").record) == ("unknown", "4")
    assert store.known("m", "r") == {}


def test_an_answer_that_comes_too_late_is_evidence(store: Store) -> None:
    """Others had it meanwhile: nothing moves, nobody is told."""
    store.effect("e", state="unknown", fence=8)
    before = store.whole()
    settled = store.settle(EffectState.CONFIRMED, record("1"), told("yes"))

    assert not settled
    assert (changes(store, before), store.said(), store.known("m", "r")) == ({}, [], {})
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
        store.settle(EffectState.CONFIRMED, record("1"), told("yes"))

    assert (wrong.value.field, wrong.value.value) == ("record", "1")
    assert (changes(store, before), store.said(), store.rows("SELECT * FROM evidence")) == ({}, [], [])


def test_the_store_keeps_the_first_owner_of_a_record(store: Store) -> None:
    """Whatever a batch says."""
    store.effect("e", state="sending")
    store.effect("o", state="sending", reference="s")
    learn(store, owners=[(record("1"), "foreign"), (record("2"), "effect:o")])
    stood = store.read("e")
    before = (store.whole(), store.rows("SELECT * FROM provider_record"))

    for taken in (record("1"), record("2")):
        with pytest.raises(Constraint) as wrong:
            store.write(EffectWrite(moves=[Moved(stood, stood._replace(state="confirmed"))],
                                    records=[Owned("m", "ogone", taken, "effect:e", NOW)]))  # fmt: skip
        assert (wrong.value.field, wrong.value.value) == ("record", taken.level)
    assert (store.whole(), store.rows("SELECT * FROM provider_record")) == before


@pytest.mark.parametrize(
    "moved",
    [pytest.param({"fence": 6}, id="another fence"), pytest.param({"state": "sending"}, id="another state")],
)
def test_the_store_moves_what_is_as_it_was_read(store: Store, moved: dict[str, Any]) -> None:
    """Nothing of a batch is stored when one row is not."""
    store.effect("e", state="unknown")
    store.effect("other", state="unknown")
    other, stood = store.read("other"), store.read("e")._replace(**moved)
    before = store.whole()

    with pytest.raises(Fenced):
        store.write(
            EffectWrite(
                moves=[Moved(other, other._replace(fence=8)), Moved(stood, stood._replace(reason="mine"))], told=[told("x")]
            )
        )

    assert (changes(store, before), store.said()) == ({}, [])


def test_the_store_touches_no_renewed_wish(store: Store) -> None:
    """Neither to put it off nor to be done with it."""
    store.asked("m", "r", lease_until=LATER)
    before = store.whole()
    read = Wish(NOW, 0, LATER - 1)

    for after in (None, read._replace(due=LATER)):
        with pytest.raises(Fenced):
            store.write(EffectWrite(wishes=[(("m", "r"), read, after)]))

    assert changes(store, before) == {}


# -- what a history teaches ----------------------------------------------------------------------------------------------------------


def learn(store: Store, *moves: Learned, owners: Any = (), said: Any = (), asked: int | None = None) -> None:
    with store.batch() as batch:
        batch.learn(ASK, owners, moves, said, EVIDENCE)
        if asked is not None:
            batch.done(ASK, asked)


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
    assert store.known("m", "r")["2"].owner == "effect:e"
    assert len(store.rows("SELECT * FROM evidence")) == 1


@pytest.mark.parametrize(
    "stands", [pytest.param({"state": "confirmed"}, id="it has gone on"), pytest.param({"record": "1"}, id="it has another record")]
)
def test_what_has_gone_on_meanwhile_is_left_alone(store: Store, stands: dict[str, Any]) -> None:
    """With its record and its message: the next query sees it again."""
    store.effect("e", **{"state": "unknown", **stands})
    before = store.whole()
    learn(store, Learned("e", EffectState.UNKNOWN, EffectState.CONFIRMED, "", record("2"), LATER, told("yes")))

    assert (changes(store, before), store.said(), store.known("m", "r")) == ({}, [], {})


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

    assert store.known("m", "r") == {
        "1": Known("foreign", RecordKind.REFUND, Result.REFUSED, NOW, 900),
        "2": Known("foreign", RecordKind.REFUND, Result.CONFIRMED, NOW, 500),
    }
    assert [row["minor"] for row in store.rows("SELECT minor FROM provider_record ORDER BY level")] == [900, 500]
    assert store.known("n", "r") == store.known("m", "s") == {}


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
    with store.batch() as batch:
        batch.ask_again(ASK, LATER, EVIDENCE)
        batch.keep(EVIDENCE)

    assert changes(store, before) == {("m", "r"): {"due": LATER, "attempts": 1, "lease_until": 0}}
    assert len(store.rows("SELECT * FROM evidence")) == 2


def test_requests_of_a_payment(store: Store) -> None:
    """All of them, by id, and no other payment's or merchant's."""
    for id_, merchant, reference in (("b", "m", "r"), ("a", "m", "r"), ("c", "m", "s"), ("d", "n", "r")):
        store.effect(id_, merchant=merchant, reference=reference)

    with store.effects.transaction() as transaction:
        assert [one.id for one, _ in transaction.effects([("m", "r")])] == ["a", "b"]
    with store.batch() as batch:
        assert [one.id for one in batch.effects_on(("m", "r"))] == ["a", "b"]


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

    assert store.spent(day) == Spent(1_500, 1_000, 2)


def test_spent_in_the_first_minutes_of_a_day(store: Store) -> None:
    """The hour reaches back beyond midnight, the day does not."""
    store.effect("before midnight", state="confirmed", sent_at=NOW - HOUR // 2)

    assert store.spent(NOW - 60_000_000) == Spent(0, 0, 1)


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


# -- many at once --------------------------------------------------------------------------------------------------------------------


def test_two_of_a_payment_see_each_other_in_a_batch(store: Store) -> None:
    """One request at a time; and the next one as soon as the first has ended, unless its folio has yet to hear of it."""
    store.effect("a")
    store.effect("b", folio="g")
    store.effect("c", state="sending", reference="s")
    store.effect("d", reference="s")
    store.effect("x", state="sending", reference="u")
    store.effect("y", reference="u", folio="g")
    with store.batch() as batch:
        assert batch.mark(store.read("a"), LATER) == 8
        assert batch.mark(store.read("b"), LATER) is None
        for ended in ("c", "x"):
            batch.settle(
                store.read(ended), EffectState.REFUSED, next_at=5, reason="", record=None, evidence=EVIDENCE, told=told(ended)
            )  # fmt: skip
        assert batch.mark(store.read("d"), LATER) is None
        assert batch.mark(store.read("y"), LATER) == 8

    assert {id_: store.read(id_).state for id_ in "abcdxy"} == {
        "a": "sending", "b": "planned", "c": "refused", "d": "planned", "x": "refused", "y": "sending",
    }  # fmt: skip
    assert store.said() == ["c", "x"]


def test_a_history_of_the_same_batch_is_a_newer_one(store: Store) -> None:
    """Kept as evidence, it counts as asked; a late one, or a query in vain, does not."""
    store.effect("e", state="unknown")
    with store.batch() as batch:
        for act, result in (("late", "confirmed"), ("query", "unknown"), ("send", "confirmed")):
            batch.keep(EVIDENCE._replace(act=act, result=result))
        assert not batch.asked_since(("m", "r"), NOW - 1)
        batch.keep(EVIDENCE._replace(act="query"))
        batch.keep(EVIDENCE._replace(act="query", at=NOW - 5))
        assert (batch.asked_since(("m", "r"), NOW - 1), batch.asked_since(("m", "r"), NOW)) == (True, False)
        assert not batch.asked_since(("m", "s"), NOW - 1)
    with store.batch() as batch:
        assert (batch.asked_since(("m", "r"), NOW - 1), batch.asked_since(("m", "r"), NOW)) == (True, False)


def test_what_a_batch_sends_counts_as_spent(store: Store) -> None:
    """X-27: whether it was asked for before or afterwards; what was refused has not left, and nothing of a capture."""
    day = NOW - 10 * HOUR
    store.effect("gone", state="confirmed", sent_at=NOW - 2 * HOUR, reference="0")
    store.effect("bounced", state="sending", sent_at=NOW - HOUR // 2, reference="1")
    for number, more in enumerate(({}, {"property": "other"}, {"kind": "capture"}, {"tenant": "u"})):
        store.effect(f"e{number}", reference=f"e{number}", **more)
    with store.batch() as batch:
        assert batch.outgo.spent("t", "camp", day) == Spent(1_000, 1_000, 1)
        batch.settle(
            store.read("bounced"), EffectState.REFUSED, next_at=5, reason="", record=None, evidence=EVIDENCE, told=None
        )  # fmt: skip
        for number in range(4):
            assert batch.mark(store.read(f"e{number}"), LATER) == 8
        assert batch.outgo.spent("t", "camp", day) == Spent(1_500, 1_000, 2)
        assert batch.outgo.spent("t", "other", day) == Spent(1_500, 500, 2)
        assert batch.outgo.spent("t", "camp", NOW + 1) == Spent(0, 0, 2)

    assert store.spent(day) == Spent(1_500, 1_000, 2)


def test_hundreds_of_payments_are_read_at_once(store: Store) -> None:
    """More than one statement names, and a number that is no power of two."""
    for number in range(700):
        store.effect(f"e{number:03}", reference=f"r{number}")
        store.put("evidence", **{**EVIDENCE._asdict(), "reference": f"r{number}", "act": "query"})
    payments = [("m", f"r{number}") for number in range(700)]
    with store.effects.transaction() as transaction:
        assert len({one.id for one, _ in transaction.effects(payments)}) == 700
        assert transaction.asked(payments) == dict.fromkeys(payments, NOW)
