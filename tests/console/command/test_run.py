"""`foliohub run` as a process: the sample day once and never twice, one hub a store, quick stops, kills that free the store."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

from console.command import sample_day as the
from tests.console.command.conftest import Running, SampleHub, bare, foliohub

BOOKING = {
    "specversion": "1.0", "id": "k-1", "source": "pms.thais", "type": "foliohub.booking.confirmed.v1", "tenant": "azur",
    "data": {"actor": {"kind": "system"}, "folio": "K-1", "property": "camp-azur", "currency": "EUR", "booked_at": "2026-05-01T10:00:00Z",
             "lines": [{"line": "1", "trade": "outdoor", "arrival": "2031-07-24", "price": 100, "terms": "outdoor/flexible"}]},
}  # fmt: skip


def decided(running: Running) -> list[str]:
    """The rows of the table."""
    return [line for line in running.lines if "│" in line]


def test_the_sample_day_shows_what_the_hub_is_for(sample_hub: SampleHub) -> None:
    """Early payment, repeats, channel, silence cleared up by a query, partial cancellation, no-show, refusal: all in the table."""
    table = "\n".join(" ".join(row.split()) for row in decided(sample_hub.running))

    for row in (
        "│ payment.received │ early: waits for its booking",
        "B-2001 │ booking.confirmed │ booking accepted, ordered │ 205.00 EUR │ X-8",
        "B-2001 │ booking.confirmed │ seen before: dropped",
        "CAMP-77 │ booking.changed │ booking accepted, ordered │ 360.00 EUR",
        "CAMP-77 │ cancellation.request │ quote: refund │ 360.00 EUR",
        "B-2001 │ cancellation.request │ quote: refund │ 60.00 EUR",
        "B-2001 │ the provider's answer │ provider silent: asked, not sent again │ 60.00 EUR",
        "B-2001 │ the provider's answer │ refund executed │ 60.00 EUR",
        "B-2001 │ the provider's callback │ seen before: dropped",
        "B-2004 │ cancellation.request │ quote: refund │ 100.00 EUR",
        "│ │ cancelled: kept │ 90.00 EUR",
        "B-9999 │ cancellation.request │ refused: unknown_folio",
    ):
        assert row in table, table


def test_the_provider_was_asked_once_for_each_refund(sample_hub: SampleHub) -> None:
    """The simulator's own books and the ledger say the same."""
    store = sample_hub.running.folder / "var" / "foliohub.sqlite"
    rows = json.loads(foliohub("effects", "list", "--all", "--json", "--store", store).stdout)

    assert sorted((row["state"], row["attempts"], row["minor"]) for row in rows) == [
        ("confirmed", 1, 6000), ("confirmed", 1, 10000), ("confirmed", 1, 36000)
    ]  # fmt: skip
    assert foliohub("ledger", "check", "--store", store).exit_code == 0


def test_the_keys_of_the_day_are_for_their_owner_only(sample_hub: SampleHub) -> None:
    assert (sample_hub.running.folder / "var" / "foliohub.sqlite.sample-keys").stat().st_mode & 0o777 == 0o600


def test_a_second_start_plays_nothing_and_is_quick(tmp_path: Path) -> None:
    """The same table from the store, ready in under 5 s, stopped in under 3 s; the simulator ends with it."""
    first = Running(tmp_path, "--sample-day", "--port", "0")
    first.ready()
    table, key = decided(first), first.until("Key ")
    status, took = first.stop()
    assert (status, took < 3) == (0, True), took

    second = Running(tmp_path, "--sample-day", "--port", "0")
    assert second.ready() < 5
    assert decided(second) == table
    assert second.until("Key ") == key
    assert not [line for line in second.lines if "through the real doors" in line]
    provider = json.loads((tmp_path / "var" / "foliohub-sample" / "ogone-script.json").read_text())
    assert provider == the.SCRIPT
    assert second.stop(signal.SIGINT)[0] == 0


def test_a_day_that_was_killed_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle: the simulator ends with its parent, the next start plays the rest, and nothing counts twice."""
    first = Running(tmp_path, "--sample-day", "--port", "0")
    first.until("a guest asks")
    first.process.kill()
    first.process.wait()
    second = Running(tmp_path, "--sample-day", "--port", "0")
    second.ready()
    store = tmp_path / "var" / "foliohub.sqlite"

    assert foliohub("ledger", "check", "--store", store).exit_code == 0
    assert foliohub("verify", "--store", store).exit_code == 0
    rows = json.loads(foliohub("effects", "list", "--all", "--json", "--store", store).stdout)
    assert sorted(row["minor"] for row in rows) == [6000, 10000, 36000]
    assert second.stop()[0] == 0


def test_a_second_hub_is_refused_and_a_killed_one_frees_the_store(tmp_path: Path) -> None:
    """One hub a file: exit 3 with what to do, also for one that is asked to play; then SIGKILL, and the next one has it."""
    first = Running(tmp_path, "--port", "0")
    first.ready()
    refused = Running(tmp_path, "--port", "0", "--sample-day")
    assert refused.process.wait(20) == 3
    assert "foliohub: store_taken:" in refused.log()
    assert f"another hub (process {first.process.pid}) runs on this store" in refused.log()
    first.process.kill()
    first.process.wait()

    third = Running(tmp_path, "--port", "0")
    assert third.ready() < 5
    assert third.stop()[0] == 0
    assert json.loads(third.log().splitlines()[-1]).items() >= {"event": "stopped", "by": "SIGTERM"}.items()


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    """202 means durable."""
    first = Running(tmp_path, "--port", "0")
    first.ready()
    key = foliohub("keys", "add", "--store", tmp_path / "var" / "foliohub.sqlite").stdout.strip()
    answer = requests.post(
        f"{first.address}/messages", json=BOOKING, timeout=10,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"},
    )  # fmt: skip
    first.process.kill()
    first.process.wait()
    assert answer.status_code == 202

    second = Running(tmp_path, "--port", "0")
    second.ready()
    found = json.loads(foliohub("explain", "K-1", "--json", "--store", tmp_path / "var" / "foliohub.sqlite").stdout)
    assert found["sums"] == {"ordered": 100, "collected": 0, "balance": 100}
    assert second.stop()[0] == 0


def test_payouts_stop_while_the_hub_hangs(tmp_path: Path) -> None:
    """SIGSTOP: the switch is set in the store all the same, and the message that says who is decided when the hub goes on."""
    running = Running(tmp_path, "--port", "0")
    running.ready()
    store = tmp_path / "var" / "foliohub.sqlite"
    running.process.send_signal(signal.SIGSTOP)
    ran = foliohub("payouts", "stop", "--by", "olga", "--reason", "odd", "--wait", "0", "--json", "--store", store)
    (switch,) = json.loads(foliohub("payouts", "status", "--json", "--store", store).stdout)
    said = json.loads(ran.stdout)
    running.process.send_signal(signal.SIGCONT)

    assert (ran.exit_code, said["hub"], said["outcomes"]) == (0, True, None)
    assert (switch["stopped"], switch["by"], switch["reason"]) == (True, "operator:olga", "odd")
    until = time.monotonic() + 10
    decisions: list[dict[str, object]] = []
    while not decisions and time.monotonic() < until:
        decisions = json.loads(foliohub("explain", said["message"], "--json", "--store", store).stdout)["decisions"]
        time.sleep(0.1)
    assert [one["result"] for one in decisions] == ["decided"]
    assert running.stop()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        pytest.param(("--config", "nowhere"), 2, "missing_file", id="no configuration"),
        pytest.param(("--port", "99999"), 2, "--port", id="no such port"),
    ],
)
def test_what_cannot_start_says_so(tmp_path: Path, arguments: tuple[str, ...], status: int, word: str) -> None:
    running = Running(tmp_path, *arguments)

    assert running.process.wait(20) == status
    assert word in running.log()
    assert "Traceback" not in running.log()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """Said before anything else starts; the store is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = Running(tmp_path, "--port", str(taken.getsockname()[1]))
        assert running.process.wait(20) == 3
    assert "address_taken" in running.log()

    again = Running(tmp_path, "--port", "0")
    again.ready()
    assert again.stop()[0] == 0


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder where the store should be is no store."""
    (tmp_path / "store").mkdir()
    ran = subprocess.run(
        [str(Path(bare(tmp_path)["PATH"].split(":")[0]) / "foliohub"), "run", "--port", "0", "--store", "store"],
        cwd=tmp_path, env=bare(tmp_path), capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip

    assert ran.returncode == 3
    assert ran.stderr.startswith("foliohub: store_away:")
    assert ran.stderr.count("\n") == 1
