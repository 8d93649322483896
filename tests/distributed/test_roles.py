"""Roles as processes: gateway, two workers, effects and scheduler do together what one process does alone."""

from __future__ import annotations

from pathlib import Path

from benchmarks.messages import ids
from tests.distributed.checks import published, queued, wrongs
from tests.distributed.platform import Platform
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.kafka import Kafka
from tests.services.rabbitmq import RabbitMQ

ROLES = ("gateway", "worker", "worker", "effects", "scheduler")


def paid(platform: Platform) -> int:
    """Payments that their folios have: a cancellation that overtakes one finds nothing to give back."""
    return platform.count("SELECT count(*) FROM decision WHERE name = 'payment.received' AND result = 'decided'")


def test_together_on_one_database(tmp_path: Path, forker: Forker, postgres_store: str) -> None:
    """Lanes by leases. A caller that waits is answered though another process decides; a worker that is killed is replaced, one that
    stops hands its lanes over; each refund leaves once."""
    stays = ids(40, seed=5)
    with Platform(tmp_path / "platform", forker, postgres_store) as platform:
        platform.paid(stays)
        names = [platform.start(role) for role in ROLES]
        platform.ready()
        gateway, one, two = names[:3]
        wait_until(
            lambda: platform.count("SELECT count(*) FROM lease WHERE starts_with(name, 'lane:')") == 32, "lanes are dealt out"
        )

        told = platform.send(gateway, platform.story(stays[:1], 0), wait="10s")
        assert [outcome["type"] for outcome in told[0]["outcomes"]][:1] == ["foliohub.booking.accepted.v1"]
        platform.send(gateway, platform.story(stays, 0))
        wait_until(
            lambda: platform.count("SELECT count(*) FROM state WHERE kind = 'reference'") == 2 * len(stays), "names are bound"
        )
        platform.send(gateway, platform.story(stays, 1))
        platform.kill(one)
        platform.start("worker")
        wait_until(lambda: paid(platform) == len(stays), "every payment is booked, in its folio's lane too", 60)
        platform.send(gateway, platform.story(stays[:20], 2))
        assert platform.stop(two) < 5
        platform.send(gateway, platform.story(stays[20:], 2))
        for part in (stays[:20], stays[20:], stays):  # the last: everything again
            platform.send(gateway, platform.story(part, 3))
        platform.quiet(len(stays))

        assert wrongs(platform, stays, 4 * len(stays)) == []
        assert platform.ended() == []


def test_together_on_kafka(
    tmp_path: Path, forker: Forker, postgres_store: str, kafka: Kafka, intake: None, rabbitmq: RabbitMQ
) -> None:
    """The log is Kafka, lanes are dealt out by its group. A worker that is killed is replaced within its session time-out, one that stops
    hands its lanes over; each refund leaves once, and every outcome is on its topic in order, and in the queue of
    the PMS that asked for it."""
    stays = ids(40, seed=6)
    with Platform(tmp_path / "platform", forker, postgres_store, kafka.bootstrap, rabbitmq.url) as platform:
        platform.paid(stays)
        names = [platform.start(role) for role in ROLES]
        platform.ready()
        gateway, one, two = names[:3]

        told = platform.send(gateway, platform.story(stays[:1], 0), wait="20s")
        assert [outcome["type"] for outcome in told[0]["outcomes"]][:1] == ["foliohub.booking.accepted.v1"]
        platform.send(gateway, platform.story(stays, 0))
        wait_until(
            lambda: platform.count("SELECT count(*) FROM state WHERE kind = 'reference'") == 2 * len(stays), "names are bound"
        )
        platform.send(gateway, platform.story(stays, 1))
        platform.kill(one)
        platform.start("worker")
        wait_until(lambda: paid(platform) == len(stays), "every payment is booked, in its folio's lane too", 60)
        platform.send(gateway, platform.story(stays[:20], 2))
        assert platform.stop(two) < 5
        platform.send(gateway, platform.story(stays[20:], 2))
        for part in (stays[:20], stays[20:], stays):
            platform.send(gateway, platform.story(part, 3))
        platform.quiet(len(stays))

        assert wrongs(platform, stays, 4 * len(stays)) == []
        assert published(platform) == []
        assert queued(platform) == []
        assert platform.ended() == []


def test_one_process_of_several_does_all(tmp_path: Path, forker: Forker, postgres_store: str) -> None:
    """`--role all`: takes, decides, sends, and gives its lanes up in the end."""
    (stay,) = ids(1, seed=9)
    with Platform(tmp_path / "platform", forker, postgres_store) as platform:
        platform.paid([stay])
        name = platform.start("all")
        platform.ready()
        for step in range(4):
            told = platform.send(name, platform.story([stay], step), wait="10s")
            assert told[0]["outcomes"], told
        platform.quiet(1)
        platform.stop(name)
        assert wrongs(platform, [stay], 4) == []
