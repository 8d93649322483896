"""All families on Kafka workers: bookings, vouchers, balances, disputes, cancellations, mail through a real server; processes die."""

from __future__ import annotations

from pathlib import Path

from tests.distributed.families import STRUCK, play
from tests.distributed.families_said import KINDS
from tests.services.kafka import Kafka


def test_s0_11_s0_21_s1_20_s1_41_x_1_x_2_on_kafka_as_in_one_process(tmp_path: Path, postgres_store: str, kafka: Kafka) -> None:
    """Two stays of each kind: what holds in simulated worlds holds, and every account is what one process makes of the same messages.
    `python -m tests.distributed.families` plays more of them."""
    told = play(1, 2 * len(KINDS), tmp_path, postgres_store, kafka, kills=len(STRUCK))

    assert told.wrong == []
    assert told.messages >= 80
    assert told.mails >= 60
    assert set(told.kills) == set(STRUCK)
