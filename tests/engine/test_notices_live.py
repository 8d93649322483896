"""Notices by threads and processes: a live hub, senders that are killed, several on one database, stores that move."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.clock import ManualClock
from engine.hub import Hub
from engine.moving import move
from engine.notices import NoticeRunner
from engine.post import post_of
from engine.serving import Serving
from engine.store.contract import StoreAway
from engine.store.opening import notices_of, open_store
from engine.store.postgresql.database import Database
from engine.verify import verify
from schemas.notice import NoticeKind
from tests.engine.sandbox import MASTER, Sandbox, arrival, booking
from tests.engine.test_notices import GUEST, configured
from tests.services.mail import MailServer

ROOT = Path(__file__).parents[2]


@contextmanager
def mail_server(*script: str) -> Iterator[MailServer]:
    """One that listens."""
    server = MailServer(*script)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def until(true: Callable[[], object], most_s: float = 20.0) -> None:
    """Wait for it."""
    end = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


# -- threads -------------------------------------------------------------------------------------------------------------------


@contextmanager
def served(folder: Path, port: int, **mail: Any) -> Iterator[tuple[Hub, Serving]]:
    """A hub with its threads, on a clock that stands still."""
    configuration = configured(port, **mail)
    clock = ManualClock(1_780_000_000_000_000)
    hub = Hub(configuration, str(folder / "hub.sqlite"), {}, clock=clock, master=MASTER, post=post_of(configuration, {}))
    serving = Serving(hub, {})
    serving.start()
    try:
        yield hub, serving
    finally:
        serving.stop()
        hub.close()


def test_a_live_hub_sends_what_was_decided(tmp_path: Path) -> None:
    """Woken by the decision, by as many threads as there are connections; its folio is told, and the hub stays ready."""
    with mail_server() as server, served(tmp_path, server.port, connections=3) as (hub, serving):
        hub.intake.append([arrival(f"m-{n}", "booking.confirmed", booking(f"B-{n}", guest=GUEST)) for n in range(9)])
        until(lambda: len(server.mails()) == 9)
        until(lambda: len(hub.reading.rows("SELECT 1 FROM outbox WHERE name = 'notice.sent'")) == 9)

        assert serving.problems() == {}
        assert {mail["X-Foliohub-Folio"] for mail in server.mails()} == {f"B-{n}" for n in range(9)}
        assert len({thread.name for thread in threading.enumerate() if thread.name.startswith("mail ")}) == 3


def test_a_mail_server_that_is_away_makes_no_hub_unready(tmp_path: Path) -> None:
    """What is to be sent waits; everything else goes on, and it stops in time."""
    with served(tmp_path, 1) as (hub, serving):
        hub.intake.append([arrival("m-1", "booking.confirmed", booking(guest=GUEST))])
        until(lambda: hub.reading.rows("SELECT 1 FROM notice WHERE tries = 1 AND state = 'planned'"))
        assert serving.problems() == {}
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_what_the_server_said_is_kept_while_the_store_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail is not sent again for want of a place to write that it was."""
    with mail_server() as server, served(tmp_path, server.port, connections=1) as (hub, _):
        runner = hub.notices
        assert runner is not None
        settle, refused = runner.settle, []

        def away(*said: Any) -> None:
            if len(refused) < 2:
                refused.append(said)
                raise StoreAway("the disk is full")
            settle(*said)

        monkeypatch.setattr(runner, "settle", away)
        hub.intake.append([arrival("m-1", "booking.confirmed", booking(guest=GUEST))])
        until(lambda: hub.reading.rows("SELECT 1 FROM notice WHERE state = 'sent'"))

        assert len(refused) == 2
        assert len(server.mails()) == 1


# -- processes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "turn", "mails", "state"),
    [
        pytest.param("booking_confirmed", "hangs before DATA", 1, "sent", id="nobody had it: once more is the first"),
        pytest.param("booking_confirmed", "hangs after the dot", 2, "sent", id="somebody had it: two with one Message-ID"),
        pytest.param("refund_executed", "hangs before DATA", 0, "unknown", id="money: none, and the merchant is told"),
        pytest.param("refund_executed", "hangs after the dot", 1, "unknown", id="money: one, and the merchant is told"),
    ],
)
def test_s1_41_a_sender_that_is_killed(tmp_path: Path, kind: str, turn: str, mails: int, state: str) -> None:
    """kill -9 between the mark and the end of the data, or after it: what can be known is the same, and the table decides."""
    store = str(tmp_path / "hub.sqlite")
    with mail_server(turn) as server:
        wanted = configured(server.port)
        camp = wanted.properties["camp-azur"]
        box = Sandbox(store=store, configuration=wanted)
        assert camp.notices
        box.say("booking.confirmed", booking(guest=GUEST, language="en"))
        if kind == "refund_executed":
            box.pay("B-1", 20_000, "O-1")
            box.cancel()
        with box.database.write() as connection:  # only this one
            connection.execute("UPDATE notice SET next_at = next_at + 1000000000000 WHERE kind <> ?", (kind,))
        now = box.now().isoformat()
        later = box.now().replace(hour=20).isoformat()
        box.hub.close()

        def process(at: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-m", "tests.engine.mailing", store, str(server.port), at], cwd=ROOT)

        struck = process(now)
        assert server.handler.hanging.wait(60)
        struck.send_signal(signal.SIGKILL)
        struck.wait(20)
        for _ in range(2):
            assert process(later).wait(60) == 0
            later = later.replace("T20", "T21")

        sent = [mail for mail in server.mails() if mail["To"].addresses[0].username == "zoe"]
        assert len(sent) == mails
        assert len({mail["Message-ID"] for mail in sent}) == min(mails, 1)
        again = Sandbox(store=store, configuration=wanted, begins=later)
        assert again.one("SELECT state FROM notice WHERE kind = ?", kind)["state"] == state
        assert verify(again.database).agrees
        again.hub.close()


def test_s1_41_several_senders_on_one_database_send_once(postgres_url: str) -> None:
    """Each with connections of its own, all at once, on a server that defers some."""
    with mail_server(*["451 4.7.1 later", "takes"] * 10) as server:
        configuration = configured(server.port)
        post = post_of(configuration, {})
        assert post is not None
        box = Sandbox(store=postgres_url, configuration=configuration, lanes=4)
        for number in range(40):
            box.say("booking.confirmed", booking(f"B-{number}", guest=GUEST))
        stores = [Database(postgres_url) for _ in range(6)]
        runners = [NoticeRunner(notices_of(one), post, box.hub.vault, box.clock) for one in stores]

        def carry(runner: NoticeRunner) -> None:
            while runner.carry():
                pass

        for _ in range(3):
            threads = [threading.Thread(target=carry, args=(runner,)) for runner in runners]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            box.wait(400)
        box.drain()

        assert sorted(mail["X-Foliohub-Folio"] for mail in server.mails()) == sorted(f"B-{number}" for number in range(40))
        assert len(box.rows("SELECT 1 FROM outbox WHERE name = 'notice.sent'")) == 40
        for one in stores:
            one.close()
        box.hub.close()


# -- stores --------------------------------------------------------------------------------------------------------------------


def test_a_store_that_moves_takes_its_notices_along(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With who is reached. The store that it leaves is buried, so what was open goes on, and what was sent is not sent again."""
    store = str(tmp_path / "hub.sqlite")
    monkeypatch.setenv("FOLIOHUB_MASTER_KEY", MASTER.hex())
    with mail_server() as server:
        configuration = configured(server.port)
        box = Sandbox(store=store, configuration=configuration, post=post_of(configuration, {}))
        box.say("booking.confirmed", booking("B-1", guest=GUEST))
        box.hub.notices = None
        box.say("booking.confirmed", booking("B-2", guest=GUEST))
        begins = box.now().isoformat()
        box.hub.close()
        (tmp_path / "hub.sqlite.key").write_text(MASTER.hex())
        move(store, postgres_url)
        moved = Sandbox(store=postgres_url, configuration=configuration, post=post_of(configuration, {}), begins=begins)
        moved.pass_time(3600)

        assert sorted(mail["X-Foliohub-Folio"] for mail in server.mails()) == ["B-1", "B-2"]
        assert moved.one("SELECT count(*) AS n FROM contact")["n"] == 2
        assert moved.one("SELECT doubts FROM notice WHERE folio = 'B-2'") == {"doubts": 0}
        assert verify(moved.database).agrees
        moved.hub.close()


def test_a_copy_of_a_store_does_not_send_what_may_have_been_sent(tmp_path: Path) -> None:
    """A copy is a new generation: whoever has the other one may have sent all of it since."""
    store, copy = tmp_path / "hub.sqlite", tmp_path / "copy.sqlite"
    with mail_server() as server:
        configuration = configured(server.port)
        box = Sandbox(store=str(store), configuration=configuration)
        box.say("booking.confirmed", booking(guest=GUEST, language="en"))
        box.pay("B-1", 20_000, "O-1")
        box.cancel()
        begins = box.now().isoformat()
        box.hub.close()
        shutil.copy(store, copy)
        for path in (store, copy):
            one = Sandbox(store=str(path), configuration=configuration, post=post_of(configuration, {}), begins=begins)
            one.pass_time(24 * 3600)
            one.hub.close()
        refunds = [mail for mail in server.mails() if "refunded" in mail.as_string()]
        again = [mail["Message-ID"] for mail in server.mails() if "confirmed" in mail["Subject"]]

        assert len(refunds) == 1
        assert (len(again), len(set(again))) == (4, 2), "the others came twice, and can be told"


def test_kinds_are_frozen_with_the_booking(tmp_path: Path) -> None:
    """S4-40: a booking that was made before its property wanted notices gets none, whatever comes later."""
    store = str(tmp_path / "hub.sqlite")
    before = Sandbox(store=store)
    before.paid()
    begins = before.now().isoformat()
    before.hub.close()
    after = Sandbox(store=store, configuration=configured(1), begins=begins, books=before.provider.books)
    after.number = before.number
    after.cancel()
    assert after.rows("SELECT * FROM notice") == []
    after.say("booking.confirmed", booking("B-2", guest=GUEST))
    assert [row["kind"] for row in after.rows("SELECT kind FROM notice")] == [NoticeKind.BOOKING_CONFIRMED]
    assert verify(after.database).agrees
    after.hub.close()


def test_a_database_of_the_release_before_is_brought_here(postgres_url: str) -> None:
    """Three tables more, which are those of a new store."""
    store = open_store(postgres_url)
    assert isinstance(store, Database)
    shape = (
        "SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns"
        " WHERE table_name IN ('notice', 'contact', 'listed') UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes"
        " WHERE tablename IN ('notice', 'contact', 'listed') ORDER BY 1, 2"
    )
    with store.write() as link:
        new = link.execute(shape).fetchall()
        link.execute("DROP TABLE notice")
        link.execute("DROP TABLE contact")
        link.execute("DROP TABLE listed")
        link.execute("DROP INDEX decision_day, transfer_held")
        link.execute("UPDATE meta SET value = '1' WHERE name = 'schema'")
    store.close()
    from engine.store.postgresql.standing import upgraded

    assert upgraded(postgres_url, lambda _: None) == (1, 3)
    again = open_store(postgres_url)
    with again.read() as link:
        assert link.execute(shape).fetchall() == new
    again.close()
