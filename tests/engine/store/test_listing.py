"""Lists for operators tell what still waits: what a person has approved, or a thread is sending, is not told as waiting."""

from __future__ import annotations

import pytest

from engine.store import listing
from engine.store.reading import Reading
from tests.engine.store.test_effect_rows import Store


@pytest.mark.parametrize(("state", "waits"), [("planned", 1), ("sending", 0), ("accepted", 0), ("unknown", 0), ("confirmed", 0)])
def test_x_27_a_payout_waits_until_it_is_sent(state: str, waits: int) -> None:
    """For a second person, and where payouts are stopped."""
    store = Store()
    store.effect("e", state=state, needs_approval=1)
    store.effect("nobody is asked", state=state)
    reading = Reading(store.database)

    assert [row["id"] for row in listing.approvals(reading)] == ["e"] * waits
    assert listing.payouts_waiting(reading, "t") == 2 * waits
    store.database.close()
