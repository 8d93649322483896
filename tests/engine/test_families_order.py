"""X-2: a booking, its revision, its money, its voucher and the merchant's word may come in any order: the account is the same."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any

from msgspec.structs import replace

from handlers import account
from schemas.folio import Folio
from tests.engine.sandbox import Sandbox, arrival, booking
from tests.engine.test_balance import ASKING, BEGINS
from tests.simulation.asked import payments

_AZUR = ASKING.tenants["azur"]
SETTINGS = replace(ASKING, tenants={"azur": replace(_AZUR, version="azur/vouchers", plan="Pack Individual Premium")})
REVISED = booking(payment_plan="split", revision=2)
SAID: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("booking.confirmed", booking(payment_plan="split", revision=1), "system"),
    ("booking.changed", {**REVISED, "lines": [{**REVISED["lines"][0], "arrival": "2026-07-20"}]}, "system"),
    ("payment.received", {"folio": "B-1", "payment": "P1", "amount": 9_000, "currency": "EUR", "tender": "cash"}, "system"),
    ("voucher.enter", {"folio": "B-1", "number": "MER-1", "amount": 5_000}, "guest"),
    ("voucher.check", {"folio": "B-1", "number": "MER-1", "verdict": "accepted"}, "merchant"),
)


def account_of(box: Sandbox) -> dict[str, Any]:
    """What an account comes to, whatever the order."""
    folio: Folio = box.folio()
    book: Counter[tuple[str, str]] = Counter()
    for row in box.rows("SELECT debit, credit, minor FROM transfer"):
        book[row["debit"]] += row["minor"]
        book[row["credit"]] -= row["minor"]
    assert list(payments(folio)) == []
    return {
        "sums": (account.ordered(folio), account.collected(folio), folio.due_now, folio.second_payment),
        "asked": [(one.status, one.amount, one.planned, one.deadline, one.send_on) for one in folio.balance_requests if one.amount],
        "vouchers": [(one.key, one.status, one.counts) for one in folio.vouchers],
        "book": {name: minor for name, minor in sorted(book.items()) if minor},
        "parked": box.rows("SELECT 1 FROM parked"),
    }


def test_x_2_s0_11_s1_17_any_order_comes_to_the_same_account() -> None:
    """All hundred and twenty of them, each decided before the next one comes."""
    seen: dict[str, tuple[int, ...]] = {}
    for order in permutations(range(len(SAID))):
        box = Sandbox(store=":memory:", configuration=SETTINGS, begins=BEGINS)
        for place in order:
            name, data, actor = SAID[place]
            box.append(arrival(f"m-{place}", name, data, actor=actor))
            box.drain()
        seen.setdefault(repr(account_of(box)), order)
        box.hub.close()

    assert len(seen) == 1, seen
