"""A rolling upgrade: this release and the next one, made up, decide side by side on one store, and back again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.messages import ids
from engine.store.postgresql.database import Database
from engine.verify import verify
from tests.distributed.checks import published, wrongs
from tests.distributed.next_release import NEXT, next_release
from tests.distributed.platform import Platform
from tests.distributed.topics import made_anew
from tests.kills.forker import Forker
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL

STAYS = ids(60, seed=14)
BEFORE, AFTER = STAYS[:30], STAYS[30:]
WISHES = "a quiet place"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    with Forker(next_release(tmp_path_factory.mktemp("next"))) as one:
        yield one


@pytest.fixture(params=["the store is the log", "Kafka is the log"])
def bootstrap(request: pytest.FixtureRequest) -> str:
    if request.param == "the store is the log":
        return ""
    kafka: Kafka = request.getfixturevalue("kafka")
    made_anew(kafka.bootstrap)
    return kafka.bootstrap


def wishing(event: bytes) -> bytes:
    """A booking as senders write it that know the next release."""
    told = json.loads(event)
    return json.dumps({**told, "data": {**told["data"], "wishes": WISHES}}).encode()


def ends(platform: Platform) -> dict[str, Any]:
    """What the store has come to, instants apart, and apart from what the next release alone knows."""
    states = {}
    for row in platform.rows("SELECT kind, key, sequence, body FROM state WHERE kind <> 'tenant' AND body IS NOT NULL"):
        body = json.loads(_INSTANT.sub("an instant", bytes(row["body"]).decode()))
        body.pop("wishes", None)
        states[row["kind"], row["key"]] = (row["sequence"], body)
    booked = platform.rows(
        "SELECT folio, account, sum(minor)::bigint AS minor FROM (SELECT folio, debit AS account, minor FROM transfer UNION ALL"
        " SELECT folio, credit, -minor FROM transfer) AS side GROUP BY 1, 2"
    )
    told = platform.rows("SELECT kind, key, sequence, name FROM outbox WHERE kind <> 'tenant'")
    return {
        "states": states,
        "balances": {(row["folio"], row["account"]): row["minor"] for row in booked},
        "outcomes": {(row["kind"], row["key"], row["sequence"]): row["name"] for row in told},
    }


def command(forker: Forker, platform: Platform, *words: str) -> tuple[int | None, str]:
    """A command of a release, beside the hubs: how it ended, and what it said."""
    log = platform.folder / f"{words[0]}.said"
    log.unlink(missing_ok=True)
    status = forker.ended(forker.start([*words, "--store", platform.store], platform.environment, log), 60)
    return status, log.read_text()


def alone(platform: Platform) -> dict[str, Any]:
    """The same messages where only this release ever ran."""
    platform.paid(STAYS)
    gateway, *_ = [platform.start(role) for role in ("gateway", "worker", "worker", "effects")]
    platform.ready()
    for step, name in ((0, "booking.confirmed"), (1, "payment.received"), (2, ""), (3, "")):
        platform.send(gateway, platform.story(STAYS, step))
        if name:
            platform.decided(name, len(STAYS))
    platform.quiet(len(STAYS))
    return ends(platform)


def test_two_releases_side_by_side(
    tmp_path: Path, forker: Forker, newer: Forker, postgresql: PostgreSQL, postgres_url: str, bootstrap: str
) -> None:
    """The store is upgraded under hubs at work; both releases decide, die and hand over to each other; one is taken back for a while. What
    the next release alone knows outlives what this one decides; states, balances and outcomes are those of one release."""
    with Platform(tmp_path / "platform", forker, postgres_url, bootstrap) as platform:
        platform.paid(STAYS)
        gateway, old, other = (platform.start(role) for role in ("gateway", "worker", "worker"))
        effects = platform.start("effects")
        platform.ready()
        platform.send(gateway, platform.story(BEFORE, 0))

        status, said = command(newer, platform, "store", "upgrade")
        assert (status, f"schema {NEXT}, {NEXT - 1} before" in said) == (0, True), said
        new_effects = platform.start("effects", forker=newer)
        new = platform.start("worker", forker=newer)
        platform.ready([new, new_effects])
        platform.stop(effects)
        platform.decided("booking.confirmed", len(BEFORE))
        platform.stop(other)
        platform.send(gateway, platform.story(BEFORE, 1))
        platform.decided("payment.received", len(BEFORE))
        platform.kill(old)
        new_gateway = platform.start("gateway", forker=newer)
        platform.ready([new_gateway])
        platform.stop(gateway)
        platform.send(new_gateway, [wishing(event) for event in platform.story(AFTER, 0)])
        platform.decided("booking.confirmed", len(STAYS))

        old = platform.start("worker")
        platform.ready([old])
        platform.send(new_gateway, platform.story(AFTER, 1))
        platform.decided("payment.received", len(STAYS))
        platform.kill(new)
        new = platform.start("worker", forker=newer)
        platform.send(new_gateway, platform.story(STAYS, 2))
        for _ in range(2):
            platform.send(new_gateway, platform.story(STAYS, 3))
        platform.quiet(len(STAYS))

        assert platform.ended() == []
        assert wrongs(platform, STAYS, 4 * len(STAYS)) == []
        assert not bootstrap or published(platform) == []
        with closing(Database(postgres_url, writer=False)) as database:
            found = verify(database)
            assert (found.differences, found.parted) == ((), ()), "so says this release, whichever of the two decided"
        status, said = command(newer, platform, "verify")
        assert (status, "other rules" in said) == (0, False), said
        wishes = platform.rows(
            "SELECT key, convert_from(body, 'UTF8')::jsonb ->> 'wishes' AS wishes FROM state WHERE kind = 'folio'"
        )
        assert {row["key"]: row["wishes"] for row in wishes} == {f"B-{stay}": WISHES if stay in AFTER else None for stay in STAYS}
        by = platform.rows("SELECT DISTINCT name, release FROM decision WHERE name IN ('payment.received', 'cancellation.confirm')")
        assert {(row["name"], row["release"]) for row in by} >= {
            ("payment.received", f"foliohub/{NEXT - 1}"), ("payment.received", f"foliohub/{NEXT}"),
        }  # fmt: skip
        over = platform.count(
            "SELECT count(*) FROM decision WHERE name IN ('payment.received', 'cancellation.confirm', 'reply.arrived')"
            " AND release = %s AND key = ANY(%s)",
            f"foliohub/{NEXT - 1}", [f"B-{stay}" for stay in AFTER],
        )  # fmt: skip
        assert over > 0, "this release decided for folios with the next one's field"
        together = ends(platform)

    url = postgresql.database()
    with Platform(tmp_path / "alone", forker, url) as platform:  # which log it was makes no difference
        assert together == alone(platform)
    postgresql.drop(url)
