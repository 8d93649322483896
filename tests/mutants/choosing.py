"""Which tests are asked about a change: those that run its line, fastest first. A change at the top of a module is seen by those that
run a line in which a name stands that the statement binds, or that name it themselves."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.mutants.changes import Change, bound
from tests.mutants.reach import Reach


class Chooser:
    """Chooses from one measured run."""

    def __init__(self, root: Path, reach: Reach, budget_s: float) -> None:
        """`budget_s`: as much testing as one change is worth; a change that lives so long has survived."""
        self._reach, self._budget_s = reach, budget_s
        self._by_file: dict[str, list[int]] = defaultdict(list)
        for number, (name, _) in enumerate(reach.tests):
            self._by_file[name.partition("::")[0]].append(number)
        self._uses = _Uses(root, reach.lines, self._by_file)
        self._imported = {path: frozenset(lines) for path, lines in reach.imported.items()}

    def tests(self, change: Change) -> list[tuple[str, float]]:
        """Name and seconds of each, in the order in which they are to run; empty if no test reaches the change."""
        found = self._of_function(change) if change.function and not change.function.endswith(".") else self._of_names(change)
        chosen, spent = [], 0.0
        for seconds, name in sorted((self._reach.tests[number][1], self._reach.tests[number][0]) for number in found):
            spent += seconds
            if chosen and spent > self._budget_s:
                break
            chosen.append((name, seconds))
        return chosen

    def everywhere(self, path: str) -> list[tuple[str, float]]:
        """Every test that runs anything of a file, within the budget."""
        whole = Change(path, 0, 0, 0, 0, "", 0, (), "", "", "", "")
        return self.tests(whole)

    def fresh(self, change: Change) -> bool:
        """Whether the change acts while modules are imported, so that it takes a process that has not imported them."""
        if not change.function or change.function.endswith("."):
            return True
        lines = self._imported.get(change.path, frozenset())
        return any(line in lines for line in range(change.line, change.end + 1)) and change.statement in lines

    def _of_function(self, change: Change) -> set[int]:
        by_line = self._reach.lines.get(change.path, {})
        found = set(by_line.get(change.line, ())) or set(by_line.get(change.statement, ()))
        if not found and self.fresh(change):  # runs while modules are imported, and never again
            return self._of_names(change._replace(names=(change.function,)))
        return found

    def _of_names(self, change: Change) -> set[int]:
        found: set[int] = set()
        for name in self._uses.meaning(change.names):
            for path, line in self._uses.inside.get(name, ()):
                found.update(self._reach.lines.get(path, {}).get(line, ()))
            for path in self._uses.in_tests.get(name, ()):
                found.update(self._by_file.get(path, ()))
        if not found:
            found.update(*self._reach.lines.get(change.path, {}).values())
        return found


class _Uses:
    """Where names are read: `inside` functions of the rooms, by file and line; `on_top` of their modules, by the names that the
    statement binds in turn; `in_tests`, by file."""

    def __init__(self, root: Path, paths: Iterable[str], tests: Iterable[str]) -> None:
        self.inside: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.on_top: dict[str, set[str]] = defaultdict(set)
        self.in_tests: dict[str, set[str]] = defaultdict(set)
        for path in paths:
            for statement in ast.parse((root / path).read_text()).body:
                self._statement(path, statement)
        for path in tests:
            for name, _ in _names(ast.parse((root / path).read_text())):
                self.in_tests[name].add(path)

    def _statement(self, path: str, statement: ast.stmt) -> None:
        for name, line in _names(statement):
            self.inside[name].add((path, line))
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                self.on_top[name].update(bound(statement))

    def meaning(self, names: Iterable[str]) -> set[str]:
        """These names and all that are made of them on the top of a module."""
        found, waiting = set(names), list(names)
        while waiting:
            new = self.on_top.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found


def _names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
