"""GET /folios/{id} and GET /outcomes: what a reader sees, and what no reader of another tenant sees."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

import pytest

from engine.clock import ManualClock, micros
from tests.console.gateway.world import World, event, payment


def test_a_folio_with_its_sums(hub: World) -> None:
    """Ordered, collected, balance in minor units; payments; nothing personal (S4-22, X-11)."""
    hub.send(event("F-1"))
    hub.send(payment("P-F1", "F-1", 10_000))
    got = hub.get("/folios/F-1")

    told = got.json()
    assert got.status_code == 200
    assert told["sums"] == {"ordered": 12_500, "collected": 10_000, "balance": 2_500, "refundable": 10_000}
    assert [(one["payment"], one["captured"]) for one in told["payments"]] == [("P-F1", 10_000)]
    assert [one["data"]["sequence"] for one in told["outcomes"]] == list(range(1, len(told["outcomes"]) + 1))
    for personal in ("Lovelace", "ada@example.org"):
        assert personal not in got.text


def test_what_cancelling_now_would_give(hub: World) -> None:
    """S4-23: the rule's own arithmetic at this instant, and nothing is decided by looking."""
    hub.send(event("F-2"))
    hub.send(payment("P-F2", "F-2"))
    told = hub.get("/folios/F-2").json()["if_cancelled_now"]

    assert (told["refund"], told["kept"], told["penalty"]) == (12_000, 500, 0)
    assert any(rule == "S4-32" for rule, _ in told["arithmetic"])
    clock = hub.hub.clock
    assert isinstance(clock, ManualClock)
    assert hub.get("/folios/F-2").json()["status"] == "confirmed"


def test_a_cancelled_folio_has_nothing_to_give(hub: World) -> None:
    hub.send(event("F-3"))
    hub.send(payment("P-F3", "F-3", provider_reference="7103"))
    hub.send(event("R-F3", "cancellation.request", folio="F-3", request="R", confirm=True, actor={"kind": "guest", "id": "x"}))
    told = hub.get("/folios/F-3").json()

    assert told["status"] == "cancelled"
    assert (told["if_cancelled_now"]["refund"], told["if_cancelled_now"]["code"]) == (0, "already_cancelled")
    assert [one["minor"] for one in told["refunds"]] == [12_000]
    assert [(one["kind"], one["minor"]) for one in told["effects"]] == [("refund", 12_000)]


def test_the_quote_follows_the_clock(tmp_path_factory: object, hub: World) -> None:
    """Three days before arrival the second tranche applies (S4-4): last, since the module's clock moves for good."""
    hub.send(event("F-9"))
    hub.send(payment("P-F9", "F-9"))
    clock = hub.hub.clock
    assert isinstance(clock, ManualClock)
    clock.advance(micros(datetime.fromisoformat("2026-07-21T08:00:00+00:00")))

    assert hub.get("/folios/F-9").json()["if_cancelled_now"]["refund"] == 6_000


def test_another_tenants_folio_is_not_known(hub: World) -> None:
    """X-12: 404, as for one that nobody has."""
    hub.send(event("F-4"))

    for key, folio in (("dunes-reader", "F-4"), ("reader", "F-none")):
        got = hub.get(f"/folios/{folio}", key)
        assert (got.status_code, got.json()["code"]) == (404, "unknown_folio")


@pytest.mark.parametrize("folio", ["F/8", "F//8", "/F8", "F8/", "F é 8", "F%2F8"])
def test_a_folio_of_any_name_can_be_read(hub: World, folio: str) -> None:
    """One with a slash too, as it is written in an address; one that is not there is unknown by its whole name."""
    before = hub.get(f"/folios/{quote(folio, safe='')}")
    hub.send({**event(folio), "id": f"any-{folio}"})
    got = hub.get(f"/folios/{quote(folio, safe='')}")

    problem = before.json()
    assert (before.status_code, problem["code"], problem["field"], problem["value"]) == (404, "unknown_folio", "folio", folio)
    assert (got.status_code, got.json()["folio"]) == (200, folio), got.text


def test_outcomes_are_a_stream(hub: World) -> None:
    """By position, page by page, each once, the same as the folio's own."""
    hub.send(event("F-5"))
    seen, after = [], 0
    while (page := hub.get(f"/outcomes?after={after}&limit=3").json())["next"] != after:
        assert len(page["outcomes"]) <= 3
        seen += page["outcomes"]
        after = page["next"]

    positions = [one["position"] for one in seen]
    assert positions == sorted(set(positions))
    assert page["outcomes"] == []
    mine = [{name: value for name, value in one.items() if name != "position"} for one in seen if one["subject"] == "F-5"]
    assert mine == hub.get("/folios/F-5").json()["outcomes"]


def test_outcomes_are_of_ones_own_tenant(hub: World) -> None:
    hub.send(event("F-6"))
    hub.send(event("F-7", tenant="dunes"), key="dunes")

    assert {one["tenant"] for one in hub.get("/outcomes").json()["outcomes"]} == {"azur"}
    assert {one["tenant"] for one in hub.get("/outcomes", "dunes-reader").json()["outcomes"]} == {"dunes"}
