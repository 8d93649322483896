"""/health, /ready, /metrics, /schema; starting, stopping, and a store that is away."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from console.gateway.server import Gateway
from schemas.errors import HubError
from tests.console.gateway.world import World, event, world


def test_health_and_ready(hub: World) -> None:
    """Both without a key."""
    assert hub.get("/health", "").json() == {"status": "alive"}
    got = hub.get("/ready", "")
    assert (got.status_code, got.json()) == (200, {"status": "ready", "problems": {}})


def test_not_ready_before_the_lanes_run(tmp_path: Path) -> None:
    with world(tmp_path, start_lanes=False) as quiet:
        got = quiet.get("/ready", "")

    assert (got.status_code, got.json()["problems"]) == (503, {"lanes": "not started"})


def test_metrics_are_prometheus(hub: World) -> None:
    """Counters of the doors, and what stands in the store."""
    hub.send(event("S-1"))
    hub.get("/nothing-of-the-kind")
    text = hub.get("/metrics", "").text

    assert 'foliohub_arrivals_total{taken="accepted"}' in text
    assert "foliohub_messages_waiting 0.0" in text
    assert 'foliohub_unsettled{what="dead_letters"}' in text
    assert 'route="/messages",status="200"' in text
    assert "nothing-of-the-kind" not in text


def test_openapi_names_every_door(hub: World) -> None:
    got = hub.get("/schema/openapi.json", "")

    assert got.status_code == 200
    schema = got.json()
    assert set(schema["paths"]) == {
        "/messages", "/folios/{folio}", "/outcomes", "/journal",
        "/balance-requests", "/balance-requests/{balance_request}/payment", "/vouchers",
        "/channels/{channel}/ota",
        "/psp/ogone/{merchant}", "/health", "/ready", "/metrics",
    }  # fmt: skip
    post = schema["paths"]["/messages"]["post"]
    assert set(post["requestBody"]["content"]) == {
        "application/cloudevents+json", "application/cloudevents-batch+json", "application/json",
    }  # fmt: skip
    assert {"200", "202", "400", "401", "403", "409", "413", "503"} <= set(post["responses"])
    assert [one["name"] for one in schema["paths"]["/messages"]["get"]["parameters"]] == ["source", "id"]


def test_a_store_that_is_away_closes_the_door_and_opens_it_again(tmp_path: Path) -> None:
    """503, nothing taken; when the disk is back the hub goes on by itself and the same message is accepted once."""
    with world(tmp_path) as hub:
        assert hub.send(event("S-2")).status_code == 200
        hub.hub.database._writer.execute("PRAGMA busy_timeout=50")
        with closing(sqlite3.connect(hub.hub.database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # somebody holds the file: the same as a disk that does not take a byte
            got = hub.send(event("S-3"), wait="")
            assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "store_away", "2")
            assert hub.get("/ready", "").status_code == 503
            assert hub.get("/health", "").status_code == 200
            other.execute("ROLLBACK")
        assert hub.send(event("S-3")).json()["taken"] == "accepted"
        for _ in range(300):
            if hub.get("/ready", "").status_code == 200:
                break
            time.sleep(0.01)
        assert hub.get("/ready", "").json()["problems"] == {}


def test_a_taken_port_is_a_clear_error(hub: World) -> None:
    with pytest.raises(HubError) as refused:
        Gateway(hub.hub, hub.serving, port=hub.gateway.port)

    assert refused.value.code == "address_taken"
    assert str(hub.gateway.port) in refused.value.message


def test_it_stops_while_callers_wait(tmp_path: Path) -> None:
    """Who waits is answered 202, the port is free, within three seconds."""
    with world(tmp_path, start_lanes=False) as quiet:
        told: list[int] = []
        caller = threading.Thread(target=lambda: told.append(quiet.send(event("S-4"), wait="20s").status_code))
        caller.start()
        while quiet.hub.reading.rows("SELECT count(*) AS n FROM intake")[0]["n"] == 0:
            time.sleep(0.01)
        time.sleep(0.1)
        begun = time.monotonic()
        quiet.gateway.stop()
        took_s = time.monotonic() - begun
        caller.join(5)

        assert (told, quiet.gateway.alive()) == ([202], False)
        assert took_s < 3
        with Gateway(quiet.hub, quiet.serving, port=quiet.gateway.port):
            pass
