"""What may become of an expression: comparisons, boundaries, logic, arithmetic, constants, and what is left out of a list."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.mutants import sql

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
}
_OTHER = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_WORD = re.compile(r"[A-Za-z][\w.:/-]*")
_NEVER_SEEN = frozenset({"log", "logger", "warnings", "cast", "TypeVar", "NewType"})
_METRICS = frozenset({"Counter", "Gauge", "Histogram"})
_METRIC_CALLS = frozenset({"inc", "dec", "observe", "labels", "get_logger"})
_UNSEEN_KEYWORDS = frozenset({"strict", "daemon", "check_same_thread", "maxsize", "text", "message", "meaning"})
_MAYBE_LISTS = ast.Call | ast.Tuple | ast.List | ast.Attribute
Found = Iterator[tuple[ast.AST, ast.AST, str]]


def for_people(call: ast.Call) -> bool:
    """Whether a call only tells people something: logs and metrics, as they are made and as they are used."""
    part: ast.expr = call
    while isinstance(part, ast.Call | ast.Attribute):
        if isinstance(part, ast.Attribute) and part.attr in _METRIC_CALLS | _METRICS:
            return True
        part = part.func if isinstance(part, ast.Call) else part.value
    return isinstance(part, ast.Name) and part.id in _NEVER_SEEN | _METRICS


def walk(node: ast.expr, parent: ast.AST) -> Found:
    """Every change in an expression: the node, what may stand in its place, and what kind of change that is."""
    if isinstance(node, ast.Call) and for_people(node):
        return
    for replacement, operator in _variants(node, parent):
        yield node, replacement, operator
    match node:
        case ast.JoinedStr():
            return
        case ast.Call(func=ast.Name(id="Step"), args=[rule, _]):
            yield from walk(rule, node)
        case ast.Call():
            if isinstance(node.func, ast.Attribute):
                yield from walk(node.func.value, node)
            for argument in node.args:
                yield from walk(argument, node)
            for keyword in node.keywords:
                if keyword.arg not in _UNSEEN_KEYWORDS:
                    yield from walk(keyword.value, keyword)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            yield from _comprehension(node)
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield from walk(child, node)


def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Found:
    parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    for part in parts:
        yield from walk(part, node)
    for one in node.generators:
        yield from walk(one.iter, one)
        for at, condition in enumerate(one.ifs):
            yield from walk(condition, one)
            rest = [*one.ifs[:at], *one.ifs[at + 1 :]]
            loose = ast.comprehension(target=one.target, iter=one.iter, ifs=rest, is_async=one.is_async)
            yield one, loose, "filter left out"


def _variants(node: ast.expr, parent: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    match node:
        case ast.Compare():
            yield from _comparison(node)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(op=ast.Or() if isinstance(op, ast.And) else ast.And(), values=values), "logic"
            for at in range(len(values)):
                rest = [*values[:at], *values[at + 1 :]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op=op, values=rest), "condition left out"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand, "negation"
        case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            yield operand, "arithmetic"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test=test, body=orelse, orelse=body), "branches swapped"
        case ast.BinOp(op=op) if type(op) in _COUNTED:
            yield from _arithmetic(node)
        case ast.Constant() | ast.JoinedStr():
            yield from _constant(node, parent)
        case ast.Call():
            yield from _call(node)
        case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
            yield from _display(node, parent)
        case ast.Attribute() | ast.Name():
            return


def _comparison(node: ast.Compare) -> Iterator[tuple[ast.expr, str]]:
    for at, op in enumerate(node.ops):
        for other in _COMPARED[type(op)]:
            ops = [*node.ops[:at], other(), *node.ops[at + 1 :]]
            boundary = {type(op), other} in ({ast.Lt, ast.LtE}, {ast.Gt, ast.GtE})
            yield ast.Compare(left=node.left, ops=ops, comparators=node.comparators), "boundary" if boundary else "comparison"


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[ast.expr, str]]:
    sides = (node.left, node.right)
    if any(isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str)) for side in sides):
        return
    counted = any(isinstance(side, ast.Constant) for side in sides)
    if isinstance(node.op, ast.Add) and not counted and any(isinstance(side, _MAYBE_LISTS) for side in sides):
        yield node.left, "second part left out"
        yield node.right, "first part left out"
    else:
        yield ast.BinOp(left=node.left, op=_COUNTED[type(node.op)](), right=node.right), "arithmetic"


def _constant(node: ast.Constant | ast.JoinedStr, parent: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    if sql.is_statement(node):
        yield from sql.variants(node)
    elif isinstance(node, ast.JoinedStr) or isinstance(parent, ast.JoinedStr):
        return
    elif isinstance(node.value, bool):
        yield ast.Constant(not node.value), "constant"
    elif isinstance(node.value, int):
        yield ast.Constant(node.value - 1 if node.value == 1 else node.value + 1), "constant"
    elif isinstance(node.value, float):
        yield ast.Constant(node.value + 1.0), "constant"
    elif isinstance(node.value, str) and _WORD.fullmatch(node.value):
        yield ast.Constant(f"{node.value}-other"), "constant"


def _call(node: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    match node.func:
        case ast.Name(id=name) if name in _OTHER and node.args:
            keywords = [] if name == "sorted" else node.keywords
            yield ast.Call(func=ast.Name(id=_OTHER[name], ctx=ast.Load()), args=node.args, keywords=keywords), "other function"
        case ast.Name(id="abs"):
            yield node.args[0], "other function"
        case ast.Name(id="replace") | ast.Attribute(attr="_replace"):
            for at, keyword in enumerate(node.keywords):
                if keyword.arg is not None:
                    rest = [*node.keywords[:at], *node.keywords[at + 1 :]]
                    yield ast.Call(func=node.func, args=node.args, keywords=rest), "field left as it was"
        case _:
            return


def _display(node: ast.Tuple | ast.List | ast.Set | ast.Dict, parent: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """One thing less in a list. Positions that mean something by themselves are left alone: coordinates, parameters, keys."""
    if isinstance(node, ast.Dict):
        for at in range(len(node.keys)):
            keys, values = [*node.keys[:at], *node.keys[at + 1 :]], [*node.values[:at], *node.values[at + 1 :]]
            yield ast.Dict(keys=keys, values=values), "entry left out"
        return
    if isinstance(node, ast.Tuple | ast.List):
        if not isinstance(node.ctx, ast.Load) or isinstance(parent, ast.Subscript | ast.Compare):
            return
        if not (isinstance(parent, ast.keyword) or any(isinstance(one, ast.Starred) for one in node.elts)):
            return
    for at, one in enumerate(node.elts):
        if isinstance(node, ast.Set) or isinstance(one, ast.Call | ast.Starred):
            rest = [*node.elts[:at], *node.elts[at + 1 :]]
            if not isinstance(node, ast.Set):
                yield type(node)(elts=rest, ctx=ast.Load()), "entry left out"
            elif rest:
                yield ast.Set(elts=rest), "entry left out"
            else:
                yield ast.Call(func=ast.Name(id="set", ctx=ast.Load()), args=[], keywords=[]), "entry left out"
