"""Which key decides a message, and by which other names it knows its folio."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.address import key_of, reference_key, references_of
from engine.store.rows import Key
from schemas import registry
from schemas.common import Reference
from schemas.errors import Undecodable

ACTOR = {"kind": "system", "id": "x"}
PMS = {"namespace": "pms:thais", "value": "88231"}
PAID = {"actor": ACTOR, "payment": "P1", "amount": 1, "currency": "EUR"}
OGONE = {"provider": "ogone", "merchant": "azur", "provider_reference": "3001", "order": "A-1"}


def said(name: str, **data: Any) -> Any:
    return registry.decode_data(name, msgspec.json.encode(data))


def named(*names: tuple[str, str]) -> tuple[Reference, ...]:
    return tuple(Reference(namespace=namespace, value=value) for namespace, value in names)


@pytest.mark.parametrize(
    ("more", "names"),
    [
        pytest.param({}, [], id="none"),
        pytest.param(OGONE, [("ogone:azur:pay", "3001"), ("ogone:azur:order", "A-1")], id="a provider's numbers"),
        pytest.param({**OGONE, "order": ""}, [("ogone:azur:pay", "3001")], id="no order"),
        pytest.param({**OGONE, "provider_reference": ""}, [("ogone:azur:order", "A-1")], id="no number of theirs"),
        pytest.param({**OGONE, "merchant": ""}, [], id="whose account is not said"),
        pytest.param({**OGONE, "provider": ""}, [], id="which provider is not said"),
        pytest.param(
            {**OGONE, "references": [PMS, {"namespace": "ogone:azur:pay", "value": "3001"}]},
            [("pms:thais", "88231"), ("ogone:azur:pay", "3001"), ("ogone:azur:order", "A-1")],
            id="those it lists first, each once",
        ),
    ],
)
def test_the_names_that_a_payment_carries(more: dict[str, Any], names: list[tuple[str, str]]) -> None:
    assert references_of("payment.received", said("payment.received", **PAID, **more)) == named(*names)


def test_a_request_carries_what_it_lists() -> None:
    message = said("cancellation.request", actor=ACTOR, request="R1", references=[PMS])

    assert references_of("cancellation.request", message) == named(("pms:thais", "88231"))


@pytest.mark.parametrize(
    ("name", "data", "key"),
    [
        ("payment.received", {**PAID, "folio": "A", "references": [PMS]}, Key("azur", "folio", "A")),
        ("payment.received", {**PAID, **OGONE, "references": [PMS]}, Key("azur", "reference", "pms:thais\x1f88231")),
        ("payment.received", {**PAID, **OGONE}, Key("azur", "reference", "ogone:azur:pay\x1f3001")),
        ("provider.notified", {"actor": ACTOR, **OGONE}, Key("azur", "reference", "ogone:azur:pay\x1f3001")),
        ("payouts.stop", {"actor": ACTOR}, Key("azur", "tenant", "azur")),
        (
            "force_majeure.declare",
            {"actor": ACTOR, "event": "storm", "area": "var", "from": "2026-07-01", "to": "2026-07-02"},
            Key("azur", "area", "var"),
        ),
    ],
)
def test_who_decides(name: str, data: dict[str, Any], key: Key) -> None:
    assert key_of("azur", name, said(name, **data)) == key


@pytest.mark.parametrize(
    ("name", "data"), [("payment.received", PAID), ("cancellation.request", {"actor": ACTOR, "request": "R1"})]
)
def test_what_names_nothing_is_refused(name: str, data: dict[str, Any]) -> None:
    with pytest.raises(Undecodable) as refused:
        key_of("azur", name, said(name, **data))

    assert refused.value.field == "folio"


def test_a_name_is_one_tenants() -> None:
    (reference,) = named(("pms:thais", "88231"))

    assert reference_key("vert", reference) == Key("vert", "reference", "pms:thais\x1f88231")
