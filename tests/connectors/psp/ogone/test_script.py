"""Scripts: what cannot be played is refused with its place, and what the documentation shows can be played."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.psp.ogone.simulator.script import ScriptError, load, parse


@pytest.mark.parametrize(
    ("text", "place", "field"),
    [
        pytest.param('{\n "rules": [\n  {"act_after_s": 3}]}', ":3:3:", "$.rules[0]", id="fields that do not go together"),
        pytest.param('{"rules":[{"when":{"amount":"x"}}]}', ":1:29:", "$.rules[0].when.amount", id="wrong kind"),
        pytest.param('{"rules":[{},\n{"whenn":{}}]}', ":2:1:", "$.rules[1]", id="unknown field"),
        pytest.param('{"rules":[{"status":"77"}]}', ":1:11:", "$.rules[0]", id="unknown status"),
        pytest.param('{"rules":[{"when":{"call":0}}]}', ":1:27:", "$.rules[0].when.call", id="call zero"),
        pytest.param('{"statuses":{"XX":"8"}}', ":1:13:", "$.statuses", id="unknown operation"),
        pytest.param('{"rules":[{"answer":"shout"}]}', ":1:21:", "$.rules[0].answer", id="unknown answer"),
        pytest.param('{"rules":[{"when":{"endpoint":"query"},"act":"now"}]}', ":1:11:", "$.rules[0]", id="a query that acts"),
        pytest.param('{"rules":[\n{]}', ":2:2:", "script", id="no JSON"),
        pytest.param("[]", ":1:1:", "$", id="no object"),
        pytest.param("[" * 100_000, "nested", "script", id="nested"),
    ],
)
def test_script_errors_say_where(text: str, place: str, field: str) -> None:
    """File, line and column, field, and the reason."""
    with pytest.raises(ScriptError) as caught:
        parse(text.encode(), "play.json")

    assert caught.value.message.startswith("play.json:")
    assert place in caught.value.message
    assert caught.value.field == field


@pytest.mark.parametrize("data", [b"\xff{}", b" " * (2 * 1024 * 1024)])
def test_scripts_that_are_no_text(data: bytes) -> None:
    """Named by the file, too."""
    with pytest.raises(ScriptError):
        parse(data, "play.json")


def test_missing_script(tmp_path: Path) -> None:
    """The file that is not there is named."""
    with pytest.raises(ScriptError, match=r"none\.json"):
        load(tmp_path / "none.json")


def documented() -> list[str]:
    """The scripts in the documentation."""
    text = (Path(__file__).parents[4] / "docs" / "simulator.md").read_text("utf-8")
    return [block.partition("```")[0] for block in text.split("```json\n")[1:]]


def test_documented_scripts_can_be_played() -> None:
    """Every story in the documentation is a script."""
    scripts = [parse(text.encode(), "docs/simulator.md") for text in documented()]

    assert len(scripts) >= 7
    assert all(script.rules for script in scripts)
