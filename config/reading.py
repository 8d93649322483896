"""One TOML file into structs, strictly: unknown keys and wrong types are told with file, line, key and value, all at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from config.lines import Path as KeyPath
from config.lines import key_lines
from config.problems import Problem
from schemas.money import parse_rate

T = TypeVar("T", bound=msgspec.Struct)
MAX_BYTES = 1_000_000
_SHOWN = 60


class TomlFile:
    """A file of the folder, `name` relative to it. Problems are gathered in `problems`; nothing is raised."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.name = name
        self.problems = problems
        self.table: dict[str, Any] = {}
        self.lines: dict[KeyPath, int] = {}
        self.text = ""

    def parse(self, path: Path) -> bool:
        """Reads the text. False, with a problem, if it is not TOML."""
        try:
            data = path.read_bytes()[: MAX_BYTES + 1]
            if len(data) > MAX_BYTES:
                self.problem((), f"is larger than {MAX_BYTES} bytes")
                return False
            text = data.decode().replace("\r\n", "\n")
            self.table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            message, _, place = str(error).partition(" (at line ")
            number = place.partition(",")[0]
            self.problems.append(
                Problem(file=self.name, line=int(number) if number.isdecimal() else 0, message=f"not TOML: {message}")
            )
            return False
        except (OSError, UnicodeDecodeError, RecursionError) as error:
            self.problem((), f"cannot be read: {error}")
            return False
        self.text, self.lines = text, key_lines(text)
        return True

    def line(self, path: KeyPath) -> int:
        """The line of a key, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def problem(self, path: KeyPath, message: str, *, value: object = "", code: str = "bad_configuration") -> None:
        """Notes a mistake at a key."""
        shown = str(value)[:_SHOWN]
        self.problems.append(
            Problem(file=self.name, line=self.line(path), key=written(path), message=message, value=shown, code=code)
        )

    def read(self, kind: type[T], table: Any, path: KeyPath, given: Mapping[str, object] | None = None) -> T | None:
        """`table`, which stands at `path`, as a struct. `given`: fields that the file need not have. None: problems."""
        if not isinstance(table, dict):
            self.problem(path, f"must be a table, not {_named(table)}")
            return None
        before = len(self.problems)
        fields = _fields(kind)
        for key in table:
            if key not in fields:
                self.problem((*path, key), f"unknown key; known here: {', '.join(fields)}", value=key, code="unknown_key")
        values: dict[str, object] = dict(given or {})
        for key, field in fields.items():
            if key in table:
                values[field.name] = self._field(field, table[key], (*path, key))
            elif field.required and field.name not in values:
                self.problem((*path, key), "is missing", code="missing_key")
        if len(self.problems) > before:
            return None
        try:
            return kind(**values)
        except ValueError as error:
            self.problem(path, str(error))
            return None

    def _field(self, field: _Field, value: Any, path: KeyPath) -> Any:
        if field.struct is not None and not field.many:
            return self.read(field.struct, value, path)
        if field.struct is not None:
            if not isinstance(value, list):
                self.problem(path, f"must be an array of tables, not {_named(value)}")
                return None
            if not field.least <= len(value) <= field.most:
                wanted = f"exactly {field.least}" if field.least == field.most else f"{field.least} to {field.most}"
                self.problem(path, f"must have {wanted} entries, it has {len(value)}", value=len(value))
                return None
            return tuple(self.read(field.struct, item, (*path, n)) for n, item in enumerate(value))
        if field.mapping and isinstance(value, dict):
            parts = [self._convert(field.kind, {key: item}, (*path, key)) for key, item in value.items()]
            return {key: item for part in parts if part is not None for key, item in part.items()}
        return self._convert(field.kind, value, path)

    def _convert(self, kind: Any, value: Any, path: KeyPath) -> Any:
        """A value of no struct. A map comes with one entry, and `path` leads to that."""
        try:
            return msgspec.convert(value, kind, dec_hook=_rate)
        except msgspec.ValidationError as error:
            text, _, inner = str(error).partition(" - at `")
            inner = inner.removeprefix("key in ").removeprefix("$").removeprefix("[...]")
            if isinstance(value, dict) and len(value) == 1 and path[-1:] == tuple(value):
                value = value[path[-1]]
            inside = [int(n) if n else key for n, key in re.findall(r"\[(\d+)\]|\.([^.\[`]+)", inner)]
            wrong = _at(value, inside)
            shown = (
                "" if isinstance(wrong, dict | list) else f"; it is {msgspec.json.encode(wrong, enc_hook=str).decode()[:_SHOWN]}"
            )
            scalar = "" if isinstance(wrong, dict | list) else wrong
            self.problem((*path, *inside), f"{text[:1].lower()}{text[1:]}{shown}", value=scalar)
            return None


class _Field(NamedTuple):
    name: str
    kind: Any
    required: bool
    struct: type[msgspec.Struct] | None  # that it holds, one or `many` of them, `least` to `most`
    many: bool
    mapping: bool
    least: int
    most: int


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> dict[str, _Field]:
    result = {}
    for field in msgspec.structs.fields(kind):
        info = inspect.type_info(field.type)
        many, least, most = False, 0, 10_000
        while isinstance(info, inspect.Metadata):
            info = info.type
        if isinstance(info, inspect.VarTupleType):
            many, least, most, info = True, info.min_length or 0, info.max_length or most, info.item_type
        elif isinstance(info, inspect.TupleType):
            many, least, most, info = True, len(info.item_types), len(info.item_types), info.item_types[0]
        elif isinstance(info, inspect.UnionType):
            info = next((one for one in info.types if isinstance(one, inspect.StructType)), info)
        struct = info.cls if isinstance(info, inspect.StructType) else None
        result[field.encode_name] = _Field(
            field.name, field.type, field.required, struct, many, isinstance(info, inspect.DictType), least, most
        )
    return result


def _at(value: Any, path: list[int | str]) -> Any:
    try:
        for part in path:
            value = value[part]
    except (LookupError, TypeError):
        return {}
    return value


def _named(value: object) -> str:
    match value:
        case str():
            return "text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def written(path: KeyPath) -> str:
    """A path as people write it: `tranches[1].refund`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _rate(kind: type, value: object) -> object:
    if kind is Fraction and isinstance(value, str):
        return parse_rate(value)
    if kind is Fraction:
        raise ValueError(f"a rate is written as text, like '50 %', not {_named(value)}")
    raise NotImplementedError(kind)
