"""Every released version's store opens in this one and goes on: `released/<schema version>/` holds one small store of each.

hub.sqlite: B-1 refunded, B-2's refund in doubt, B-3 paid, B-4 quoted, a payment parked for R-9, a dead letter, and B-5's booking
acknowledged but not decided. provider.sqlite: the simulated provider of that moment. A store is added with every new schema version
and never changed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from connectors.psp.ogone.simulator.books import Books
from engine.store.sqlite.upgrading import SCHEMA_VERSION
from engine.verify import verify
from tests.engine.sandbox import Sandbox, booking, names

RELEASED = Path(__file__).parent / "released"
VERSIONS = sorted(int(folder.name) for folder in RELEASED.iterdir())


def test_each_version_is_kept() -> None:
    """A new schema version brings its store along."""
    assert list(range(1, SCHEMA_VERSION + 1)) == VERSIONS


@pytest.fixture(params=VERSIONS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """A hub of today on a copy of that store, a day later; payouts are started, since a copied store is a new generation."""
    for name in ("hub.sqlite", "provider.sqlite"):
        shutil.copy(RELEASED / str(request.param) / name, tmp_path / name)
    made = Sandbox(
        store=str(tmp_path / "hub.sqlite"), books=Books(str(tmp_path / "provider.sqlite")), begins="2026-05-02T08:00:00+00:00"
    )
    made.number = 1_000
    made.say("payouts.start", {"reason": "looked at"}, actor="operator")
    return made


def test_it_is_brought_to_this_version(box: Sandbox) -> None:
    """The schema is today's, and nothing is lost on the way."""
    assert box.one("PRAGMA user_version")["user_version"] == SCHEMA_VERSION
    assert box.one("SELECT count(*) AS n FROM dead_letter")["n"] == 1
    assert box.one("SELECT count(*) AS n FROM parked")["n"] == 1


def test_the_log_makes_what_the_store_says(box: Sandbox) -> None:
    assert verify(box.database).differences == ()


def test_what_was_acknowledged_is_decided(box: Sandbox) -> None:
    assert box.folio("B-5").status == "confirmed"


def test_a_refund_in_doubt_is_asked_about_and_never_sent_again(box: Sandbox) -> None:
    box.pass_time(48 * 3600)

    states = {row["folio"]: row["state"] for row in box.rows("SELECT folio, state FROM effect")}
    assert states == {"B-1": "confirmed", "B-2": "needs_person"}
    assert box.sent() == 2


def test_its_folios_go_on(box: Sandbox) -> None:
    """Frozen terms, payments and names are known: a new cancellation is refunded, the parked payment finds its booking."""
    outcomes = box.cancel("B-3", "C-3")
    assert "refund.executed" in names(outcomes)
    parked = names(box.say("booking.confirmed", booking("B-9", references=["R-9"])))
    assert "payment.captured" in parked


def test_what_was_sealed_opens(box: Sandbox) -> None:
    """The keys of people are known."""
    body = msgspec.json.decode(box.one("SELECT body FROM intake WHERE instr(body, 'p-4')")["body"])
    assert box.hub.vault.open("azur", "p-4", body["guest"]["name"]) == "Zoé Exemple"


def test_what_comes_again_is_known(box: Sandbox) -> None:
    """A repeated message of that time is a duplicate, not a conflict: its fingerprint is made as it was."""
    assert box.say("booking.confirmed", booking("B-1"), id_="m-1") == []
    assert box.results("booking.confirmed")[-1] == "duplicate"


def test_an_upgraded_store_is_like_a_new_one(box: Sandbox) -> None:
    """The same tables, indexes, views and triggers, word by word."""

    def schema(one: Sandbox) -> dict[str, str]:
        found = one.rows("SELECT name, sql FROM sqlite_master WHERE sql <> '' AND name NOT LIKE 'inbox%'")
        return {row["name"]: " ".join(row["sql"].replace('"', "").split()) for row in found}

    assert schema(box) == schema(Sandbox())
