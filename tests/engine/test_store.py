"""What the store itself holds: one hub a file, immutable transfers, no refund above what was captured, one row a business refund."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from engine.store.contract import Constraint, StoreTaken
from engine.store.shelf import Shelf
from engine.store.sqlite.database import Database
from engine.store.statements import marks
from engine.vault import Vault, master_key
from schemas.errors import HubError
from tests.engine.sandbox import Sandbox, arrival, booking

HOLD = """
import sys, time
from engine.store.sqlite.database import Database
database = Database(sys.argv[1])
with database.write() as connection:
    connection.execute("INSERT INTO meta VALUES ('half', 'done')")
    print("holds", flush=True)
    time.sleep(60)
"""


def test_a_second_hub_on_the_same_file_is_refused(tmp_path: Path) -> None:
    """With a message that says who has it; closed, the file is free."""
    path = str(tmp_path / "hub.sqlite")
    first = Database(path)

    with pytest.raises(StoreTaken, match=str(os.getpid())):
        Database(path)

    first.close()
    Database(path).close()


def test_a_killed_hub_frees_the_file_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    """SIGKILL inside a transaction."""
    path = str(tmp_path / "hub.sqlite")
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holds\n"
        with pytest.raises(StoreTaken, match=str(other.pid)):
            Database(path)
        other.send_signal(signal.SIGKILL)
        other.wait()

    database = Database(path)

    with database.read() as connection:
        assert connection.execute("SELECT * FROM meta WHERE name = 'half'").fetchall() == []
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE transfer_row SET minor = 1", "never changed"),
        ("DELETE FROM transfer_row", "never deleted"),
        ("INSERT INTO transfer_row VALUES (NULL, 'ordered', '', 'a', 'b', 0, 'EUR')", "CHECK"),
        ("INSERT INTO transfer_row VALUES (NULL, 'ordered', '', 'a', 'a', 1, 'EUR')", "CHECK"),
        ("UPDATE payment_total SET given_back = captured + 1", "CHECK"),
        ("INSERT INTO refund_part SELECT tenant, folio, payment, number, 'another', minor FROM refund_part", "UNIQUE"),
        ("INSERT INTO refund_part SELECT tenant, folio, payment, number + 1, refund, minor FROM refund_part", "UNIQUE"),
        (
            "INSERT INTO provider_record SELECT merchant, reference, '9', provider, kind, result, status, minor, currency, owner, seen_at"
            " FROM provider_record WHERE owner LIKE 'effect:%'",
            "UNIQUE",
        ),
    ],
)
def test_x_3_x_4_the_database_refuses(statement: str, why: str) -> None:
    """Whatever a decision says."""
    box = Sandbox()
    box.paid()
    box.cancel()
    assert box.rows("SELECT 1 FROM refund_part")

    with pytest.raises(Constraint, match=why), box.hub.database.write() as connection:
        connection.execute(statement)


def test_x_3_one_row_for_one_business_refund() -> None:
    """A second effect under the same business key is refused."""
    box = Sandbox()
    box.paid()
    box.cancel()
    another = {**box.effect(), "id": "another"}

    with pytest.raises(Constraint, match="UNIQUE"), box.hub.database.write() as connection:
        connection.execute(f"INSERT INTO effect ({', '.join(another)}) VALUES ({marks(len(another))})", tuple(another.values()))


def test_x_11_what_is_personal_is_sealed_before_it_is_stored(tmp_path: Path) -> None:
    """Not in the file, readable with the key, and gone with it; everything else stays exact."""
    box = Sandbox(store=Database(str(tmp_path / "hub.sqlite")))
    guest = {"name": "Zoé Exemple", "email": "zoe@example.org", "person": "G-1"}
    box.say("booking.confirmed", booking(guest=guest))
    before = box.folio()
    sealed = _guest(box)["name"]

    assert sealed.startswith("sealed:")
    assert box.hub.vault.open("azur", "G-1", sealed) == "Zoé Exemple"
    for file in tmp_path.iterdir():
        assert b"zoe@example.org" not in file.read_bytes()

    box.say("person.forget", {"subject": "G-1"}, actor="operator")

    assert None is box.hub.vault.open("azur", "G-1", sealed)
    assert before == box.folio()
    box.say("booking.changed", booking(guest=guest, revision=2))
    again = _guest(box)["name"]
    box.hub.close()
    reopened = Database(str(tmp_path / "hub.sqlite"))
    vault = Vault(b"a master key of 32 bytes, public", Shelf(reopened))
    assert vault.open("azur", "G-1", again) == "Zoé Exemple"
    assert None is vault.open("azur", "G-1", sealed)
    reopened.close()


def _guest(box: Sandbox) -> dict[str, str]:
    found: dict[str, str] = msgspec.json.decode(box.rows("SELECT body FROM intake ORDER BY seq DESC")[0]["body"]).get("guest", {})
    if not found:
        found = msgspec.json.decode(box.rows("SELECT body FROM intake WHERE name LIKE 'booking%' ORDER BY seq DESC")[0]["body"])[
            "guest"
        ]
    return found


def test_a_wrong_master_key_is_said(tmp_path: Path) -> None:
    """Not silence, not rubbish."""
    box = Sandbox()
    box.say("booking.confirmed", booking(guest={"name": "Zoé", "person": "G-1"}))
    other = Vault(b"another key of 32 bytes, public!", Shelf(box.hub.database))

    with pytest.raises(HubError) as wrong:
        other.open("azur", "G-1", _guest(box)["name"])
    assert wrong.value.code == "master_key_wrong"

    (tmp_path / "hub.sqlite.key").write_text("not hex\n")
    with pytest.raises(HubError) as unreadable:
        master_key(str(tmp_path / "hub.sqlite"), Shelf(Database(":memory:")))
    assert unreadable.value.code == "master_key_wrong"


def test_the_master_key_is_its_owners_alone(tmp_path: Path) -> None:
    """Made once, mode 0600, the same ever after."""
    store, shelf = str(tmp_path / "hub.sqlite"), Shelf(Database(":memory:"))

    first, second = master_key(store, shelf), master_key(store, shelf)

    assert first == second
    assert (tmp_path / "hub.sqlite.key").stat().st_mode & 0o777 == 0o600


def test_many_doors_share_a_commit() -> None:
    """Threads at the door: every message once, every receipt its own, fewer commits than callers when they come together."""
    box = Sandbox()
    receipts: dict[str, str] = {}
    barrier = threading.Barrier(16)

    def knock(caller: int) -> None:
        barrier.wait()
        for number in range(20):
            id_ = f"{caller}-{number}"
            data = {"folio": f"B-{caller}", "payment": id_, "amount": 1, "currency": "EUR", "tender": "cash"}
            (receipt,) = box.hub.intake.append([arrival(id_, "payment.received", data)])
            receipts[id_] = receipt.id

    threads = [threading.Thread(target=knock, args=(caller,)) for caller in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(receipts) == 320
    assert all(id_ == receipt for id_, receipt in receipts.items())
    assert list(range(320)) == [row["offset"] for row in box.rows("SELECT offset FROM intake ORDER BY seq")]
    for caller in range(16):
        ids = [row["id"] for row in box.rows("SELECT id FROM intake WHERE key = ? ORDER BY seq", f"B-{caller}")]
        assert [f"{caller}-{number}" for number in range(20)] == ids


class Between(Database):
    """A store that lets something happen just before the next write."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.first: Callable[[], None] | None = None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        first, self.first = self.first, None
        if first is not None:
            first()
        with super().write() as connection:
            yield connection


def test_a_timer_waits_for_what_is_still_on_its_way_in() -> None:
    """A message stamped before a timer's instant and stored after it is decided first, though the lanes ran in between."""
    store = Between()
    box = Sandbox(store=store)
    box.paid()
    box.say("cancellation.request", {"folio": "B-1", "request": "C"}, actor="guest")
    box.wait(1_799)
    ran: list[int] = []

    def late() -> None:
        box.wait(2)
        ran.append(box.hub.run_lanes().decided)

    store.first = late
    box.append(arrival("yes", "cancellation.confirm", {"folio": "B-1", "request": "C"}, actor="guest"))

    outcomes = [row.name for row in box.hub.drain()]

    assert ran == [0]
    assert "cancellation.confirmed" in outcomes
