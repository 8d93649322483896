"""A history is whole only when every level was seen: one answer without a level says nothing of what it hides."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from connectors.psp.contract import Deadline
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.simulator.accounts import SANDBOX, merchant_account
from connectors.psp.ogone.simulator.books import Books
from connectors.psp.ogone.simulator.inprocess import InProcessWire
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.script import parse
from schemas.effect import Result

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
SILENT_LEVELS = {
    "shows_level": False,
    "rules": [{"when": {"endpoint": "query", "level": level}, "status": "88"} for level in ("0", "1")],
}


@pytest.mark.parametrize(
    ("refunded", "result"),
    [
        pytest.param(False, Result.CONFIRMED, id="the order alone needs no level"),
        pytest.param(True, Result.UNKNOWN, id="a refund whose level cannot be seen leaves the history open"),
    ],
)
def test_a_latest_answer_without_level(refunded: bool, result: Result) -> None:
    """The latest answer names no level, and every level query fails with 88."""
    provider = Provider(Books(":memory:"), parse(msgspec.json.encode(SILENT_LEVELS)), (SANDBOX,))
    payid = provider.create("O-1", 5000, "EUR", NOW, callback=False)
    if refunded:
        provider.back_office(payid, "RFD", 2000, NOW)
    connector = OgoneConnector(
        merchant_account(SANDBOX, "azur", "http://127.0.0.1/ncol/test/"), InProcessWire(provider, lambda: NOW)
    )

    reply = connector.query(payid, "O-1", Deadline.within(5))

    assert reply.result is result
    assert (reply.records == ()) is refunded
