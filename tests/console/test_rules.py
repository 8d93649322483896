"""The rule table and what the code says of it: every rule is applied and shown, or waits for something that is named in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.rules.ids import named, place, written
from console.rules.sources import ROOMS, applied, shown
from console.rules.table import chosen, rules, texts, waiting
from schemas.errors import HubError

ROOT = Path(__file__).parents[2]
TEXTS = texts()
RULES = rules()
NUMBERS = {"S0": 36, "S1": 45, "S4": 46, "X": 28, "A": 32}


@pytest.mark.parametrize("family", NUMBERS)
def test_every_rule_is_applied_and_shown_or_waits(family: str) -> None:
    """Name the rule in the docstring of the function that applies it, and in the name or docstring of a test that shows it."""
    missing = [rule for rule in RULES if rule.id in chosen(TEXTS, [family]) and not rule.whole and not rule.waits_for]

    assert [
        (rule.id, "applied" if rule.applied_by else "not applied", "shown" if rule.shown_by else "not shown") for rule in missing
    ] == []


def test_what_waits_is_not_there_yet() -> None:
    """A rule that is applied and shown is taken off console/rules/waiting.toml."""
    assert [rule.id for rule in RULES if rule.whole and rule.waits_for] == []
    assert all(waiting().values())
    assert set(waiting()) <= set(TEXTS)


def test_a_rule_is_applied_by_a_function() -> None:
    """Not by a module or by the description of a message."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for room in ROOMS for path in (ROOT / room).rglob("*.py")}

    assert [rule.id for rule in RULES if rule.whole and modules & set(rule.applied_by)] == []
    assert [rule.id for rule in RULES if rule.whole and rule.applied_by[0].rpartition(".")[2][0].isupper()] == []


@pytest.mark.parametrize(
    ("rule", "function"),
    [
        ("A-16", "handlers.voucher_enter._check_entry"),
        ("S0-25", "handlers.cancellation.decide_request"),
        ("S0-33", "config.vouchers.check_company"),
        ("S1-21", "engine.collectable.collectable"),
        ("S1-25", "handlers.balance_reply._check_token"),
        ("S1-25", "schemas.cards.scrub"),
        ("S1-28", "engine.collectable.collectable"),
    ],
)
def test_a_rule_names_what_decides_it(rule: str, function: str) -> None:
    """And not only what is about it."""
    assert function in next(one for one in RULES if one.id == rule).applied_by


def test_the_table_is_whole() -> None:
    """Every number of every family, in order, with a sentence of its own."""
    ids = list(TEXTS)

    assert ids == [f"{family}-{number}" for family, last in NUMBERS.items() for number in range(1, last + 1)]
    assert ids == sorted(ids, key=place)
    assert [rule for rule, text in TEXTS.items() if not text.endswith(".") or not 20 < len(text) < 200] == []
    assert len(set(TEXTS.values())) == len(ids)
    assert list(waiting()) == sorted(waiting(), key=place)


def told() -> Iterator[str]:
    """Every id that stands in the code: in docstrings, in traces, in what is refused, in tests."""
    yield from applied(ROOT)
    yield from shown(ROOT)
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for text in re.findall(r'"([^"\s]{3,6})"', path.read_text(encoding="utf-8")):
                yield from written(text)


def test_no_rule_is_named_that_is_not_in_the_table() -> None:
    """A decision's trace can be looked up."""
    assert set(told()) - set(TEXTS) == set()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Both (S4-32, X-5).", ["S4-32", "X-5"]),
        ("A-1: the limit day", ["A-1"]),
        ("S4-3 to S4-6 and X-9", ["S4-3", "S4-4", "S4-5", "S4-6", "X-9"]),
        ("X-1 to S4-2", ["X-1", "S4-2"]),
        ("ISO-8859-1, UTF-8, PX-4, X-4a", []),
    ],
)
def test_ids_in_a_sentence(text: str, ids: list[str]) -> None:
    """Ranges are of one family."""
    assert list(written(text)) == ids


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("test_s4_32_a_4_rate_on_what_was_collected", ["S4-32", "A-4"]),
        ("v16_s4_12_s4_33_paid_the_deposit", ["S4-12", "S4-33"]),
        ("test_x_5", ["X-5"]),
        ("test_taxes_4_of_them", []),
        ("test_index_3", []),
    ],
)
def test_ids_in_a_name(name: str, ids: list[str]) -> None:
    assert list(named(name)) == ids


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small one."""
    files = {
        "handlers/deposit.py": (
            '"""X-1 to X-3."""\ndef first():\n    """X-1."""\n    return 1\n'
            'class Plan:\n    """X-2, X-1."""\n    def due(self):\n        """X-1."""\n        return 1\n'
            'def made():\n    """X-1."""\n    def inner():\n        """X-1."""\n        return 1\n    return inner\n'
        ),
        "schemas/words.py": 'class Word(Protocol):\n    """X-2."""\n    def said(self):\n        """X-2."""\n        ...\n',
        "tests/test_deposit.py": (
            "import pytest\n"
            "def test_x_1_is_first(): pass\n"
            "class TestPlan:\n    def test_due(self):\n        '''X-2 and\n        X-3.'''\n"
            "@pytest.mark.parametrize('n', [pytest.param(1, id='x_4 edge'), pytest.param(2, id='X-5')])\ndef test_edges(n): pass\n"
            "def test_page():\n    '''docs/rules/deposit.md, Examples: row by row.'''\n"
            "def helper_x_6(): pass\n"
        ),
        "tests/scenarios/deposit/x_1_half.toml": 'about = "Half, X-7."',
        "tests/scenarios/deposit/x_1_half.jsonl": "",
        "tests/scenarios/config/x_8.toml": "",
        "docs/rules/deposit.md": "# Deposit\n| X-9 | other |\n## Examples\n| X-10 | 5 |\nX-11\n## More\n| X-12 | 5 |\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_functions_come_before_classes_and_classes_before_modules(project: Path) -> None:
    """Of those whose docstring names a rule."""
    assert applied(project) == {
        "X-1": ("handlers.deposit.first", "handlers.deposit.Plan.due", "handlers.deposit.made"),
        "X-2": ("handlers.deposit.Plan", "schemas.words.Word"),
        "X-3": ("handlers.deposit",),
    }


def test_tests_say_what_they_show(project: Path) -> None:
    """By name, docstring, the names of their parameters, and the table of a page that they play."""
    scenario, file = "tests/scenarios/test_scenarios.py::test_x_1_half", "tests/test_deposit.py"

    assert shown(project) == {
        "X-1": (scenario, f"{file}::test_x_1_is_first"),
        "X-2": (f"{file}::TestPlan::test_due",),
        "X-3": (f"{file}::TestPlan::test_due",),
        "X-4": (f"{file}::test_edges",),
        "X-5": (f"{file}::test_edges",),
        "X-7": (scenario,),
        "X-10": (f"{file}::test_page",),
    }


def test_chosen_by_id_and_by_family() -> None:
    """In the table's order, however they were asked for."""
    known = {"S4-1": "one", "S4-2": "two", "X-1": "three"}

    assert list(chosen(known, ["X", "s4-2"])) == ["S4-2", "X-1"]
    assert chosen(known, []) == known
    with pytest.raises(HubError, match="S4 goes from S4-1 to S4-2") as unknown:
        chosen(known, ["S4-3"])
    assert (unknown.value.code, unknown.value.field, unknown.value.value) == ("unknown_rule", "rule", "S4-3")
    with pytest.raises(HubError, match="the families are S4, X"):
        chosen(known, ["deposit"])
