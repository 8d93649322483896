"""A thread that carries a request is stopped after the `sending` mark until its lease is over, while the hub goes on and asks; then it is
let go. One request at most comes to the provider, and what the thread brings is evidence, never a second send.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.kills.checks import wrongs
from tests.kills.folios import Stay
from tests.kills.forker import Forker
from tests.kills.play import settle_by_hand
from tests.kills.stage import OPEN, Stage
from tests.services.amqp_tools import wait_until

PRICE = 10_001


class Late(NamedTuple):
    """Where the thread stands; what the hub makes of the request while it sleeps; how many requests came to the provider in the end, and
    what became of it before a person looked."""

    point: str
    meanwhile: str
    asked: int
    state: str


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(Late("send", "unknown", 0, "needs_person"), id="before the connection, while it is asked about"),
        pytest.param(Late("send", "needs_person", 0, "needs_person"), id="before the connection, when nobody asks any more"),
        pytest.param(Late("connected", "needs_person", 0, "needs_person"), id="connected: the deadline has shut the socket"),
        pytest.param(Late("half", "needs_person", 0, "needs_person"), id="half written: the deadline has shut the socket"),
        pytest.param(Late("written", "confirmed", 1, "confirmed"), id="written: a query has found it meanwhile"),
        pytest.param(Late("answered", "confirmed", 1, "confirmed"), id="answered: a query has found it meanwhile"),
    ],
)
def test_a_sender_that_sleeps_past_its_lease(late: Late, tmp_path: Path) -> None:
    """The same process doubts the request and asks on; the thread's own word comes late, and is no second one."""
    with Forker() as forker, Stage(tmp_path / "late", forker) as stage:
        stage.start(late.point)
        stage.ready()
        stay = Stay(stage, "late.1", (PRICE,), over="http")
        stay.start()
        assert stage.control is not None
        assert stage.control.stands(20)
        assert _effect(stage)["state"] == "sending"
        wait_until(lambda: _effect(stage)["state"] == late.meanwhile, f"the lease is over and it is {late.meanwhile}")
        assert not {"send", "late"} & set(_acts(stage))

        stage.control.go()

        wait_until(lambda: "late" in _acts(stage), "what the thread brings is kept")
        stay.join(20)
        wait_until(lambda: _effect(stage)["state"] == late.state, f"it ends {late.state}")
        _settled(stage)
        assert (_acts(stage).count("late"), "send" in _acts(stage)) == (1, False)
        assert (_effect(stage)["attempts"], _whole_requests(stage)) == (1, late.asked)
        settle_by_hand(stage)
        wait_until(lambda: _effect(stage)["state"] != "needs_person", "a person has looked")
        _settled(stage)
        found, sums = wrongs(stage, [stay], [])
        assert found == []
        assert sums.provider == PRICE * late.asked


def _settled(stage: Stage) -> None:
    """Nothing is left to be asked or told."""
    left = f"SELECT 1 FROM effect WHERE {OPEN} UNION ALL SELECT 1 FROM payment_query UNION ALL SELECT 1 FROM internal WHERE decision = 0"
    told = "SELECT 1 FROM callbacks WHERE state = 'waiting'"
    wait_until(lambda: not (stage.rows(left) or stage.provider_rows(told) or stage.rows(left)), "everything is settled")


def _effect(stage: Stage) -> dict[str, Any]:
    (effect,) = stage.rows("SELECT * FROM effect")
    return effect


def _acts(stage: Stage) -> list[str]:
    return [str(row["act"]) for row in stage.rows("SELECT act FROM evidence ORDER BY seq")]


def _whole_requests(stage: Stage) -> int:
    """What came to the provider, but for what was cut short."""
    rows = stage.provider_rows("SELECT fields FROM requests WHERE endpoint = 'maintenance'")
    return sum("AMOUNT" in json.loads(row["fields"]) for row in rows)
