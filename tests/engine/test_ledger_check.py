"""The book's checks: true after a whole summer, and each planted falsehood is found by the rule that it breaks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine import ledger_check
from engine.store.reading import Reading
from engine.store.sqlite.database import Database
from tests.engine.campsite import Campsite, booking, configuration, event, eventful, payment

CAPTURED = "WHERE seq IN (SELECT seq FROM transfer WHERE folio = 'A' AND entry = 'captured')"
REFUNDED = "WHERE seq IN (SELECT seq FROM transfer WHERE folio = 'A' AND entry = 'refund_executed')"


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "summer.sqlite"
    camp = Campsite(path, configuration("camp-azur/2", approval_above=15_000))
    eventful(camp)
    camp.close()
    return path


@pytest.fixture
def store(summer: Path, tmp_path: Path) -> Iterator[Database]:
    with closing(sqlite3.connect(summer)) as whole, closing(sqlite3.connect(tmp_path / "store.sqlite")) as made:
        whole.backup(made)
    database = Database(str(tmp_path / "store.sqlite"), writer=False)
    yield database
    database.close()


def test_x_4_the_book_of_a_whole_summer_is_true(store: Database) -> None:
    """Refunds in silence, by hand, foreign, refused, approved: ledger, folios and provider say the same to the cent."""
    found = ledger_check.check(store)

    assert found.findings == ()
    assert found.true
    assert (found.folios, found.effects) == (7, 5)
    assert found.transfers > 40


@pytest.mark.parametrize(
    ("statement", "rule", "subject"),
    [
        pytest.param(f"UPDATE transfer_row SET minor = minor + 1 {CAPTURED}", "S4-22", "guest:A", id="a cent"),
        pytest.param(f"DELETE FROM transfer_row {REFUNDED}", "X-3", "refunds:A", id="a refund"),
        pytest.param(f"UPDATE transfer_row SET debit = 'attic:A' {CAPTURED}", "X-4", "attic:A", id="account"),
        pytest.param(f"UPDATE transfer_row SET currency = 'USD' {CAPTURED}", "X-4", "folio A", id="a currency"),
        pytest.param("UPDATE provider_record SET minor = minor + 1 WHERE owner LIKE 'effect:%'", "X-3", "effect ", id="a record"),
        pytest.param("DELETE FROM state WHERE kind = 'folio' AND key = 'C'", "X-4", "folio C", id="a folio that is gone"),
    ],
)  # fmt: skip
def test_a_planted_falsehood_is_found(store: Database, statement: str, rule: str, subject: str) -> None:
    """By the rule that it breaks: S4-22, X-3, X-4."""
    with closing(sqlite3.connect(store.path)) as connection:
        connection.executescript("DROP TRIGGER transfer_is_immutable; DROP TRIGGER transfer_stays;")
        assert connection.execute(statement).rowcount > 0
        connection.commit()

    found = ledger_check.check(store)

    assert not found.true
    assert any(one.rule == rule and one.subject.startswith(subject) for one in found.findings), found.findings
    assert all(one.other == 0 for one in found.findings if one.rule == "X-4"), found.findings


def test_a_folio_that_booked_nothing_is_true() -> None:
    """Nothing to pay, nothing in the book; also between two that have booked."""
    camp = Campsite()
    for folio, price in (("A", 5_000), ("B", 0), ("C", 5_000), ("D", 0)):
        camp.send(booking(folio, (price,)))
    found = ledger_check.check(camp.hub.database)
    camp.close()

    assert (found.findings, found.folios, found.transfers) == ((), 4, 2)


def test_x_16_a_receipt_without_a_home_is_in_suspense() -> None:
    """Money that came after the end: its account and its folio say the same, and a cent less is told with both sums."""
    camp = Campsite()
    camp.send(booking("A", (5_000,)))
    gone = {"actor": {"kind": "system", "id": "thais"}, "folio": "A", "revision": 2, "refund": "policy"}
    camp.send(event("gone-A", "booking.cancelled", gone))
    camp.until("2026-05-02T08:00:00+00:00")
    camp.send(payment("A", "3001", 700))
    suspense = camp.one("SELECT coalesce(sum(minor), 0) FROM transfer WHERE credit LIKE 'suspense:%'")
    assert suspense == 700
    assert ledger_check.check(camp.hub.database).findings == ()
    camp.close()


def test_x_13_x_20_contested_money_and_commission_are_compared(tmp_path: Path) -> None:
    """What a provider has taken, and what a channel keeps: book and folio say the same, and a cent more is told with both sums."""
    camp = Campsite(tmp_path / "store.sqlite")
    camp.send(booking("A", (5_000,), collected_by="channel", commission_rate="10 %"))
    camp.send(payment("A", "3001", 700))
    system = {"kind": "system", "id": "psp"}
    contested = {"actor": system, "folio": "A", "payment": "P-A", "amount": 300, "funds_taken": True}
    camp.send(event("contested-A", "dispute.opened", contested))
    assert ledger_check.check(camp.hub.database).findings == ()
    camp.close()

    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        connection.executescript("DROP TRIGGER transfer_is_immutable")
        connection.execute("UPDATE transfer_row SET minor = minor + 1 WHERE entry IN ('disputed', 'commission_kept')")
        connection.commit()
    database = Database(str(tmp_path / "store.sqlite"), writer=False)
    found = {one.rule: (one.subject, one.ledger, one.other) for one in ledger_check.check(database).findings}
    database.close()

    assert found == {"X-13": ("disputes:A", 301, 300), "X-20": ("commissions:A", 501, 500)}


def test_findings_are_bounded(store: Database) -> None:
    """The first ones are told."""
    with closing(sqlite3.connect(store.path)) as connection:
        connection.executescript("DROP TRIGGER transfer_is_immutable")
        connection.execute("UPDATE transfer_row SET minor = minor + 1 WHERE entry = 'captured'")
        connection.commit()

    assert len(ledger_check.check(store, shown=2).findings) == 2


def test_balances_by_account_and_folio(store: Database) -> None:
    """All of a folio sum to zero; a star stands for any ending."""
    reading = Reading(store)
    of_a = list(ledger_check.balances(reading, folio="A"))

    assert sum(row.balance for row in of_a) == 0
    assert {row.account for row in of_a} == {"guest:A", "money:ogone/azur", "penalties:camp-azur", "refunds:A", "stays:A"}
    (money,) = ledger_check.balances(reading, name="money:*", tenant="azur")
    assert (money.account, money.kind, money.balance) == ("money:ogone/azur", "asset", money.debit - money.credit)
    assert list(ledger_check.balances(reading, tenant="nobody")) == []
