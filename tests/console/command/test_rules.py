"""`foliohub rules`: all of them, a family, one in full, what is missing, and what there is not."""

from __future__ import annotations

import json

from console.command.failing import Exit
from console.rules.table import texts, waiting
from tests.console.command.conftest import foliohub


def test_the_command_lists_them() -> None:
    """As JSON, in full, as a table."""
    every = json.loads(foliohub("rules", "--json").stdout)
    (one,) = json.loads(foliohub("rules", "S4-32", "--json").stdout)
    full = foliohub("rules", "S4-32").stdout

    assert [rule["id"] for rule in every] == list(texts())
    assert set(one) == {"id", "text", "applied_by", "shown_by"}
    assert one in every
    assert "handlers.penalty.penalty" in one["applied_by"]
    assert "tests/scenarios/test_scenarios.py::test_v24_s4_32_rounded_like_the_deposit" in one["shown_by"]
    assert all(name in full for name in (one["text"], *one["applied_by"], *one["shown_by"]))
    assert "handlers.penalty.penalty and " in foliohub("rules", "S4").stdout


def test_the_command_says_what_is_missing() -> None:
    """What waits for something is no fault."""
    ran = foliohub("rules", "--missing", "--json")

    assert ran.exit_code == Exit.DONE
    assert {rule["id"]: rule["waits_for"] for rule in json.loads(ran.stdout)} == waiting()
    assert foliohub("rules", "S4-32", "--missing").stdout == "no rule is missing\n"


def test_an_unknown_rule_is_refused() -> None:
    ran = foliohub("rules", "S4-99")

    assert ran.exit_code == Exit.WRONG
    assert ran.stderr == "foliohub: unknown_rule: no rule is called 'S4-99': S4 goes from S4-1 to S4-46\n"
