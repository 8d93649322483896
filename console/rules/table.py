"""Every rule with its sentence, what applies it and what shows it; a rule that lacks one of both waits for something, or is missing."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from console.rules import sources
from schemas.errors import HubError

HERE: Final = Path(__file__).parent
INDEX: Final = "shown.json"
"""In a wheel, which has no tests: what they showed when it was built."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`applied_by`: names of functions, the nearest to decisions first. `shown_by`: tests, as pytest knows them. `waits_for`: what has
    to be built first; nothing for a rule that stands."""

    id: str
    text: str
    applied_by: tuple[str, ...]
    shown_by: tuple[str, ...]
    waits_for: str = ""

    @property
    def whole(self) -> bool:
        """Whether something applies it and something shows it."""
        return bool(self.applied_by and self.shown_by)


def texts() -> dict[str, str]:
    """The sentence of every id, in their order."""
    return tomllib.loads((HERE / "table.toml").read_text(encoding="utf-8"))


def waiting() -> dict[str, str]:
    """What rules wait for that are not whole yet."""
    return tomllib.loads((HERE / "waiting.toml").read_text(encoding="utf-8"))


def rules(asked: Iterable[str] = ()) -> tuple[Rule, ...]:
    """Those asked for by id or family, all if nothing is: as the sources beside this package say, or the index of a wheel.

    Raises HubError `unknown_rule`.
    """
    known = chosen(texts(), asked)
    root = HERE.parents[1]
    applied, shown, waits = sources.applied(root), _shown(root), waiting()
    return tuple(
        Rule(id=rule, text=text, applied_by=applied.get(rule, ()), shown_by=shown.get(rule, ()), waits_for=waits.get(rule, ""))
        for rule, text in known.items()
    )


def _shown(root: Path) -> Mapping[str, tuple[str, ...]]:
    index = HERE / INDEX
    if index.is_file():
        return {rule: tuple(names) for rule, names in json.loads(index.read_text(encoding="utf-8")).items()}
    return sources.shown(root)


def chosen(known: Mapping[str, str], asked: Iterable[str]) -> dict[str, str]:
    """Sentences by id, in their order; all if nothing is asked for. Raises HubError `unknown_rule`."""
    wanted = {name.upper() for name in asked}
    for name in sorted(wanted - {*known, *map(_family, known)}):
        raise HubError(_unknown(known, name), code="unknown_rule", field="rule", value=name)
    return {rule: text for rule, text in known.items() if not wanted or wanted & {rule, _family(rule)}}


def _unknown(known: Iterable[str], name: str) -> str:
    last = {_family(rule): rule for rule in known}
    family = _family(name)
    if family in last:
        return f"no rule is called {name!r}: {family} goes from {family}-1 to {last[family]}"
    return f"no rule is called {name!r}: the families are {', '.join(last)}"


def _family(rule: str) -> str:
    return rule.partition("-")[0]
