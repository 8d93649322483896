"""GET /balance-requests and GET /vouchers: what a merchant looks after, and what no key of another tenant sees; what cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
import pytest

from config.loader import load
from config.settings import Configuration
from handlers.entitlement import PREMIUM
from schemas.balance_request import BalanceStatus
from schemas.voucher import VoucherStatus
from tests.console.gateway.world import World, event, payment, world
from tests.scenarios.play import FOLDERS

TENANTS = ("azur", "dunes")
GUEST, MERCHANT = {"kind": "guest", "id": "g"}, {"kind": "merchant", "id": "m"}


def settled() -> Configuration:
    """Two tenants with a property each, which ask for balances and take vouchers."""
    asking = load(FOLDERS / "asking", {})
    camp = asking.properties["camp-azur"]
    dunes = msgspec.structs.replace(camp, property="camp-dunes", tenant="dunes", version="camp-dunes/1")
    tenants = {
        name: msgspec.structs.replace(asking.tenants["azur"], tenant=name, plan=PREMIUM, version=f"{name}/9") for name in TENANTS
    }
    return msgspec.structs.replace(asking, tenants=tenants, properties={**asking.properties, "camp-dunes": dunes})


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both tenants have a booking L-1 that owes, and a code CODE-1 on it; azur has L-2 too, whose balance is asked for now."""
    with world(tmp_path_factory.mktemp("lists"), settled=settled()) as made:
        for tenant in TENANTS:
            owes(made, "L-1", tenant)
            say(made, "V", "voucher.enter", tenant, actor=GUEST, folio="L-1", number="CODE-1", amount=1_000)
        owes(made, "L-2", "azur")
        told = made.send(
            event("now", "balance.send_now", folio="L-2", actor={"kind": "operator", "id": "o"}), key="operator"
        ).json()
        assert [one["type"] for one in told["outcomes"]] == ["foliohub.balance.sent.v1"]
        yield made


def owes(hub: World, folio: str, tenant: str) -> None:
    say(hub, folio, "booking.confirmed", tenant, folio=folio, property=f"camp-{tenant}", payment_plan="split")
    paid = payment(f"P-{folio}", folio, 6_500, tender="cash", provider="", merchant="")
    assert hub.send({**paid, "tenant": tenant}, key=tenant).status_code == 200


def say(hub: World, id_: str, name: str, tenant: str, **data: Any) -> None:
    got = hub.send(event(f"{id_}-{name}", name, tenant, **data), key=tenant)
    assert (got.status_code, any("refused" in one["type"] for one in got.json()["outcomes"])) == (200, False), got.text


def listed(hub: World, path: str, key: str = "reader") -> list[tuple[str, str]]:
    """Tenant and folio of each entry."""
    got = hub.get(path, key)
    assert got.status_code == 200, got.text
    (entries,) = [value for name, value in got.json().items() if name != "next"]
    return [(one["tenant"], one["folio"]) for one in entries]


def test_s1_12_balance_requests_by_queue(hub: World) -> None:
    assert listed(hub, "/balance-requests?queue=pending") == [("azur", "L-1")]
    assert listed(hub, "/balance-requests?queue=sent_no_reply") == [("azur", "L-2")]
    assert listed(hub, "/balance-requests") == [("azur", "L-1"), ("azur", "L-2")]
    assert listed(hub, "/balance-requests?overdue=true") == listed(hub, "/balance-requests?suspended=true") == []


def test_s0_18_vouchers_for_control(hub: World) -> None:
    (one,) = hub.get("/vouchers?to_check=true").json()["vouchers"]

    assert (one["number"], one["folio"], one["typed"], one["status"]) == ("CODE-1", "L-1", 1_000, "pending_voucher_check")
    assert listed(hub, "/vouchers?flagged=true") == listed(hub, "/vouchers?status=accepted") == []
    assert listed(hub, "/vouchers?flagged=false&property=camp-azur") == [("azur", "L-1")]


def test_page_by_page(hub: World) -> None:
    """`next` leads on, and is empty at the end."""
    first = hub.get("/balance-requests?limit=1").json()
    second = hub.get(f"/balance-requests?limit=1&after={first['next']}").json()
    third = hub.get(f"/balance-requests?limit=1&after={second['next']}").json()

    assert [one["folio"] for page in (first, second, third) for one in page["balance_requests"]] == ["L-1", "L-2"]
    assert third == {"balance_requests": [], "next": ""}
    assert hub.get("/balance-requests").json()["next"] == ""


@pytest.mark.parametrize(
    "path",
    [
        "/balance-requests", "/balance-requests?queue=pending", "/balance-requests?property=camp-azur", "/vouchers",
        "/vouchers?to_check=true", "/vouchers?property=camp-azur",
    ],
)  # fmt: skip
def test_x_12_each_key_sees_its_own_tenant_alone(hub: World, path: str) -> None:
    """Under the same names, and with where a page of the other's ended."""
    mine, theirs = listed(hub, path), listed(hub, path.replace("camp-azur", "camp-dunes"), "dunes-reader")

    assert {tenant for tenant, _ in mine} == {"azur"}
    assert {tenant for tenant, _ in theirs} == {"dunes"}
    after = hub.get("/balance-requests?limit=1").json()["next"]
    assert {tenant for tenant, _ in listed(hub, f"/balance-requests?after={after}", "dunes-reader")} <= {"dunes"}


def test_x_12_a_folio_of_both_is_each_ones_own(hub: World) -> None:
    """Its balance request and its voucher too."""
    mine, theirs = (hub.get("/folios/L-1", key).json() for key in ("reader", "dunes-reader"))

    assert (mine["balance_requests"][0]["property"], theirs["balance_requests"][0]["property"]) == ("camp-azur", "camp-dunes")
    assert {one["tenant"] for one in (*mine["balance_requests"], *mine["vouchers"])} == {"azur"}
    assert hub.get("/folios/L-2", "dunes-reader").status_code == 404


@pytest.mark.parametrize(
    ("path", "code", "field", "value"),
    [
        ("/balance-requests?queue=late", "bad_request", "queue", "late"),
        ("/balance-requests?queue=", "bad_request", "queue", ""),
        ("/balance-requests?overdue=perhaps", "bad_request", "overdue", "perhaps"),
        ("/balance-requests?limit=0", "bad_request", "limit", "0"),
        ("/balance-requests?limit=1001", "bad_request", "limit", "1001"),
        ("/balance-requests?after=17", "bad_after", "after", "17"),
        ("/vouchers?status=spent", "bad_request", "status", "spent"),
        ("/vouchers?limit=many", "bad_request", "limit", "many"),
        ("/vouchers?after=%00", "bad_after", "after", "\x00"),
        ("/vouchers?status=4111111111111111", "bad_request", "status", "[card removed]"),
    ],
)
def test_what_cannot_be_asked(hub: World, path: str, code: str, field: str, value: str) -> None:
    """A problem with the field and its value; no number of a card is said again (X-10)."""
    got = hub.get(path)

    told = got.json()
    assert (got.status_code, got.headers["content-type"]) == (400, "application/problem+json")
    assert (told["code"], told["field"]) == (code, field)
    assert told["value"] == value
    assert "4111111111111111" not in got.text


@pytest.mark.parametrize(
    ("path", "words"), [("/balance-requests?queue=late", BalanceStatus), ("/vouchers?status=spent", VoucherStatus)]
)
def test_a_word_that_there_is_not_is_answered_by_those_that_there_are(hub: World, path: str, words: type[StrEnum]) -> None:
    assert hub.get(path).json()["message"] == f"it is one of {', '.join(words)}"


@pytest.mark.parametrize("door", ["/balance-requests", "/vouchers"])
@pytest.mark.parametrize("name", ["nowhere", "camp-dunes"])
def test_x_12_a_property_that_is_not_the_tenants_is_unknown(hub: World, door: str, name: str) -> None:
    """Another tenant's like one that nobody has."""
    got = hub.get(f"{door}?property={name}")

    told = got.json()
    assert (got.status_code, told["code"], told["field"], told["value"]) == (404, "unknown_property", "property", name)


def test_openapi_describes_a_folio_as_it_is_told(hub: World) -> None:
    """Member by member."""
    schemas = hub.get("/schema/openapi.json").json()["components"]["schemas"]
    (described,) = [schema for name, schema in schemas.items() if name.endswith("FolioView")]

    told = hub.get("/folios/L-1").json()
    assert set(described["properties"]) == set(told)
    (request,) = [schema for name, schema in schemas.items() if name.endswith("BalanceRequestView")]
    assert set(request["properties"]) == set(told["balance_requests"][0])


@pytest.mark.parametrize(("door", "member"), [("/balance-requests", "balance_requests"), ("/vouchers", "vouchers")])
def test_openapi_describes_the_doors(hub: World, door: str, member: str) -> None:
    """Their questions with what each may be, their answers, and what goes wrong."""
    described = hub.get("/schema/openapi.json").json()["paths"][door]["get"]

    names = {one["name"] for one in described["parameters"]}
    assert {"property", "after", "limit"} < names
    assert {"200", "400", "401", "403"} <= set(described["responses"])
    assert member in str(hub.get("/schema/openapi.json").json()["components"]["schemas"])
    assert all(one["description"] for one in described["parameters"])
