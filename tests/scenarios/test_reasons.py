"""What the decisions of the scenarios tell a merchant is said in his language (S0-34)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.mail.reasons import SHAPES
from tests.scenarios.kept import CAME, kept
from tests.scenarios.play import all_scenarios, played, scenario_of

TELLS = {"refund.manual_required", "effect.needs_person", "receipt.unapplied"}
TOLD = [path for path in all_scenarios() if any(name in line for line in kept(CAME, path.parent.name)[path.stem] for name in TELLS)]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in TOLD])
def test_s0_34_each_reason_has_its_code(path: Path) -> None:
    """Its sentence is one of the table's; what does not fit would be read in English."""
    reasons = {one["reason"] for one in played(path, scenario_of(path)).outcomes if one["name"] in TELLS}

    assert reasons
    assert not [reason for reason in reasons if not any(re.fullmatch(shape, reason) for shape in SHAPES.values())]
