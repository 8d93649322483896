"""docs/rules/ledger.md says what the chart and the recipes are."""

from __future__ import annotations

import re
from pathlib import Path

from ledger import recipes
from ledger.chart import CHART

PAGE = Path(__file__).parents[2].joinpath("docs/rules/ledger.md").read_text(encoding="utf-8")


def test_the_chart_is_documented() -> None:
    """Every account with its owner and kind."""
    rows = set(re.findall(r"^\| `(\w+)` \| ([\w/]+) \| (\w+) \|", PAGE, re.MULTILINE))

    assert rows >= {(one.code, one.owner, one.kind.value) for one in CHART.values()}


def test_the_recipes_are_documented() -> None:
    """Every recipe with what undoes it."""
    rows = dict(re.findall(r"^\| `(\w+)` \| \w+ \| \w+ \| `(\w+)` \|$", PAGE, re.MULTILINE))

    assert rows == dict(recipes.OPPOSITE)
