"""X-26: a proof is kept by reference; what an invoice is made of survives a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.ledger_check import check as ledger_check
from engine.verify import verify
from tests.engine.campsite import Campsite, asked, booking, payment, word

DIAGNOSIS = "I have had pneumonia since Tuesday, doctor Martin says so"


@pytest.fixture
def camp(tmp_path: Path) -> Iterator[Campsite]:
    made = Campsite(tmp_path / "camp.sqlite")
    yield made
    made.close()


def last(camp: Campsite) -> tuple[str, dict[str, Any]]:
    row = camp.hub.reading.outbox_of("azur", 0, 1000)[-1]
    return row.name, msgspec.json.decode(row.body)


def request(proof: str, id_: str) -> dict[str, Any]:
    return asked("A", id_=id_, cause="force_majeure", proof=proof)


def test_x_26_what_a_proof_says_is_refused_and_never_kept_in_the_clear(camp: Campsite, tmp_path: Path) -> None:
    """Not in the log, not in what is answered, not in the state; the folio goes on and takes a reference."""
    camp.send(booking("A"))
    camp.send(payment("A", "3001"))
    before = camp.one("SELECT body FROM state WHERE kind = 'folio' AND key = 'A'")
    camp.send(request(DIAGNOSIS, "ask-1"))
    name, said = last(camp)

    assert (name, said["code"], said["field"], said["value"]) == ("cancellation.refused", "proof_not_a_reference", "proof", "")
    assert said["rules"] == ["X-26"]
    assert before == camp.one("SELECT body FROM state WHERE kind = 'folio' AND key = 'A'")
    for file in tmp_path.iterdir():
        assert b"pneumonia" not in file.read_bytes(), file

    sealed = msgspec.json.decode(camp.one("SELECT body FROM intake WHERE id = 'ask-1'"))["proof"]
    assert camp.hub.vault.open("azur", "folio:A", sealed) == DIAGNOSIS
    camp.send(word("w", "person.forget", "folio:A"))
    assert camp.hub.vault.open("azur", "folio:A", sealed) is None

    camp.send(request("dossier-17", "ask-2"))
    assert last(camp)[0] == "cancellation.quoted"
    assert b'"proof":"dossier-17"' in camp.one("SELECT body FROM intake WHERE id = 'ask-2'")
    assert verify(camp.hub.database).agrees


KEPT = {
    "the ledger": "SELECT * FROM transfer_row ORDER BY seq",
    "outcomes": "SELECT * FROM outbox_row ORDER BY seq",
    "the journal of decisions": "SELECT * FROM decision ORDER BY seq",
    "folios": "SELECT * FROM state ORDER BY id",
    "the sums of payments": "SELECT * FROM payment_total ORDER BY folio, payment",
    "requests to the provider": "SELECT * FROM effect ORDER BY id",
}


def test_x_26_the_invoice_survives_the_person(camp: Campsite) -> None:
    """Booked, paid, half of it cancelled and given back; then the guest is forgotten: every row is as it was, and the rest is cancelled."""
    camp.send(booking("A"))
    camp.send(payment("A", "3001"))
    camp.send(asked("A", id_="one", confirm=True, lines=["1"]))
    camp.until("2026-05-02T08:00:00+00:00")
    before = {what: camp.hub.reading.rows(statement, ()) for what, statement in KEPT.items()}
    assert all(before.values())
    camp.send(word("w", "person.forget", "p-A"))

    for what, statement in KEPT.items():
        now = camp.hub.reading.rows(statement, ())
        assert now[: len(before[what])] == before[what] or what == "folios", what
    assert folio(camp) == next(row["body"] for row in before["folios"] if row["key"] == "A")
    guest = msgspec.json.decode(camp.one("SELECT body FROM intake WHERE name = 'booking.confirmed'"))["guest"]
    assert camp.hub.vault.open("azur", "p-A", guest["name"]) is None

    camp.send(asked("A", id_="rest", confirm=True, request="R2"))
    camp.until("2026-05-03T08:00:00+00:00")
    assert camp.one("SELECT sum(given_back) FROM payment_total") == 20_000
    owed = "SELECT sum(CASE WHEN debit = 'guest:A' THEN minor ELSE -minor END) FROM transfer WHERE 'guest:A' IN (debit, credit)"
    assert camp.one(owed) == 0
    assert verify(camp.hub.database).agrees
    assert ledger_check(camp.hub.database).findings == ()


def folio(camp: Campsite) -> bytes:
    body: bytes = camp.one("SELECT body FROM state WHERE kind = 'folio' AND key = 'A'")
    return body
