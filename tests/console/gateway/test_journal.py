"""GET /journal: one day for accountants, over HTTP: whose, page by page, and what is refused."""

from __future__ import annotations

import pytest

from tests.console.gateway.world import World, event, payment

DAY = "/journal?day=2026-05-01"


def test_a_day_of_the_book(hub: World) -> None:
    """X-4: transfers, and sums whose sides are equal; nothing personal (X-11)."""
    hub.send(event("J-1"))
    hub.send(payment("P-J1", "J-1"))
    got = hub.get(DAY)
    told = got.json()
    mine = [one for one in told["transfers"] if one["folio"] == "J-1"]

    assert got.status_code == 200
    assert [(one["entry"], one["amount"]) for one in mine] == [("ordered", 12_000), ("fee_charged", 500), ("captured", 12_500)]
    sides = [sum(one[side] for one in told["sums"]["accounts"]) for side in ("debit", "credit")]
    assert sides[0] == sides[1] > 0
    assert "Lovelace" not in got.text


def test_page_by_page(hub: World) -> None:
    """Each transfer once; the sums once."""
    hub.send(event("J-2"))
    whole, page = hub.get(f"{DAY}&limit=1000").json(), hub.get(f"{DAY}&limit=1").json()
    seen, sums = page["transfers"], [page["sums"]]
    while page["next"] is not None:
        page = hub.get(f"{DAY}&limit=1&after={page['next']}").json()
        seen += page["transfers"]
        sums.append(page["sums"])

    assert seen == whole["transfers"]
    assert len(seen) > 1
    assert sums == [whole["sums"], *([None] * (len(sums) - 1))]


@pytest.mark.parametrize(("key", "status"), [("reader", 200), ("operator", 200), ("azur", 403), ("channel", 403), ("", 401)])
def test_for_whom(hub: World, key: str, status: int) -> None:
    """Readers and operators; a sender of messages has no business with the book."""
    assert hub.get(DAY, key).status_code == status


def test_x_12_another_tenant_sees_nothing(hub: World) -> None:
    """X-12: another's property is one that nobody has; a tenant that has none has no day."""
    hub.send(event("J-3"))

    for query, status, code in ((f"{DAY}&property=camp-azur", 404, "unknown_property"), (DAY, 400, "property_needed")):
        got = hub.get(query, "dunes-reader")
        assert (got.status_code, got.json()["code"]) == (status, code)
        assert "J-3" not in got.text


@pytest.mark.parametrize(
    ("query", "status", "code", "field"),
    [
        ("day=yesterday", 400, "bad_day", "day"),
        ("day=2026-W48-1", 400, "bad_day", "day"),
        ("day=2026-02-30", 400, "bad_day", "day"),
        ("", 400, "bad_day", "day"),
        ("day=2026-05-01&property=nowhere", 404, "unknown_property", "property"),
        (f"day=2026-05-01&property={'p' * 65}", 400, "bad_request", "property"),
        (f"day={'2' * 41}", 400, "bad_request", "day"),
        ("day=2026-05-01&after=7", 400, "unknown_position", "after"),
        ("day=2026-05-01&after=-1", 400, "bad_request", "after"),
        ("day=2026-05-01&limit=0", 400, "bad_request", "limit"),
        ("day=2026-05-01&limit=1001", 400, "bad_request", "limit"),
    ],
)
def test_what_is_refused(hub: World, query: str, status: int, code: str, field: str) -> None:
    """A problem with a stable code and its field."""
    got = hub.get(f"/journal?{query}")

    assert (got.status_code, got.json()["code"], got.json()["field"]) == (status, code, field)
    assert got.headers["content-type"].startswith("application/problem+json")


def test_it_is_described(hub: World) -> None:
    """OpenAPI names its parameters as they are typed."""
    described = hub.get("/schema/openapi.json", "").json()["paths"]["/journal"]["get"]

    assert [one["name"] for one in described["parameters"]] == ["day", "property", "after", "limit"]
    assert {"200", "400", "401", "403", "404"} <= set(described["responses"])
