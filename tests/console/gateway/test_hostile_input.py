"""What nobody sends by mistake, at every door that brings vouchers, balances and payments: a typed refusal with field and value, kept and
shown; nothing of the folio moves, nobody's else is told, and the hub goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from config.settings import Configuration
from schemas.envelope import name_of
from tests.console.gateway.test_refused_input import (
    GUEST,
    MERCHANT,
    OPERATOR,
    SYSTEM,
    Refused,
    folio_state,
    messages,
    said,
    settle,
    settled,
)
from tests.console.gateway.world import World, world

WIDE = "\u0661\u0660"
SUSPEND = {"actor": OPERATOR, "scope": "property"}
PAID = {
    "actor": SYSTEM,
    "payment": "P9",
    "amount": 100,
    "currency": "EUR",
    "provider": "ogone",
    "merchant": "azur",
    "provider_reference": "9",
}
CODE = {"actor": SYSTEM, "number": "REG-1", "value": 100, "currency": "EUR", "property": "camp-azur"}


def enter(**more: Any) -> tuple[str, dict[str, Any]]:
    return "voucher.enter", {"actor": GUEST, "number": "MER-1", "amount": 100, **more}


NO_MESSAGE = {
    "a float for money": (enter(amount=1.0), "amount", "1.0"),
    "true for money": (enter(amount=True), "amount", "true"),
    "nothing for money": (enter(amount=None), "amount", "null"),
    "money in a list": (enter(amount=[1]), "amount", ""),
    "money in digits of another script": (enter(amount=WIDE), "amount", WIDE),
    "more than 64 bits": (enter(amount=2**70), "amount", str(2**70)),
    "more money than there is": (enter(amount=10**15 + 1), "amount", str(10**15 + 1)),
    "NUL in a number": (enter(number="A\x00B"), "number", ""),
    "an end of a line in a number": (enter(number="AB\n"), "number", ""),
    "a number that is one": (enter(number=17), "number", ""),
    "a number without end": (enter(number="A" * 2001), "number", ""),
    "a balance in halves": (("balance.set_amount", {"actor": OPERATOR, "amount": 1.5}), "amount", "1.5"),
    "an instant for a day": (("balance.suspend", {"actor": OPERATOR, "until": "2026-07-01T00:00:00Z"}), "until", "2026-07-01T00:00:00Z"),
    "a week for a day": (("balance.suspend", {"actor": OPERATOR, "until": "2026-W27-3"}), "until", "2026-W27-3"),
    "the last of all days": (("balance.suspend", {"actor": OPERATOR, "until": "9999-12-31"}), "until", "9999-12-31"),
    "a scope that is none": (("balance.suspend", {**SUSPEND, "until": "2026-07-01", "scope": "planet"}), "scope", "planet"),
    "less than nothing paid": (("payment.received", {**PAID, "amount": -1}), "amount", "-1"),
    "a currency in small letters": (("payment.received", {**PAID, "currency": "eur"}), "currency", "eur"),
    "a currency and an end of a line": (("payment.received", {**PAID, "currency": "EUR\n"}), "currency", "EUR\\n"),
    "a payment and an end of a line": (("payment.received", {**PAID, "payment": "P\n"}), "payment", "P\\n"),
    "a time without zone": (("payment.received", {**PAID, "occurred_at": "2026-05-01T08:00:00"}), "occurred_at", "2026-05-01T08:00:00"),
    "a king": (("payment.received", {**PAID, "actor": {"kind": "king"}}), "actor.kind", "king"),
    "a guest in a word": (("payment.received", {**PAID, "actor": "guest"}), "actor", "guest"),
    "a value below nothing": (("voucher.register", {**CODE, "value": -1}), "value", "-1"),
    "a month that there is not": (("voucher.register", {**CODE, "expires": "2026-13-01"}), "expires", "2026-13-01"),
    "a result and an end of a line": (
        ("effect.settle", {"actor": OPERATOR, "subject": "x", "result": "confirmed\n", "reason": "r"}), "result", "confirmed\\n",
    ),
}  # fmt: skip
REFUSED = {
    "a voucher below nothing": Refused(enter(amount=-1), "voucher.refused", "value_out_of_range", "amount", "-1"),
    "a number of blanks": Refused(enter(number="   "), "voucher.refused", "voucher_number_empty", "number", "   "),
    "a number without letters": Refused(enter(number="🎟️"), "voucher.refused", "voucher_number_empty", "number", "🎟️"),
    "a number that is a card's": Refused(
        enter(number="4111111111111111"), "voucher.refused", "card_number_removed", "number", "[card removed]"
    ),
    "a card for a mandate": Refused(
        ("balance.choose_method", {"actor": GUEST, "method": "card", "token": "t", "mandate": "4111111111111111"}),
        "balance.refused", "card_number_removed", "mandate", "[card removed]", before=(("balance.send_now", {"actor": OPERATOR}),),
    ),
    "another tenant's property suspended": Refused(
        ("balance.suspend", {**SUSPEND, "until": "2026-07-01", "property": "camp-dunes"}),
        "balance.refused", "unknown_property", "property", "camp-dunes",
    ),
    "a property suspended until a day that is over": Refused(
        ("balance.suspend", {**SUSPEND, "until": "2020-07-01", "property": "camp-azur"}),
        "balance.refused", "suspension_in_the_past", "until", "2020-07-01",
    ),
    "no property suspended": Refused(
        ("balance.suspend", {**SUSPEND, "until": "2026-07-01"}), "balance.refused", "property_missing", "property", ""
    ),
    "another currency paid": Refused(
        ("payment.received", {**PAID, "currency": "USD"}), "payment.refused", "currency_mismatch", "currency", "USD"
    ),
    "a guest as operator": Refused(("balance.cancel", {"actor": GUEST}), "balance.refused", "not_allowed", "actor", "guest"),
    "a code of no money": Refused(
        ("voucher.register", {**CODE, "currency": "XXX"}), "voucher.refused", "unknown_currency", "currency", "XXX"
    ),
    "a code for another tenant's property": Refused(
        ("voucher.register", {**CODE, "property": "camp-dunes"}), "voucher.refused", "unknown_property", "property", "camp-dunes"
    ),
}  # fmt: skip


def two_tenants() -> Configuration:
    """azur has two campsites of two companies, dunes has one."""
    known = settled()
    camp, azur = known.properties["camp-azur"], known.tenants["azur"]
    noir = msgspec.structs.replace(camp, property="camp-noir", version="camp-noir/1", company="443061841")
    dunes = msgspec.structs.replace(camp, property="camp-dunes", tenant="dunes", version="camp-dunes/1")
    tenants = {**known.tenants, "dunes": msgspec.structs.replace(azur, tenant="dunes", version="dunes/1")}
    return msgspec.structs.replace(
        known, tenants=tenants, properties={**known.properties, "camp-noir": noir, "camp-dunes": dunes}
    )  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("hostile"), settled=two_tenants()) as made:
        yield made


def stays(hub: World, folio: str, property_: str = "camp-azur", tenant: str = "azur") -> None:
    """A stay of 200, of which 60 are paid."""
    booked, paid = messages(folio, REFUSED["a voucher below nothing"])[:2]
    booked["data"]["property"] = property_
    paid["data"].update(tender="cash", provider="", merchant="", provider_reference="")
    for one in (booked, paid):
        assert tell(hub, {**one, "tenant": tenant})


def tell(hub: World, event: dict[str, Any]) -> list[dict[str, Any]]:
    """The outcomes, none of them a refusal."""
    key = "operator" if event["tenant"] == "azur" else "dunes-operator"
    outcomes: list[dict[str, Any]] = hub.send(event, key=key).json()["outcomes"]
    assert not [one for one in outcomes if one["type"].endswith(".refused.v1")], outcomes
    return outcomes


@pytest.mark.parametrize("what", NO_MESSAGE)
def test_what_is_no_message_is_kept_with_its_field(hub: World, what: str) -> None:
    """Numbers of vouchers are worth money, and are not shown."""
    (name, data), field, value = NO_MESSAGE[what]
    got = hub.send(said(f"no-{what}", name, "F-1", data), key="operator")

    told = got.json()
    assert (got.status_code, told["code"], told["field"], told["value"]) == (400, "undecodable", field, value)
    assert hub.dead_letter(told["dead_letter"])["field"] == field


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_rule_refuses_moves_nothing(hub: World, what: str) -> None:
    case, folio = REFUSED[what], f"H{list(REFUSED).index(what)}"
    *before, last = messages(folio, case)
    for one in before:
        tell(hub, one)
    settle(hub, folio)
    stood = folio_state(hub, folio)
    if case.said[0] == "voucher.register" or "scope" in case.said[1]:
        del last["data"]["folio"]
    answered = hub.send(last, key="operator").json()
    (refused,) = [one["data"] for one in answered["outcomes"] if name_of(one["type"]) == case.name]

    assert (refused["code"], refused["field"], refused["value"]) == (case.code, case.field, case.value)
    assert folio_state(hub, folio) == stood
    assert hub.get(f"/messages?source=pms.thais&id={last['id']}").json()["status"] == "refused"


def test_x_12_nothing_of_another_tenant_can_be_named(hub: World) -> None:
    """Its folio, its balance request, what that is charged by: as if they were not there."""
    stays(hub, "T-1", "camp-dunes", "dunes")
    stays(hub, "T-2")
    (theirs,) = hub.get("/balance-requests", "dunes-reader").json()["balance_requests"]
    amount = {"actor": OPERATOR, "amount": 1}
    by_folio = hub.send(said("t-folio", "balance.set_amount", "T-1", amount), key="operator").json()["outcomes"][0]["data"]
    by_request = hub.send(
        said("t-request", "balance.set_amount", "T-2", {**amount, "request": theirs["request"]}), key="operator"
    ).json()["outcomes"][0]["data"]
    charged = hub.get(f"/balance-requests/{theirs['request']}/payment", "operator")

    assert (by_folio["code"], by_folio["value"]) == ("unknown_folio", "T-1")
    assert (by_request["code"], by_request["value"]) == ("unknown_request", theirs["request"])
    assert (charged.status_code, charged.json()["code"]) == (404, "unknown_request")
    assert hub.get("/folios/T-1").status_code == 404
    assert hub.get("/balance-requests", "dunes-reader").json()["balance_requests"] == [theirs]


def test_s0_23_x_12_an_own_number_elsewhere(hub: World) -> None:
    """At another company it is held under a warning; for another tenant it is anybody's number, which says nothing of its value."""
    stays(hub, "V-1")
    issued = tell(hub, said("v-issue", "booking.cancel_with_voucher", "V-1", {"actor": MERCHANT}))
    (number,) = [one["data"]["number"] for one in issued if name_of(one["type"]) == "voucher.issued"]
    stays(hub, "V-2", "camp-noir")
    stays(hub, "V-3", "camp-dunes", "dunes")
    tell(hub, said("v-noir", "voucher.enter", "V-2", enter(number=number)[1]))
    tell(hub, {**said("v-dunes", "voucher.enter", "V-3", enter(number=number)[1]), "tenant": "dunes"})
    (here,) = [one for one in hub.get("/vouchers").json()["vouchers"] if one["folio"] == "V-2"]
    (there,) = hub.get("/vouchers", "dunes-reader").json()["vouchers"]

    assert (here["origin"], here["flags"], here["held"]) == ("issued_here", ["voucher_out_of_scope"], 100)
    assert (there["origin"], there["flags"], there["held"], there["value"], there["remainder"]) == ("unknown", [], 100, None, None)
    assert here["value"] == 6_000
