"""Where rules stand in the code: in docstrings of the packages what applies them, in the tests what shows them. Sources are read as
text, never imported. Only the standard library is used here: a wheel is built by it (hatch_build.py)."""

from __future__ import annotations

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from console.rules.ids import named, told, written

ROOMS: Final = ("handlers", "ledger", "engine", "connectors", "config", "topics", "schemas", "console")
"""The packages, those that decide first."""
_SCENARIOS: Final = "tests/scenarios/test_scenarios.py"
_PAGE: Final = "docs/rules/"
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_Found = Mapping[str, tuple[str, ...]]


class _Place(NamedTuple):
    rank: int  # functions, then classes, then modules
    name: str


def applied(root: Path) -> _Found:
    """By id: the functions whose docstring names it, as `module.function`; where there is none the classes, else the modules."""
    found: dict[str, list[_Place]] = defaultdict(list)
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            for name, node in _documented(_tree(path), module):
                rank = 2 if isinstance(node, ast.Module) else 1 if isinstance(node, ast.ClassDef) else 0
                for rule in set(written(ast.get_docstring(node) or "")):
                    found[rule].append(_Place(rank, name))
    return {rule: _nearest(places) for rule, places in found.items()}


def _tree(path: Path) -> ast.Module:
    """A file as it is written; one that names no rule is not looked into."""
    text = path.read_text(encoding="utf-8")
    return ast.parse(text if told(text) or _PAGE in text else "")


def _nearest(places: Iterable[_Place]) -> tuple[str, ...]:
    places = list(places)
    first = min(place.rank for place in places)
    return tuple(dict.fromkeys(place.name for place in places if place.rank == first))


def _documented(node: _Documented, name: str) -> Iterator[tuple[str, _Documented]]:
    yield name, node
    for inner in node.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not _promised(inner):
            within = isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef
            )  # a function that a function makes has no name outside
            yield from _documented(inner, name if within else f"{name}.{inner.name}")


def _promised(node: _Documented) -> bool:
    """Whether a function is only said to exist, as those of a protocol are."""
    return not isinstance(node, ast.ClassDef) and all(
        isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in node.body
    )


def shown(root: Path) -> _Found:
    """By id: the tests whose name, docstring or parameters name it, as pytest knows them; scenarios first."""
    found: dict[str, list[str]] = defaultdict(list)
    for scenario in sorted((root / "tests/scenarios").glob("*/*.toml")):
        if scenario.with_suffix(".jsonl").exists():
            about = tomllib.loads(scenario.read_text(encoding="utf-8"))["about"]
            for rule in {*named(scenario.stem), *written(about)}:
                found[rule].append(f"{_SCENARIOS}::test_{scenario.stem}")
    for path in sorted((root / "tests").rglob("test_*.py")):
        file = str(path.relative_to(root))
        for name, test in _tests(_tree(path).body):
            for rule in set(_says(test, root)):
                found[rule].append(f"{file}::{name}")
    return {rule: tuple(names) for rule, names in found.items()}


def _tests(body: Iterable[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield prefix + node.name, node


def _says(test: ast.FunctionDef | ast.AsyncFunctionDef, root: Path) -> Iterator[str]:
    """What a test says that it shows. A docstring that names a page and a heading, `docs/rules/voucher.md, Examples: …`, says that the
    table under it is played."""
    yield from named(test.name)
    words = ast.get_docstring(test) or ""
    yield from written(words)
    for decorator in test.decorator_list:
        for keyword in ast.walk(decorator):
            if isinstance(keyword, ast.keyword) and keyword.arg in ("id", "ids"):
                for text in ast.walk(keyword.value):
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield from written(text.value)
                        yield from named(text.value)
    _, found, after = words.partition(_PAGE)
    if found:
        page, _, heading = after.partition(", ")
        yield from _table(root / _PAGE / page, heading.partition(":")[0].strip())


def _table(page: Path, heading: str) -> Iterator[str]:
    """The ids in the rows of the tables under a heading."""
    if not heading or not page.is_file():
        return
    under = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            under = line.lstrip("# ")
        elif line.startswith("|") and under == heading:
            yield from written(line)
