"""What comes of a scenario is what was kept of it, to the last rule, entry and field."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.scenarios.kept import kept, lines
from tests.scenarios.play import all_scenarios, played, scenario_of

kept = cache(kept)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in all_scenarios()])
def test_all_that_comes_of_a_scenario(path: Path) -> None:
    """A difference that was meant is kept by `python -m tests.scenarios.kept`."""
    assert list(lines(played(path, scenario_of(path)))) == kept(path.parent.name)[path.stem]
