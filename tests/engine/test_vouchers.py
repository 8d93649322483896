"""Vouchers through the whole engine: the luck of codes, conversations across lanes, and what holds the store to its word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import ledger_check, luck
from engine.clock import ManualClock, micros
from engine.explain import explain
from engine.hub import Hub
from engine.store.history import History
from engine.verify import verify
from engine.vouchers import Listed, Wanted, page
from schemas.errors import HubError
from schemas.voucher_book import Voucher
from schemas.voucher_code import normalised, ours
from tests.engine.campsite import START, Campsite, arrival, configuration, event

GUEST, MERCHANT, SYSTEM = ({"kind": kind, "id": "x"} for kind in ("guest", "merchant", "system"))


def booking(folio: str, price: int = 20_000) -> dict[str, Any]:
    """A stay, in two payments."""
    sold = {"line": "1", "trade": "outdoor", "terms": "outdoor/flexible", "arrival": "2026-07-24", "departure": "2026-07-31"}
    data = {
        "folio": folio,
        "property": "camp-azur",
        "currency": "EUR",
        "payment_plan": "split",
        "lines": [{**sold, "price": price}],
    }
    return event(f"b-{folio}", "booking.requested", {"actor": SYSTEM, **data})


def paid(folio: str, amount: int) -> dict[str, Any]:
    card = {"provider": "ogone", "merchant": "azur", "provider_reference": f"30{ord(folio[-1])}", "order": f"{folio}-1"}
    return event(
        f"p-{folio}",
        "payment.received",
        {"actor": SYSTEM, "folio": folio, "payment": "P1", "amount": amount, "currency": "EUR", **card},
    )


def said(id_: str, name: str, folio: str, **data: Any) -> dict[str, Any]:
    who = MERCHANT if name in ("voucher.check", "booking.cancel_with_voucher") else GUEST
    return event(id_, name, {"actor": who, "folio": folio, **data}, "web")


def listed(camp: Campsite, tenant: str = "azur", **wanted: Any) -> list[Listed]:
    """A tenant's list."""
    return page(camp.hub.reading, tenant, Wanted(**wanted), limit=100).entries


def numbers(hub: Hub) -> list[str]:
    """Of every voucher that was issued, as it was told."""
    rows = hub.reading.rows("SELECT body FROM outbox WHERE name = 'voucher.issued' ORDER BY seq")
    return [msgspec.json.decode(row["body"])["number"] for row in rows]


@pytest.fixture
def camp() -> Iterator[Campsite]:
    camp = Campsite(at=START)
    yield camp
    camp.close()


def cancelled(camp: Campsite, folio: str = "A", id_: str = "c-1") -> str:
    """A booking that is paid and then cancelled with a voucher; its number."""
    camp.send(booking(folio))
    camp.send(paid(folio, 20_000))
    camp.send(said(id_, "booking.cancel_with_voucher", folio))
    return numbers(camp.hub)[-1]


def test_s0_32_the_door_draws_the_number(camp: Campsite) -> None:
    """Another one each time, with its check character."""
    one, other = cancelled(camp), cancelled(camp, "B", "c-2")

    assert ours(normalised(one))
    assert ours(normalised(other))
    assert one != other


def test_x_1_a_repeat_is_a_repeat(camp: Campsite) -> None:
    """Its fingerprint was taken before the number was drawn: the same message again is dropped, another body is not."""
    first = cancelled(camp)
    again = camp.send(said("c-1", "booking.cancel_with_voucher", "A"))
    other = camp.send(said("c-1", "booking.cancel_with_voucher", "A", reason="another"))

    assert (again.taken.value, other.taken.value) == ("duplicate", "conflict")
    assert numbers(camp.hub) == [first]


def test_s0_31_another_message_for_the_same(camp: Campsite) -> None:
    """The first code again."""
    first = cancelled(camp)
    camp.send(said("c-2", "booking.cancel_with_voucher", "A"))

    assert numbers(camp.hub) == [first, first]


def test_s0_32_luck_is_an_argument() -> None:
    """Derived from the message it gives the same code at every run; the system's own does not."""
    codes = []
    for source in (luck.derived, luck.derived, luck.drawn, luck.drawn):
        hub = Hub(
            configuration(), ":memory:", {}, clock=ManualClock(micros(datetime.fromisoformat(START))), master=bytes(32), luck=source
        )
        for one in (booking("A"), paid("A", 20_000), said("c-1", "booking.cancel_with_voucher", "A")):
            hub.intake.append([arrival(msgspec.json.encode(one))])
            while hub.run_lanes().more:
                pass
        codes += numbers(hub)
        hub.close()

    assert len(codes) == 4
    assert codes[0] == codes[1]
    assert len({codes[0], *codes[2:]}) == 3


def test_s0_6_a_number_of_blanks_is_kept_with_the_reason(camp: Campsite) -> None:
    """No voucher has it, so nobody could own the message."""
    receipt = camp.send(event("r-1", "voucher.register", {"actor": MERCHANT, "number": " - ", "value": 100, "currency": "EUR"}))

    assert (receipt.taken.value, receipt.code, receipt.field) == ("dead_lettered", "undecodable", "number")


def life(camp: Campsite) -> str:
    """Issued, used by two bookings of which one is cancelled, the other checked late; one that a PMS made; an expiry."""
    number = cancelled(camp)
    for folio, amount in (("C", 15_000), ("D", 15_000)):
        camp.send(booking(folio))
        camp.send(said(f"e-{folio}", "voucher.enter", folio, number=number.lower(), amount=amount))
        camp.send(said(f"k-{folio}", "voucher.check", folio, verdict="goodwill"))
    camp.send(said("x-C", "cancellation.request", "C", request="R1", confirm=True))
    pms = {
        "actor": MERCHANT,
        "number": "THAIS-1",
        "value": 5_000,
        "currency": "EUR",
        "property": "camp-azur",
        "expires": "2026-06-30",
    }
    camp.send(event("r-1", "voucher.register", pms))
    camp.send(booking("E"))
    camp.send(said("e-E", "voucher.enter", "E", number="thais 1", amount=10_000))
    camp.send(said("k-E", "voucher.check", "E", verdict="refused"))
    camp.until("2028-01-01T00:00:00+00:00")
    return number


@pytest.mark.parametrize("lanes", [1, 8])
def test_verify_and_the_ledger_agree(tmp_path: Path, lanes: int) -> None:
    """Whatever lane a voucher and its bookings are in: decided again from the log, everything is the same; the book is true."""
    camp = Campsite(at=START)
    camp.hub.close()
    camp.hub = Hub(camp.configuration, str(tmp_path / "hub.sqlite"), camp.ogone, clock=camp.clock, master=bytes(32), lanes=lanes)
    life(camp)

    assert verify(camp.hub.database).differences == ()
    assert ledger_check.check(camp.hub.database).findings == ()
    vouchers = camp.one("SELECT count(*) FROM state WHERE kind = 'voucher'")
    assert vouchers == 2
    camp.close()


def test_s0_26_the_ledger_check_sees_a_vouchers_book(camp: Campsite) -> None:
    """A book that has more left than its account holds is told."""
    number = life(camp)
    key = normalised(number)
    row = camp.hub.reading.rows("SELECT body FROM state WHERE kind = 'voucher' AND key = ?", (key,))[0]
    book = msgspec.json.decode(row["body"], type=Voucher)
    changed = msgspec.json.encode(msgspec.structs.replace(book, left=book.left + 1))
    with camp.hub.database.write() as connection:
        connection.execute("UPDATE state SET body = ? WHERE kind = 'voucher' AND key = ?", (changed, key))
    (found,) = ledger_check.check(camp.hub.database).findings

    assert (found.rule, found.subject, found.other - found.ledger) == ("S0-26", f"vouchers:{key}", 1)


def test_x_7_what_was_asked_of_a_voucher_is_explained(camp: Campsite) -> None:
    """All that a message led to has its correlation, on both sides."""
    life(camp)
    rows = camp.hub.reading.rows("SELECT DISTINCT correlation FROM decision WHERE kind = 'voucher' AND origin = 'inline'")

    assert {row["correlation"] for row in rows} <= {"c-1", "e-C", "e-D", "k-C", "k-D", "x-C", "e-E", "k-E"}


def test_s0_18_the_merchants_list(camp: Campsite) -> None:
    """Each number with its bookings: what was typed, what the book says, the warnings; what waits, and what is flagged, alone."""
    number = cancelled(camp)
    for folio, amount in (("C", 15_000), ("D", 15_000)):
        camp.send(booking(folio))
        camp.send(said(f"e-{folio}", "voucher.enter", folio, number=number, amount=amount))
    camp.send(said("k-C", "voucher.check", "C", verdict="accepted"))
    camp.send(booking("F"))
    camp.send(said("e-F", "voucher.enter", "F", number="MER-77", amount=10_000))
    rows = {row.folio: row for row in listed(camp)}

    assert (rows["C"].status, rows["C"].taken, rows["C"].remainder, rows["C"].flags) == ("accepted", 15_000, 0, ())
    assert (rows["D"].held, rows["D"].flags) == (5_000, ("voucher_duplicate", "voucher_value_exceeded"))
    assert (rows["F"].value, rows["F"].remainder, rows["F"].origin) == (None, None, "unknown")
    assert {row.folio for row in listed(camp, to_check=True)} == {"D", "F"}  # by number, and one was drawn
    assert [row.folio for row in listed(camp, flagged=True)] == ["D"]
    assert listed(camp, tenant="other") == []


def test_s0_18_a_code_that_nobody_used_yet(camp: Campsite) -> None:
    """It is on the list too."""
    number = cancelled(camp)

    assert [(row.number, row.folio, row.remainder) for row in listed(camp)] == [(number, "", 20_000)]


def test_x_7_a_voucher_is_explained_by_its_number(camp: Campsite) -> None:
    """However it is typed: everything that was asked of it, in order, and its account."""
    number = life(camp)
    told = explain(History(camp.hub.reading), camp.hub.vault, number.replace("-", " ").lower())

    assert (told.kind, [one.name for one in told.decisions][:3]) == (
        "voucher",
        ["voucher.issue_asked", "voucher.hold_asked", "voucher.settle_asked"],
    )
    assert [(row.account, row.balance) for row in told.balances] == [(f"vouchers:{normalised(number)}", 0)]
    with pytest.raises(HubError, match="no folio, message, effect or voucher"):
        explain(History(camp.hub.reading), camp.hub.vault, "NOBODYS")
