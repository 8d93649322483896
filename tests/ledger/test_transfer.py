"""One row of the book, and what undoes it."""

from __future__ import annotations

import pytest

from ledger import recipes
from ledger.balance import balance, out_of_balance, trial_balance
from ledger.transfer import Transfer


def row(
    debit: str = "guest:A", credit: str = "stays:A", minor: int = 100, currency: str = "EUR", entry: str = "ordered"
) -> Transfer:
    return Transfer(entry=entry, debit=debit, credit=credit, minor=minor, currency=currency, subject="1")


@pytest.mark.parametrize(
    ("debit", "credit", "minor"), [("guest:A", "stays:A", 0), ("guest:A", "stays:A", -1), ("guest:A", "guest:A", 1)]
)
def test_what_is_no_transfer(debit: str, credit: str, minor: int) -> None:
    """Nothing, less than nothing, and from an account to itself."""
    with pytest.raises(ValueError, match="transfer ordered"):
        row(debit, credit, minor)
    assert row(minor=1).minor == 1


@pytest.mark.parametrize("entry", [*recipes.OPPOSITE, *recipes.OPPOSITE.values()])
def test_the_reversal_of_a_reversal_is_the_first_again(entry: str) -> None:
    """Under the opposite name, the other way round, with everything else as it was."""
    made = row(entry=entry)
    back = recipes.reversal(made)

    assert (back.debit, back.credit, back.minor, back.currency, back.subject) == ("stays:A", "guest:A", 100, "EUR", "1")
    assert back.entry != entry
    assert recipes.reversal(back) == made


def test_currencies_stand_apart() -> None:
    """In an account's balance and in the trial balance, sorted by both."""
    book = [row(minor=5, currency="USD"), row(), row("till:cash", "guest:A", 30)]

    assert (balance(book, "guest:A", "EUR"), balance(book, "guest:A", "USD"), balance(book, "guest:A", "JPY")) == (70, 5, 0)
    assert [(one.currency, one.account, one.debit, one.credit, one.balance) for one in trial_balance(book)] == [
        ("EUR", "guest:A", 100, 30, 70),
        ("EUR", "stays:A", 0, 100, -100),
        ("EUR", "till:cash", 30, 0, 30),
        ("USD", "guest:A", 5, 0, 5),
        ("USD", "stays:A", 0, 5, -5),
    ]
    assert not out_of_balance(trial_balance(book))
