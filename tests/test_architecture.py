"""docs/architecture.md follows a refund through the code: whoever reads along finds each name in the file that the step names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
WALK = DOC.partition("## One refund, from bytes to outcome")[2].partition("\n## ")[0]
STEPS = re.findall(r"^\d\. (.*?)(?=^\d\. |\Z)", WALK, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("step", STEPS, ids=[f"step {number}" for number in range(1, len(STEPS) + 1)])
def test_each_name_stands_in_the_files_of_its_step(step: str) -> None:
    """As a function, a class, a message or a state; what only an earlier step named is linked there."""
    files = re.findall(r"\]\(\.\./([\w/.]+)\)", WALK[: WALK.index(step) + len(step)])
    text = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in files)

    names = {name for told in re.findall(r"`([A-Za-z_.]+)`", step) for name in told.split(".")}
    assert names
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()


def test_the_walk_is_whole() -> None:
    assert len(STEPS) == 6
    assert all((ROOT / file).exists() for file in re.findall(r"\]\(\.\./([\w/.]+)\)", DOC))
