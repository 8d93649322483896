"""The tables of docs/rules/balance.md, which are the tables of the tests."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2].joinpath("docs/rules/balance.md").read_text(encoding="utf-8")


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the table below the heading that begins so, by column."""
    part = PAGE.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in part.splitlines() if row.startswith("|")]
    names, _, *rest = rows
    return [dict(zip(names, row, strict=True)) for row in rest]


def minor(text: str) -> int:
    """`100.00` in minor units, `–` is nothing."""
    return 0 if text == "–" else int(text.replace(".", ""))
