"""S0-21: a code of ours that is told as a payment, through the engine: its book is seen from whatever lane, and from no other tenant."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.store.contract import Store
from engine.verify import verify
from schemas.policy import TenantPolicy
from tests.engine import sandbox
from tests.engine.sandbox import CONFIGURATION, Sandbox, arrival, booking, names

pytestmark = pytest.mark.both_stores
DUNES = TenantPolicy(tenant="dunes", version="dunes/1", plan="Pack Individual Premium")
THERE = replace(CONFIGURATION.properties["camp-azur"], property="les-dunes", version="les-dunes/1", tenant="dunes")
SETTLED = replace(
    CONFIGURATION,
    properties={**CONFIGURATION.properties, "les-dunes": THERE},
    tenants={**CONFIGURATION.tenants, "dunes": DUNES},
)


def issued(lanes: int = 1) -> tuple[Sandbox, Store, str]:
    """A code of ours over 500.00, and a booking of as much."""
    store = sandbox.fresh_store(lanes)
    box = Sandbox(configuration=SETTLED, store=store)
    box.paid("A", price=50_000)
    ((_, told),) = [
        one for one in box.say("booking.cancel_with_voucher", {"folio": "A"}, actor="merchant") if one[0] == "voucher.issued"
    ]
    box.say("booking.confirmed", booking("C", price=50_000))
    return box, store, told["number"]


def paid_by(folio: str, number: str, **more: Any) -> dict[str, Any]:
    return {
        "folio": folio,
        "payment": "V1",
        "amount": 40_000,
        "currency": "EUR",
        "tender": "voucher",
        **more,
        "provider_reference": number,
    }


@pytest.mark.parametrize("lanes", [1, 8])
def test_s0_21_refused_by_its_book_in_whatever_lane(lanes: int) -> None:
    """Nothing of the booking changes; decided again from the log, it is the same."""
    box, store, number = issued(lanes)
    before = box.folio("C")
    ((name, said),) = box.say("payment.received", paid_by("C", number))

    assert (name, said["code"], said["value"]) == ("payment.refused", "own_voucher", f"…{number[-4:]}")
    assert box.folio("C") == before
    assert verify(store).differences == ()


def test_s0_21_in_one_go() -> None:
    """Registered, told and entered in one transaction: the payment sees what came before it."""
    box, _, number = issued()
    pms = {"number": "THAIS-9", "value": 40_000, "currency": "EUR", "property": "camp-azur"}
    box.append(
        arrival("r-1", "voucher.register", pms, actor="merchant"),
        arrival("p-1", "payment.received", paid_by("C", "thais 9")),
        arrival("e-1", "voucher.enter", {"folio": "C", "number": "THAIS-9", "amount": 40_000}, actor="guest"),
        arrival("p-2", "payment.received", paid_by("C", number, payment="V2")),
    )
    told = box.drain()

    assert names(told).count("payment.refused") == 2
    assert "payment.captured" not in names(told)
    assert "voucher.held" in names(told)


def test_x_12_s0_21_another_tenants_code_is_a_code_that_nobody_knows() -> None:
    """X-12: it is taken as any merchant's own number is, and says nothing of whose it is."""
    box, _, number = issued()
    outcomes = []
    for code in (number, "MER-1"):
        folio = f"D-{code}"
        for name, data in (
            ("booking.confirmed", booking(folio, price=50_000, property="les-dunes")),
            ("payment.received", paid_by(folio, code)),
        ):
            made = arrival(f"{name}-{folio}", name, data)
            box.append(replace(made, attributes={**made.attributes, "tenant": "dunes"}))
            outcomes.append(names(box.drain()))

    assert outcomes[:2] == outcomes[2:]
    assert "payment.captured" in outcomes[1]
