"""Every small change that a module's source can suffer: what stands there, what would stand there instead, and how to put it there.

What changes nothing that can be seen is not made: words for people (logs, docstrings, texts of refusals and traces), metrics,
annotations, assertions. `statements`, `expressions` and `sql` say what may become of a node; here is where they are asked.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.mutants import expressions, statements
from tests.mutants.statements import Function

_SKIPPED = ast.Import | ast.ImportFrom | ast.Assert | ast.Global | ast.Nonlocal | ast.Pass
_FOR_PEOPLE = frozenset({"__repr__", "__str__"})
_DECLARED = frozenset({"overload", "abstractmethod"})


class Change(NamedTuple):
    """One change. `number` counts those of its file; `function` holds it ('' at the top of a module), `outermost` is the line where
    the function begins in which that one stands, and `names` are what the changed statement binds for other modules.
    `before` and `after` are cut where they are long, `whole` is all of what would stand there."""

    path: str
    number: int
    line: int
    end: int
    statement: int
    function: str
    outermost: int
    names: tuple[str, ...]
    operator: str
    before: str
    after: str
    whole: str

    @property
    def room(self) -> str:
        """The package that holds it."""
        return self.path.partition("/")[0]

    def __str__(self) -> str:
        where = f" ({self.function})" if self.function else ""
        return f"{self.path}:{self.line}{where} {self.operator}: {self.before}  ->  {self.after}"


class Place(NamedTuple):
    """Where the walk is."""

    function: str = ""
    outermost: int = 0
    owner: Function | None = None
    statement: ast.stmt | None = None
    names: tuple[str, ...] = ()


class _Planned(NamedTuple):
    change: Change
    node: ast.AST
    replacement: ast.AST


_Found = Iterator[tuple[Place, ast.AST, ast.AST, str]]


def changes_of(path: str, source: str) -> list[Change]:
    """Every change of a file, in order."""
    return [planned.change for planned in _planned(path, ast.parse(source))]


def changed(change: Change, source: str) -> ast.Module:
    """The file's tree with that change made."""
    tree = ast.parse(source)
    planned = _planned(change.path, tree)[change.number]
    return ast.fix_missing_locations(_Put(planned.node, planned.replacement).visit(tree))


def edited(change: Change, source: str) -> str | None:
    """The file's text with that change made and all else as it was written; None where the change has no place of its own."""
    planned = _planned(change.path, ast.parse(source))[change.number]
    node, new = planned.node, ast.unparse(planned.replacement)
    if not isinstance(node, ast.expr | ast.stmt) or isinstance(node, ast.If | ast.While):
        return None
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    first, last = lines[node.lineno - 1][: node.col_offset], lines[node.end_lineno - 1][node.end_col_offset :]
    text = f"({new})" if isinstance(node, ast.expr) else new
    return b"".join([*lines[: node.lineno - 1], first, text.encode(), last, *lines[node.end_lineno :]]).decode()


def files(root: Path, room: str) -> list[str]:
    """The Python files of a room, relative, in order."""
    return sorted(str(path.relative_to(root)) for path in (root / room).rglob("*.py"))


class _Put(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._old:
            return ast.copy_location(self._new, node)
        return self.generic_visit(node)


def _planned(path: str, tree: ast.Module) -> list[_Planned]:
    found: list[_Planned] = []
    for place, node, replacement, operator in _statements(tree.body, Place()):
        first = place.statement
        assert first is not None
        line = getattr(node, "lineno", first.lineno)
        change = Change(
            path=path, number=len(found), line=line, end=getattr(node, "end_lineno", line), statement=first.lineno,
            function=place.function, outermost=place.outermost, names=place.names, operator=operator,
            before=_text(node), after=_text(replacement), whole=_line(replacement),
        )  # fmt: skip
        if _line(node) != change.whole:
            found.append(_Planned(change, node, replacement))
    return found


def _text(node: ast.AST) -> str:
    """A node in one line, its middle left out where it is long."""
    text = _line(node)
    return text if len(text) < 160 else f"{text[:100]} … {text[-50:]}"


def _line(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _statements(body: list[ast.stmt], place: Place) -> _Found:
    for statement in body:
        yield from _statement(statement, place._replace(statement=statement))


def _statement(node: ast.stmt, place: Place) -> _Found:
    if isinstance(node, _SKIPPED) or _unseen(node):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from _function(node, place)
    elif isinstance(node, ast.ClassDef):
        inner = place._replace(function=f"{place.function}{node.name}.", names=(*place.names, node.name))
        if not any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
            yield from _statements(node.body, inner)
    else:
        if not place.owner:
            place = place._replace(names=(*place.names, *bound(node)))
        for replacement, operator in statements.variants(node, place.owner):
            yield place, node, replacement, operator
        for expression, parent in statements.expressions_of(node):
            for found, replacement, operator in expressions.walk(expression, parent):
                yield place, found, replacement, operator
        for handler in getattr(node, "handlers", []):
            for replacement, operator in statements.of_handler(handler):
                yield place, handler, replacement, operator
            yield from _statements(handler.body, place)
        for case in getattr(node, "cases", []):
            yield from _statements(case.body, place)
        for field in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(node, field, []), place)


def _function(node: Function, place: Place) -> _Found:
    outside = place._replace(names=(*place.names, node.name)) if not place.owner else place
    for default in [*node.args.defaults, *node.args.kw_defaults]:
        for found, replacement, operator in expressions.walk(default, node) if default else ():
            yield outside, found, replacement, operator
    decorators = {getattr(one, "id", "") for one in node.decorator_list}
    if node.name in _FOR_PEOPLE or decorators & _DECLARED:
        return
    began = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    yield from _statements(
        node.body,
        Place(
            function=f"{place.function}{node.name}" if not place.owner else f"{place.function}.{node.name}",
            outermost=place.outermost or began,
            owner=node,
        ),
    )


def bound(node: ast.stmt) -> tuple[str, ...]:
    """The names that an assignment binds."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return tuple(name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def _unseen(node: ast.stmt) -> bool:
    """Docstrings, what only the type checker runs, metrics and loggers as they are made, and the way a module is run."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Assign(value=ast.Call() as call) | ast.AnnAssign(value=ast.Call() as call):
            return expressions.for_people(call)
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
        case _:
            return False
