"""What operators and the engine say of its own affairs: each refusal in full, each switch, and who may say it (X-11, X-15, X-27)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.engine.campsite import GUEST, Campsite, asked, booking, event, payment, word


@pytest.fixture
def camp() -> Iterator[Campsite]:
    made = Campsite()
    yield made
    made.close()


def outcomes(camp: Campsite) -> list[tuple[str, dict[str, Any]]]:
    return [(row.name, msgspec.json.decode(row.body)) for row in camp.hub.reading.outbox_of("azur", 0, 1000)]


def refused(camp: Campsite) -> tuple[str, str, str, str, list[str]]:
    """The last one: name, code, field, value, rules."""
    name, said = outcomes(camp)[-1]
    return name, said["code"], said["field"], said["value"], said["rules"]


def letter(camp: Campsite) -> str:
    camp.send(b"{not json")
    return str(camp.one("SELECT id FROM dead_letter WHERE why = 'undecodable'"))


def test_a_person_without_a_name(camp: Campsite) -> None:
    """Nobody is forgotten by mistake."""
    camp.send(word("w", "person.forget"))

    assert refused(camp) == ("person.refused", "unknown_person", "subject", "", ["X-11"])


def test_a_letter_that_is_not_there(camp: Campsite) -> None:
    """Neither replayed nor discarded."""
    for name in ("dead_letter.replay", "dead_letter.discard"):
        camp.send(word(f"w-{name}", name, "nothing"))

        assert refused(camp) == ("dead_letter.refused", "unknown_dead_letter", "subject", "nothing", ["X-15"])


def test_only_a_defect_is_decided_again_and_a_letter_is_closed_once(camp: Campsite) -> None:
    """What could not be read is sent anew; what is discarded stays so."""
    known = letter(camp)
    camp.send(word("w1", "dead_letter.replay", known))
    assert refused(camp) == ("dead_letter.refused", "not_replayable", "subject", known, ["X-15"])

    camp.send(word("w2", "dead_letter.discard", known))
    camp.send(word("w3", "dead_letter.discard", known))

    assert refused(camp) == ("dead_letter.refused", "dead_letter_closed", "subject", known, ["X-15"])
    assert camp.hub.reading.unsettled()["dead_letters"] == 0


def test_a_letter_of_another_folio(camp: Campsite) -> None:
    """A word that names a folio means that folio's."""
    for folio in ("A", "B"):
        camp.send(booking(folio))
    camp.send({**booking("A"), "data": {**booking("A")["data"], "revision": 2}})
    known = camp.one("SELECT id FROM dead_letter WHERE why = 'conflict'")
    camp.send(word("w", "dead_letter.discard", known, folio="B"))

    assert refused(camp) == ("dead_letter.refused", "unknown_dead_letter", "folio", "B", ["X-15"])


@pytest.mark.parametrize("name", ["payouts.stop", "payouts.start", "dead_letter.replay", "dead_letter.discard"])
def test_it_is_no_guests_word(camp: Campsite, name: str) -> None:
    """X-15."""
    camp.send(event("w", name, {"actor": GUEST, "subject": letter(camp), "reason": "let me"}, "web"))
    _, code, field, value, rules = refused(camp)

    assert (code, field, value, rules) == ("not_allowed", "actor", "guest", ["X-15"])
    assert camp.hub.reading.rows("SELECT * FROM payout_switch") == []


def test_the_switch(camp: Campsite) -> None:
    """Told, kept with who and why, and what was planned goes when it is turned back."""
    camp.send(booking("A"))
    camp.send(payment("A", "3007"))
    camp.send(word("stop", "payouts.stop"))
    camp.send(asked("A", confirm=True))
    assert camp.one("SELECT state FROM effect") == "planned"
    assert camp.hub.reading.rows("SELECT tenant, stopped, by, reason FROM payout_switch") == [
        {"tenant": "azur", "stopped": 1, "by": "operator:olga", "reason": "test"}
    ]
    assert [(said["by"], said["reason"], said["rules"]) for name, said in outcomes(camp) if name == "payouts.stopped"] == [
        ("operator:olga", "test", ["X-27"])
    ]

    camp.send(word("start", "payouts.start"))

    assert camp.one("SELECT stopped FROM payout_switch") == 0
    assert camp.one("SELECT attempts FROM effect") == 1
    assert [said["by"] for name, said in outcomes(camp) if name == "payouts.started"] == ["operator:olga"]


def test_a_person_is_forgotten(camp: Campsite) -> None:
    """Told under X-11, with the person's own name and no other."""
    camp.send(booking("A"))
    camp.send(word("w", "person.forget", "p-A"))
    name, said = outcomes(camp)[-1]

    assert (name, said["person"], said["rules"]) == ("person.forgotten", "p-A", ["X-11"])
    assert camp.hub.reading.rows("SELECT 1 FROM subject_key WHERE subject = 'p-A'") == []


def test_what_could_not_be_read_is_told(camp: Campsite) -> None:
    """Under its own letter, with code and field."""
    said = {**booking("A"), "data": {"nonsense": 1}}
    receipt = camp.send(said)
    name, told = outcomes(camp)[-1]

    assert (name, told["dead_letter"], told["code"], told["field"], told["value"], told["input"], told["rules"]) == (
        "message.dead_lettered", receipt.dead_letter, receipt.code, receipt.field, receipt.value, "booking-A", ["X-15"],
    )  # fmt: skip


def test_what_waits_too_long_is_told_again_once(camp: Campsite) -> None:
    """X-2: and not at all when it has gone on meanwhile."""
    camp.send(payment("A", "3001"))
    camp.send(payment("B", "3002"))
    camp.send(booking("B"))
    camp.until("2026-05-09T08:00:00+00:00")
    told = [said for name, said in outcomes(camp) if name == "message.parked"]

    assert [(said["input"], said["type"], said["waits_for"], said["alarm"], said["rules"]) for said in told] == [
        ("payment-A", "payment.received", "ogone:azur:order=A-1", False, ["X-2"]),
        ("payment-B", "payment.received", "ogone:azur:order=B-1", False, ["X-2"]),
        ("payment-A", "payment.received", "ogone:azur:order=A-1", True, ["X-2"]),
    ]
