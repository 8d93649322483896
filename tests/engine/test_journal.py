"""The journal of a day: transfers with their VAT, sums, vouchers, receipts without a home, for one tenant; on both stores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.journal import journal_of, shown
from engine.journal_answer import AccountTotal, DaySums, Journal, JournalTransfer, VatTotal
from engine.journal_held import UnappliedReceipt, VoucherLiability
from engine.store import checking
from engine.store.contract import Store
from engine.store.reading import Reading
from schemas.errors import HubError
from schemas.policy import PropertyPolicy, TenantPolicy
from tests.engine.sandbox import CONFIGURATION, Sandbox, arrival, booking, names

pytestmark = pytest.mark.both_stores
CAMP = CONFIGURATION.properties["camp-azur"]
OTHER = replace(CAMP, property="camp-noir", version="camp-noir/1", company="433265618")
FAR = replace(CAMP, property="camp-loin", version="camp-loin/1", zone="Pacific/Auckland")
DUNES = replace(CAMP, property="les-dunes", version="les-dunes/1", tenant="dunes")


def settled(*properties: PropertyPolicy) -> Any:
    """The shipped configuration with these properties beside, and a second tenant."""
    return replace(
        CONFIGURATION,
        properties={**CONFIGURATION.properties, **{one.property: one for one in properties}},
        tenants={**CONFIGURATION.tenants, "dunes": TenantPolicy(tenant="dunes", version="dunes/1", plan="Pack Individual Premium")},
    )


def told(box: Sandbox, day: str, tenant: str = "azur", **more: Any) -> Journal:
    """The journal of a day."""
    return journal_of(box.hub.reading, box.hub.settled, tenant, day, **more)


def taxed(folio: str = "B-1", price: int = 12_000, rate: str = "20 %", **more: Any) -> dict[str, Any]:
    """A stay whose VAT is known."""
    made = booking(folio, price=price, **more)
    made["lines"][0]["vat_rate"] = rate
    return made


def test_x_23_a_day_of_transfers_with_their_vat() -> None:
    """X-23: rate and amount where the decision told them of just this amount, the legal entity, what was decided."""
    box = Sandbox(configuration=settled())
    box.say("booking.confirmed", taxed())
    box.pay("B-1", 12_000, "O-1")
    box.until("2026-07-21T08:00:00+00:00")
    box.cancel()
    first, last = told(box, "2026-05-01"), told(box, "2026-07-21")
    ordered, captured = first.transfers

    assert ordered == JournalTransfer(
        seq=ordered.seq,
        at=datetime.fromisoformat("2026-05-01T08:00:00+00:00"),
        folio="B-1",
        property="camp-azur",
        entity="azur",
        decision=ordered.decision,
        message="booking.confirmed",
        entry="ordered",
        subject="1",
        debit="guest:B-1",
        credit="stays:B-1",
        amount=12_000,
        currency="EUR",
        vat_rate="20 %",
        vat=2_000,
    )
    assert (captured.entry, captured.message, captured.debit, captured.vat) == (
        "captured",
        "payment.received",
        "money:ogone/azur",
        None,
    )
    assert [(one.entry, one.vat_rate, one.vat) for one in last.transfers] == [
        ("line_given_back", None, None),
        ("penalty_kept", "", 0),
        ("refund_decided", None, None),
        ("refund_executed", None, None),
    ]


def test_x_4_x_23_sums_of_a_day() -> None:
    """Both sides of each account, and what accountants were told with its VAT."""
    box = Sandbox(configuration=settled())
    box.say("booking.confirmed", taxed())
    box.pay("B-1", 12_000, "O-1")
    box.until("2026-07-21T08:00:00+00:00")
    box.cancel()
    first, last = told(box, "2026-05-01").sums, told(box, "2026-07-21").sums

    assert first is not None
    assert last is not None
    assert first.vat == (VatTotal(entity="azur", what="sold", vat_rate="20 %", currency="EUR", amount=12_000, vat=2_000),)
    assert [(one.what, one.vat_rate, one.amount, one.vat) for one in last.vat] == [
        ("credited", "20 %", 12_000, 2_000),
        ("kept", "", 6_000, 0),
    ]
    assert AccountTotal(account="guest", kind="asset", currency="EUR", debit=6_000, credit=6_000) in last.accounts
    assert AccountTotal(account="penalties:camp-azur", kind="income", currency="EUR", debit=0, credit=6_000) in last.accounts


class Heard(Reading):
    """Remembers what it was asked."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.heard: list[tuple[str, tuple[object, ...]]] = []

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        self.heard.append((statement, tuple(parameters)))
        return super().rows(statement, parameters)


def test_a_day_is_found_by_its_index(default_store: str) -> None:
    """By tenant and instant; what is held by an index of nothing else; no page sorts the day."""
    box = Sandbox()
    box.paid()
    heard = Heard(box.database)
    journal_of(heard, box.hub.settled, "azur", "2026-05-01")
    explain = "EXPLAIN" if default_store == "postgresql" else "EXPLAIN QUERY PLAN"
    plans = {
        statement: str([tuple(row.values()) for row in Reading(box.database).rows(f"{explain} {statement}", values)])
        for statement, values in heard.heard
    }
    of_day = [plan for statement, plan in plans.items() if "decided_at >= ?" in statement]
    (held,) = [plan for statement, plan in plans.items() if "substr(debit" in statement and "decided_at >= ?" not in statement]

    assert len(of_day) == 4
    assert all("decision_day" in plan for plan in of_day)
    assert "transfer_held" in held
    assert not [plan for plan in plans.values() if "Seq Scan" in plan]
    assert default_store == "postgresql" or "TEMP B-TREE" not in of_day[0]


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-05-01T21:59:59+00:00", "2026-05-01"),
        ("2026-05-01T22:00:00+00:00", "2026-05-02"),
        ("2026-10-24T22:00:00+00:00", "2026-10-25"),
        ("2026-10-25T22:59:59+00:00", "2026-10-25"),
        ("2027-03-28T21:59:59+00:00", "2027-03-28"),
        ("2027-03-28T22:00:00+00:00", "2027-03-29"),
    ],
)
def test_x_9_a_day_is_one_of_the_propertys_zone(at: str, day: str) -> None:
    """X-9: from midnight to midnight in Paris, on days of 25 and 23 hours too."""
    box = Sandbox(begins=at)
    box.say("booking.confirmed", booking())
    told_ = told(box, day)

    assert [one.entry for one in told_.transfers] == ["ordered"]
    before, after = (date.fromisoformat(day).toordinal() + step for step in (-1, 1))
    assert [told(box, date.fromordinal(one).isoformat()).transfers for one in (before, after)] == [(), ()]
    assert told_.since <= datetime.fromisoformat(at) < told_.until


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("place", ["", "camp-azur"])
def test_page_by_page(place: str, limit: int) -> None:
    """Each transfer once, in order, however many are asked for; the sums come with the first answer alone."""
    box = Sandbox(configuration=settled(OTHER))
    for number, where in enumerate(["camp-azur", "camp-noir", "camp-noir", "camp-noir", "camp-azur", "camp-noir"]):
        box.append(arrival(f"b-{number}", "booking.confirmed", {**booking(f"B-{number}", service_fee=500), "property": where}))
    box.drain()
    whole = told(box, "2026-05-01", property_=place)
    page = told(box, "2026-05-01", property_=place, limit=limit, piece=4)
    seen: list[JournalTransfer] = []
    sums = []
    while True:
        assert len(page.transfers) <= limit
        seen += page.transfers
        sums.append(page.sums)
        if page.next is None:
            break
        page = told(box, "2026-05-01", property_=place, limit=limit, piece=4, after=page.next)

    assert whole.transfers == tuple(seen)
    assert (12 if not place else 4) == len(seen)
    assert [whole.sums] == [one for one in sums if one is not None]
    assert sorted({one.property for one in seen}) == ([place] if place else ["camp-azur", "camp-noir"])


def test_one_property_alone() -> None:
    """Transfers, sums, VAT by its own entity."""
    box = Sandbox(configuration=settled(OTHER))
    box.say("booking.confirmed", taxed("B-1"))
    box.say("booking.confirmed", {**taxed("B-2", 24_000), "property": "camp-noir"})
    mine = told(box, "2026-05-01", property_="camp-noir")

    assert [(one.folio, one.entity) for one in mine.transfers] == [("B-2", "433265618")]
    assert mine.sums is not None
    assert {24_000} == {one.debit + one.credit for one in mine.sums.accounts}
    assert [(one.entity, one.vat) for one in mine.sums.vat] == [("433265618", 4_000)]


def test_x_12_another_tenant_sees_nothing() -> None:
    """X-12: neither transfers nor sums, nor that a property or a transfer of another's is there."""
    box = Sandbox(configuration=settled(DUNES))
    box.say("booking.confirmed", taxed())
    box.pay("B-1", 12_000, "O-1")
    box.cancel()
    box.say("payment.received", {"folio": "B-1", "payment": "P-2", "amount": 500, "currency": "EUR", "tender": "cash"})
    seq = told(box, "2026-05-01").transfers[0].seq
    none = told(box, "2026-05-01", "dunes")

    assert (none.transfers, none.next) == ((), None)
    assert none.sums == DaySums(accounts=(), vat=(), vouchers=(), unapplied=())
    for more, code in (({"property_": "camp-azur"}, "unknown_property"), ({"after": seq}, "unknown_position")):
        with pytest.raises(HubError) as refused:
            told(box, "2026-05-01", "dunes", **more)
        assert code == refused.value.code


@pytest.mark.parametrize(
    "day", ["", "2026-02-30", "today", "2026-5-1", "20260501", "2026-05-01T00:00:00Z", "2026-W48-1", "9999-12-31", "0001-01-01"]
)
def test_a_day_that_is_none(day: str) -> None:
    with pytest.raises(HubError) as refused:
        told(Sandbox(), day)
    assert ("bad_day", "day", day) == (refused.value.code, refused.value.field, refused.value.value)


def test_properties_of_several_zones() -> None:
    """A day is one of a zone: which, must be said."""
    box = Sandbox(configuration=settled(FAR))
    with pytest.raises(HubError) as refused:
        told(box, "2026-05-01")
    assert refused.value.code == "property_needed"
    assert told(box, "2026-05-01", property_="camp-loin").zone == "Pacific/Auckland"
    assert told(box, "2026-05-01", property_="camp-azur").zone == "Europe/Paris"


def test_a_property_that_is_no_more_has_a_book_still() -> None:
    """What was configured once, and is frozen with its bookings."""
    box = Sandbox(configuration=settled(OTHER))
    box.say("booking.confirmed", {**taxed(), "property": "camp-noir"})
    policies = replace(box.hub.settled.policies, properties={"camp-azur": CAMP})
    now = replace(box.hub.settled, policies=policies)
    (one,) = journal_of(box.hub.reading, now, "azur", "2026-05-01", property_="camp-noir").transfers

    assert (one.folio, one.entity) == ("B-1", "433265618")


def bought(box: Sandbox, folio: str, number: str, amount: int) -> None:
    """A booking that is paid with so much of a voucher."""
    box.say("booking.requested", {**booking(folio), "payment_plan": "split"}, actor="guest")
    box.say("voucher.enter", {"folio": folio, "number": number, "amount": amount}, actor="guest")
    box.say("voucher.check", {"folio": folio, "verdict": "accepted"}, actor="merchant")


def test_s0_26_s0_36_what_vouchers_are_worth() -> None:
    """S0-26, S0-36: issued with its bonus, redeemed, expired; each day closes as the next one opens."""
    box = Sandbox(configuration=settled())
    box.paid("B-1", price=20_000)
    percent = {"value_rule": "percent_of_collected", "value_percent": "120 %", "expires": "2026-06-30"}
    out = box.say("booking.cancel_with_voucher", {"folio": "B-1", **percent}, actor="merchant")
    (number,) = [body["number"] for name, body in out if name == "voucher.issued"]
    box.until("2026-05-10T08:00:00+00:00")
    bought(box, "B-2", number, 15_000)
    box.pass_time(60 * 86_400)

    def of(day: str) -> VoucherLiability:
        sums = told(box, day).sums
        assert sums is not None
        (one,) = sums.vouchers
        return one

    def row(**more: int) -> VoucherLiability:
        usual = {"opening": 0, "issued": 0, "bonus": 0, "redeemed": 0, "expired": 0, "closing": 0}
        return VoucherLiability(entity="azur", currency="EUR", **{**usual, **more})

    assert row(issued=24_000, bonus=4_000, closing=24_000) == of("2026-05-01")
    assert row(opening=24_000, closing=24_000) == of("2026-05-05")
    assert row(opening=24_000, redeemed=15_000, closing=9_000) == of("2026-05-10")
    assert row(opening=9_000, expired=9_000) == of("2026-07-01")
    last = told(box, "2026-07-02").sums
    assert last is not None
    assert last.vouchers == ()
    assert told(box, "2026-07-01", property_="camp-azur").sums == told(box, "2026-07-01").sums


def test_x_16_receipts_without_a_home() -> None:
    """X-16: open at the day's end, until they are given back."""
    box = Sandbox(configuration=settled(OTHER))
    box.paid("B-1")
    box.cancel()
    box.until("2026-05-03T08:00:00+00:00")
    cash = {"folio": "B-1", "payment": "P-2", "amount": 700, "currency": "EUR", "tender": "cash"}
    assert "receipt.unapplied" in names(box.say("payment.received", {**cash, "occurred_at": box.now().isoformat()}))
    box.until("2026-05-06T08:00:00+00:00")
    box.say("refund.executed_externally", {"payment": "P-2", "folio": "B-1", "amount": 700}, actor="merchant")

    def open_on(day: str, place: str = "") -> tuple[UnappliedReceipt, ...]:
        sums = told(box, day, property_=place).sums
        assert sums is not None
        return sums.unapplied

    one = UnappliedReceipt(folio="B-1", currency="EUR", amount=700)
    assert [(), (one,), (one,), ()] == [open_on(f"2026-05-0{day}") for day in (2, 3, 5, 6)]
    assert [(one,), ()] == [open_on("2026-05-03", place) for place in ("camp-azur", "camp-noir")]


def test_x_26_what_was_booked_survives_the_erasure_of_a_person() -> None:
    """X-26: the journal is the same when the key of its guest is destroyed."""
    box = Sandbox()
    box.say("booking.confirmed", {**taxed(), "guest": {"person": "p-1", "name": "Zoé Exemple"}})
    before = told(box, "2026-05-01")
    assert "person.forgotten" in names(box.say("person.forget", {"subject": "p-1"}, actor="operator"))

    assert before == told(box, "2026-05-01")
    assert len(before.transfers) == 1


ACT = st.tuples(
    st.sampled_from(["book", "pay", "cancel", "late", "voucher", "cash"]),
    st.integers(1, 3),
    st.integers(1, 30_000),
    st.integers(0, 40),
)


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(ACT, min_size=4, max_size=14))
def test_x_4_days_are_balanced_and_add_up(acts: list[tuple[str, int, int, int]]) -> None:
    """X-4: any day's debits are its credits; the days of a world add up to the ledger; days close as the next one opens."""
    box = Sandbox(configuration=settled(OTHER))
    for number, (what, which, amount, hours) in enumerate(acts):
        act(box, number, what, f"B-{which}", amount)
        box.pass_time(hours * 3_600)
    days = [date(2026, 4, 30).toordinal() + n for n in range(33)]
    whole = [told(box, date.fromordinal(day).isoformat()) for day in days]
    sums: dict[tuple[str, str], list[int]] = {}
    closing = 0
    for day in whole:
        assert day.sums is not None
        by_hand: dict[tuple[str, str], list[int]] = {}
        for one in day.transfers:
            by_hand.setdefault((one.currency, shown(one.debit)), [0, 0])[0] += one.amount
            by_hand.setdefault((one.currency, shown(one.credit)), [0, 0])[1] += one.amount
        assert {(one.currency, one.account): [one.debit, one.credit] for one in day.sums.accounts} == by_hand
        assert sum(debit for debit, _ in by_hand.values()) == sum(credit for _, credit in by_hand.values())
        for name, both in by_hand.items():
            had = sums.setdefault(name, [0, 0])
            sums[name] = [had[0] + both[0], had[1] + both[1]]
        assert closing == sum(one.opening for one in day.sums.vouchers)
        closing = sum(one.closing for one in day.sums.vouchers)
    ledger: dict[tuple[str, str], list[int]] = {}
    for _, currency, account, debit, credit in checking.accounts(box.hub.reading, tenant="azur"):
        had = ledger.setdefault((currency, shown(account)), [0, 0])
        ledger[currency, shown(account)] = [had[0] + debit, had[1] + credit]

    assert ledger == sums
    assert closing == -sum(debit - credit for (_, name), (debit, credit) in ledger.items() if name == "vouchers")
    left = whole[-1].sums
    assert left is not None
    suspense = sum(credit - debit for (_, name), (debit, credit) in ledger.items() if name == "suspense")
    assert suspense == sum(one.amount for one in left.unapplied)


def act(box: Sandbox, number: int, what: str, folio: str, amount: int) -> None:
    """One thing that happens."""
    match what:
        case "book":
            place = "camp-noir" if folio == "B-2" else "camp-azur"
            box.say("booking.confirmed", {**taxed(folio, amount), "property": place, "service_fee": 300})
        case "pay":
            box.pay(folio, amount, f"O-{number}")
        case "cancel":
            box.cancel(folio, f"C-{number}")
        case "voucher":
            box.say("booking.cancel_with_voucher", {"folio": folio}, actor="merchant")
        case _:
            more = {"occurred_at": box.now().isoformat()} if what == "late" else {}
            box.say(
                "payment.received",
                {"folio": folio, "payment": f"P-{number}", "amount": amount, "currency": "EUR", "tender": "cash", **more},
            )
