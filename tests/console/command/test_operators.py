"""Operators' words and looks, on a store with everything in it: said by the command, decided by a hub, told on the terminal."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from console.gateway.server import Gateway
from engine.keys import DoorKeys
from engine.store.reading import Reading
from engine.store.sqlite import database
from engine.verify import verify
from tests.console.command.conftest import foliohub
from tests.engine.campsite import HOUSE, Campsite, asked, booking, configuration, event, payment

NAMED = configuration("camp-azur/2", approval_above=15_000)


@pytest.fixture
def camp(tmp_path: Path) -> Iterator[Campsite]:
    """A hub by hand: it decides when the test says so."""
    made = Campsite(tmp_path / "camp.sqlite", NAMED)
    yield made
    made.close()


@contextmanager
def running(camp: Campsite) -> Iterator[None]:
    """The hub decides by itself meanwhile, as a serving one does."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            camp.hub.drain()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def on(camp: Campsite, *arguments: object, **more: Any) -> tuple[int, str]:
    ran = foliohub(*arguments, "--store", camp.hub.database.path, **more)
    return ran.exit_code, ran.output


def parsed(camp: Campsite, *arguments: object) -> Any:
    status, output = on(camp, *arguments, "--json")
    assert status == 0, output
    return json.loads(output)


def a_refund_that_waits(camp: Campsite) -> str:
    """Above what one person may pay out."""
    camp.send(booking("F"))
    camp.send(payment("F", "3006"))
    camp.send(asked("F", confirm=True, actor=HOUSE, cause="owner"))
    return str(camp.one("SELECT id FROM effect WHERE folio = 'F'"))


def test_x_27_a_second_person_approves(camp: Campsite) -> None:
    effect = a_refund_that_waits(camp)
    (waiting,) = parsed(camp, "approvals", "list")
    assert (waiting["id"], waiting["minor"], waiting["folio"]) == (effect, 20_000, "F")
    assert "200.00 EUR" in on(camp, "approvals", "list")[1]

    with running(camp):
        status, output = on(camp, "approvals", "grant", effect, "--by", "olga", "--reason", "seen")
    assert status == 0, output
    assert output.startswith("approval.granted: ")
    assert parsed(camp, "approvals", "list") == []
    assert parsed(camp, "effects", "list", "--folio", "F")[0]["state"] == "confirmed"


def test_x_27_a_second_person_says_no(camp: Campsite) -> None:
    effect = a_refund_that_waits(camp)
    with running(camp):
        status, output = on(camp, "approvals", "deny", effect, "--by", "olga", "--reason", "fraud")
        again = on(camp, "approvals", "grant", effect, "--by", "paul")

    assert status == 0, output
    assert "approval.denied" in output
    assert again[0] == 1
    assert "approval.refused" in again[1]
    assert parsed(camp, "effects", "list", "--state", "refused")[0]["id"] == effect


def test_s4_46_what_waits_in_a_folio_is_listed_and_granted_like_a_payout(tmp_path: Path) -> None:
    """A voucher's bonus that is more than one person may give; its name alone says whose it is. The command stamps what it sends by the
    clock on the wall: it is asked for today, or it had lapsed by then."""
    camp = Campsite(tmp_path / "camp.sqlite", configuration("camp-azur/2", override_above=1_000))
    camp.send(booking("F"))
    camp.send(payment("F", "3006"))
    camp.until(datetime.now(UTC).isoformat())
    chosen = {"value_rule": "percent_of_collected", "value_percent": "120 %"}
    camp.send(event("bonus", "booking.cancel_with_voucher", {"actor": HOUSE, "folio": "F", **chosen}, "desk"))
    (waiting,) = parsed(camp, "approvals", "list")
    assert (waiting["kind"], waiting["minor"], waiting["folio"], waiting["tenant"]) == ("voucher_bonus", 4_000, "F", "azur")
    assert "40.00 EUR" in on(camp, "approvals", "list")[1]

    with running(camp):
        status, output = on(camp, "approvals", "grant", waiting["id"], "--by", "olga", "--reason", "seen")
    assert status == 0, output
    assert "voucher.issued: folio=F" in output
    assert parsed(camp, "approvals", "list") == []
    assert verify(camp.hub.database).agrees
    camp.close()


def test_without_a_hub_a_word_waits_for_the_next_start(tmp_path: Path) -> None:
    """It is a message (X-15), and durable when the command ends."""
    camp = Campsite(tmp_path / "camp.sqlite", NAMED)
    effect = a_refund_that_waits(camp)
    camp.close()
    ran = foliohub("approvals", "grant", effect, "--by", "olga", "--store", tmp_path / "camp.sqlite")
    assert ran.exit_code == 0
    assert "no hub runs on this store: it is carried out at the next start" in ran.output

    camp = Campsite(tmp_path / "camp.sqlite", NAMED)
    camp.settle()
    assert camp.one("SELECT needs_approval FROM effect WHERE id = ?", effect) == 0
    camp.close()


def test_a_person_settles_what_the_provider_never_told(camp: Campsite) -> None:
    """`needs_person`, then the word; a second word about it is refused."""
    camp.send(booking("B"))
    camp.send(payment("B", "3002"))
    camp.until("2026-07-21T08:00:00+00:00")
    camp.send(asked("B", confirm=True))
    camp.until("2026-07-23T08:00:00+00:00")
    (open_,) = parsed(camp, "effects", "list")
    assert open_["state"] == "needs_person"
    told = on(camp, "effects", "show", open_["id"])[1]
    assert "send: unknown silence" in told
    assert "provider shows 3002/0: capture 200.00 EUR" in told

    with running(camp):
        status, output = on(camp, "effects", "settle", open_["id"], "confirmed", "--reason", "back office", "--record", "3002/9")
        again = on(camp, "effects", "settle", open_["id"], "refused", "--reason", "no")
    assert status == 0, output
    assert "refund.executed" in output
    assert again[0] == 1, again[1]
    assert parsed(camp, "ledger", "check")["true"]
    assert parsed(camp, "verify")["agrees"]


def test_x_27_payouts_stopped_and_started(camp: Campsite) -> None:
    """Nothing is sent from the moment on at which the command has ended."""
    camp.send(booking("A"))
    camp.send(payment("C", "3003"))
    camp.send(booking("C"))
    assert on(camp, "payouts", "stop", "--by", "olga", "--reason", "odd", "--wait", "0")[0] == 0
    camp.until("2026-07-21T08:00:00+00:00")
    camp.send(asked("C", confirm=True))

    (status,) = parsed(camp, "payouts", "status")
    assert (status["stopped"], status["waiting"], status["reason"]) == (True, 1, "odd")
    assert camp.one("SELECT attempts FROM effect") == 0
    assert on(camp, "payouts", "start", "--by", "olga", "--wait", "0")[0] == 0
    camp.until("2026-07-21T09:00:00+00:00")
    assert parsed(camp, "effects", "list", "--all")[0]["state"] == "confirmed"
    assert parsed(camp, "payouts", "status")[0]["stopped"] is False
    names = [row["name"] for row in camp.hub.reading.rows("SELECT name FROM outbox WHERE name LIKE 'payouts.%' ORDER BY seq")]
    assert names == ["payouts.stopped", "payouts.started"]


def stopped_at(path: Path) -> list[bool]:
    return [one["stopped"] for one in json.loads(foliohub("payouts", "status", "--store", path, "--json").stdout)]


def test_x_27_without_a_hub_the_switch_is_set_all_the_same(tmp_path: Path) -> None:
    """Only its record waits for the next start."""
    path = tmp_path / "camp.sqlite"
    Campsite(path, NAMED).close()
    stop = foliohub("payouts", "stop", "--by", "olga", "--reason", "odd", "--store", path)
    assert "payouts are stopped from now on, the record of it is made at the next start" in stop.output
    assert stopped_at(path) == [True]

    start = foliohub("payouts", "start", "--by", "olga", "--store", path)
    assert "payouts go out again, the record of it is made at the next start" in start.output
    assert stopped_at(path) == [False]


def test_x_27_a_store_that_somebody_holds(camp: Campsite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process to end is named: while it holds the file, no payout is sent either."""
    monkeypatch.setattr(database, "_PRAGMAS", (*database._PRAGMAS, "PRAGMA busy_timeout=10"))
    with camp.hub.database.write():
        status, output = on(camp, "payouts", "stop", "--by", "olga")

    assert (status, f"process {os.getpid()} holds " in output, "End it" in output) == (3, True, True), output
    assert stopped_at(Path(camp.hub.database.path)) == [False]


def test_x_27_a_full_disk_is_nobodys_fault(camp: Campsite, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is to be ended for it; it is said whether the switch is set."""
    path = Path(camp.hub.database.path)
    reason = "odd " * 5_000  # more than one page
    pages = int(camp.one("PRAGMA page_count"))
    monkeypatch.setattr(database, "_PRAGMAS", (*database._PRAGMAS, f"PRAGMA max_page_count={pages}"))
    status, output = on(camp, "payouts", "stop", "--by", "olga", "--reason", reason)

    assert status == 3, output
    assert output.startswith("foliohub: store_away: the switch is not set, say this again: ")
    assert ("disk is full" in output, "End it" in output, "holds" in output) == (True, False, False)
    assert stopped_at(path) == [False]


def test_x_27_a_disk_that_is_full_between_the_switch_and_its_record(camp: Campsite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch holds; what is missing is said. The switch has its page already, the intake soon wants a new one."""
    said = ("payouts", "stop", "--by", "olga", "--reason", "odd " * 100, "--wait", "0")
    assert on(camp, *said)[0] == 0
    pages = int(camp.one("PRAGMA page_count"))
    monkeypatch.setattr(database, "_PRAGMAS", (*database._PRAGMAS, f"PRAGMA max_page_count={pages}"))
    status, output = next(ran for ran in (on(camp, *said) for _ in range(100)) if ran[0])

    assert (status, "payouts are stopped from now on, but who said so and why is not on record" in output) == (3, True), output
    assert stopped_at(Path(camp.hub.database.path)) == [True]


def test_x_11_a_person_is_forgotten(camp: Campsite) -> None:
    """Explain says so, everything else stays, verify agrees."""
    camp.send(booking("A"))
    assert "Guest Of A" in on(camp, "explain", "A", "--personal")[1]
    with running(camp):
        status, output = on(camp, "forget", "p-A", "--by", "olga", "--reason", "asked")
    assert status == 0, output
    assert "person.forgotten: " in output

    shown = on(camp, "explain", "A", "--personal")[1]
    assert "Guest Of A" not in shown
    assert "(forgotten)" in shown
    assert parsed(camp, "verify")["agrees"]
    assert b"Guest Of A" not in Path(camp.hub.database.path).read_bytes()


def test_dead_letters(camp: Campsite) -> None:
    """Listed, shown sealed and opened, refused a replay, discarded once."""
    camp.send(b'{"specversion": "1.0", "tenant": "azur", "secret": "of the guest"')
    (letter,) = parsed(camp, "dead-letters", "list")
    assert (letter["why"], letter["status"], letter["door"]) == ("undecodable", "open", "test")

    sealed = parsed(camp, "dead-letters", "show", letter["id"])
    opened = parsed(camp, "dead-letters", "show", letter["id"], "--personal")
    assert "sealed" in sealed["body"]
    assert "of the guest" in opened["body"]
    with running(camp):
        replayed = on(camp, "dead-letters", "replay", letter["id"])
        discarded = on(camp, "dead-letters", "discard", letter["id"], "--reason", "told")
        again = on(camp, "dead-letters", "discard", letter["id"])
    assert (replayed[0], "not_replayable" in replayed[1]) == (1, True)
    assert (discarded[0], "done" in discarded[1]) == (0, True), discarded
    assert (again[0], "dead_letter_closed" in again[1]) == (1, True)
    assert parsed(camp, "dead-letters", "list") == []
    assert [one["status"] for one in parsed(camp, "dead-letters", "list", "--all")] == ["discarded"]


def test_the_same_words_through_a_gateway(camp: Campsite) -> None:
    """`--url` and an operator's key; another key may not."""
    effect = a_refund_that_waits(camp)
    keys = DoorKeys(camp.hub.database)
    operator, sender = keys.add("azur", "operator")[1], keys.add("azur", "messages")[1]
    with Gateway(camp.hub, host="127.0.0.1", port=0) as gateway, running(camp):
        refused = foliohub("approvals", "grant", effect, "--url", gateway.address, "--key", sender)
        granted = foliohub("approvals", "grant", effect, "--by", "olga", "--url", gateway.address, "--key", operator, "--json")

    assert refused.exit_code == 2
    assert "forbidden_type" in refused.output
    assert granted.exit_code == 0, granted.output
    assert json.loads(granted.stdout)["outcomes"][0]["type"] == "foliohub.approval.granted.v1"


def test_keys(camp: Campsite) -> None:
    """Printed once, listed without themselves, revoked."""
    made = parsed(camp, "keys", "add", "--scope", "read", "--label", "dashboard")
    (listed,) = parsed(camp, "keys", "list")

    assert made["key"].startswith(f"fhk_{made['id']}_")
    assert made["key"] not in json.dumps(listed)
    assert (listed["scope"], listed["label"], listed["tenant"], listed["revoked_at"]) == ("read", "dashboard", "azur", "")
    assert DoorKeys(camp.hub.database).check(made["key"]) is not None
    assert on(camp, "keys", "revoke", made["id"])[0] == 0
    assert DoorKeys(camp.hub.database).check(made["key"]) is None
    assert on(camp, "keys", "revoke", made["id"])[0] == 2


def test_a_channels_key_is_for_a_channel_that_is_there(camp: Campsite) -> None:
    """A misspelt one would open nothing, and nobody would know why."""
    status, output = on(camp, "keys", "add", "--scope", "channel:dmeo")
    assert (status, "unknown_channel: tenant 'azur' has no channel 'dmeo'" in output, "it has demo" in output) == (2, True, True), (
        output
    )
    assert parsed(camp, "keys", "list") == []
    assert parsed(camp, "keys", "add", "--scope", "channel:demo")["scope"] == "channel:demo"


def test_a_planted_falsehood_ends_with_1(camp: Campsite) -> None:
    """`verify` and `ledger check` print where, as a table and as JSON."""
    camp.send(booking("A"))
    with camp.hub.database.write() as connection:
        connection.execute("DROP TRIGGER transfer_is_immutable")
        connection.execute("UPDATE transfer_row SET minor = minor + 1 WHERE seq = (SELECT min(seq) FROM transfer_row)")

    status, output = on(camp, "verify")
    assert (status, "DOES NOT AGREE" in output, "decision=1 seq=1" in output) == (1, True, True), output
    status, output = on(camp, "verify", "--json")
    assert (status, json.loads(output)["differences"][0]["field"]) == (1, "minor")
    status, output = on(camp, "ledger", "check")
    assert (status, "NOT TRUE" in output, "guest:A" in output) == (1, True, True), output
    assert on(camp, "ledger", "balance", "guest:nobody")[0] == 1


def test_a_tenant_must_be_known(camp: Campsite) -> None:
    status, output = on(camp, "payouts", "stop", "--tenant", "nobody")

    assert (status, "unknown_tenant" in output) == (2, True)


def test_every_word_says_who(camp: Campsite) -> None:
    """X-15: the login name where no other is given."""
    assert on(camp, "forget", "p-X", "--wait", "0", env={"USER": "ulla"})[0] == 0
    camp.settle()
    reading = Reading(camp.hub.database)
    assert b'"id":"ulla"' in reading.rows("SELECT body FROM intake WHERE name = 'person.forget'")[0]["body"]
