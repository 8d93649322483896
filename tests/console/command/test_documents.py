"""README.md and docs/command.md: every example in them is run against the sample day, and prints what stands below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.console.command.conftest import ROOT, SampleHub
from tests.console.command.documented import check, console_examples, shell_examples

EXAMPLES = list(console_examples(ROOT / "docs" / "command.md"))


def test_the_readme_tells_a_first_message_and_its_outcome(sample_hub: SampleHub, tmp_path: Path) -> None:
    """As a newcomer types it, in another terminal; only the place of the store and the gateway are the test's."""
    examples = list(shell_examples(ROOT / "README.md"))
    store = str(sample_hub.running.folder / "var" / "foliohub.sqlite")

    assert len(examples) == 2
    for example in examples:
        check(example, tmp_path, {**sample_hub.environment, "FOLIOHUB_STORE": store})


def test_every_example_of_the_command(sample_hub: SampleHub) -> None:
    """In the order of the document, against one hub."""
    assert len(EXAMPLES) > 25
    for example in EXAMPLES:
        check(example, sample_hub.running.folder, sample_hub.environment)


@pytest.mark.parametrize("document", ["README.md", "docs/command.md"])
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert "://" in target or (path.parent / target).exists(), target
