"""What the simulated provider of a dry run learns from messages: its books know of a payment what the messages say was paid there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from config.loader import load
from connectors.psp.ogone.simulator.script import Script
from engine.clock import ManualClock, micros
from engine.scripted_ogone import ScriptedOgone

AT = micros(datetime.fromisoformat("2026-05-01T08:00:00+00:00"))
PAID = {
    "actor": {"kind": "system"}, "folio": "A", "payment": "P1", "amount": 20_000, "currency": "EUR", "provider": "ogone",
    "merchant": "azur", "provider_reference": "3001", "order": "A-1",
}  # fmt: skip


@pytest.fixture
def ogone() -> ScriptedOgone:
    return ScriptedOgone(Script(), load(None, {}), ManualClock(AT))


def learn(ogone: ScriptedOgone, name: str, **more: Any) -> list[tuple[int, str, int, str]]:
    """One message; the levels of the payment then."""
    ogone.learn("azur", f"foliohub.{name}.v1", msgspec.json.encode({**PAID, **more}))
    return [(one.level, one.operation, one.minor, one.status) for one in ogone.provider.books.operations("3001")]


def test_taken_at_once(ogone: ScriptedOgone) -> None:
    """Told twice, it is there once."""
    taken = [(0, "SAL", 20_000, "9")]

    assert learn(ogone, "payment.received") == taken
    assert learn(ogone, "payment.received") == taken
    assert ogone.operations() == {"SAL": 1}
    assert [one.order_id for one in ogone.provider.books.payments()] == ["A-1"]


def test_promised_then_taken(ogone: ScriptedOgone) -> None:
    """A level of its own."""
    assert learn(ogone, "payment.authorised") == [(0, "RES", 20_000, "5")]
    assert learn(ogone, "payment.authorised") == [(0, "RES", 20_000, "5")]
    assert learn(ogone, "payment.received", amount=15_000) == [(0, "RES", 20_000, "5"), (1, "SAS", 15_000, "9")]
    assert learn(ogone, "payment.received", amount=15_000) == [(0, "RES", 20_000, "5"), (1, "SAS", 15_000, "9")]
    assert ogone.operations() == {"RES": 1, "SAS": 1}


def test_a_status_that_is_told_later_is_the_last_levels(ogone: ScriptedOgone) -> None:
    """Waiting, then taken; promised in doubt, then promised."""
    assert learn(ogone, "payment.received", status="91") == [(0, "SAL", 20_000, "91")]
    assert learn(ogone, "payment.received", status="9") == [(0, "SAL", 20_000, "9")]
    assert learn(ogone, "payment.received") == [(0, "SAL", 20_000, "9")]


def test_a_capture_that_waits_then_stands(ogone: ScriptedOgone) -> None:
    learn(ogone, "payment.authorised")

    assert learn(ogone, "payment.received", status="91") == [(0, "RES", 20_000, "5"), (1, "SAS", 20_000, "91")]
    assert learn(ogone, "payment.received", status="9") == [(0, "RES", 20_000, "5"), (1, "SAS", 20_000, "9")]


def test_without_an_order_the_payments_own_number_is_one(ogone: ScriptedOgone) -> None:
    learn(ogone, "payment.received", order="")

    assert [one.order_id for one in ogone.provider.books.payments()] == ["3001"]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("payment.reversed", {}),
        ("booking.confirmed", {}),
        ("payment.received", {"provider": "other"}),
        ("payment.received", {"merchant": ""}),
        ("payment.received", {"provider_reference": ""}),
        ("payment.received", {"amount": "much"}),
        ("payment.received", {"amount": 0}),
    ],
)
def test_what_is_no_payment_there_changes_nothing(ogone: ScriptedOgone, name: str, more: dict[str, Any]) -> None:
    """Another provider's, one without a number, one that the hub will refuse."""
    assert learn(ogone, name, **more) == []
    assert (ogone.operations(), ogone.next_due(), ogone.callbacks()) == ({}, None, [])


def test_more_than_was_promised_stays_out_of_the_books(ogone: ScriptedOgone) -> None:
    """The provider would not have done it; the hub judges the message."""
    learn(ogone, "payment.authorised")

    assert learn(ogone, "payment.received", amount=20_001) == [(0, "RES", 20_000, "5")]


def test_a_connector_for_each_merchant(ogone: ScriptedOgone) -> None:
    """The same one each time; nobody's is none."""
    azur = ogone["azur"]

    assert ogone["azur"] is azur
    assert ogone["vert"] is not azur
    assert (list(ogone), len(ogone), ogone["vert"].merchant) == (["azur", "vert"], 2, "vert")
    with pytest.raises(KeyError):
        ogone[""]
