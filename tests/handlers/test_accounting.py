"""VAT: what is sold, what is kept, what a credit note takes back; the tables of docs/rules/accounting.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from handlers.outcome import Outcome
from schemas.accounting import CreditNoteRequested, KeptLine, PenaltyReason, PenaltyStated, SaleStated, SoldLine, VatTreatment
from schemas.booking import LineKind
from schemas.effect import EffectState
from schemas.errors import Rejected, Stale
from schemas.folio import FolioLine
from schemas.money import ZERO_RATE, included, parse_rate
from schemas.policy import PenaltyVat, RefundBase
from tests.handlers.campsite import CAMP, FLEXIBLE, TENANT, fact, line, ordered, terms
from tests.handlers.cancelling import GUEST, MERCHANT, Accounted, before

PAGE = Path(__file__).parents[2].joinpath("docs/rules/accounting.md").read_text(encoding="utf-8")
USUAL = PenaltyVat()
OUT, TAXABLE = VatTreatment.OUT_OF_SCOPE, VatTreatment.TAXABLE
ONE = line("1", 12_000, vat_rate="20 %")
TWO = [line("1", 10_001, vat_rate="10 %"), line("2", 5_000, kind="service", vat_rate="20 %")]


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the table below the heading that begins so, by column."""
    part = PAGE.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("|")]
    names, _, *rest = rows
    return [dict(zip(names, row, strict=True)) for row in rest]


def minor(text: str) -> int:
    """`100.00` in minor units, `–` is nothing."""
    return 0 if text == "–" else int(text.replace(".", ""))


def stay(paid: int, *lines: dict[str, Any], penalty_vat: PenaltyVat = USUAL, **more: Any) -> Accounted:
    """Booked without fee, paid by card."""
    one = Accounted(camp=replace(CAMP, penalty_vat=penalty_vat))
    one.book(ordered(*lines, service_fee=0, **more))
    if paid:
        one.card(paid)
    return one


def told(out: Outcome, kind: type[Any]) -> Any:
    """The fact of that type, None without one."""
    found = [one for one in out.facts if isinstance(one, kind)]
    assert len(found) <= 1
    return found[0] if found else None


def sums(one: Any) -> tuple[int, int]:
    """Amount and VAT of a fact, which are those of its lines; nothing without one."""
    if one is None:
        return 0, 0
    assert (one.amount, one.vat) == (sum(part.amount for part in one.lines), sum(part.vat for part in one.lines))
    return one.amount, one.vat


def left(one: Accounted, days: str) -> Outcome:
    """Cancelled so many days before the arrival, or for that cause."""
    if days.isdecimal():
        return one.leave(at=before(int(days)))
    return one.leave(at=before(-1 if days == "no_show" else 3), cause=days, actor=MERCHANT)


ROWS = table("One line of 120.00 EUR")


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['paid']} {row['days']} {row['knob']}" for row in ROWS])
def test_x_23_what_is_kept_and_what_goes_back(row: dict[str, str]) -> None:
    """X-23: by reason, both ways of each knob; what is neither claimed nor collected is not kept."""
    reason, _, treatment = row["knob"].partition(" = ")
    policy = USUAL if row["knob"] == "–" else replace(USUAL, **{reason: VatTreatment(treatment)})
    out = left(stay(minor(row["paid"]), ONE, penalty_vat=policy), row["days"])
    kept = told(out, PenaltyStated)

    assert (minor(row["kept"]), minor(row["VAT kept"])) == sums(kept)
    assert row["reason"] == ("–" if kept is None else kept.lines[0].reason)
    assert (minor(row["credit note"]), minor(row["VAT back"])) == sums(told(out, CreditNoteRequested))


SPLIT = table("Split rates")


@pytest.mark.parametrize("row", SPLIT, ids=[f"{row['paid']}, line {row['line']}" for row in SPLIT])
def test_x_5_x_23_split_rates(row: dict[str, str]) -> None:
    """Each line's part of what is kept has the VAT of its own rate, and no cent is lost between them."""
    out = stay(minor(row["paid"]), *TWO, penalty_vat=PenaltyVat(kept_deposit=TAXABLE)).leave(at=before(3))
    (kept,) = [one for one in fact(out, PenaltyStated).lines if one.line == row["line"]]
    (back,) = [one for one in fact(out, CreditNoteRequested).lines if one.line == row["line"]]

    assert (minor(row["kept"]), minor(row["VAT kept"])) == (kept.amount, kept.vat)
    assert (minor(row["credit note"]), minor(row["VAT back"])) == (back.amount, back.vat)


def test_x_23_a_sale_names_rate_amount_entity() -> None:
    """X-23: each line with its VAT, by the legal entity of the property."""
    one = Accounted(camp=replace(CAMP, company="433 265 618 00010"))
    out = one.book(ordered(*TWO, line("3", 300, kind="tourist_tax", vat_rate="0 %"), line("4", 700, kind="service")))

    assert (
        SaleStated(
            property="camp-azur",
            entity="433265618",
            lines=(
                SoldLine(line="1", kind=LineKind.STAY, amount=10_001, vat_rate="10 %", vat=909),
                SoldLine(line="2", kind=LineKind.SERVICE, amount=5_000, vat_rate="20 %", vat=833),
                SoldLine(line="3", kind=LineKind.TOURIST_TAX, amount=300, vat_rate="0 %", vat=0),
            ),
            amount=15_301,
            vat=1_742,
            currency="EUR",
        )
        == out.facts[-1]
    )


@pytest.mark.parametrize(
    ("camp", "tenant", "entity"),
    [("433265618", "", "433265618"), ("", "433265618", "433265618"), ("", "", "azur")],
    ids=["the property's", "the tenant's", "the tenant itself"],
)
def test_x_23_the_entity(camp: str, tenant: str, entity: str) -> None:
    one = Accounted(camp=replace(CAMP, company=camp), tenant=replace(TENANT, company=tenant))
    one.book(ordered(ONE))

    assert entity == fact(one.leave(at=before(10)), CreditNoteRequested).entity


def test_x_23_nothing_is_told_where_no_vat_is_known() -> None:
    """Old bookings lead to what they led to: no outcome, no word in the folio."""
    one = Accounted()
    one.book(ordered(line("1", 12_000)))
    one.card(12_500)
    out = one.leave(at=before(3))

    assert [fact for fact in one.said if isinstance(fact, SaleStated | PenaltyStated | CreditNoteRequested)] == []
    assert (one.folio.lines[0].kept_parts, one.folio.credit_notes) == ((), 0)
    assert not [step for step in out.trace if step.rule == "X-23"]


def test_x_23_aside() -> None:
    """X-23: tourist tax comes back with the credit note, insurance stays sold; neither is a penalty."""
    lines = (ONE, line("2", 300, kind="tourist_tax", vat_rate="0 %"), line("3", 1_200, kind="insurance", vat_rate="20 %"))
    out = stay(13_500, *lines).leave(at=before(3))

    assert [one.line for one in fact(out, PenaltyStated).lines] == ["1"]
    assert [(one.line, one.amount, one.vat) for one in fact(out, CreditNoteRequested).lines] == [
        ("1", 12_000, 2_000),
        ("2", 300, 0),
    ]


def test_x_23_numbers_have_no_gap() -> None:
    """X-23: one line after the other: each request has the next number, and names its cancellation."""
    one = stay(15_001, *TWO)
    first = fact(one.leave("1", at=before(10)), CreditNoteRequested)
    second = fact(one.leave("2", request="R2", at=before(9)), CreditNoteRequested)

    assert [(note.number, note.request, note.lines[0].line) for note in (first, second)] == [(1, "R1", "1"), (2, "R2", "2")]
    assert one.folio.credit_notes == 2


def test_x_23_fewer_nights() -> None:
    """S4-37: what a night less takes back, and what is kept of it, beside the price that lives on."""
    one = stay(12_000, ONE, penalty_vat=PenaltyVat(kept_deposit=TAXABLE))
    out = one.leave({"line": "1", "new_departure": "2026-07-30", "new_price": 10_000}, at=before(3))

    assert sums(fact(out, PenaltyStated)) == (1_000, 167)
    assert sums(fact(out, CreditNoteRequested)) == (1_000, 167)
    rest = one.leave(request="R2", at=before(10))
    assert sums(fact(rest, CreditNoteRequested)) == (10_000, 1_666), "with the cent that the first left"


def test_x_16_x_23_money_that_is_told_late_is_kept_with_its_vat() -> None:
    """X-16: kept after all, for the reason of its cancellation; credit notes stay, it is sold anew."""
    one = stay(0, ONE, penalty_vat=PenaltyVat(kept_deposit=TAXABLE))
    one.leave(at=before(3))
    out = one.card(6_000, occurred_at="2026-06-01T10:00:00+02:00")

    expected = KeptLine(line="1", amount=6_000, reason=PenaltyReason.KEPT_DEPOSIT, treatment=TAXABLE, vat_rate="20 %", vat=1_000)
    assert (expected,) == fact(out, PenaltyStated).lines
    assert sums(fact(out, SaleStated)) == (6_000, 1_000)
    assert one.folio.credit_notes == 1


def test_x_16_x_23_the_price_is_kept_once_the_last_cent_is_there() -> None:
    """X-16: half of it stands for the deposit; with the rest, told late, all is kept as the price, as if it had been there."""
    one = stay(6_000, ONE)
    one.leave(at=before(0))
    out = one.card(6_000, "P2", occurred_at="2026-06-01T10:00:00+02:00")

    assert [(kept.reason, kept.amount, kept.treatment, kept.vat) for kept in fact(out, PenaltyStated).lines] == [
        (PenaltyReason.KEPT_DEPOSIT, -6_000, OUT, 0),
        (PenaltyReason.PRICE_KEPT, 12_000, TAXABLE, 2_000),
    ]
    assert sums(fact(out, SaleStated)) == (12_000, 2_000)


def test_x_16_x_23_money_that_is_told_late_is_kept_of_the_cancellation_that_it_covers() -> None:
    """X-16: it moved after line 1 was cancelled, unpaid: all of it is kept of line 2, at the rate of that."""
    lines = line("1", 12_000, vat_rate="10 %", terms="outdoor/nanr"), line("2", 12_000, vat_rate="20 %")
    one = stay(0, *lines, penalty_vat=PenaltyVat(kept_deposit=TAXABLE))
    one.leave("1", at="2026-05-10T10:00:00+02:00")
    one.leave(request="R2", at=before(3))
    out = one.card(4_000, occurred_at="2026-05-20T10:00:00+02:00")

    assert [(kept.line, kept.amount, kept.vat) for kept in fact(out, PenaltyStated).lines] == [("2", 4_000, 667)]


def test_a_4_x_23_money_that_is_told_late_of_what_was_collected() -> None:
    """A-4: the rate is of what was collected; what the late money adds is kept for the reason of the cancellation."""
    terms = (replace(FLEXIBLE, refund_base=RefundBase.COLLECTED),)
    one = Accounted(*terms, camp=CAMP)
    one.book(ordered(ONE, service_fee=0))
    one.card(6_000)
    one.leave(at=before(3))
    (kept,) = fact(one.card(2_000, "P2", occurred_at="2026-06-01T10:00:00+02:00"), PenaltyStated).lines

    assert (kept.amount, kept.reason, kept.treatment, kept.vat) == (1_000, PenaltyReason.KEPT_DEPOSIT, OUT, 0)


def test_s4_34_x_23_a_capture_that_fails_is_not_kept() -> None:
    """S4-34: what the authorisation does not bring is waived: less is kept, and a second credit note says so."""
    one = stay(0, ONE, penalty_vat=PenaltyVat(kept_deposit=TAXABLE))
    one.card(12_000, name="payment.authorised")
    one.leave(at=before(3))
    out = one.reply(EffectState.REFUSED, code="declined")

    assert sums(fact(out, PenaltyStated)) == (-6_000, -1_000)
    note = fact(out, CreditNoteRequested)
    assert (note.number, note.request, *sums(note)) == (2, "R1", 6_000, 1_000)


def test_s4_46_x_23_goodwill_is_not_kept() -> None:
    """S4-46: what the house gives beyond the terms is no price kept."""
    one = stay(12_000, ONE, penalty_vat=PenaltyVat(kept_deposit=TAXABLE))
    one.ask(at=before(3))
    out = one.confirm(actor=MERCHANT, override={"amount": 9_000, "reason": "a good guest"})

    assert sums(fact(out, PenaltyStated)) == (3_000, 500)
    assert sums(fact(out, CreditNoteRequested)) == (9_000, 1_500)


def test_s4_46_x_23_goodwill_is_of_the_lines_it_was_given_for() -> None:
    """S4-46: what an earlier cancellation kept stays kept, and stated."""
    one = stay(15_001, *TWO, penalty_vat=PenaltyVat(kept_deposit=TAXABLE))
    one.leave("1", at=before(3))
    one.ask("2", request="R2", at=before(3))
    out = one.confirm("R2", actor=MERCHANT, override={"amount": 4_000, "reason": "a good guest"})

    (kept,) = fact(out, PenaltyStated).lines
    assert (kept.line, kept.amount, kept.vat) == ("2", 1_000, 167)


def test_s4_37_x_23_a_change_leaves_what_was_kept() -> None:
    """S4-37: a night was lost before; the change tells the difference of the price, and the penalty is not stated again."""
    one = stay(0, ONE, penalty_vat=PenaltyVat(kept_deposit=TAXABLE))
    one.leave({"line": "1", "new_departure": "2026-07-30", "new_price": 10_000}, at=before(3))
    out = one.book(ordered(line("1", 9_000, departure="2026-07-30", vat_rate="20 %"), service_fee=0), name="booking.changed")

    (sale,) = [one for one in out.facts if isinstance(one, SaleStated | PenaltyStated)]
    assert sums(sale) == (-1_000, -167)


def test_x_23_a_change_of_the_booking_is_no_credit_note() -> None:
    """A line for less, a line at another rate, a line that is gone: sold anew, with signs."""
    one = stay(0, *TWO, line("3", 1_000, kind="service", vat_rate="20 %"))
    changed = (line("1", 9_000, vat_rate="10 %"), line("2", 5_000, kind="service", vat_rate="10 %"))
    out = one.book(ordered(*changed, service_fee=0), name="booking.changed")

    assert [(sold.line, sold.amount, sold.vat) for sold in fact(out, SaleStated).lines] == [
        ("1", -1_001, -91),
        ("2", -5_000, -833),
        ("2", 5_000, 455),
        ("3", -1_000, -167),
    ]
    assert told(out, CreditNoteRequested) is None


def test_x_23_another_rate_states_what_bears_vat_anew() -> None:
    """Kept at 10 %, the line is changed to 20 %: taken back at the old rate, stated at the new; what is out of scope stays as it is."""
    for treatment, told_anew in ((TAXABLE, [(-6_000, "10 %", -545), (6_000, "20 %", 1_000)]), (OUT, [])):
        one = stay(12_000, line("1", 12_000, vat_rate="10 %"), penalty_vat=PenaltyVat(kept_deposit=treatment, price_kept=treatment))
        one.leave({"line": "1", "new_departure": "2026-07-25", "new_price": 0}, at=before(3))
        (stated,) = fact(Outcome(facts=tuple(one.said)), PenaltyStated).lines
        out = one.book(ordered(line("1", 1, departure="2026-07-25", vat_rate="20 %"), service_fee=0), name="booking.changed")

        assert stated.amount == 6_000
        again = told(out, PenaltyStated)
        assert [(part.amount, part.vat_rate, part.vat) for part in (again.lines if again else ())] == told_anew


def test_x_7_x_23_the_trace_says_why() -> None:
    """X-7: an accountant can follow it."""
    out = stay(12_000, ONE).leave(at=before(3))

    assert [step.text for step in out.trace if step.rule == "X-23"] == [
        "line 1: 60.00 EUR kept, kept_deposit is out_of_scope: without VAT",
        "credit note 1 of B-1, line 1: 120.00 EUR back, VAT 20 % in it is 20.00 EUR",
    ]


def stands(one: FolioLine) -> tuple[int, int]:
    """What of a line is sold, and the VAT in it."""
    kept = (
        one.kept
        if one.kind in (LineKind.TOURIST_TAX, LineKind.INSURANCE)
        else sum(part.rest() for part in one.kept_parts if part.taxed)
    )
    sold = kept + (0 if one.cancelled else one.price)
    return sold, included(sold, parse_rate(one.vat_rate) if one.vat_rate else ZERO_RATE)


PRICES = st.integers(1, 20_000)
LINES = st.lists(st.tuples(PRICES, st.sampled_from(["", "0 %", "5.5 %", "10 %", "20 %", "33 1/3 %"])), min_size=1, max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("card"), st.integers(1, 30_000), st.integers(1, 80)),
        st.tuples(st.just("line"), st.integers(0, 2), st.integers(0, 10)),
        st.tuples(st.just("night"), PRICES, st.integers(0, 10)),
        st.tuples(st.just("all"), st.sampled_from(["guest", "owner"]), st.integers(0, 10)),
        st.tuples(st.just("change"), PRICES, st.integers(0, 2)),
        st.tuples(st.just("rate"), st.sampled_from(["5.5 %", "20 %"]), st.integers(0, 2)),
    ),
    max_size=5,
)


@given(LINES, STEPS, st.sampled_from([OUT, TAXABLE]), st.sampled_from([OUT, TAXABLE]))
def test_x_23_all_that_was_told_is_what_stands(
    priced: list[tuple[int, str]], steps: list[tuple[Any, Any, Any]], deposit: VatTreatment, price: VatTreatment
) -> None:
    """X-5, X-23: whatever happens, sales less credit notes are what stands, amount and VAT, line by line; what is stated as kept is
    what lines keep and have not let go; numbers have no gap."""
    one = stay(0, *lines_of(priced), penalty_vat=PenaltyVat(kept_deposit=deposit, price_kept=price))
    for number, (what, first, second) in enumerate(steps):
        try:
            act(one, priced, number, what, first, second)
        except (Rejected, Stale):
            continue
    sold = [part for said in one.said if isinstance(said, SaleStated) for part in said.lines]
    notes = [said for said in one.said if isinstance(said, CreditNoteRequested)]
    back = [part for said in notes for part in said.lines]
    kept = [part for said in one.said if isinstance(said, PenaltyStated) for part in said.lines]

    for folio_line in one.folio.lines:
        if not folio_line.vat_rate:
            continue
        mine = [[part for part in parts if part.line == folio_line.line] for parts in (sold, back, kept)]
        assert stands(folio_line) == tuple(
            sum(getattr(part, name) for part in mine[0]) - sum(getattr(part, name) for part in mine[1])
            for name in ("amount", "vat")
        )
        parts = folio_line.kept_parts
        assert folio_line.kept == sum(part.minor for part in parts)
        for reason in PenaltyReason:
            rest = sum(part.rest() for part in parts if part.reason is reason)
            assert rest == sum(part.amount for part in mine[2] if part.reason is reason)
        assert sum(part.vat for part in mine[2]) == included(
            sum(part.rest() for part in parts if part.taxed), parse_rate(folio_line.vat_rate)
        )
    assert all(part.amount > 0 for part in back)
    assert list(range(1, len(notes) + 1)) == [note.number for note in notes]


def lines_of(priced: list[tuple[int, str]], change: int = 0) -> list[dict[str, Any]]:
    """Lines of these prices and rates, each `change` cheaper but for a cent."""
    return [line(str(n), max(1, price - change), vat_rate=rate) for n, (price, rate) in enumerate(priced)]


def act(one: Accounted, priced: list[tuple[int, str]], number: int, what: str, first: Any, second: Any) -> None:
    """One step of a world."""
    match what:
        case "card":
            one.card(first, f"P{number}", occurred_at=f"2026-0{5 + second // 31}-{second % 28 + 1:02}T10:00:00+02:00")
        case "line":
            one.leave(str(first), request=f"R{number}", at=before(second))
        case "night":
            fewer = {"line": "0", "new_departure": f"2026-07-{30 - number}", "new_price": first}
            one.leave(fewer, request=f"R{number}", at=before(second))
        case "all":
            one.leave(request=f"R{number}", at=before(second), cause=first, actor=MERCHANT if first == "owner" else GUEST)
        case "rate":
            other = [(price, first if rate and n == second else rate) for n, (price, rate) in enumerate(priced)]
            one.book(ordered(*lines_of(other), service_fee=0), name="booking.changed")
        case _:
            one.book(ordered(*lines_of(priced, first), service_fee=0), name="booking.changed")


ENDS = st.lists(st.one_of(st.tuples(st.integers(0, 2), st.integers(0, 5)), st.tuples(st.none(), st.integers(0, 5))), max_size=3)


@given(LINES, st.lists(PRICES, min_size=1, max_size=3), ENDS, st.sampled_from([OUT, TAXABLE]), st.sampled_from([OUT, TAXABLE]))
def test_x_16_x_23_told_late_is_kept_as_if_it_had_been_there(
    priced: list[tuple[int, str]], paid: list[int], ends: list[tuple[int | None, int]], deposit: VatTreatment, price: VatTreatment
) -> None:
    """X-16: money that moved before all cancellations is kept of the same lines, for the same reasons, with the same VAT, whether it
    was told before them or after."""
    worlds = []
    for late in (False, True):
        one = stay(0, *lines_of(priced), penalty_vat=PenaltyVat(kept_deposit=deposit, price_kept=price))
        pay(one, [] if late else paid)
        for number, (name, days) in enumerate(sorted(ends, key=lambda end: -end[1])):
            try:
                one.leave(*([] if name is None else [str(name)]), request=f"R{number}", at=before(days, 9 + number))
            except (Rejected, Stale):
                continue
        pay(one, paid if late else [])
        worlds.append([(stands(known), kept_by_reason(known)) for known in one.folio.lines if known.vat_rate])

    assert worlds[0] == worlds[1]


def pay(one: Accounted, paid: list[int]) -> None:
    """By card, in May."""
    for number, amount in enumerate(paid):
        one.card(amount, f"P{number}", occurred_at="2026-05-20T10:00:00+02:00")


def kept_by_reason(one: FolioLine) -> list[tuple[PenaltyReason, int]]:
    """What the line keeps and has not let go, reason by reason."""
    return [
        (reason, rest) for reason in PenaltyReason if (rest := sum(part.rest() for part in one.kept_parts if part.reason is reason))
    ]


def test_x_23_s4_46_a_penalty_is_taken_back_as_it_was_stated() -> None:
    """All of some nights is kept, then goodwill beyond the rest takes of that too: under its reason and treatment, with its VAT."""
    nothing = (terms("outdoor/flexible", "0", "0", "0"),)
    one = Accounted(*nothing)
    one.book(ordered(line(price=10_000, vat_rate="10 %"), service_fee=0))
    one.card(10_000)
    first = one.leave({"line": "1", "new_departure": "2026-07-29", "new_price": 2_000}, at=before(10))
    one.ask(request="R2", at=before(9))
    second = one.confirm("R2", actor=MERCHANT, override={"amount": 5_000, "reason": "a good guest"})
    (stated,), (back,) = fact(first, PenaltyStated).lines, fact(second, PenaltyStated).lines

    assert (stated.amount, back.amount) == (8_000, -3_000)
    assert (back.reason, back.treatment, back.vat_rate) == (stated.reason, stated.treatment, stated.vat_rate)
    assert back.reason is PenaltyReason.PRICE_KEPT
    assert stated.vat + back.vat == 455


def test_x_23_each_reason_takes_back_its_own() -> None:
    """A line that is kept for two reasons: goodwill beyond the last is of the one before, with its treatment; no price was kept."""
    one = stay(12_000, ONE)
    first = one.leave({"line": "1", "new_departure": "2026-07-29", "new_price": 8_000}, at=before(3))
    one.ask(request="R2", at=before(0))
    second = one.confirm("R2", actor=MERCHANT, override={"amount": 9_000, "reason": "a good guest"})
    (stated,), (back,) = fact(first, PenaltyStated).lines, fact(second, PenaltyStated).lines

    assert (stated.reason, stated.treatment, stated.amount) == (PenaltyReason.KEPT_DEPOSIT, OUT, 2_000)
    assert (back.reason, back.treatment, back.amount, back.vat) == (PenaltyReason.KEPT_DEPOSIT, OUT, -1_000, 0)


def test_s4_34_x_23_two_reasons_are_taken_back_apart() -> None:
    """What a failed capture does not bring is let go of what was kept last first: the price with its VAT, the deposit without."""
    one = stay(0, ONE)
    one.card(12_000, name="payment.authorised")
    one.leave({"line": "1", "new_departure": "2026-07-29", "new_price": 8_000}, at=before(3))
    one.leave(request="R2", at=before(0))
    out = one.reply(EffectState.REFUSED, code="declined")

    assert [(part.reason, part.amount, part.vat) for part in fact(out, PenaltyStated).lines] == [
        (PenaltyReason.KEPT_DEPOSIT, -2_000, 0),
        (PenaltyReason.PRICE_KEPT, -8_000, -1_333),
    ]
    assert sums(fact(out, CreditNoteRequested)) == (8_000, 1_333)
