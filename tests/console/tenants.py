"""Two tenants on one store, for the tests that try what is the first one's with the other's keys (X-12)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from config.settings import Configuration
from schemas.notice import NoticeKind
from schemas.payment import Tender
from schemas.policy import BalancePolicy
from tests.engine.campsite import HOUSE, Campsite, asked, booking, event, payment
from tests.engine.summer import settings

OTHER: Final = "vert"
BEGINS: Final = datetime(2026, 7, 5, 8, tzinfo=UTC)


class Owned(NamedTuple):
    """What the first tenant has, by its ids."""

    asked: str  # a folio whose balance is asked for
    request: str  # that request
    effect: str  # a refund that waits for approval
    cancelled: str  # its folio
    by_hand: str  # a refund that is to be given back by hand
    in_cash: str  # its folio
    code: str  # a voucher that was issued
    notice: str
    letter: str
    message: str
    payid: str = "3001"
    person: str = "p-AZ-1"
    names: tuple[str, ...] = ("Guest Of AZ-1", "zephirine@example.org")

    def secrets(self) -> set[str]:
        """Nothing of this is to be read by the other."""
        return {one for one in (*self[:-1], *self.names) if one}


def settled() -> Configuration:
    """Two tenants with everything on."""
    two, replace = settings(), msgspec.structs.replace
    methods = (Tender.CARD, Tender.CHEQUE)
    camps = {
        name: replace(
            one, version=f"{name}/all", payment_methods=methods, balance=BalancePolicy(due_days=14, methods=methods),
            notices=tuple(NoticeKind),
        )
        for name, one in two.properties.items()
    }  # fmt: skip
    return replace(two, properties=camps)


@contextmanager
def summer(folder: Path) -> Iterator[Campsite]:
    """One store with some days of the first tenant's in it."""
    made = Campsite(folder / "hub.sqlite", settled(), at=BEGINS.isoformat())
    made.send(
        booking("AZ-1", payment_plan="split", guest={"person": "p-AZ-1", "name": "Guest Of AZ-1", "email": "zephirine@example.org"})
    )
    made.send(payment("AZ-1", "3001", 10_000))
    for folio, payid in (("AZ-2", "3002"), ("AZ-4", "3004")):
        made.send(booking(folio))
        made.send(payment(folio, payid))
    made.send(asked("AZ-2", confirm=True))
    made.send(booking("AZ-3"))
    cash = {"actor": HOUSE, "folio": "AZ-3", "payment": "P-AZ-3", "amount": 20_000, "currency": "EUR", "tender": "cash"}
    made.send(event("cash-3", "payment.received", cash))
    made.send(asked("AZ-3", confirm=True))
    made.send(event("with-4", "booking.cancel_with_voucher", {"actor": HOUSE, "folio": "AZ-4"}))
    made.send({**booking("AZ-5"), "data": {"nonsense": 1}})
    yield made
    made.close()


def things(camp: Campsite) -> Owned:
    """The first tenant's, by their ids."""
    (one,) = json.loads(camp.one("SELECT body FROM state WHERE kind = 'folio' AND key = 'AZ-1'"))["balance_requests"]
    assert one["status"] == "sent_no_reply"
    return Owned(
        asked="AZ-1", request=one["request"], effect=camp.one("SELECT id FROM effect WHERE folio = 'AZ-2' AND needs_approval"),
        cancelled="AZ-2", in_cash="AZ-3",
        by_hand=json.loads(camp.one("SELECT body FROM state WHERE kind = 'folio' AND key = 'AZ-3'"))["refunds"][0]["refund"],
        code=json.loads(camp.one("SELECT body FROM outbox WHERE name = 'voucher.issued'"))["number"],
        notice=camp.one("SELECT id FROM notice WHERE folio = 'AZ-1'"), letter=camp.one("SELECT id FROM dead_letter"),
        message="booking-AZ-1",
    )  # fmt: skip


def standing(camp: Campsite) -> dict[str, list[dict[str, Any]]]:
    """Every row of the first tenant's, of every table that says whose or which merchant's it is."""
    found = {}
    for table in camp.hub.reading.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        columns = {row["name"] for row in camp.hub.reading.rows(f"SELECT name FROM pragma_table_info('{table['name']}')")}
        for column in ("tenant", "merchant"):
            if column in columns:
                found[table["name"]] = camp.hub.reading.rows(f"SELECT * FROM {table['name']} WHERE {column} = 'azur'")
                break
    return found


@contextmanager
def untouched(camp: Campsite) -> Iterator[None]:
    """Nothing of the first tenant's moves meanwhile, and its merchant is not called."""
    before, calls = standing(camp), len(camp.ogone.provider.books.requests())
    assert len(before) > 15
    yield
    camp.settle()
    assert standing(camp) == before
    assert len(camp.ogone.provider.books.requests()) == calls


def hidden(text: str, named: object, owned: Owned) -> None:
    """An answer holds nothing of the first tenant's but what the asker said himself."""
    said = json.dumps(named, default=str)
    assert [secret for secret in owned.secrets() if secret in text and secret not in said] == []
