"""The lists of balance requests and vouchers: what stands in them after every decision, how they are paged, and who sees them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config.loader import load
from config.settings import Configuration
from engine.balances import Asked, Wanted, page
from engine.collectable import collectable
from engine.pages import BadAfter, Page, entries
from engine.standing import standing
from engine.verify import verify
from engine.vouchers import Wanted as WantedVouchers
from engine.vouchers import page as voucher_page
from schemas.balance_request import BalanceStatus
from schemas.voucher import VoucherStatus
from tests.engine.sandbox import Sandbox, booking
from tests.scenarios.play import FOLDERS

ASKING: Configuration = load(FOLDERS / "asking", {})
BEGINS = "2026-06-01T10:00:00+00:00"
DAY = 86_400
ROWS = "SELECT tenant, folio, kind, item, property, queue, marks, rank FROM listed ORDER BY 1, 2, 3, 4"


def asking(**more: Any) -> Sandbox:
    return Sandbox(configuration=ASKING, begins=BEGINS, **more)


def owes(box: Sandbox, folio: str, **more: Any) -> None:
    """A booking in split, whose deposit is paid: the rest is asked for."""
    box.say("booking.confirmed", booking(folio, payment_plan="split", **more))
    paid = {"folio": folio, "payment": f"P-{folio}", "amount": 10_000, "currency": "EUR", "tender": "cash"}
    box.say("payment.received", paid)


def found(box: Sandbox, tenant: str = "azur", after: str = "", limit: int = 100, **wanted: Any) -> Page[Asked]:
    return page(box.hub.reading, box.hub.settled, box.clock.now(), tenant, Wanted(**wanted), after=after, limit=limit)


def folios(box: Sandbox, tenant: str = "azur", **wanted: Any) -> list[str]:
    return [one.folio for one in found(box, tenant, **wanted).entries]


@pytest.fixture
def box() -> Sandbox:
    """Four bookings, in four queues: asked for later, asked, answered, and B-4 cancelled by an operator."""
    made = asking()
    for folio in ("B-1", "B-2", "B-3", "B-4"):
        owes(made, folio)
    made.say("balance.send_now", {"folio": "B-2"}, actor="operator")
    made.say("balance.send_now", {"folio": "B-3"}, actor="operator")
    made.say("balance.choose_method", {"folio": "B-3", "method": "bank_transfer"}, actor="guest")
    made.say("balance.cancel", {"folio": "B-4"}, actor="operator")
    return made


def test_of_a_tenant_that_is_configured_no_more(box: Sandbox) -> None:
    """What it had can still be looked at."""
    settled = msgspec.structs.replace(box.hub.settled, tenants={})
    found = page(box.hub.reading, settled, box.clock.now(), "azur", Wanted(), limit=100)

    assert [one.folio for one in found.entries] == ["B-1", "B-2", "B-3"]


@pytest.mark.both_stores
class TestBalanceRequests:
    """S1-12."""

    def test_s1_12_each_stands_in_its_queue(self, box: Sandbox) -> None:
        """And in no other; without a queue those that are live."""
        by_queue = {queue.value: folios(box, queue=queue) for queue in BalanceStatus}

        assert by_queue == {"pending": ["B-1"], "sent_no_reply": ["B-2"], "sent_replied": ["B-3"], "paid": [], "cancelled": ["B-4"]}
        assert folios(box) == ["B-1", "B-2", "B-3"]
        assert verify(box.database).differences == ()

    def test_s1_12_it_says_what_is_asked(self, box: Sandbox) -> None:
        (one,) = found(box, queue=BalanceStatus.SENT_REPLIED).entries

        assert (one.amount, one.currency, str(one.deadline), one.link) == (10_000, "EUR", "2026-07-10", 1)
        assert [(tried.method, tried.amount, tried.state) for tried in one.attempts] == [("bank_transfer", 10_000, "chosen")]

    def test_s1_12_what_is_paid_leaves_its_queue(self, box: Sandbox) -> None:
        box.say("balance.report_collected", {"folio": "B-3"}, actor="merchant")

        assert (folios(box, queue=BalanceStatus.SENT_REPLIED), folios(box, queue=BalanceStatus.PAID)) == ([], ["B-3"])

    @pytest.mark.parametrize(("price", "amount"), [(17_500, 7_500), (30_000, 10_000)])
    def test_s1_34_what_is_to_be_collected_follows_the_booking_down(self, box: Sandbox, price: int, amount: int) -> None:
        """Of 100.00 that the guest chose to pay: what is owed still, and never more."""
        (chosen,) = found(box, queue=BalanceStatus.SENT_REPLIED).entries
        changed = booking("B-3", payment_plan="split")
        changed["lines"][0]["price"] = price
        box.say("booking.changed", {**changed, "revision": 2})
        got = collectable(box.hub.reading, "azur", chosen.request)

        assert (got.attempt, got.amount) == (1, amount)
        box.say("balance.report_collected", {"folio": "B-3"}, actor="merchant")
        assert (folios(box, queue=BalanceStatus.PAID) == ["B-3"]) is (amount < 10_000)

    def test_s1_12_overdue_and_suspended_are_said_beside_it(self, box: Sandbox) -> None:
        """Each on its own, and both; a suspension ends with its day, as the property has it."""
        box.say("balance.suspend", {"folio": "B-1", "until": "2026-07-20"}, actor="operator")
        box.pass_time(40 * DAY)  # beyond the deadline of those that were asked

        assert (folios(box, overdue=True), folios(box, overdue=False)) == (["B-2", "B-3"], ["B-1"])
        assert (folios(box, suspended=True), folios(box, suspended=False)) == (["B-1"], ["B-2", "B-3"])
        assert folios(box, overdue=True, suspended=True) == []
        box.until("2026-07-19T22:30:00+00:00")  # half past midnight in Paris
        assert (folios(box, suspended=True), folios(box, suspended=False)) == ([], ["B-2", "B-3", "B-1"])

    def test_s1_36_its_property_is_suspended(self, box: Sandbox) -> None:
        """Said of those that are live from then on, before a timer of theirs fires; of a type, of bookings with it alone. It moves no
        deadline before, and ends with its day, or sooner by an operator's word."""
        owes(box, "T-1", lines=[{**booking()["lines"][0], "accommodation_type": "tent"}])
        suspend = {"scope": "property", "property": "camp-azur", "until": "2026-06-20"}
        box.say("balance.suspend", {**suspend, "scope": "type", "accommodation_type": "tent"}, actor="operator")
        assert (folios(box, suspended=True), folios(box, suspended=False)) == (["T-1"], ["B-1", "B-2", "B-3"])
        box.say("balance.suspend", {**suspend, "until": "2026-06-10"}, actor="operator")

        assert folios(box, suspended=True) == folios(box, suspended=True, property="camp-azur") == ["B-1", "B-2", "B-3", "T-1"]
        assert {one.folio: str(one.suspended_until) for one in found(box).entries} == {
            "B-1": "2026-06-10", "B-2": "2026-06-10", "B-3": "2026-06-10", "T-1": "2026-06-20",
        }  # fmt: skip
        assert {str(one.deadline) for one in found(box).entries} == {"2026-07-10"}
        (gone,) = found(box, queue=BalanceStatus.CANCELLED).entries
        assert (gone.suspended, gone.suspended_until) == (False, None)
        (shown,) = standing(box.hub, "azur", "B-1")["balance_requests"]
        assert (shown["suspended"], str(shown["suspended_until"])) == (True, "2026-06-10")
        box.say("balance.suspend", {**suspend, "until": "2026-06-01"}, actor="operator")
        assert folios(box, suspended=True) == ["T-1"]
        box.until("2026-06-19T22:30:00+00:00")
        assert folios(box, suspended=True) == []

    def test_the_earliest_deadline_comes_first_page_by_page(self, box: Sandbox) -> None:
        """Each once, however small a page is; no `next` at the end."""
        owes(box, "B-0", lines=[{**booking()["lines"][0], "arrival": "2026-07-20"}])
        pages, after = [], ""
        while True:
            got = found(box, after=after, limit=1)
            pages.append([one.folio for one in got.entries])
            after = got.next
            if not after:
                break

        assert pages == [["B-0"], ["B-1"], ["B-2"], ["B-3"], []]
        assert [one.folio for one in entries(lambda after, size: found(box, after=after, limit=min(size, 2)), 3)] == [
            "B-0",
            "B-1",
            "B-2",
        ]

    @pytest.mark.parametrize("after", ["x", "é", "bm8=", "WyJhIl0="])
    def test_what_is_no_end_of_a_page_is_refused(self, box: Sandbox, after: str) -> None:
        with pytest.raises(BadAfter) as bad:
            found(box, after=after)

        assert (bad.value.code, bad.value.field, bad.value.value) == ("bad_after", "after", after)

    def test_only_one_property_and_one_tenant(self, box: Sandbox) -> None:
        """X-12: the same question of another tenant finds nothing."""
        assert (folios(box, property="camp-azur"), folios(box, property="other")) == (["B-1", "B-2", "B-3"], [])
        assert folios(box, "dunes") == []

    def test_what_owes_nothing_later_costs_no_row(self) -> None:
        """A booking and its payment, where nothing is left to be asked for."""
        made = asking()
        made.say("booking.confirmed", booking("B-9"))
        made.say("payment.received", {"folio": "B-9", "payment": "P", "amount": 20_000, "currency": "EUR", "tender": "cash"})

        assert made.rows(ROWS) == []
        assert made.hub.reading.rows("SELECT count(*) AS n FROM decision")[0]["n"] == 2


def enter(box: Sandbox, folio: str, number: str, amount: int) -> None:
    box.say("booking.requested", booking(folio))
    box.say("voucher.enter", {"folio": folio, "number": number, "amount": amount}, actor="guest")


def vouchers_of(box: Sandbox, tenant: str = "azur", **wanted: Any) -> list[tuple[str, str]]:
    found = voucher_page(box.hub.reading, tenant, WantedVouchers(**wanted), limit=100)
    return [(one.number, one.folio) for one in found.entries]


@pytest.mark.both_stores
class TestVouchers:
    """S0-18."""

    @pytest.fixture
    def box(self) -> Sandbox:
        """PMS-1 on two bookings, MER-7 on one that the merchant has checked, PMS-2 on none."""
        made = Sandbox()
        for number in ("PMS-1", "PMS-2"):
            known = {"number": number, "value": 5_000, "currency": "EUR", "property": "camp-azur"}
            made.say("voucher.register", known, actor="merchant")
        enter(made, "B-1", "PMS-1", 4_000)
        enter(made, "B-2", "pms 1", 3_000)
        enter(made, "B-3", "MER-7", 2_000)
        made.say("voucher.check", {"folio": "B-3", "verdict": "accepted"}, actor="merchant")
        return made

    def test_s0_18_by_number_on_every_booking_and_on_none(self, box: Sandbox) -> None:
        """One that a booking has is no more among those that none has."""
        assert vouchers_of(box) == [("MER-7", "B-3"), ("PMS-1", "B-1"), ("PMS-1", "B-2"), ("PMS-2", "")]
        enter(box, "B-4", "PMS-2", 1_000)
        assert vouchers_of(box)[-1] == ("PMS-2", "B-4")
        assert verify(box.database).differences == ()

    def test_s0_18_s0_20_what_waits_and_what_is_flagged(self, box: Sandbox) -> None:
        assert vouchers_of(box, to_check=True) == [("PMS-1", "B-1"), ("PMS-1", "B-2")]
        assert vouchers_of(box, flagged=True) == [("PMS-1", "B-2")]
        assert vouchers_of(box, flagged=False) == [("MER-7", "B-3"), ("PMS-1", "B-1"), ("PMS-2", "")]
        assert vouchers_of(box, status=VoucherStatus.ACCEPTED) == [("MER-7", "B-3")]
        assert vouchers_of(box, status=VoucherStatus.ACCEPTED, to_check=True) == []

    def test_s0_22_it_says_what_both_sides_know(self, box: Sandbox) -> None:
        """The booking's word, and the book's: a value only where the hub knows it."""
        merchants, first, second, unused = voucher_page(box.hub.reading, "azur", WantedVouchers(), limit=100).entries

        assert (merchants.typed, merchants.taken, merchants.value, merchants.remainder) == (2_000, 2_000, None, None)
        assert (first.typed, first.held, first.value, first.remainder, first.hold) == (4_000, 4_000, 5_000, 0, "held")
        assert (second.typed, second.held, second.flags) == (3_000, 1_000, ("voucher_duplicate", "voucher_value_exceeded"))
        assert (unused.typed, unused.status, unused.remainder) == (0, "", 5_000)

    def test_only_one_property_and_one_tenant(self, box: Sandbox) -> None:
        """X-12: the same question of another tenant finds nothing."""
        assert len(vouchers_of(box, property="camp-azur")) == 4
        assert vouchers_of(box, property="other") == vouchers_of(box, "dunes") == []

    def test_page_by_page(self, box: Sandbox) -> None:
        found = list(
            entries(
                lambda after, size: voucher_page(box.hub.reading, "azur", WantedVouchers(), after=after, limit=min(size, 3)), 10
            )
        )

        assert [(one.number, one.folio) for one in found] == vouchers_of(box)
