"""Which tests are asked about a change: those that run its line, fastest first. A change at the top of a module is seen by those that
run a line in which a name stands that the statement binds."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.changes import Change
from tests.mutants.reach import Reach


class Chooser:
    """Chooses from one measured run."""

    def __init__(self, root: Path, reach: Reach, budget_s: float) -> None:
        """`budget_s`: as much testing as one change is worth; a change that lives so long has survived."""
        self._reach, self._budget_s = reach, budget_s
        self._uses = _uses(root, reach.lines)
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
        whole = Change(path, 0, 0, 0, 0, "", 0, (), "", "", "")
        return self.tests(whole)

    def fresh(self, change: Change) -> bool:
        """Whether the change acts while modules are imported, so that it takes a process that has not imported them."""
        if not change.function or change.function.endswith("."):
            return True
        lines = self._imported.get(change.path, frozenset())
        return any(line in lines for line in range(change.line, change.end + 1)) and change.statement in lines

    def _of_function(self, change: Change) -> set[int]:
        by_line = self._reach.lines.get(change.path, {})
        return set(by_line.get(change.line, ())) or set(by_line.get(change.statement, ()))

    def _of_names(self, change: Change) -> set[int]:
        found: set[int] = set()
        for name in change.names:
            for path, line in self._uses.get(name, ()):
                found.update(self._reach.lines.get(path, {}).get(line, ()))
        if not found:
            found.update(*self._reach.lines.get(change.path, {}).values())
        return found


def _uses(root: Path, paths: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
    """Where each name is read, in any of these files."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for path in paths:
        for node in ast.walk(ast.parse((root / path).read_text())):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found[node.id].append((path, node.lineno))
            elif isinstance(node, ast.Attribute):
                found[node.attr].append((path, node.lineno))
    return found
