"""Ids of rules as people write them: a family and a number with a dash in a sentence, `to` for all between two of them, and with a line
below in the name of a test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

FAMILIES: Final = ("S0", "S1", "S2", "S3", "S4", "X", "A")
"""In the order in which they are listed."""

_FAMILY = "|".join(FAMILIES)
_WRITTEN = re.compile(rf"(?<![\w-])({_FAMILY})-(\d+)(?: (?:to|–|-) \1-(\d+))?(?![\w-])")
_NAMED = re.compile(rf"(?<![a-z0-9])({_FAMILY.lower()})_(\d{{1,2}})(?![a-z0-9])")


def told(text: str) -> bool:
    """Whether any id may stand in a text, in either way."""
    return bool(_WRITTEN.search(text) or _NAMED.search(text))


def written(text: str) -> Iterator[str]:
    """The ids in a text, as often as they stand there."""
    for family, first, last in _WRITTEN.findall(text):
        yield from (f"{family}-{number}" for number in range(int(first), int(last or first) + 1))


def named(name: str) -> Iterator[str]:
    """The ids in a name."""
    for family, number in _NAMED.findall(name):
        yield f"{family.upper()}-{number}"


def place(rule: str) -> tuple[int, int]:
    """Where an id stands among all: by family, then by number."""
    family, _, number = rule.partition("-")
    return FAMILIES.index(family), int(number)
