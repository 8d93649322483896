"""X-20: what a channel that collects owes, and is owed. The table of docs/rules/channel.md is the table of these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers import account
from handlers.commission import of_line, rate_of
from ledger.balance import balance
from schemas.booking import CollectedBy
from schemas.commission import ChannelBalanceChanged, CommissionCreditNoteRequested
from schemas.errors import Rejected, Stale
from schemas.folio import Folio
from schemas.money import parse_rate, times
from schemas.payment import UnappliedReceipt
from schemas.policy import RefundBase
from schemas.refund import RefundDecided, RefundManualRequired
from tests.handlers.campsite import fact, kinds, line, ordered, terms
from tests.handlers.cancelling import Leaving, before, leaving

PAGE = Path(__file__).parents[2].joinpath("docs/rules/channel.md").read_text(encoding="utf-8")
SOLD = {"collected_by": "channel", "commission_rate": "10 %"}


def rows() -> list[dict[str, str]]:
    """The examples, by column."""
    part = PAGE.partition("\n## Examples")[2]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("|")]
    names, _, *rest = cells
    return [dict(zip(names, row, strict=True)) for row in rest]


def minor(text: str) -> int:
    """`100.00` in minor units, `–` is nothing."""
    return 0 if text == "–" else int(text.replace(".", "").replace("−", "-"))


def stands(stay: Leaving) -> tuple[int, int]:
    """What the channel owes and keeps, by the book."""
    return balance(stay.entries, "channels:B-1", "EUR"), -balance(stay.entries, "commissions:B-1", "EUR")


def told(stay: Leaving) -> ChannelBalanceChanged:
    """What was last told of it."""
    return [one for one in stay.said if isinstance(one, ChannelBalanceChanged)][-1]


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row.values())) for row in rows()])
def test_x_20_what_a_channel_owes(row: dict[str, str]) -> None:
    """Row by row: by the book, by what is told, and by the folio."""
    stay = leaving(0, deposit_nature=row["nature"], **SOLD)
    if minor(row["paid"]):
        stay.card(minor(row["paid"]))
    if row["cancelled"] != "–":
        stay.leave(at=before(int(row["cancelled"].split()[0])))
    if minor(row["after"]):
        stay.now = before(0)
        assert UnappliedReceipt.__name__ not in kinds(stay.card(minor(row["after"]), "P2"))

    owed, commission = minor(row["owed"]), minor(row["commission"])
    assert stands(stay) == (owed, commission) == (account.balance(stay.folio), stay.folio.commission)
    assert (told(stay).owed, told(stay).commission, told(stay).net) == (owed, commission, minor(row["net"]))
    assert sum(refund.minor for refund in stay.folio.refunds) == minor(row["to give"])
    assert balance(stay.entries, "guest:B-1", "EUR") == 0
    assert stay.folio.waived == stay.folio.claim == 0
    assert not stay.requests


def test_x_20_what_is_owed_to_it_is_settled_by_hand() -> None:
    """It names the channel and not the guest, and is closed when somebody has settled it."""
    stay = leaving(20_500, **SOLD)
    out = stay.leave(at=before(3))
    assert fact(out, RefundManualRequired).reason == "collected by channel: settle it there, not with the guest"
    assert balance(stay.entries, "refunds:B-1", "EUR") == -10_000
    stay.by_hand(10_000, refund=fact(out, RefundDecided).refund)

    assert balance(stay.entries, "refunds:B-1", "EUR") == 0


@pytest.mark.parametrize(("refund", "owed"), [("full", 0), ("none", 20_500), (5_000, 15_500), (30_000, 0), ("policy", 10_500)])
@pytest.mark.parametrize("paid_minor", [0, 20_500])
def test_x_20_s4_25_the_record_says_what_the_guest_gets(refund: Any, owed: int, paid_minor: int) -> None:
    """Of the channel; it owes us the rest, and what it has paid beyond that goes back to it."""
    stay = leaving(paid_minor, **SOLD)
    stay.told_cancelled(at=before(3), refund=refund)

    assert account.balance(stay.folio) == (0 if paid_minor else owed)
    assert sum(one.minor for one in stay.folio.refunds) == (20_500 - owed if paid_minor else 0)


@pytest.mark.parametrize("occurred", [4, 2], ids=["moved before", "moved after"])
@pytest.mark.parametrize("early", [20_700, 15_000, 0])
def test_x_20_x_16_s4_25_no_refund_is_said_of_the_guest(early: int, occurred: int) -> None:
    """What the channel paid of the tourist tax that falls due to nobody goes back to it, whenever its money moved and is told."""
    stay = leaving(early, line(), line("tax", 700, kind="tourist_tax", terms=""), service_fee=0, **SOLD)
    stay.told_cancelled(at=before(3), refund="none")
    stay.now = before(1)
    if early < 20_700:
        stay.card(20_700 - early, "P2", occurred_at=before(occurred))

    assert (sum(refund.minor for refund in stay.folio.refunds), *stands(stay)) == (700, 0, 2_000)


def test_x_20_a_4_the_channel_has_all_of_it() -> None:
    """With a rate of what was collected, all of the price was."""
    offered = (terms("outdoor/flexible", "1", "1/2", "0", refund_base=RefundBase.COLLECTED),)
    stay = leaving(0, offered=offered, **SOLD)
    stay.leave(at=before(3))

    assert stands(stay) == (10_500, 1_000)


@pytest.mark.parametrize("paid_minor", [0, 10_000, 30_000])
def test_x_20_who_collects_changes(paid_minor: int) -> None:
    """What is owed goes from one account to the other, and back, whichever way it is owed."""
    stay = leaving(paid_minor)
    stay.book(ordered(**SOLD), "booking.changed")
    assert (*stands(stay), balance(stay.entries, "guest:B-1", "EUR")) == (20_500 - paid_minor, 2_000, 0)
    stay.book(ordered(line(price=30_000), commission_rate="10 %"), "booking.changed")

    assert (*stands(stay), balance(stay.entries, "guest:B-1", "EUR")) == (0, 0, 30_500 - paid_minor)
    assert (told(stay).owed, told(stay).commission, told(stay).net) == (0, 0, 0)


@pytest.mark.parametrize(
    ("price", "rate", "rests"), [(1_921, "10 %", (1_325,)), (40, "12.5 %", (36, 32, 28, 24)), (10_001, "33 1/3 %", (7_777, 5_555))]
)
def test_x_20_s4_38_credits_add_up_to_what_was_charged(price: int, rate: str, rests: tuple[int, ...]) -> None:
    """Night by night, and then the rest: never a cent more or less than was kept."""
    stay = leaving(0, line(price=price), collected_by="channel", commission_rate=rate)
    charged = stands(stay)[1]
    for at, rest in enumerate(rests):
        departure = f"2026-07-{30 - at}"
        stay.leave({"line": "1", "new_departure": departure, "new_price": rest}, request=f"R{at}", at=before(10))
        assert stands(stay)[1] == stay.folio.commission == half_up(rest, rate)
    stay.leave(request="last", at=before(10))

    assert sum(one.amount for one in stay.said if isinstance(one, CommissionCreditNoteRequested)) == charged
    assert stands(stay)[1] == stay.folio.commission == 0


def half_up(minor: int, rate: str) -> int:
    """That rate of an amount."""
    return times(minor, parse_rate(rate))


def test_x_20_a_penalty_has_the_rate_that_it_was_kept_at() -> None:
    """A booking that is changed to another rate has it for what is sold from then on, and gives that back; what it kept stays as it was."""
    stay = leaving(0, line(price=20_000), **SOLD)
    stay.leave({"line": "1", "new_departure": "2026-07-30", "new_price": 10_000}, at=before(3))
    assert stands(stay)[1] == 1_500
    stay.book(ordered(line(price=10_000, departure="2026-07-30"), **{**SOLD, "commission_rate": "20 %"}), "booking.changed")
    assert stands(stay)[1] == 500 + 2_000
    out = stay.leave(request="R2", at=before(10))

    assert fact(out, CommissionCreditNoteRequested).amount == 2_000
    assert stands(stay)[1] == stay.folio.commission == 500


PRICES = st.integers(1, 30_000)
RATES = st.sampled_from(["", "10 %", "12.5 %", "33 1/3 %"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("night"), PRICES, st.integers(0, 10)),
        st.tuples(st.just("line"), st.integers(1, 2), st.integers(0, 10)),
        st.tuples(st.just("change"), PRICES, RATES),
    ),
    max_size=6,
)


@given(PRICES, RATES, STEPS)
def test_x_20_x_5_what_is_credited_is_the_commission_of_the_difference(
    price: int, rate: str, steps: list[tuple[Any, Any, Any]]
) -> None:
    """Whatever ends, and however rates change between: the credits of a booking that keeps its rate are, to the cent, the commission of
    what it was less that of what it is; a penalty that is kept bears the same ever after."""
    stay = leaving(0, line(price=price), line("2", 9_999), collected_by="channel", commission_rate=rate)
    for number, (what, first, second) in enumerate(steps):
        was, said = stay.folio, len(stay.said)
        nights = f"2026-07-{30 - number}"
        try:
            match what:
                case "night":
                    stay.leave({"line": "1", "new_departure": nights, "new_price": first}, request=f"R{number}", at=before(second))
                case "line":
                    stay.leave({"line": str(first)}, request=f"R{number}", at=before(second))
                case _:
                    live = [line(one.line, first, departure=str(one.departure)) for one in was.lines if not one.cancelled]
                    stay.book(ordered(*live, collected_by="channel", commission_rate=second), "booking.changed")
        except (Rejected, Stale):
            continue
        credited = sum(one.amount for one in stay.said[said:] if isinstance(one, CommissionCreditNoteRequested))
        assert stands(stay)[1] == stay.folio.commission == due(stay.folio)
        if what == "change":
            assert credited == 0
        else:
            assert credited == due(was) - due(stay.folio)
        if was.commission_rate:
            assert penalties(was) <= penalties(stay.folio) if what != "change" else penalties(was) == penalties(stay.folio)


def due(folio: Folio) -> int:
    """The commission of all services."""
    return sum(of_line(one, rate_of(folio)) for one in folio.lines)


def penalties(folio: Folio) -> int:
    """The commission of what is kept."""
    return sum(of_line(replace(one, price=0), rate_of(folio)) for one in folio.lines)


def test_x_20_commission_of_a_penalty_goes_with_who_collects() -> None:
    """What is kept of a line that ended bears commission while the channel collects, no more when it does not, and again after that."""
    stay = leaving(0, line(price=10_001), line("2", 9_999), collected_by="channel", commission_rate="33 1/3 %")
    stay.leave({"line": "1"}, at=before(3))
    kept = stands(stay)
    assert kept[1] == half_up(5_001, "33 1/3 %") + half_up(9_999, "33 1/3 %")
    stay.book(ordered(line("2", 9_999), commission_rate="33 1/3 %"), "booking.changed")
    assert (told(stay).owed, told(stay).commission) == stands(stay) == (0, 0)
    stay.book(ordered(line("2", 9_999), collected_by="channel", commission_rate="33 1/3 %"), "booking.changed")

    assert (told(stay).owed, told(stay).commission) == stands(stay) == kept


@pytest.mark.parametrize("by", ["channel", "platform"])
def test_x_20_a_payment_goes_back_to_who_paid_it(by: str) -> None:
    """What the property took of a guest's card goes to that card, although another collects now; and the other way round."""
    stay = leaving(20_500)
    stay.book(ordered(collected_by=by), "booking.changed")
    stay.card(20_500, "P2")
    stay.book(ordered(collected_by="property"), "booking.changed")
    stay.book(ordered(collected_by=by), "booking.changed")
    stay.card(1_000, "P3")
    stay.book(ordered(collected_by="property"), "booking.changed")
    stay.leave(at=before(10))
    gives = {part.payment: part.destination for part in stay.parts()}

    assert gives.pop("P1") == "original_card"
    assert gives
    assert set(gives.values()) == {"manual"}


def test_x_20_commission_follows_what_is_sold() -> None:
    """By each service's price, half-up; taxes and insurance bear none; another rate counts from then on."""
    tax = {"line": "9", "kind": "tourist_tax", "price": 2_000, "trade": "", "terms": ""}
    stay = leaving(0, line(price=10_005), line("2", 10_005), tax, **SOLD)
    assert stands(stay)[1] == 2_002
    stay.book(ordered(line(price=10_005), **{**SOLD, "commission_rate": "20 %"}), "booking.changed")

    assert stands(stay)[1] == 2_001


@pytest.mark.parametrize("by", ["property", "platform"])
def test_x_20_others_leave_the_guests_account(by: str) -> None:
    """Nothing is told of a channel, and nothing is kept."""
    stay = leaving(20_500, collected_by=by, commission_rate="10 %")
    stay.leave(at=before(3))

    assert not [one for one in stay.said if isinstance(one, ChannelBalanceChanged)]
    assert stands(stay) == (0, 0)
    assert stay.folio.collected_by is CollectedBy(by)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("pay"), st.integers(1, 30_000)),
            st.tuples(st.just("change"), st.integers(0, 30_000)),
            st.tuples(st.just("by"), st.sampled_from(["property", "channel", "platform"])),
            st.tuples(st.just("leave"), st.sampled_from([3, 10])),
        ),
        max_size=8,
    )
)
def test_x_4_x_20_the_book_says_what_the_folio_says(acts: list[tuple[str, Any]]) -> None:
    """Whatever happens, in whatever order (`Leaving.holds` compares what is owed)."""
    stay, says = leaving(0, **SOLD), dict[str, Any](SOLD)
    for number, (what, value) in enumerate(acts):
        if what == "pay":
            stay.card(value, f"P{number}")
        elif what == "leave" and stay.folio.cancelled_at is None:
            stay.leave(at=before(value))
        elif stay.folio.cancelled_at is None and what in ("change", "by"):
            says |= {"collected_by": value} if what == "by" else {}
            price = value if what == "change" else stay.folio.lines[0].price
            stay.book(ordered(line(price=price), **says), "booking.changed")
        assert stands(stay)[1] == stay.folio.commission
        by_channel = stay.folio.collected_by is CollectedBy.CHANNEL
        assert stands(stay)[0] == (account.balance(stay.folio) if by_channel else 0)
        assert balance(stay.entries, "guest:B-1", "EUR") == (0 if by_channel else account.balance(stay.folio))
