"""The lane transaction: fenced, the same whatever its size, in the order of time, and never stopped by one bad message."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine import routes
from engine.clock import instant
from engine.store.contract import Fenced, StoreAway
from engine.store.sqlite.database import Database
from engine.transport.contract import Arrival, Taken
from engine.verify import verify
from handlers.outcome import Outcome
from ledger.transfer import Transfer
from schemas.booking import BalanceChanged
from schemas.effect import EffectKind, EffectRequest
from tests.engine.sandbox import CONFIGURATION, Sandbox, arrival, booking, names

HOUR = 3600


def cash(id_: str, folio: str, amount: int = 1_000, **more: Any) -> Arrival:
    """Money at the desk."""
    data = {"folio": folio, "payment": id_, "amount": amount, "currency": "EUR", "tender": "cash", **more}
    return arrival(id_, "payment.received", data)


# -- fenced ------------------------------------------------------------------------------------------------------------------------


def test_an_owner_whose_epoch_is_old_writes_nothing() -> None:
    """Another claim raised the epoch: the zombie is fenced for messages, for timers and for internal messages alike."""
    box = Sandbox()
    zombie = box.hub
    box.append(arrival("b", "booking.confirmed", booking()))
    box.hub = box.open()

    with pytest.raises(Fenced):
        zombie.run_lanes()
    assert box.rows("SELECT * FROM decision") == []

    assert "booking.accepted" in names(box.drain())
    box.say("cancellation.request", {"folio": "B-1", "request": "C"}, actor="guest")
    box.wait(HOUR)
    with pytest.raises(Fenced):
        zombie.run_lanes()  # only a timer waits
    assert names(box.drain()) == ["cancellation.quote_expired"]


def test_a_position_that_moved_is_fenced() -> None:
    """The compare-and-set is on the position too."""
    box = Sandbox()
    box.append(arrival("b", "booking.confirmed", booking()))
    with box.hub.database.write() as connection:
        connection.execute("UPDATE lane SET next_offset = next_offset + 1")
    box.append(cash("late", "B-1"))

    with pytest.raises(Fenced):
        box.hub.run_lanes()


# -- the same whatever its size ----------------------------------------------------------------------------------------------------


def busy(box: Sandbox) -> dict[str, list[bytes]]:
    """A day appended before anybody decides; outcomes by key."""
    for number in range(12):
        folio = f"B-{number}"
        box.append(
            cash(f"early-{number}", folio), arrival(f"b-{number}", "booking.confirmed", booking(folio, references=[f"R{number}"]))
        )
        box.append(arrival(f"b-{number}", "booking.confirmed", booking(folio, references=[f"R{number}"])))
        box.append(arrival(f"q-{number}", "cancellation.request", {"folio": folio, "request": "C"}, actor="guest"))
        by_name = {
            "references": [{"namespace": "pms:thais", "value": f"R{number}"}],
            "payment": "late",
            "amount": 50,
            "currency": "EUR",
        }
        box.append(arrival(f"r-{number}", "payment.received", {**by_name, "tender": "cash"}))
        box.wait(400)
        box.append(Arrival(door="test", body=b"{", attributes={"tenant": "azur", "id": f"bad-{number}"}))
    box.append(arrival("confirm", "cancellation.confirm", {"folio": "B-0", "request": "C"}, actor="guest"))
    box.wait(HOUR)
    while box.hub.run_lanes().decided:
        pass
    outcomes: dict[str, list[bytes]] = {}
    for row in box.rows("SELECT kind, key, cause, sequence, name, body FROM outbox ORDER BY seq"):
        outcomes.setdefault(f"{row['kind']} {row['key']}", []).append(
            row["cause"] + b"%d" % row["sequence"] + row["name"].encode() + row["body"]
        )
    return outcomes


@pytest.mark.parametrize(("chunk", "lanes"), [(1, 1), (2, 1), (7, 1), (500, 8), (1, 8)])
def test_outcomes_do_not_depend_on_chunk_or_lanes(chunk: int, lanes: int) -> None:
    """The same input gives the same outcomes of each key, ids and sequences included."""
    assert busy(Sandbox()) == busy(Sandbox(chunk=chunk, lanes=lanes))


def test_timers_fire_before_a_later_message_of_the_same_chunk() -> None:
    """A quote that ran out before the confirmation came has run out, however late the worker is."""
    box = Sandbox()
    box.paid()
    box.say("cancellation.request", {"folio": "B-1", "request": "C"}, actor="guest")
    box.wait(1_799)
    box.append(cash("before", "B-1"))
    box.wait(2)
    box.append(arrival("yes", "cancellation.confirm", {"folio": "B-1", "request": "C"}, actor="guest"))
    box.wait(HOUR)

    outcomes = box.drain()

    told = [name for name in names(outcomes) if name.startswith(("payment", "cancellation"))]
    assert told[:4] == ["payment.captured", "cancellation.quote_expired", "cancellation.refused", "cancellation.quoted"]


def test_more_timers_than_a_transaction_takes_wait_for_an_earlier_message() -> None:
    """After a long outage hundreds of timers are due: a message that came before them is still decided before them."""
    box = Sandbox()
    for number in range(520):
        box.append(
            arrival(f"b-{number}", "booking.confirmed", booking(f"B-{number}")),
            arrival(f"q-{number}", "cancellation.request", {"folio": f"B-{number}", "request": "C"}, actor="guest"),
        )
    box.drain()
    box.wait(60)
    box.append(arrival("yes", "cancellation.confirm", {"folio": "B-519", "request": "C"}, actor="guest"))
    box.wait(HOUR)

    outcomes = box.drain()

    assert names(outcomes).count("cancellation.quote_expired") == 519
    assert "cancellation.confirmed" in names(outcomes)
    assert {0} == {row["due"] for row in box.rows("SELECT count(*) AS due FROM timer WHERE name LIKE 'quote%'")}


def test_x_16_judged_when_it_came_not_when_the_worker_got_to_it() -> None:
    """23:59 of the last free day, worker down until 00:10: free."""
    box = Sandbox()
    box.paid()
    box.until("2026-07-20T21:59:00+00:00")  # 23:59 in Paris, four days before arrival
    box.append(arrival("c", "cancellation.request", {"folio": "B-1", "request": "C", "confirm": True}, actor="guest"))
    box.until("2026-07-20T22:10:00+00:00")

    outcomes = dict(box.drain())

    assert outcomes["cancellation.confirmed"]["penalty"] == 0


def test_x_16_a_trusted_clock_counts_within_the_tolerance() -> None:
    """A sender whose clock is trusted is judged by its own instant; one in the future, too old or untrusted by ours."""
    trusted = {"pms.thais": msgspec.structs.replace(CONFIGURATION.sources["pms.thais"], trust_time=True)}
    box = Sandbox(configuration=msgspec.structs.replace(CONFIGURATION, sources=trusted))
    now = box.now()
    cases = {
        "trusted": ("pms.thais", "2026-05-01T03:00:00Z", "2026-05-01T03:00:00+00:00"),
        "future": ("pms.thais", "2026-05-01T08:00:01Z", now.isoformat()),
        "too old": ("pms.thais", "2026-04-30T07:59:59Z", now.isoformat()),
        "oldest": ("pms.thais", "2026-04-30T08:00:00Z", "2026-04-30T08:00:00+00:00"),
        "untrusted": ("web", "2026-05-01T03:00:00Z", now.isoformat()),
    }
    for name, (source, asked, _) in cases.items():
        data = {"folio": "B-1", "payment": name, "amount": 1, "currency": "EUR", "tender": "cash", "requested_at": asked}
        box.append(arrival(name, "payment.received", data, source=source))

    acts = {row["id"]: instant(row["act"]).isoformat() for row in box.rows("SELECT id, act FROM intake")}
    assert {name: expected for name, (_, _, expected) in cases.items()} == acts


# -- repeats -----------------------------------------------------------------------------------------------------------------------


def test_x_1_a_repeat_leaves_the_state_of_once() -> None:
    """In one chunk, in the next, and after years of slices: one decision."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    first = box.append(cash("p", "B-1"), cash("p", "B-1"))
    box.drain()
    box.wait(30 * 24 * HOUR)
    second = box.append(cash("p", "B-1"))
    box.drain()

    assert [receipt.taken for receipt in first] == [Taken.ACCEPTED, Taken.DUPLICATE]
    assert [receipt.taken for receipt in second] == [Taken.DUPLICATE]
    assert box.results("payment.received") == ["decided", "duplicate", "duplicate"]
    assert box.folio().payments[0].captured == 1_000


def test_x_1_another_body_under_the_same_identity_is_kept_and_shown() -> None:
    """Never merged, told once, and it blocks nothing; also when it names another folio."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    box.append(cash("p", "B-1"))
    box.drain()

    receipts = box.append(cash("p", "B-1", 2_000), cash("p", "B-1", 2_000), cash("p", "B-9", 3_000))
    outcomes = box.drain()

    assert [receipt.taken for receipt in receipts] == [Taken.CONFLICT] * 3
    assert names(outcomes) == ["message.dead_lettered"] * 2
    assert len(box.rows("SELECT * FROM dead_letter WHERE why = 'conflict'")) == 2
    assert box.folio().payments[0].captured == 1_000
    ids = [row.id for row in box.hub.reading.outbox_of("azur", 0, 1000)]
    assert len(ids) == len(set(ids))


# -- what fails --------------------------------------------------------------------------------------------------------------------


def broken(message: Any, facts: Any) -> Outcome:
    """A decision with a defect."""
    raise RuntimeError("a defect of ours")


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts another decision in the map, for this test only."""

    def put(name: str, decision: Any) -> None:
        monkeypatch.setattr(routes, "ROUTES", {**routes.ROUTES, name: decision})

    yield put
    monkeypatch.undo()


REAL = dict(routes.ROUTES)


def blocked(route: Any) -> Sandbox:
    """A folio behind a payment that met a defect, which is mended since."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    route("payment.received", broken)
    box.append(cash("p1", "B-1"))
    box.drain()
    route("payment.received", REAL["payment.received"])
    return box


def test_a_defect_blocks_its_folio_and_nothing_else(route: Any) -> None:
    """Later messages queue behind it in order, until an operator has spoken (X-15); other folios, and replies, go on."""
    box = Sandbox()
    box.paid()
    box.say("booking.confirmed", booking("B-2"))
    route("payment.received", broken)
    outcomes = box.say("payment.received", {"folio": "B-1", "payment": "x", "amount": 1, "currency": "EUR", "tender": "cash"})
    route("payment.received", REAL["payment.received"])

    assert names(outcomes) == ["message.dead_lettered", "folio.blocked"]
    assert box.cancel("B-1") == []
    assert "cancellation.confirmed" in names(box.cancel("B-2"))
    assert box.results("cancellation.request") == ["queued", "decided"]


def test_a_replay_drains_the_queue_oldest_first(route: Any) -> None:
    """What failed is decided again, then what waited, in order, before anything newer of the same chunk."""
    box = blocked(route)
    box.append(cash("p2", "B-1"), cash("p3", "B-1"))
    box.drain()
    letter = box.one("SELECT id FROM dead_letter")["id"]
    replay = {"subject": letter, "reason": "mended"}
    box.append(
        arrival("again", "dead_letter.replay", replay, actor="operator"),
        arrival("again-2", "dead_letter.replay", replay, actor="operator"),
        cash("p4", "B-1"),
    )

    outcomes = box.drain()

    told = [(name, data.get("payment", data.get("code"))) for name, data in outcomes if name != "folio.balance_changed"]
    assert told == [
        ("folio.unblocked", None),
        ("payment.captured", "p1"),
        ("payment.captured", "p2"),
        ("payment.captured", "p3"),
        ("dead_letter.refused", "dead_letter_closed"),
        ("payment.captured", "p4"),
    ]
    assert box.hub.reading.unsettled() == {"dead_letters": 0, "blocked": 0, "parked": 0}


def test_a_replay_that_fails_again_blocks_again(route: Any) -> None:
    """The letter is open again, the queue is in its old order, and a second replay mends it."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    route("payment.received", broken)
    box.append(cash("p1", "B-1"), cash("p2", "B-1"))
    box.drain()
    letter = box.one("SELECT id, status FROM dead_letter")
    box.say("dead_letter.replay", {"subject": letter["id"]}, actor="operator")

    assert [row["status"] for row in box.rows("SELECT status FROM dead_letter")] == ["open"]
    assert box.hub.reading.unsettled() == {"dead_letters": 1, "blocked": 1, "parked": 0}

    route("payment.received", REAL["payment.received"])
    outcomes = box.say("dead_letter.replay", {"subject": letter["id"]}, actor="operator")

    assert [data["payment"] for name, data in outcomes if name == "payment.captured"] == ["p1", "p2"]
    sequences = [
        msgspec.json.decode(row["body"])["sequence"] for row in box.rows("SELECT body FROM outbox WHERE key = 'B-1' ORDER BY seq")
    ]
    assert list(range(1, len(sequences) + 1)) == sequences


def test_two_replays_of_one_chunk_drain_a_queue_once(route: Any) -> None:
    """What the first one let go queues again behind the same defect, and the second one finds it once."""
    box = Sandbox()
    box.say("booking.confirmed", booking())
    route("payment.received", broken)
    box.append(cash("p1", "B-1"), cash("p2", "B-1"))
    box.drain()
    letter = box.one("SELECT id FROM dead_letter")["id"]
    box.append(*(arrival(f"again-{n}", "dead_letter.replay", {"subject": letter}, actor="operator") for n in range(2)))
    box.drain()

    assert box.hub.reading.unsettled() == {"dead_letters": 1, "blocked": 1, "parked": 0}
    assert box.results("payment.received") == ["defect", "queued", "defect", "queued", "defect", "queued"]


def test_a_second_defect_of_a_blocked_folio_keeps_it_behind_the_first(route: Any) -> None:
    """A reply passes a blocked folio and fails too: what waits goes on when the first letter is mended, and not before."""
    box = Sandbox({"when": {"endpoint": "maintenance"}, "status": "81"})
    payid = box.paid()
    box.cancel()
    route("payment.received", broken)
    box.append(cash("p1", "B-1"))
    box.drain()
    first = box.one("SELECT id FROM dead_letter")["id"]
    route("reply.arrived", broken)
    box.provider.settle(payid, 1, "8", box.now())
    box.pass_time(3_600)

    assert box.hub.reading.unsettled()["dead_letters"] == 2
    assert box.one("SELECT blocked FROM state WHERE key = 'B-1'")["blocked"] == first


def test_x_22_what_was_scrubbed_of_a_message_is_told_though_it_queues(route: Any) -> None:
    """At once, and not again when the queue goes on."""
    box = blocked(route)
    card = {"folio": "B-1", "payment": "p2", "amount": 1, "currency": "EUR", "mandate_text": "4111111111111111"}

    assert names(box.say("payment.received", card)) == ["guarantee.scrubbed"]
    letter = box.one("SELECT id FROM dead_letter")["id"]
    outcomes = names(box.say("dead_letter.discard", {"subject": letter, "reason": "no"}, actor="operator"))
    assert ("payment.captured" in outcomes, "guarantee.scrubbed" in outcomes) == (True, False)
    assert verify(box.database).agrees


def test_a_discard_drains_too(route: Any) -> None:
    """What failed is given up; what waited goes on."""
    box = blocked(route)
    box.append(cash("p2", "B-1"))
    box.drain()

    letter = box.one("SELECT id FROM dead_letter")["id"]
    outcomes = box.say("dead_letter.discard", {"subject": letter, "reason": "nonsense"}, actor="operator")

    assert [data["payment"] for name, data in outcomes if name == "payment.captured"] == ["p2"]
    assert box.one("SELECT status FROM dead_letter")["status"] == "discarded"


def test_a_dead_letter_is_replayed_on_its_own_folio_only(route: Any) -> None:
    """An operator who names another folio is refused."""
    box = Sandbox()
    for folio in ("B-1", "B-2"):
        box.say("booking.confirmed", booking(folio))
    route("payment.received", broken)
    box.append(cash("p1", "B-1"))
    box.drain()
    route("payment.received", REAL["payment.received"])
    letter = box.one("SELECT id FROM dead_letter")["id"]

    outcomes = box.say("dead_letter.replay", {"subject": letter, "folio": "B-2"}, actor="operator")

    assert [(name, data["code"]) for name, data in outcomes] == [("dead_letter.refused", "unknown_dead_letter")]
    assert box.folio("B-2").payments == ()


def too_much(message: Any, facts: Any) -> Outcome:
    """Gives back more than was captured: the database itself refuses it."""
    after = msgspec.structs.replace(
        facts.folio,
        payments=tuple(msgspec.structs.replace(known, refunded=known.captured + 1) for known in facts.folio.payments),
    )
    return Outcome(state=after)


def twice(message: Any, facts: Any) -> Outcome:
    """Asks for the same business refund again and again."""
    request = EffectRequest(
        effect=facts.id("effect"), business_key="B-1/P/1", kind=EffectKind.REFUND, provider="ogone", merchant="azur", payment="P",
        reference="1", order="", minor=1, currency="EUR",
    )  # fmt: skip
    return Outcome(requests=(request, msgspec.structs.replace(request, effect=facts.id("other"))))


def unknown_fact(message: Any, facts: Any) -> Outcome:
    """Half of it can be staged: the second fact is none."""
    fact = BalanceChanged(ordered=1, collected=1, balance=0, currency="EUR")
    entry = Transfer(entry="ordered", debit="guest:B-1", credit="stays:B-1", minor=5, currency="EUR", subject="1")
    return Outcome(facts=(fact, object()), entries=(entry,))  # type: ignore[arg-type]  # that is the defect


@pytest.mark.parametrize("decision", [too_much, twice, unknown_fact])
@pytest.mark.parametrize("chunk", [500, 1])
def test_a_constraint_takes_only_its_own_message(route: Any, decision: Any, chunk: int) -> None:
    """The chunk is cut down until the message that the store refuses stands alone: dead-lettered; all others are decided."""
    box = Sandbox(chunk=chunk)
    box.say("booking.confirmed", booking())
    box.say("payment.received", {"folio": "B-1", "payment": "P", "amount": 100, "currency": "EUR", "tender": "cash"})
    route("payment.reversed", decision)
    arrivals = [arrival(f"b-{number}", "booking.confirmed", booking(f"O-{number}")) for number in range(40)]
    arrivals[20:20] = [
        arrival("bad", "payment.reversed", {"folio": "B-1", "payment": "P", "amount": 1, "currency": "EUR"}),
        cash("behind", "B-1"),
    ]
    box.append(*arrivals)

    outcomes = box.drain()

    assert names(outcomes).count("booking.accepted") == 40
    assert box.results("payment.reversed") == ["defect"]
    letter = box.one("SELECT * FROM dead_letter")
    assert (letter["value"], letter["why"]) == ("bad", "defect")
    assert box.results("payment.received") == ["decided", "queued"]
    assert box.one("SELECT count(*) AS n FROM transfer WHERE minor = 5")["n"] == 0


def test_what_comes_in_meanwhile_is_not_taken_for_what_the_store_refuses(route: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the try that is refused and the one that puts it aside, a provider's news is stored: it is decided as ever."""
    box = Sandbox(chunk=1)
    payid = box.paid()
    box.provider.back_office(payid, "RFD", 5_000, box.now())
    told = {"provider": "ogone", "merchant": "azur", "provider_reference": payid, "status": "8"}
    box.append(arrival("told", "provider.notified", told))
    box.hub.run_lanes()  # it is to be asked, and has not been
    route("payment.reversed", too_much)
    box.append(arrival("bad", "payment.reversed", {"folio": "B-1", "payment": "P-O-1", "amount": 1, "currency": "EUR"}))
    begin, tries = box.hub.store.chunk, []

    def chunk(claim: Any) -> Any:
        tries.append(len(tries))
        if len(tries) == 3:
            box.hub.effects.work(box.hub.effects.due())
        return begin(claim)

    monkeypatch.setattr(box.hub.store, "chunk", chunk)

    box.drain()

    assert box.results("foreign_record.seen") == ["decided"]
    assert box.results("payment.reversed") == ["defect"]
    assert box.folio().payments[0].foreign == 5_000


def test_a_timer_that_the_store_refuses_is_dead_lettered_and_no_message_for_it(route: Any) -> None:
    """What comes first in the transaction is not always a message."""
    box = Sandbox()
    box.paid()
    box.say("cancellation.request", {"folio": "B-1", "request": "C"}, actor="guest")
    route("timer.fired/quote", too_much)
    box.wait(HOUR)
    box.append(arrival("b-2", "booking.confirmed", booking("B-2")))

    outcomes = box.drain()

    assert "booking.accepted" in names(outcomes)
    assert box.one("SELECT name FROM dead_letter")["name"] == "timer.fired"
    assert box.rows("SELECT * FROM timer WHERE name = 'quote:C'") == []


# -- deaths ------------------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


def deadly(message: Any, facts: Any) -> Outcome:
    """Kills the process that decides it."""
    raise Killed


def test_three_deaths_then_alone_then_a_defect(route: Any) -> None:
    """The message that kills is found; the one beside it, and its own folio's later ones, are not lost."""
    box = Sandbox(lanes=4)
    box.say("booking.confirmed", booking())
    route("payment.received", deadly)
    box.append(cash("killer", "B-1"), *(arrival(f"b-{number}", "booking.confirmed", booking(f"O-{number}")) for number in range(8)))
    deaths = 0
    while True:
        try:
            box.drain()
            break
        except Killed:
            deaths += 1
            assert deaths < 10
            box.hub = box.open()

    assert deaths == 4  # three beside others, one alone
    assert box.one("SELECT value FROM dead_letter")["value"] == "killer"
    assert box.results("booking.confirmed") == ["decided"] * 9


def test_a_suspect_that_is_innocent_is_decided() -> None:
    """Three deaths that were nobody's fault: tried alone, decided, and nothing is held against it."""
    box = Sandbox()
    box.append(arrival("b", "booking.confirmed", booking()))
    for _ in range(4):
        box.hub = box.open()

    assert "booking.accepted" in names(box.drain())
    assert [(row["deaths"], row["trying"]) for row in box.rows("SELECT deaths, trying FROM lane")] == [(0, None)]


def test_a_stop_in_good_order_is_no_death() -> None:
    """Restarted ten times with a message waiting: nothing is suspected."""
    box = Sandbox()
    box.append(arrival("b", "booking.confirmed", booking()))
    for _ in range(10):
        box.hub.store.release()
        box.hub = box.open()
    box.hub.store.release()

    assert box.hub.store.claim().deaths == {0: 0}


# -- the disk ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_a_full_disk_is_waited_for(tmp_path: Any) -> None:
    """StoreAway at the door and in the lanes; nothing half done, nothing lost; it goes on when there is room."""
    database = Database(str(tmp_path / "store.sqlite"))
    box = Sandbox(store=database)
    box.say("booking.confirmed", booking())
    with database.write() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 12}")
    accepted: list[str] = []
    with pytest.raises(StoreAway):
        _fill(box, accepted)
    with pytest.raises(StoreAway):
        box.hub.run_lanes()
    assert [row["result"] for row in box.rows("SELECT result FROM decision")] == ["decided"]

    with database.write() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    box.append(cash("after", "B-1"))
    box.drain()

    decided = {row["id"] for row in box.rows("SELECT id FROM intake")}
    assert {*accepted, "after"} <= decided
    assert len(box.rows("SELECT 1 FROM intake")) == len(box.rows("SELECT 1 FROM decision WHERE parent = 0"))
    database.close()


def _fill(box: Sandbox, accepted: list[str]) -> None:
    for size in (50, 1):  # until not even one more fits
        try:
            for number in range(10_000):
                ids = [f"p-{size}-{number}-{place}" for place in range(size)]
                box.append(*(cash(id_, "B-1") for id_ in ids))
                accepted += ids
        except StoreAway:
            if size == 1:
                raise
