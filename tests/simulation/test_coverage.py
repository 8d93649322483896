"""What a run says of its own coverage: what is missing, what cannot be, and what nobody has thought of."""

from __future__ import annotations

import pytest

from tests.simulation.coverage import DOUBTFUL, WANTED, WORLDS, Coverage, impossible
from tests.simulation.luck import Combination
from tests.simulation.points import POINTS, STATES, UNCOUNTED
from tests.simulation.reach import unreachable
from tests.simulation.scripts import SCRIPTS

CELLS = [Combination(point, script, state) for point in POINTS for script in SCRIPTS for state in STATES]
CAN_BE = [cell for cell in CELLS if not unreachable(*cell)]
ONE = Combination("before mark", "plain", "planned")


@pytest.fixture
def coverage() -> Coverage:
    """Of a whole run that lacks nothing."""
    coverage = Coverage()
    coverage.worlds = WORLDS
    coverage.doubtful = int(WORLDS * DOUBTFUL)
    coverage.counts.update(dict.fromkeys(CAN_BE, WANTED))
    return coverage


def test_a_whole_run_lacks_nothing(coverage: Coverage) -> None:
    assert (coverage.short(), coverage.wrong()) == ([], [])


def test_what_was_met_too_seldom_is_told(coverage: Coverage) -> None:
    coverage.counts[ONE] -= 1

    assert coverage.short() == ["19 times, 20 are wanted: before mark | plain | planned"]


def test_a_run_with_too_little_doubt_is_told(coverage: Coverage) -> None:
    coverage.doubtful -= 1

    assert coverage.short() == ["2999 of 10000 worlds held a request in doubt, 30% are wanted"]


def test_a_smaller_run_is_not_held_to_the_numbers(coverage: Coverage) -> None:
    coverage.counts[ONE], coverage.worlds = 0, WORLDS - 1

    assert coverage.short() == []


def test_what_was_seen_and_cannot_be_is_told(coverage: Coverage) -> None:
    """Otherwise a rule of `reach` could excuse what is only hard to meet."""
    coverage.counts[Combination("before mark", "plain", "confirmed")] += 1

    assert coverage.wrong() == [
        "seen 1 times, and said to be impossible (the mark makes sending of planned): before mark | plain | confirmed"
    ]


def test_a_step_that_nobody_knows_is_told(coverage: Coverage) -> None:
    coverage.points.update({"before Shelf.new (not in the table)": 1, **{f"after {step}": 1 for step in UNCOUNTED}})

    assert coverage.wrong() == ["a durable step that the table does not know: before Shelf.new (not in the table)"]


def test_every_combination_can_be_or_has_its_reason(coverage: Coverage) -> None:
    """The printed numbers add up to the table."""
    taken = sum(int(count) for line in impossible() if (count := line.split()[0]).isdigit())

    assert taken + len(CAN_BE) == len(CELLS) == len(list(coverage.whole()))
