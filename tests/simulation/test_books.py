"""What the check of the provider's books lets pass while a person is asked, and what it does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, cast

import pytest

from engine.clock import ManualClock, micros
from schemas.booking import PaymentPlan, SaleChannel
from schemas.folio import Folio, FolioPayment, FolioStatus, PaymentStatus
from schemas.payment import Tender
from tests.simulation import books
from tests.simulation.aims import Aims
from tests.simulation.plan import START
from tests.simulation.provider import SimulatedProvider
from tests.simulation.world import World

MINOR: Final = 14_012


class Shown(NamedTuple):
    """A refund at the provider, and whose it is in the hub's store: an owner, or empty for nobody's."""

    source: str
    owner: str = ""
    minor: int = MINOR


def _check(*shown: Shown, state: str = "needs_person", record: str = "", foreign: int = 0) -> list[str]:
    """What is wrong with one payment of which one refund was decided, and that shows these."""
    provider = SimulatedProvider(0, ManualClock(micros(START)), Aims(0))
    payid = provider.provider.create("O-1", 60_000, "EUR", START)
    store = sqlite3.connect(":memory:")
    store.row_factory = sqlite3.Row
    store.executescript(
        "CREATE TABLE effect (id, kind, reference, state, minor, record); CREATE TABLE outbox (name, body);"
        "CREATE TABLE provider_record (reference, level, owner);"
    )
    store.execute("INSERT INTO effect VALUES ('E', 'refund', ?, ?, ?, ?)", (payid, state, MINOR, record))
    for one in shown:
        level = provider.provider.back_office(payid, "RFD", one.minor, START, status="8")
        provider.books._db.execute("UPDATE operations SET source = ? WHERE payid = ? AND level = ?", (one.source, payid, level))
        if one.owner:
            store.execute("INSERT INTO provider_record VALUES (?, ?, ?)", (payid, str(level), one.owner))

    def rows(statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        return [dict(row) for row in store.execute(statement, parameters)]

    payment = FolioPayment(
        payment="P", tender=Tender.CARD, status=PaymentStatus.CAPTURED, position=0, captured=60_000, refunding=MINOR,
        foreign=foreign, reference=payid,
    )  # fmt: skip
    folio = Folio(
        folio="F", tenant="azur", property="camp-azur", policy="camp-azur/1", currency="EUR", status=FolioStatus.CONFIRMED,
        lines=(), channel=SaleChannel.WEB, payment_plan=PaymentPlan.FULL, booked_at=START, payments=(payment,),
    )  # fmt: skip
    return books.provider(cast(World, SimpleNamespace(provider=provider, rows=rows)), [folio])


OURS, THEIRS = Shown("merchant"), Shown("back_office")


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param([], id="nothing was done"),
        pytest.param([OURS], id="it was done"),
        pytest.param([OURS, THEIRS], id="it was done, and somebody else gave back as much"),
        pytest.param([THEIRS, THEIRS], id="somebody else gave back as much, twice"),
        pytest.param([OURS, THEIRS._replace(minor=100)], id="it was done, and somebody else gave back less"),
    ],
)
def test_what_may_be_a_request_of_which_a_person_is_asked_is_open(shown: list[Shown]) -> None:
    """Sent once, beside an equal refund of somebody else: nobody but a person can say which is which."""
    assert _check(*shown) == []


@pytest.mark.parametrize(
    ("shown", "more"),
    [
        pytest.param([OURS, OURS], {}, id="made twice"),
        pytest.param([OURS, THEIRS], {"state": "refused"}, id="nobody is asked"),
        pytest.param([OURS, THEIRS], {"state": "unknown"}, id="still in doubt"),
        pytest.param([OURS._replace(owner="effect:E"), THEIRS], {"record": "1"}, id="it has its record, and the other is nobody's"),
        pytest.param([OURS, THEIRS._replace(owner="foreign")], {}, id="a stranger's refund that the folio was not told"),
        pytest.param([], {"foreign": MINOR}, id="a stranger's refund is told that is not there"),
        pytest.param([OURS._replace(owner="effect:of another")], {}, id="it is another request's"),
    ],
)  # fmt: skip
def test_what_nobody_is_asked_of_is_wrong(shown: list[Shown], more: dict[str, Any]) -> None:
    """The difference that a person's word may close is no wider than what it can be about."""
    assert _check(*shown, **more) != []
