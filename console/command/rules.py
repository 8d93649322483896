"""`foliohub rules`: what the hub is built by, where each rule is applied and by which tests it is shown, read from the code itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final

import typer

from console.command.failing import Exit
from console.command.options import Json
from console.command.showing import print_json, print_lines, table
from console.rules import table as rule_table
from console.rules.table import Rule

EXAMPLES: Final = "Examples: foliohub rules S4-32 X-5; foliohub rules X --json; foliohub rules --missing."
"""Not in the docstring: a docstring that names a rule says that its function applies it."""


def rules(
    asked: Annotated[list[str] | None, typer.Argument(metavar="ID|FAMILY", help="Such as S4-32, or X; else all.")] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Only rules that nothing applies or nothing shows.")] = False,
    as_json: Json = False,
) -> None:
    """Every rule: its sentence, the functions that apply it, the tests that show it.

    Rules named by their ids are told in full. With --missing, exit 1 when one is missing that waits for nothing.
    """
    found = rule_table.rules(asked or ())
    if missing:
        found = tuple(rule for rule in found if not rule.whole)
    if as_json:
        print_json(found)
    elif found and asked and all("-" in name for name in asked):
        print_lines(_lines(found))
    else:
        _table(found)
    if missing and any(not rule.waits_for for rule in found):
        raise typer.Exit(Exit.FOUND)


def _table(found: Sequence[Rule]) -> None:
    rows = [
        (rule.id, rule.text, _first(rule.applied_by), _first(test.rpartition("::")[2] for test in rule.shown_by)) for rule in found
    ]
    waits = [f"waits for {rule.waits_for}" if rule.waits_for else "" for rule in found]
    table(
        ("id", "rule", "applied by", "shown by"),
        [(*row[:2], wait or row[2], row[3]) for row, wait in zip(rows, waits, strict=True)],
        empty="no rule is missing",
    )


def _first(names: Iterable[str]) -> str:
    first, *more = [*names] or [""]
    return f"{first} and {len(more)} more" if more else first


def _lines(found: Iterable[Rule]) -> Iterator[str]:
    for rule in found:
        yield f"{rule.id}  {rule.text}"
        if rule.waits_for:
            yield f"    waits for   {rule.waits_for}"
        for head, names in (("applied by", rule.applied_by), ("shown by", rule.shown_by)):
            for at, name in enumerate(names):
                yield f"    {'' if at else head:10}  {name}"
