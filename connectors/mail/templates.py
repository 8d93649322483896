"""Texts as templates: the part of Jinja2 that a text may use, held against what its kind may say, and rendered within bounds.

A text has conditions, loops over what is said, sums and comparisons, and a few filters; it calls nothing and repeats nothing. Its loops
end after `MOST_STEPS`, its text after `MOST_CHARACTERS`: nobody's mail waits for a text that does not end.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS as KNOWN
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

from connectors.mail.filters import FILTERS

MOST_STEPS: Final = 10_000
MOST_CHARACTERS: Final = 100_000
_LARGEST: Final = 10**30
_STEPS: Final = "steps of a loop"
_BOUNDED: Final = "what is put together"
_USUAL: Final = (
    "abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int", "last", "length", "list", "lower", "max",
    "min", "round", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip
_MAY: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.CondExpr, nodes.Name, nodes.Const,
    nodes.List, nodes.Tuple, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg,
    nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Concat, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.Keyword,
)  # fmt: skip
_UNDEFINED: Final = re.compile(r"'([^']*)' is undefined|has no attribute '([^']*)'")
_left: Final[ContextVar[list[int]]] = ContextVar("steps that are left")


class Mistake(NamedTuple):
    """What is wrong with a text, and in which of its lines."""

    line: int
    message: str
    code: str = "template_broken"
    value: str = ""


class _Bounded(NodeTransformer):
    """Counts the steps of each loop, and looks at the length of what is put together."""

    def visit(self, node: nodes.Node, *args: Any, **more: Any) -> Any:
        self.generic_visit(node, *args, **more)
        if isinstance(node, nodes.For):
            node.iter = nodes.Filter(node.iter, _STEPS, [], [], None, None, lineno=node.lineno)
        if isinstance(node, nodes.Concat):
            return nodes.Filter(node, _BOUNDED, [], [], None, None, lineno=node.lineno)
        return node


class Environment(ImmutableSandboxedEnvironment):
    """Without functions, macros and attributes that can be called."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def __init__(self, *, marked: bool) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=marked, keep_trailing_newline=False)
        self.globals.clear()
        self.filters = {**{name: KNOWN[name] for name in _USUAL}, **FILTERS, _STEPS: _steps, _BOUNDED: _bounded}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = _Bounded().visit(super()._parse(source, name, filename))
        assert isinstance(tree, nodes.Template)
        tree.set_environment(self)
        return tree

    def is_safe_callable(self, obj: Any) -> bool:
        del obj  # whatever it is
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Sums of numbers, and texts behind one another; neither grows without end."""
        if operator != "+" and not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError(f"{operator} is for numbers")
        return _bounded(super().call_binop(context, operator, left, right))


@pass_context
def _steps(_: Context, items: Iterable[Any]) -> Iterator[Any]:
    left = _left.get()
    for item in items:
        left[0] -= 1
        if left[0] < 0:
            raise SecurityError(f"it loops more than {MOST_STEPS} times: say less of it")
        yield item


def _bounded(value: Any) -> Any:
    if isinstance(value, str | list | tuple) and len(value) > MOST_CHARACTERS:
        raise SecurityError(f"it puts together more than {MOST_CHARACTERS} characters: say less of it")
    if isinstance(value, int) and not -_LARGEST < value < _LARGEST:
        raise SecurityError("a number of it is larger than any amount")
    return value


PLAIN: Final = Environment(marked=False)
MARKED: Final = Environment(marked=True)


def mistakes(source: str, known: frozenset[str]) -> list[Mistake]:
    """What shows of a text before anything is said: that it is no template, asks for what there is not, or names what nobody says."""
    try:
        tree = PLAIN.parse(source)
    except TemplateSyntaxError as broken:
        return [Mistake(broken.lineno, f"is no template: {broken.message}")]
    found = [one for node in tree.find_all(nodes.Node) if (one := _unknown(node)) is not None]
    for name in sorted(_named(tree) - known):
        line = min((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), default=1)
        text = f"names {name!r}, which nobody says: it may name {', '.join(sorted(known))}"
        found.append(Mistake(line, text, "template_variable", name))
    return sorted(found)


def _named(tree: nodes.Template) -> set[str]:
    """What it names and does not set itself."""
    try:
        return meta.find_undeclared_variables(tree)
    except TemplateSyntaxError:  # a filter or a test that there is not, which is told already
        return set()


def _unknown(node: nodes.Node) -> Mistake | None:
    """A filter or a test that there is not, or what texts have no use for."""
    if isinstance(node, nodes.Filter) and node.name not in PLAIN.filters:
        names = sorted({*FILTERS, *_USUAL})
        return Mistake(node.lineno, f"has no filter {node.name!r}: there are {', '.join(names)}")
    if isinstance(node, nodes.Test) and node.name not in PLAIN.tests:
        return Mistake(node.lineno, f"has no test {node.name!r}: there are {', '.join(sorted(PLAIN.tests))}")
    if isinstance(node, nodes.For) and node.recursive:
        return Mistake(node.lineno, "has a loop within itself, which no text may")
    if isinstance(node, nodes.Expr | nodes.Stmt | nodes.Helper) and not isinstance(node, _MAY):
        return Mistake(
            node.lineno, f"has {type(node).__name__.lower()}, which no text may: conditions, loops, sums and filters are all"
        )
    return None


def rendered(template: Template, said: Mapping[str, Any]) -> str:
    """What is read. Raises Broken."""
    token = _left.set([MOST_STEPS])
    pieces: list[str] = []
    length = 0
    try:
        for piece in template.generate(said):
            pieces.append(piece)
            length += len(piece)
            if length > MOST_CHARACTERS:
                raise SecurityError(f"it is longer than {MOST_CHARACTERS} characters: say less of it")
    except (TemplateError, ValueError, TypeError, ArithmeticError, LookupError) as broken:
        raise Broken(broken) from None
    finally:
        _left.reset(token)
    return "".join(pieces)


class Broken(Exception):
    """A text that cannot be written: the mistake that showed, and in which of its lines."""

    def __init__(self, why: Exception) -> None:
        frames = traceback.extract_tb(why.__traceback__)
        line = next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == "<template>"), 1)
        self.mistake = Mistake(line, f"cannot be written: {why}")
        if isinstance(why, UndefinedError):
            found = _UNDEFINED.search(str(why))
            name = (found[1] or found[2]) if found else str(why)
            self.mistake = Mistake(line, f"names {name!r}, which nobody says", "template_variable", name)
        super().__init__(self.mistake.message)
