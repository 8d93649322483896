"""What a command prints: one JSON document for programs, tables and lines for people. Amounts are shown as money of their currency."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec
from rich.console import Console
from rich.table import Table

from engine.clock import instant
from schemas.errors import HubError
from schemas.money import Money

_WHOLE: Final = frozenset({"id", "account", "at", "topic", "state", "status", "kind", "tenant"})
"""Columns that are copied from: never broken."""


_WIDEST: Final = 10_000


def console() -> Console:
    """Standard output; as wide as the terminal, 160 columns where there is none. `FOLIOHUB_COLUMNS` sets it. Raises HubError
    `bad_variable`."""
    text = os.environ.get("FOLIOHUB_COLUMNS", "") or "0"
    if not (text.isascii() and text.isdecimal()) or int(text) > _WIDEST:
        code, name = "bad_variable", "FOLIOHUB_COLUMNS"
        raise HubError(f"{name} is a number of columns, at most {_WIDEST}", code=code, field=name, value=text[:60])
    width = int(text) or (None if sys.stdout.isatty() else 160)
    return Console(width=width, highlight=False, soft_wrap=False)


def print_json(value: Any) -> None:
    """One document, keys in their order, UTF-8."""
    plain = msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))
    print(json.dumps(plain, ensure_ascii=False, indent=2))


def print_lines(lines: Iterable[str]) -> None:
    """Plain lines, not folded."""
    for line in lines:
        print(line)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", empty: str = "nothing") -> None:
    """Rows under their column names; a line that says `empty` where there are none. Names that start with `>` stand right."""
    drawn = Table(title=title or None, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        side: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        drawn.add_column(column.lstrip(">"), justify=side, overflow="fold", no_wrap=column.startswith(">") or column in _WHOLE)
    count = 0
    for row in rows:
        count += 1
        drawn.add_row(*(("" if cell is None else str(cell)).replace("[", "\\[") for cell in row))
    if count:
        console().print(drawn)
    else:
        print(f"{title}: {empty}" if title else empty)


def when(micros: int) -> str:
    """An instant as people read it, UTC, to the second; empty for none."""
    return instant(micros).strftime("%Y-%m-%d %H:%M:%SZ") if micros else ""


def stamp(micros: int) -> str:
    """An instant as programs read it: RFC 3339 in UTC."""
    return instant(micros).isoformat().replace("+00:00", "Z")


def money(minor: int, currency: str) -> str:
    """`60.00 EUR`."""
    return str(Money(minor, currency))
