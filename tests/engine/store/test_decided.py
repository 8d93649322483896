"""What rules of before decided is told of by `verify`, and not held against those of today: `decided/<rules>/` holds stores of theirs.

asking.sqlite: a channel that collects, a balance that is collected after a failure, a suspended property, rates of VAT, a cheque that
bounces, flags of a payment. vouchers.sqlite: vouchers issued, spent and given back, and a balance beside one. A folder is added with
each release that raises `engine.settled.RULES`, made by the release before it, and never changed.
"""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from config.loader import load
from engine import ledger_check
from engine.dry_run import DryRun, read
from engine.explain import explain
from engine.moving import move
from engine.settled import RULES
from engine.store.history import History
from engine.store.postgresql.database import Database as Postgres
from engine.store.sqlite.database import Database
from engine.verify import Verified, verify
from tests.scenarios.play import FOLDERS

DECIDED = Path(__file__).parent / "decided"
STORES = sorted(path.relative_to(DECIDED) for path in DECIDED.glob("*/*.sqlite"))

TERMS = {"asking": "outdoor/flexible", "vouchers": "outdoor/thirty"}


def test_each_number_is_kept() -> None:
    """Rules that are raised bring a store of those before them along."""
    assert {str(rules) for rules in range(1, RULES)} == {path.parts[0] for path in STORES}


@pytest.fixture(params=STORES, ids=str)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one."""
    shutil.copy(DECIDED / request.param, tmp_path)
    return tmp_path / str(request.param.name)


def going_on(store: Path) -> None:
    """A hub of today upgrades it, cancels what is confirmed, and takes a new booking."""
    run = DryRun(load(FOLDERS / store.stem, {}), store=str(store))
    folios = run.hub.reading.rows("SELECT key FROM state WHERE kind = 'folio' AND body IS NOT NULL ORDER BY key")
    stay = {"line": "1", "trade": "outdoor", "terms": TERMS[store.stem], "price": 12000}
    stay |= {"arrival": "2031-07-24", "departure": "2031-07-31"}
    new = {"actor": {"kind": "system", "id": "t"}, "folio": "NEW", "property": "camp-azur", "currency": "EUR", "lines": [stay]}
    said = [event("new", "pms.thais", "booking.confirmed", new)]
    for row in folios:
        data = {"actor": {"kind": "merchant", "id": "camp"}, "folio": row["key"], "request": "now", "confirm": True}
        said.append(event(row["key"], "web", "cancellation.request", data))
    for line in read("now", io.BytesIO("\n".join(said).encode())):
        list(run.play(line))
    history = History(run.hub.reading)
    for row in folios:
        assert explain(history, run.hub.vault, row["key"], tenant="azur").decisions
    run.close()


def event(id_: str, source: str, name: str, data: dict[str, object]) -> str:
    head = {"specversion": "1.0", "id": id_, "source": source, "type": f"foliohub.{name}.v1", "tenant": "azur"}
    return json.dumps({**head, "time": "2030-01-01T10:00:00Z", "data": data})


def verified(store: Path) -> Verified:
    database = Database(str(store))
    try:
        return verify(database)
    finally:
        database.close()


def plant(store: Path, statement: str) -> None:
    connection = sqlite3.connect(store)
    connection.create_function("swap", 3, lambda body, old, new: bytes(body).replace(old.encode(), new.encode()))
    assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()


def test_it_is_told_and_no_fault(store: Path) -> None:
    """Upgraded, and nothing decided since: what those rules decided otherwise is named with their number."""
    found = verified(store)

    assert found.differences == ()
    assert found.otherwise == len(found.parted) > 0
    assert {one.rules for one in found.parted} == {1}
    assert {one.kind for one in found.parted} <= {"folio", "voucher"}


def test_it_goes_on(store: Path) -> None:
    """Every booking of theirs takes a message of today; the book holds, and what came new is decided by these rules alone."""
    going_on(store)
    found = verified(store)

    assert found.differences == ()
    assert found.compared["state"] > 0
    assert "NEW" not in {one.key for one in found.parted}
    database = Database(str(store))
    assert ledger_check.check(database).findings == ()
    database.close()


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE state SET body = swap(body, '12000', '12001') WHERE key = 'NEW'", ("state", "body.lines")),
        (
            "UPDATE outbox_row SET body = swap(body, '12000', '12001') WHERE instr(body, '\"NEW\"') AND name = 'booking.accepted'",
            ("outbox", "body"),
        ),
        ("UPDATE lane SET next_offset = next_offset - 1", ("lane", "next_offset")),
    ],
)
def test_what_these_rules_decided_is_proven_still(store: Path, statement: str, place: tuple[str, str]) -> None:
    """In the same store, one byte of it is a fault."""
    going_on(store)
    plant(store, statement)

    assert place in {(one.table, one.field) for one in verified(store).differences}


def test_a_message_of_theirs_that_is_lost_is_a_fault(store: Path) -> None:
    """Whatever decides: the log is whole."""
    plant(store, "DELETE FROM intake WHERE seq = 3")

    assert ("decision", "message") in {(one.table, one.field) for one in verified(store).differences}


def test_the_same_on_postgresql(store: Path, postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moved there: the configurations come along, and with them by which rules each was decided."""
    going_on(store)
    before = verified(store)
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", bytes(32).hex())  # a dry run's
    move(str(store), postgres_store, lanes=1)
    database = Postgres(postgres_store, writer=False)
    found = verify(database)
    database.close()

    assert found.differences == ()
    assert (found.otherwise, found.parted) == (before.otherwise, before.parted)
