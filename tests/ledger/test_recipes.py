"""The book: balanced by construction, named recipes, reversal instead of change (X-4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger import recipes
from ledger.balance import balance, out_of_balance, trial_balance
from ledger.chart import CHART, Kind, account, entry_of, natural
from ledger.transfer import Transfer
from schemas.booking import LineKind, PaymentPlan, SaleChannel
from schemas.folio import Folio, FolioLine, FolioPayment, FolioStatus, PaymentStatus
from schemas.payment import Tender

LINE = FolioLine(line="1", kind=LineKind.STAY, trade="outdoor", price=12_000, policy="outdoor/flexible/1")
CARD = FolioPayment(
    payment="P1", tender=Tender.CARD, status=PaymentStatus.CAPTURED, position=0, captured=20_500, provider="ogone", merchant="azur"
)
CASH = FolioPayment(payment="P2", tender=Tender.CASH, status=PaymentStatus.CAPTURED, position=1, captured=500)
FOLIO = Folio(
    folio="B-1",
    tenant="azur",
    property="camp-azur",
    policy="camp-azur/1",
    currency="EUR",
    status=FolioStatus.CONFIRMED,
    lines=(LINE,),
    channel=SaleChannel.WEB,
    payment_plan=PaymentPlan.FULL,
    booked_at=datetime(2026, 5, 1, tzinfo=UTC),
)

RECIPES: dict[str, Callable[[int], recipes.Transfers]] = {
    "ordered": lambda minor: recipes.ordered(FOLIO, LINE, minor),
    "unordered": lambda minor: recipes.unordered(FOLIO, LINE, minor),
    "fee_charged": lambda minor: recipes.fee_charged(FOLIO, minor),
    "fee_returned": lambda minor: recipes.fee_returned(FOLIO, minor),
    "captured": lambda minor: recipes.captured(FOLIO, CARD, minor),
    "capture_reversed": lambda minor: recipes.capture_reversed(FOLIO, CARD, minor),
    "line_given_back": lambda minor: recipes.line_given_back(FOLIO, LINE, minor),
    "line_taken_again": lambda minor: recipes.line_taken_again(FOLIO, LINE, minor),
    "penalty_kept": lambda minor: recipes.penalty_kept(FOLIO, LINE, minor),
    "penalty_returned": lambda minor: recipes.penalty_returned(FOLIO, LINE, minor),
    "claim_waived": lambda minor: recipes.claim_waived(FOLIO, minor),
    "claim_restored": lambda minor: recipes.claim_restored(FOLIO, minor),
    "refund_decided": lambda minor: recipes.refund_decided(FOLIO, minor, "R1"),
    "refund_dropped": lambda minor: recipes.refund_dropped(FOLIO, minor, "R1"),
    "refund_executed": lambda minor: recipes.refund_executed(FOLIO, CARD, minor, "R1"),
    "refund_reopened": lambda minor: recipes.refund_reopened(FOLIO, CARD, minor, "R1"),
    "unapplied": lambda minor: recipes.unapplied(FOLIO, CASH, minor),
    "unapplied_reversed": lambda minor: recipes.unapplied_reversed(FOLIO, CASH, minor),
    "applied": lambda minor: recipes.applied(FOLIO, CASH, minor),
    "unapplied_decided": lambda minor: recipes.unapplied_decided(FOLIO, minor, "R1"),
    "unapplied_dropped": lambda minor: recipes.unapplied_dropped(FOLIO, minor, "R1"),
    "foreign_refund": lambda minor: recipes.foreign_refund(FOLIO, CARD, minor),
    "unapplied_foreign_refund": lambda minor: recipes.unapplied_foreign_refund(FOLIO, CASH, minor),
    "owed_by_channel": lambda minor: recipes.owed_by_channel(FOLIO, minor),
    "owed_by_guest": lambda minor: recipes.owed_by_guest(FOLIO, minor),
    "commission_kept": lambda minor: recipes.commission_kept(FOLIO, minor),
    "commission_returned": lambda minor: recipes.commission_returned(FOLIO, minor),
    "disputed": lambda minor: recipes.disputed(FOLIO, CARD, minor),
    "dispute_returned": lambda minor: recipes.dispute_returned(FOLIO, CARD, minor),
    "charged_back": lambda minor: recipes.charged_back(FOLIO, CARD, minor),
    "charge_back_returned": lambda minor: recipes.charge_back_returned(FOLIO, CARD, minor),
    "unapplied_charged_back": lambda minor: recipes.charged_back(FOLIO, replace(CARD, unapplied=True), minor),
    "goodwill": lambda minor: recipes.goodwill(FOLIO, minor, "Q1"),
    "goodwill_withdrawn": lambda minor: recipes.goodwill_withdrawn(FOLIO, minor, "Q1"),
    "voucher_issued": lambda minor: recipes.voucher_issued(FOLIO, "K", minor, "R1"),
    "voucher_bonus": lambda minor: recipes.voucher_bonus(FOLIO, "K", minor),
    "voucher_unused": lambda minor: recipes.voucher_unused(FOLIO, "K", minor),
    "voucher_expired": lambda minor: recipes.voucher_expired("K", "camp-azur", minor, "EUR"),
}

transfers = st.lists(
    st.tuples(st.sampled_from(sorted(RECIPES)), st.integers(0, 10**9)).map(lambda pair: RECIPES[pair[0]](pair[1])), max_size=30
).map(lambda found: tuple(transfer for some in found for transfer in some))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_x_4_a_recipe_carries_its_name(name: str) -> None:
    """One balanced transfer of the amount, between two accounts of the chart, under the recipe's own name."""
    (transfer,) = RECIPES[name](101)

    assert (name, 101, "EUR") == (transfer.entry, transfer.minor, transfer.currency)
    assert entry_of(transfer.debit).code != entry_of(transfer.credit).code


BOOKED = {
    "ordered": ("guest:B-1", "stays:B-1", "1"),
    "fee_charged": ("guest:B-1", "fees:B-1", "fee"),
    "captured": ("money:ogone/azur", "guest:B-1", "P1"),
    "line_given_back": ("stays:B-1", "guest:B-1", "1"),
    "penalty_kept": ("stays:B-1", "penalties:camp-azur", "1"),
    "claim_waived": ("penalties:camp-azur", "guest:B-1", "claim"),
    "refund_decided": ("guest:B-1", "refunds:B-1", "R1"),
    "refund_executed": ("refunds:B-1", "money:ogone/azur", "R1"),
    "unapplied": ("till:cash", "suspense:B-1", "P2"),
    "applied": ("suspense:B-1", "guest:B-1", "P2"),
    "unapplied_decided": ("suspense:B-1", "refunds:B-1", "R1"),
    "foreign_refund": ("guest:B-1", "money:ogone/azur", "P1"),
    "unapplied_foreign_refund": ("suspense:B-1", "till:cash", "P2"),
    "owed_by_channel": ("channels:B-1", "guest:B-1", "B-1"),
    "commission_kept": ("commission_costs:camp-azur", "commissions:B-1", "B-1"),
    "disputed": ("disputes:B-1", "money:ogone/azur", "P1"),
    "charged_back": ("guest:B-1", "disputes:B-1", "P1"),
    "unapplied_charged_back": ("suspense:B-1", "disputes:B-1", "P1"),
    "goodwill": ("goodwill:camp-azur", "guest:B-1", "Q1"),
    "voucher_issued": ("refunds:B-1", "vouchers:K", "R1"),
    "voucher_bonus": ("bonus:camp-azur", "vouchers:K", "K"),
    "voucher_unused": ("vouchers:K", "guest:B-1", "K"),
    "voucher_expired": ("vouchers:K", "breakage:camp-azur", "K"),
}
"""Debit, credit, and what it is about."""


@pytest.mark.parametrize("name", recipes.OPPOSITE)
def test_where_a_recipe_books_and_about_what(name: str) -> None:
    """Its opposite books the other way round, about the same."""
    debit, credit, about = BOOKED[name]
    (made,) = RECIPES[name](101)

    assert (made.debit, made.credit, made.subject) == (debit, credit, about)
    if recipes.OPPOSITE[name] in RECIPES:
        (undone,) = RECIPES[recipes.OPPOSITE[name]](101)
        assert (undone.debit, undone.credit, undone.subject) == (credit, debit, about)


@pytest.mark.parametrize(
    ("book", "taken"), [("vouchers:K", "vouchers:K"), ("goodwill:camp-azur", "goodwill:camp-azur"), ("", "till:voucher")]
)
def test_where_a_voucher_stands(book: str, taken: str) -> None:
    """S0-21, S0-26: one issued here on its own account, what the house adds on goodwill, one that others made in the till."""
    paid = FolioPayment(
        payment="V", tender=Tender.VOUCHER, status=PaymentStatus.CAPTURED, position=0, captured=101, voucher="K", book=book
    )

    assert [(one.debit, one.credit) for one in recipes.captured(FOLIO, paid, 101)] == [(taken, "guest:B-1")]
    assert [(one.debit, one.credit) for one in recipes.refund_executed(FOLIO, paid, 101, "R1")] == [("refunds:B-1", taken)]


def test_the_guests_account() -> None:
    """By the folio's id."""
    assert recipes.guest(FOLIO) == "guest:B-1"


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_zero_makes_no_transfer(name: str) -> None:
    """Nothing moved, nothing booked."""
    assert RECIPES[name](0) == ()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_negative_amount_is_refused(name: str) -> None:
    """Who wants the other direction names the opposite recipe."""
    with pytest.raises(ValueError, match="transfer"):
        RECIPES[name](-1)


def test_every_recipe_has_its_opposite() -> None:
    """What is booked can be booked back by name."""
    assert set(recipes.OPPOSITE) & set(recipes.OPPOSITE.values()) == set()
    assert set(RECIPES) <= set(recipes.OPPOSITE) | set(recipes.OPPOSITE.values())


@given(transfers)
def test_x_4_balanced(booked: tuple[Transfer, ...]) -> None:
    """Whatever was booked, each currency's balances sum to zero."""
    rows = trial_balance(booked)

    assert out_of_balance(rows) == {}
    assert sum(transfer.minor for transfer in booked) == sum(row.debit for row in rows) == sum(row.credit for row in rows)


@given(transfers)
def test_x_4_reversal_restores(booked: tuple[Transfer, ...]) -> None:
    """Every balance is what it was before; the reversal of a reversal is the first."""
    undone = tuple(recipes.reversal(transfer) for transfer in booked)

    assert all(row.balance == 0 for row in trial_balance((*booked, *undone)))
    assert booked == tuple(recipes.reversal(transfer) for transfer in undone)


@given(transfers)
def test_balance_is_the_trial_balance_row(booked: tuple[Transfer, ...]) -> None:
    """One account alone says what its row says."""
    for row in trial_balance(booked):
        assert row.balance == balance(booked, row.account, row.currency)


def test_x_4_currencies_are_apart() -> None:
    """Euros never balance yen."""
    euros = recipes.ordered(FOLIO, LINE, 100)
    yen = tuple(Transfer(entry="ordered", debit=t.debit, credit=t.credit, minor=7, currency="JPY") for t in euros)

    assert [(r.currency, r.balance) for r in trial_balance(euros + yen)] == [("EUR", 100), ("EUR", -100), ("JPY", 7), ("JPY", -7)]


def test_x_4_out_of_balance_is_seen() -> None:
    """A row lost from the book shows, with the amount that is missing."""
    rows = trial_balance(recipes.captured(FOLIO, CARD, 205))

    assert out_of_balance([row for row in rows if row.account != "money:ogone/azur"]) == {"EUR": -205}


def test_a_cancelled_stay() -> None:
    """V15 at 3 days: 200 and fee 5 ordered, 205 paid, 100 kept, 100 refunded: every account says what its meaning says."""
    line = FolioLine(line="1", kind=LineKind.STAY, trade="outdoor", price=20_000, policy="outdoor/flexible/1")
    booked = (
        *recipes.ordered(FOLIO, line, 20_000),
        *recipes.fee_charged(FOLIO, 500),
        *recipes.captured(FOLIO, CARD, 20_500),
        *recipes.penalty_kept(FOLIO, line, 10_000),
        *recipes.line_given_back(FOLIO, line, 10_000),
        *recipes.refund_decided(FOLIO, 10_000, "R1"),
        *recipes.refund_executed(FOLIO, CARD, 10_000, "R1"),
    )

    assert {row.account: natural(row.account, row.balance) for row in trial_balance(booked)} == {
        "fees:B-1": 500,
        "guest:B-1": 0,
        "money:ogone/azur": 10_500,
        "penalties:camp-azur": 10_000,
        "refunds:B-1": 0,
        "stays:B-1": 0,
    }


def test_x_23_taxes_and_insurance_stand_apart() -> None:
    """They are owed to others, not earned."""
    kinds = {kind: recipes.line_account(FOLIO, FolioLine(line="1", kind=kind, trade="", price=1, policy="")) for kind in LineKind}

    assert kinds == {
        LineKind.STAY: "stays:B-1",
        LineKind.SERVICE: "stays:B-1",
        LineKind.TOURIST_TAX: "taxes:B-1",
        LineKind.INSURANCE: "insurance:B-1",
    }


def test_money_stands_with_who_holds_it() -> None:
    """A provider's merchant, or the till of the tender."""
    debits = [recipes.captured(FOLIO, payment, 1)[0].debit for payment in (CARD, CASH)]
    assert debits == ["money:ogone/azur", "till:cash"]


def test_an_account_outside_the_chart_is_a_mistake() -> None:
    """The chart is the whole list."""
    with pytest.raises(KeyError):
        account("slush", "B-1")
    with pytest.raises(KeyError):
        trial_balance([Transfer(entry="x", debit="slush:B-1", credit="guest:B-1", minor=1, currency="EUR")])


@pytest.mark.parametrize("code", sorted(CHART))
def test_natural_side(code: str) -> None:
    """Assets and expenses grow by debit, liabilities and income by credit."""
    assert (5 if CHART[code].kind in (Kind.ASSET, Kind.EXPENSE) else -5) == natural(account(code, "x"), 5)
