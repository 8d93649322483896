"""A tenant that is configured no more: what was booked for it is read still, at the doors and by the command."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from console.command.failing import Exit
from tests.console.command.conftest import foliohub
from tests.console.gateway.test_hostile_input import stays, two_tenants
from tests.console.gateway.world import world


def test_x_12_a_tenant_that_left(tmp_path: Path) -> None:
    """By its own key, in the zone of its property."""
    both = two_tenants()
    with world(tmp_path, settled=both) as made:
        stays(made, "U-1", "camp-dunes", "dunes")
        key = made.keys["dunes-operator"]
    tenants = {name: one for name, one in both.tenants.items() if name != "dunes"}
    properties = {name: one for name, one in both.properties.items() if one.tenant != "dunes"}
    with world(tmp_path, settled=msgspec.structs.replace(both, tenants=tenants, properties=properties)) as made:
        made.keys["left"] = key
        paths = ("/folios/U-1", "/journal?day=2026-05-01", "/balance-requests?property=camp-dunes")
        folio, day, asked = [made.get(path, "left") for path in paths]

    assert [one.status_code for one in (folio, day, asked)] == [200, 200, 200]
    assert (folio.json()["sums"]["balance"], day.json()["zone"], len(day.json()["transfers"])) == (14_000, "Europe/Paris", 2)
    assert [one["folio"] for one in asked.json()["balance_requests"]] == ["U-1"]
    at = ("--store", tmp_path / "hub.sqlite", "--tenant", "dunes", "--json")
    shown = foliohub("folios", "show", "U-1", *at)
    journal = foliohub("journal", "--day", "2026-05-01", *at)
    assert (shown.exit_code, journal.exit_code) == (Exit.DONE, Exit.DONE), shown.output + journal.output
    assert json.loads(shown.stdout)["sums"] == folio.json()["sums"]
    assert json.loads(journal.stdout)["transfers"] == day.json()["transfers"]
