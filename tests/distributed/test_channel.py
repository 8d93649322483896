"""An XML channel whose booking is decided by another process: in time, too late, and asked for again."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path

import psycopg
import requests

from engine.keys import CHANNEL, DoorKeys
from engine.store.postgresql.database import Database
from tests.console.gateway.test_channels import folio_of, notif, root
from tests.distributed.platform import Platform
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until

ANSWER_S = 1.0


def test_a_booking_that_is_decided_too_late_is_answered_when_it_is_sent_again(tmp_path: Path, postgres_store: str) -> None:
    """Within the channel's `answer_s` it is told to come again, however often it asks; then it gets the one answer there is."""
    with Forker() as forker, Platform(tmp_path / "platform", forker, postgres_store) as platform:
        hub = Path(platform.environment["FOLIOHUB_CONFIG"]) / "hub.toml"
        hub.write_text(hub.read_text().replace('channel = "demo"', f'channel = "demo"\nanswer_s = {ANSWER_S}'))
        gateway, worker = platform.start("gateway"), platform.start("worker")
        platform.ready()
        with closing(Database(postgres_store, writer=False)) as database:
            _, key = DoorKeys(database).add("azur", f"{CHANNEL}demo")

        def ask(document: str) -> requests.Response:
            return requests.post(
                f"{platform.urls[gateway]}/channels/demo/ota", data=document, timeout=20,
                headers={"Content-Type": "text/xml", "Authorization": f"Bearer {key}"},
            )  # fmt: skip

        wait_until(lambda: ask(notif("X-70")).status_code == 200, "it is booked while the worker decides", 20)
        platform.signal(worker, signal.SIGSTOP)
        late = [ask(notif("X-71")) for _ in range(2)]
        platform.signal(worker, signal.SIGCONT)

        assert [got.status_code for got in late] == [503, 503]
        assert all(ANSWER_S <= got.elapsed.total_seconds() < ANSWER_S + 2 for got in late)
        wait_until(lambda: ask(notif("X-71")).status_code == 200, "it gets its answer", 20)
        first, again = ask(notif("X-71")), ask(notif("X-71"))
        assert first.content == again.content
        assert root(first).find("{*}Success") is not None
        assert platform.count("SELECT count(*) FROM outbox WHERE name = 'booking.accepted' AND key = %s", folio_of(first)) == 1

        with psycopg.connect(postgres_store, options="-c search_path=foliohub") as other:
            other.execute("LOCK TABLE lane_end")  # whatever is appended waits
            held = ask(notif("X-72"))
        assert held.status_code == 503
        assert held.elapsed.total_seconds() < ANSWER_S + 1
        wait_until(lambda: ask(notif("X-72")).status_code == 200, "it is taken when it comes again", 20)
