"""What a function is that does nothing: it gives back what it was given, or as little as its signature allows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef

_LEAST: Final = {
    "bool": "False", "int": "0", "str": "''", "bytes": "b''", "Fraction": "Fraction(1)", "timedelta": "timedelta(0)",
    "Mapping": "{}", "dict": "{}", "list": "[]", "Sequence": "()", "Iterable": "()", "frozenset": "frozenset()", "set": "set()",
}  # fmt: skip
"""By the annotation's name, a rate that takes nothing away among them; all else is the first argument."""
_OR_NONE: Final = " | None"
_ENDS: Final = frozenset({"NoReturn", "Never"})


def idle(tree: ast.Module, name: str) -> Function | None:
    """Make the function of that name (`Class.method`, `function`) do nothing, in the tree itself: its definition. None where there is
    none, or where raising is all that it is for."""
    found = _find(tree, name.split("."))
    if found is None or _text(found.returns) in _ENDS:
        return None
    found.body = [*_body(found)]
    ast.fix_missing_locations(tree)
    return found


def _find(node: ast.AST, names: list[str]) -> Function | None:
    for inner in getattr(node, "body", ()):
        if isinstance(inner, ast.ClassDef | Function) and inner.name == names[0]:
            if len(names) > 1:
                return _find(inner, names[1:])
            return inner if isinstance(inner, Function) else None
    return None


def _body(function: Function) -> Iterator[ast.stmt]:
    yield from ast.parse(f"return {_value(function.returns, function)}").body
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function)):
        yield from ast.parse("yield").body


def _value(wanted: ast.expr | None, function: Function) -> str:
    given = _given(function)
    text = _text(wanted)
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function)) or text in ("", "None"):
        return "None"
    if text == "Outcome":
        return f"Outcome(state={next((name for name, kind in given if kind == 'Folio'), 'None')})"
    for name, kind in given:
        if kind.removesuffix(_OR_NONE) == text.removesuffix(_OR_NONE):
            return name
    if text.endswith(_OR_NONE):
        return "None"
    if isinstance(wanted, ast.Subscript) and _text(wanted.value) == "tuple":
        parts = wanted.slice.elts if isinstance(wanted.slice, ast.Tuple) else [wanted.slice]
        if any(isinstance(part, ast.Constant) and part.value is Ellipsis for part in parts):
            return "()"
        return f"({''.join(f'{_value(part, function)}, ' for part in parts)})"
    name = _text(wanted.value) if isinstance(wanted, ast.Subscript) else text
    return _LEAST.get(name) or next((name for name, _ in given), "None")


def _given(function: Function) -> list[tuple[str, str]]:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [(one.arg, _text(one.annotation)) for one in arguments if one.arg not in ("self", "cls")]


def _text(node: ast.expr | None) -> str:
    return ast.unparse(node) if node else ""
