"""The ends of a sender's calendar, in any field of any message: decided, or refused at the door, and never a defect of ours."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from engine.opening import STRUCTURED
from engine.standing import standing
from engine.transport.contract import Arrival, Taken
from schemas.describe import json_schemas
from schemas.envelope import type_of
from schemas.payment import Tender
from schemas.policy import BalancePolicy
from schemas.registry import IN
from tests.engine.sandbox import CONFIGURATION, Sandbox, booking

WITHIN = ("1971-01-01", "2026-07-24", "2199-12-31")
BEYOND = ("0001-01-01", "1970-12-31", "2200-01-01", "9999-12-31")
CLOCKS = ("T00:00:00+14:00", "T00:00:00Z", "T23:59:59.999999-12:00")
ASKS = msgspec.structs.replace(
    CONFIGURATION.properties["camp-azur"],
    version="camp-azur/asks",
    payment_methods=(Tender.CARD,),
    balance=BalancePolicy(due_days=14, notice_days=3650, methods=(Tender.CARD,)),
)
TRUSTED = msgspec.structs.replace(
    CONFIGURATION,
    sources={"pms.thais": msgspec.structs.replace(CONFIGURATION.sources["pms.thais"], trust_time=True)},
    properties={"camp-azur": ASKS},
)
day = st.integers(0, 9).flatmap(lambda n: st.sampled_from(WITHIN if n else BEYOND))
instant = st.builds(str.__add__, day, st.sampled_from(CLOCKS))
booked = {**booking(), "payment_plan": "split", "max_advance_rate": "10 %", "max_advance_months": 120}
paid = {"folio": "B-1", "payment": "P-2", "amount": 1, "currency": "EUR"}
REST: dict[str, dict[str, Any]] = {
    "booking": booked,
    "booking.cancelled": {"folio": "B-1"},
    "booking.cancel_with_voucher": {"folio": "B-1"},
    "payment": paid,
    "refund": {"folio": "B-1", "payment": "P-O-1", "amount": 1},
    "dispute": {"folio": "B-1", "payment": "P-O-1", "amount": 1, "outcome": "lost"},
    "cancellation": {"folio": "B-1", "request": "R-1"},
    "force_majeure": {"event": "e", "area": "cote-d-azur"},
    "balance": {"folio": "B-1", "amount": 1, "method": "card", "property": "camp-azur"},
    "provider": {"provider": "ogone", "merchant": "azur", "order": "O-1"},
    "voucher": {
        "folio": "B-1",
        "number": "V-1",
        "amount": 1,
        "verdict": "accepted",
        "value": 1,
        "currency": "EUR",
        "text_version": "1",
    },
    "notice": {"folio": "B-1", "notice": "n"},
    "effect": {"subject": "x", "result": "refused", "reason": "r"},
}


def rest(name: str) -> dict[str, Any]:
    """What a message of this name holds besides days and instants."""
    return REST.get(name) or REST.get(name.partition(".")[0]) or {"subject": "x"}


def dated(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A message with all its days and instants drawn."""
    data = {"actor": {"kind": "operator", "id": "o"}, **rest(name)}
    schema = json_schemas()[type_of(name)]
    for field, of in schema["properties"].items():
        if "from 1971-01-01" in str(of):
            data[field] = draw(day if field in ("until", "expires") else instant | day if field in ("from", "to") else instant)
    if "lines" in data:
        data["lines"] = [{**line, "arrival": draw(day), "departure": draw(day)} for line in data["lines"]]
    elif name == "balance.suspend":
        data["scope"] = draw(st.sampled_from(("booking", "property")))
    elif name == "cancellation.request":
        data["lines"] = [{"line": "1", "new_departure": draw(day), "new_price": 1}] * draw(st.booleans())
        data["confirm"] = draw(st.booleans())
    return data


@st.composite
def events(draw: st.DrawFn, name: str) -> dict[str, Any]:
    about = {"specversion": "1.0", "id": f"{name}-1", "source": "pms.thais", "type": type_of(name), "tenant": "azur"}
    return {**about, "time": draw(st.just("2026-05-01T08:00:00Z") | instant), "data": dated(draw, name)}


@pytest.mark.parametrize("name", IN)
def test_all_days_and_instants_are_drawn(name: str) -> None:
    """A field that a message gets later is in the play below, or here is the place to put it in."""
    schema = json_schemas()[type_of(name)]
    structs = (schema, *schema.get("$defs", {}).values())
    seen = {field for of in structs for field, said in of.get("properties", {}).items() if "from 1971-01-01" in str(said)}

    assert seen <= {
        "requested_at",
        "booked_at",
        "occurred_at",
        "from",
        "to",
        "arrival",
        "departure",
        "new_departure",
        "until",
        "expires",
        "answer_by",
    }


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.sampled_from([*IN]).flatmap(events), st.booleans())
def test_no_date_is_a_defect(said: dict[str, Any], after: bool) -> None:
    """About a booking that is there or is not; then its folio is read, and all of it cancelled."""
    box = Sandbox(configuration=TRUSTED)
    if after:
        box.paid()
    door = Arrival(door="test", body=msgspec.json.encode(said), content_type=STRUCTURED, tenants=frozenset({"azur"}), operator=True)

    (receipt,) = box.append(door)
    box.drain()
    box.cancel(request="R-2")
    box.pass_time(86_400)

    extreme = re.findall(r"(?:0001|1970|2200|9999)-\d\d-\d\d", str(said))
    assert receipt.taken is (Taken.DEAD if extreme else Taken.ACCEPTED)
    standing(box.hub, "azur", "B-1")
    assert not any(row["blocked"] for row in box.rows("SELECT blocked FROM state"))
    assert not box.rows("SELECT * FROM dead_letter WHERE why = 'defect'")
