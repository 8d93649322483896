"""Scenarios whose messages go through Kafka: appended by the producer, brought back by Faust, decided on PostgreSQL. The same input gives
the same bytes, the same standing and the same balances as on one machine.

Every sixth scenario; all of them with `pytest tests/scenarios/test_kafka.py --scenarios all`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from engine.store.postgresql.database import Database
from engine.verify import verify
from tests.scenarios.play import all_scenarios, hold, played, scenario_of
from tests.services.kafka import Kafka
from tests.services.lane_workers import lay
from tests.services.on_kafka import LANES, OnKafka


@pytest.mark.sampled
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in all_scenarios()])
def test_the_same_through_kafka(path: Path, postgres_store: str, kafka: Kafka) -> None:
    """To the byte: outcomes, records, balances, and everything that stands."""
    scenario, topic = scenario_of(path), f"scenario.{path.stem}"[:200]
    lay(kafka.bootstrap, topic, LANES)

    result = played(path, scenario, postgres_store, partial(OnKafka, kafka.bootstrap, topic))

    hold(scenario, result)
    assert result == played(path, scenario)
    store = Database(postgres_store, writer=False)
    assert verify(store).differences == ()
    store.close()
