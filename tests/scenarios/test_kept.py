"""What comes of a scenario, and how everything stands afterwards, is what was kept of it, to the last rule, entry and field."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.scenarios.kept import CAME, STANDS, kept, lines, standing_lines
from tests.scenarios.play import all_scenarios, played, scenario_of

kept = cache(kept)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in all_scenarios()])
def test_all_that_comes_of_a_scenario(path: Path) -> None:
    """A difference that was meant is kept by `python -m tests.scenarios.kept`."""
    result = played(path, scenario_of(path))

    assert list(lines(result)) == kept(CAME, path.parent.name)[path.stem]
    assert list(standing_lines(result)) == kept(STANDS, path.parent.name)[path.stem]
