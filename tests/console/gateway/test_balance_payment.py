"""GET /balance-requests/{request}/payment, "Get Payment": what a merchant charges an answered request by, and who may know it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console.gateway.test_lists import GUEST, MERCHANT, TENANTS, owes, say, settled
from tests.console.gateway.world import World, event, world

GIVEN = {"method": "card", "token": "tok_card_4f1a", "mandate": "mandate-0001", "mandate_version": "1"}
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """P-1 and P-3 are answered by card, P-2 is asked; P-3's money has come, which the merchant reported."""
    with world(tmp_path_factory.mktemp("payment"), settled=settled()) as made:
        for folio in ("P-1", "P-2", "P-3"):
            owes(made, folio, "azur")
            made.send(event(f"now-{folio}", "balance.send_now", folio=folio, actor={"kind": "operator", "id": "o"}), key="operator")
        for folio in ("P-1", "P-3"):
            say(made, folio, "balance.choose_method", "azur", actor=GUEST, folio=folio, **GIVEN)
        say(made, "P-3", "balance.report_collected", "azur", actor=MERCHANT, folio="P-3")
        yield made


def request_of(hub: World, folio: str) -> str:
    """Its id, as the merchant's list has it."""
    for queue in ("sent_no_reply", "sent_replied", "paid"):
        for one in hub.get(f"/balance-requests?queue={queue}").json()["balance_requests"]:
            if one["folio"] == folio:
                return str(one["request"])
    raise LookupError(folio)


def test_s1_21_s1_28_the_merchant_gets_what_he_charges(hub: World) -> None:
    """Whole, and kept by nobody on the way; everywhere else by its end alone."""
    request = request_of(hub, "P-1")
    got = hub.get(f"/balance-requests/{request}/payment", "operator")

    assert (got.status_code, got.headers["cache-control"]) == (200, "no-store")
    assert got.json() == {
        "request": request, "folio": "P-1", "attempt": 1, "amount": 6_000, "currency": "EUR", "method": "card", "initiation": "mit",
        "through": "web", "token": "tok_card_4f1a", "mandate": "mandate-0001", "mandate_version": "1",
    }  # fmt: skip
    for path in ("/folios/P-1", "/balance-requests", "/outcomes?limit=1000"):
        assert not any(secret in hub.get(path, "operator").text for secret in ("tok_card_4f1a", "mandate-0001"))


@pytest.mark.parametrize("key", ["reader", "azur", "channel"])
def test_s1_28_no_other_scope_gets_it(hub: World, key: str) -> None:
    """Whether it is there or not."""
    for request in (request_of(hub, "P-1"), UNKNOWN):
        got = hub.get(f"/balance-requests/{request}/payment", key)

        assert (got.status_code, got.json()["code"]) == (403, "forbidden")
        assert "tok_card" not in got.text


@pytest.mark.parametrize(("folio", "queue"), [("P-2", "sent_no_reply"), ("P-3", "paid")])
def test_s1_21_there_is_nothing_to_charge(hub: World, folio: str, queue: str) -> None:
    """Before the guest has answered, and when the money has come."""
    got = hub.get(f"/balance-requests/{request_of(hub, folio)}/payment", "operator")

    assert (got.status_code, got.headers["content-type"]) == (409, "application/problem+json")
    assert {name: got.json()[name] for name in ("code", "field", "value")} == {
        "code": "wrong_queue", "field": "request", "value": queue,
    }  # fmt: skip


def test_x_12_another_tenants_is_as_unknown_as_none(hub: World) -> None:
    """By the other's operator, of an id that azur has and of one that nobody has."""
    assert TENANTS == ("azur", "dunes")
    for key, request in (("dunes-operator", request_of(hub, "P-1")), ("operator", UNKNOWN)):
        got = hub.get(f"/balance-requests/{request}/payment", key)

        assert (got.status_code, got.json()["code"], got.json()["field"]) == (404, "unknown_request", "request")
        assert got.json()["value"] == request


def test_openapi_describes_the_door(hub: World) -> None:
    """Its answer, and what goes wrong."""
    described = hub.get("/schema/openapi.json").json()["paths"]["/balance-requests/{balance_request}/payment"]["get"]

    assert {"200", "401", "403", "404", "409"} <= set(described["responses"])
