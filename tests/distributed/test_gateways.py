"""Several gateways on one AMQP source: whichever dies, the others take over what it had not stored, in order."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from pathlib import Path

from benchmarks.messages import ids, message
from tests.distributed.load import letter_of
from tests.distributed.platform import Platform
from tests.kills.forker import Forker
from tests.services.amqp_tools import Sender, ready, wait_until
from tests.services.rabbitmq import RabbitMQ

ROUNDS = 60
KILLS = (15, 30, 45)


def said(number: int, stay: str) -> bytes:
    """The payment of a stay under another id: one of many messages about the same thing."""
    return json.dumps({**json.loads(message(1, stay, date.today())), "id": f"{number}-{stay}"}).encode()


def test_a_gateway_is_killed_under_load(tmp_path: Path, postgres_store: str, rabbitmq: RabbitMQ) -> None:
    """SIGKILL to one of two, three times: every message that the broker had is in the store, and of each stay they came first in order.
    Nothing is left in a queue."""
    stays = ids(60, seed=9)
    with Forker() as forker, Platform(tmp_path / "platform", forker, postgres_store, amqp=rabbitmq.url) as platform:
        gateways = [platform.start("gateway") for _ in range(2)]
        platform.ready()
        with Sender(rabbitmq.url, platform.intake.name) as sender:
            for number in range(ROUNDS):
                sender.say([letter_of(said(number, stay)) for stay in stays])
                if number in KILLS:
                    platform.kill(gateways.pop(0))
                    gateways.append(platform.start("gateway"))
        sent = {f"{number}-{stay}" for number in range(ROUNDS) for stay in stays}
        wait_until(lambda: platform.count("SELECT count(DISTINCT id) FROM intake") == len(sent), f"{len(sent)} messages", 60)
        wait_until(lambda: not any(ready(rabbitmq.url, queue) for queue in platform.intake.queues()), "empty queues")
        rows = platform.rows('SELECT id FROM intake ORDER BY lane, "offset"')
        assert platform.ended() == []
        platform.swept()

    came: dict[str, list[int]] = defaultdict(list)
    for id_ in dict.fromkeys(row["id"] for row in rows):
        number, _, stay = id_.partition("-")
        came[stay].append(int(number))
    assert set(came) == set(stays)
    assert all(numbers == list(range(ROUNDS)) for numbers in came.values())
