"""Every scenario on PostgreSQL: the same input gives the same bytes, the same standing and the same balances as on one machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.store.postgresql.database import Database
from engine.verify import verify
from tests.scenarios.play import all_scenarios, hold, played, scenario_of


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in all_scenarios()])
def test_the_same_on_postgresql(path: Path, postgres_store: str) -> None:
    """To the byte: outcomes, records, balances, and everything that stands."""
    scenario = scenario_of(path)

    result = played(path, scenario, postgres_store)

    hold(scenario, result)
    assert result == played(path, scenario)
    store = Database(postgres_store, writer=False)
    assert verify(store).differences == ()
    store.close()
