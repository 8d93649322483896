"""`verify` sees every column of every table that decisions fill: each is changed alone, in a store in which everything else is honest."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.sqlite.database import Database
from engine.verify import Verified, verify
from tests.engine.campsite import Campsite, asked, booking, payment, word

COLUMNS = {
    "decision": "since origin lane place message tenant kind key name result act received_at correlation traceparent record",
    "transfer_row": "entry subject debit credit minor currency",
    "outbox_row": "name sequence body",
    "state": "lane sequence shape blocked since body",
    "timer": "lane due what subject",
    "parked": "waits_for since message id name act body",
    "payment_total": "currency captured given_back",
    "refund_part": "refund minor",
    "effect": "id folio lane kind provider merchant payment reference order_ref minor currency refund property last needs_approval"
    " decision created_at",
    "dead_letter": "tenant kind key why reason bytes message name status",
    "lane": "next_offset",
}
TOTAL = "INSERT INTO payment_total VALUES"
LAST = (
    "decision",
    "transfer_row",
    "outbox_row",
    "timer",
    "parked",
    "payment_total",
    "refund_part",
    "effect",
    "dead_letter",
    "state",
)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("columns") / "store.sqlite"
    camp = Campsite(path)
    camp.send(booking("A"))
    camp.send(payment("A", "3007"))
    camp.send({**booking("A"), "data": {**booking("A")["data"], "revision": 2}})
    camp.send(payment("Y", "3009"))
    camp.send(word("stop", "payouts.stop"))
    camp.send(asked("A", confirm=True))
    camp.close()
    return path


def after(honest: Path, folder: Path, statement: str) -> Verified:
    """What is found in a copy in which this was done, its guards taken away."""
    with closing(sqlite3.connect(honest)) as whole, closing(sqlite3.connect(folder / "store.sqlite")) as made:
        whole.backup(made)
        made.executescript("PRAGMA ignore_check_constraints = ON; DROP TRIGGER transfer_is_immutable; DROP TRIGGER transfer_stays;")
        assert made.execute(statement).rowcount > 0
        made.commit()
    database = Database(str(folder / "store.sqlite"), writer=False)
    try:
        return verify(database)
    finally:
        database.close()


def test_it_is_honest(honest: Path, tmp_path: Path) -> None:
    """And each of these tables has rows to change."""
    found = after(honest, tmp_path, "UPDATE lane SET deaths = deaths")

    assert found.agrees
    assert {table.removesuffix("_row") for table in COLUMNS} <= {table for table, rows in found.compared.items() if rows}


@pytest.mark.parametrize(("table", "column"), [(table, column) for table, names in COLUMNS.items() for column in names.split()])
def test_another_value_is_seen(honest: Path, tmp_path: Path, table: str, column: str) -> None:
    """Wherever the replay notices it first."""
    where = "kind = 'folio' AND key = 'A'" if table == "state" else "1"
    other = f"""CASE typeof({column}) WHEN 'integer' THEN iif({column} > 0, {column} - 1, 1) WHEN 'text' THEN {column} || 'x'
        ELSE CAST(substr({column}, 2) || substr({column}, 1, 1) AS BLOB) END"""

    if (table, column) == ("state", "shape"):
        other = "0"  # what a release before wrote is the same state; that none did is not

    assert not after(honest, tmp_path, f"UPDATE {table} SET {column} = {other} WHERE {where}").agrees


@pytest.mark.parametrize("table", LAST)
def test_a_table_that_is_gone_is_seen(honest: Path, tmp_path: Path, table: str) -> None:
    """All rows of it."""
    assert not after(honest, tmp_path, f"DELETE FROM {table}").agrees


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        (
            "INSERT INTO payment_total VALUES ('azur', 'A', 'Z', 'EUR', 1, 0)",
            ("tenant=azur folio=A payment=Z", "row", "there", "not there"),
        ),
        (
            "INSERT INTO payment_total VALUES ('aaa', 'A', 'Z', 'EUR', 1, 0)",
            ("tenant=aaa folio=A payment=Z", "row", "there", "not there"),
        ),
        ("DELETE FROM payment_total", ("tenant=azur folio=A payment=P-A", "row", "not there", "there")),
        ("UPDATE payment_total SET captured = 7, given_back = 0", ("tenant=azur folio=A payment=P-A", "captured", "7", "20000")),
    ],
)
def test_each_difference_says_where_and_what(
    honest: Path, tmp_path: Path, statement: str, difference: tuple[str, str, str, str]
) -> None:
    """A row too many before and behind the honest ones, one too few, and another value."""
    found = [one for one in after(honest, tmp_path, statement).differences if one.table == "payment_total"]

    assert (found[0].row, found[0].field, found[0].stored, found[0].rebuilt) == difference
    assert len(found) == 1 + (difference[1] == "captured")


@pytest.mark.parametrize("body", ["NULL", "CAST('{no' AS BLOB)", "CAST('{}' AS BLOB)"])
def test_a_state_that_cannot_be_read_is_a_difference(honest: Path, tmp_path: Path, body: str) -> None:
    """And not the end of the verification."""
    found = after(honest, tmp_path, f"UPDATE state SET body = {body} WHERE kind = 'folio' AND key = 'A'")

    assert [(one.table, one.row, one.field) for one in found.differences] == [("state", "tenant=azur kind=folio key=A", "body")]
