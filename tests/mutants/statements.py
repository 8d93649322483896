"""What may become of a statement: left out, turned round, or giving nothing back."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutants.expressions import for_people

Function = ast.FunctionDef | ast.AsyncFunctionDef
_EMPTY = ("tuple", "Sequence", "Iterable", "Transfers", "list", "Collection")


def variants(node: ast.stmt, owner: Function | None) -> Iterator[tuple[ast.stmt, str]]:
    """Everything that may stand in its place. `owner` is the function around it."""
    match node:
        case ast.Expr(value=ast.Call() as call) if not for_people(call):
            yield ast.Pass(), "call left out"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign() | ast.Delete():
            yield ast.Pass(), "statement left out"
        case ast.Assign(targets=[ast.Name(id=name)]) if owner is not None and _known_before(name, node, owner):
            yield ast.Pass(), "statement left out"
        case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"))):
            return
        case ast.Raise() if owner is not None:
            yield ast.Pass(), "raise left out"
        case ast.Continue():
            yield ast.Break(), "loop control"
        case ast.Break():
            yield ast.Continue(), "loop control"
        case ast.Return(value=ast.expr() as value) if owner is not None and not _nothing(value):
            yield from _returned(value, owner)
        case ast.If(test=test) | ast.While(test=test) if not isinstance(
            test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant
        ):
            turned = type(node)(test=ast.UnaryOp(op=ast.Not(), operand=test), body=node.body, orelse=node.orelse)
            yield turned, "branches swapped"
        case _:
            return


def of_handler(node: ast.ExceptHandler) -> Iterator[tuple[ast.ExceptHandler, str]]:
    """An exception that is not handled after all."""
    if not isinstance(node.body[0], ast.Raise):
        yield ast.ExceptHandler(type=node.type, name=node.name, body=[ast.Raise()]), "handler left out"


def expressions_of(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.AST]]:
    """The expressions of a statement that are worth a look, each with what it stands in; of what is raised, not the words."""
    match node:
        case ast.Raise(exc=ast.Call() as call):
            yield from ((keyword.value, keyword) for keyword in call.keywords if keyword.arg in ("code", "rule", "field"))
        case ast.Raise():
            return
        case ast.AnnAssign():
            yield from ((value, node) for value in [node.value] if value is not None)
        case ast.Expr(value=ast.Call() as call) if for_people(call):
            return
        case ast.With() | ast.AsyncWith():
            yield from ((item.context_expr, node) for item in node.items)
        case ast.Match():
            yield node.subject, node
            yield from ((case.guard, node) for case in node.cases if case.guard is not None)
        case _:
            yield from ((child, node) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def _returned(value: ast.expr, owner: Function) -> Iterator[tuple[ast.stmt, str]]:
    kind = ast.unparse(owner.returns) if owner.returns is not None else ""
    if kind == "bool":
        if not isinstance(value, ast.Constant | ast.Compare | ast.BoolOp | ast.UnaryOp):  # those are turned round by themselves
            yield ast.Return(value=ast.UnaryOp(op=ast.Not(), operand=value)), "return value"
    elif kind == "int":
        yield ast.Return(value=ast.Constant(0)), "return value"
    elif kind == "str":
        yield ast.Return(value=ast.Constant("")), "return value"
    elif kind.startswith(_EMPTY):
        yield ast.Return(value=ast.Tuple(elts=[], ctx=ast.Load())), "return value"
    else:
        yield ast.Return(value=ast.Constant(None)), "return value"


def _nothing(value: ast.expr) -> bool:
    return (isinstance(value, ast.Constant) and value.value in (None, 0, "")) or (isinstance(value, ast.Tuple) and not value.elts)


def _known_before(name: str, node: ast.stmt, owner: Function) -> bool:
    """Whether the name has a value already, so that leaving this assignment out breaks nothing by itself."""
    arguments = [*owner.args.posonlyargs, *owner.args.args, *owner.args.kwonlyargs]
    stored = (
        known.lineno
        for known in ast.walk(owner)
        if isinstance(known, ast.Name) and isinstance(known.ctx, ast.Store) and known.id == name
    )
    return any(argument.arg == name for argument in arguments) or any(line < node.lineno for line in stored)
