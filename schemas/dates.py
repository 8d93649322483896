"""Where the days and instants of a message stand: found once per struct from its types, so that its doors can bound them cheaply."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from schemas.common import EARLIEST, LATEST, day_or_instant, within_dates

_FIRST, _LAST = EARLIEST.year, LATEST.year


class _Field(NamedTuple):
    """A field of a struct: its attribute, its name on the wire, and its fields where it holds structs, one or an array."""

    attribute: str
    name: str
    inside: _Dated


class _Dated(NamedTuple):
    """The fields of a struct that are days and instants, that are texts of either, and that hold structs with such fields."""

    days: tuple[_Field, ...]
    texts: tuple[_Field, ...]
    structs: tuple[_Field, ...]


_NONE = _Dated((), (), ())


def beyond_dates(message: msgspec.Struct) -> str:
    """Path (`lines[0].arrival`) of the first day or instant that is not within `schemas.common.DATES`; empty: all are."""
    return _beyond(message, _dated(type(message)))


def _beyond(value: Any, dated: _Dated) -> str:
    days, texts, structs = dated
    for attribute, name, _ in days:
        day = getattr(value, attribute)
        if day is not None and not _FIRST <= day.year <= _LAST:  # `within_dates`, without a call: every message comes by here
            return name
    for attribute, name, _ in texts:
        if not within_dates(day_or_instant(getattr(value, attribute))):
            return name
    for attribute, name, inside in structs:
        found = getattr(value, attribute)
        if isinstance(found, tuple):
            for n, item in enumerate(found):
                if not isinstance(item, str) and (path := _beyond(item, inside)):
                    return f"{name}[{n}].{path}"
        elif found is not None and (path := _beyond(found, inside)):
            return f"{name}.{path}"
    return ""


@lru_cache(maxsize=256)
def _dated(kind: type[msgspec.Struct]) -> _Dated:
    days: list[_Field] = []
    texts: list[_Field] = []
    structs: list[_Field] = []
    for field in msgspec.structs.fields(kind):
        for type_ in _plain(inspect.type_info(field.type)):
            if isinstance(type_, inspect.StructType):
                inside = _dated(type_.cls)
                if any(inside):
                    structs.append(_Field(field.name, field.encode_name, inside))
            else:
                (texts if isinstance(type_, inspect.Metadata) else days).append(_Field(field.name, field.encode_name, _NONE))
    return _Dated(tuple(days), tuple(texts), tuple(structs))


def _plain(type_: inspect.Type) -> Iterator[inspect.Type]:
    """The days, instants and structs that a field's type names, alone, in a union or as elements of an array."""
    match type_:
        case inspect.Metadata(type=inner, extra=extra):
            yield from (type_,) if extra and extra.get("day_or_instant") else _plain(inner)
        case inspect.UnionType(types=types):
            for member in types:
                yield from _plain(member)
        case inspect.VarTupleType(item_type=item):
            yield from _plain(item)
        case inspect.DateType() | inspect.DateTimeType() | inspect.StructType():
            yield type_
