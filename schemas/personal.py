"""Which fields of a message are about a person (X-11): found once per struct from the `Personal` mark, used by the sealing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import inspect

SUBJECT = "person"
"""A struct with personal fields names the person they are about in this field; empty or absent: the folio is the subject."""
SEALED: Final = "sealed:1:"
"""How a sealed text begins."""
_REFERENCE: Final = re.compile(r"(?!sealed:|data:)(?=[a-z]+://|\S*[0-9])\S{1,200}", re.IGNORECASE)


def is_reference(text: str) -> bool:
    """X-26: whether a text says where a proof is kept, and not what it says: one word of at most 200 characters that is an address or
    has a digit (`https://files.example/a7`, `dossier-17`), and holds no document itself."""
    return _REFERENCE.fullmatch(text) is not None


class PersonalField(msgspec.Struct, frozen=True):
    """`path` leads from the message to the field (`("guest", "name")`; `"[]"` stands for every element of an array or map).

    `subject` leads to the field that names the person, empty where the struct has none. `reference`: what `is_reference` is left as
    it is.
    """

    path: tuple[str, ...]
    subject: tuple[str, ...] = ()
    reference: bool = False


@lru_cache(maxsize=256)
def personal_fields(kind: type[msgspec.Struct]) -> tuple[PersonalField, ...]:
    """Every personal field of a message struct, those of nested structs included, in the order of the fields."""
    return tuple(_walk(inspect.type_info(kind), "personal", (), (), frozenset()))


@lru_cache(maxsize=256)
def _unshown(kind: type[msgspec.Struct]) -> tuple[PersonalField, ...]:
    return (*personal_fields(kind), *_walk(inspect.type_info(kind), "unshown", (), (), frozenset()))


def _walk(
    info: inspect.Type, mark: str, path: tuple[str, ...], subject: tuple[str, ...], seen: frozenset[type]
) -> Iterator[PersonalField]:
    match info:
        case inspect.Metadata(type=inner, extra=extra):
            if extra and extra.get(mark):
                yield PersonalField(path, subject, extra.get("reference", False))
            else:
                yield from _walk(inner, mark, path, subject, seen)
        case inspect.UnionType(types=types):
            for member in types:
                yield from _walk(member, mark, path, subject, seen)
        case inspect.StructType(cls=cls, fields=fields):
            if cls in seen:
                return
            named = (*path, SUBJECT) if any(f.name == SUBJECT for f in fields) else ()
            for field in fields:
                yield from _walk(field.type, mark, (*path, field.encode_name), named, seen | {cls})
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            yield from _walk(item, mark, (*path, "[]"), subject, seen)
        case inspect.TupleType(item_types=items):
            for item in items:
                yield from _walk(item, mark, (*path, "[]"), subject, seen)
        case inspect.DictType(value_type=value):
            yield from _walk(value, mark, (*path, "[]"), subject, seen)
        case _:
            return


def is_unshown(kind: type[msgspec.Struct], path: str) -> bool:
    """Whether nobody is shown what stands at a path as errors write it (`guest.name`, `guests[0].name`), or leads there: what is personal,
    who a person is, and a voucher's number, since who has it can spend it (`schemas.common.UNSHOWN`)."""
    return _leads(_unshown(kind), path)


def _leads(fields: tuple[PersonalField, ...], path: str) -> bool:
    parts = tuple("[]" if index else name for index, name in re.findall(r"\[([^\]]*)\]|([^.\[\]]+)", path))
    return any(field.path[: len(parts)] == parts or parts[: len(field.path)] == field.path for field in fields)


def replace_personal(kind: type[msgspec.Struct], data: Any, change: Callable[[str, str], str]) -> Any:
    """A copy of decoded JSON `data` of this struct with each personal text replaced by `change(subject, text)`.

    `subject` is the person's id, empty where the message names none. Empty texts, absent objects, references and what is not text stay.
    """
    for field in personal_fields(kind):
        data = _replaced(data, field.path, "", _sparing(change) if field.reference else change)
    return data


def _sparing(change: Callable[[str, str], str]) -> Callable[[str, str], str]:
    return lambda subject, text: text if is_reference(text) else change(subject, text)


class _Held(NamedTuple):
    """A field of a struct that is personal, or holds something that is; `text`: by itself or as a plain array or map of texts;
    `reference`: by itself, unless it is a reference."""

    attribute: str
    text: bool
    reference: bool


@lru_cache(maxsize=256)
def _held(kind: type[msgspec.Struct]) -> tuple[_Held, ...]:
    attributes = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    fields = personal_fields(kind)
    return tuple(
        _Held(
            attributes[name],
            any(field.path[0] == name and set(field.path[1:]) <= {"[]"} for field in fields),
            any(field.path == (name,) and field.reference for field in fields),
        )
        for name in dict.fromkeys(field.path[0] for field in fields)
    )


def personal_texts(message: msgspec.Struct) -> list[tuple[str, str]]:
    """Subject and text of everything in a message that is about a person, as `replace_personal` meets them."""
    found: list[tuple[str, str]] = []
    _find(message, "", False, found)
    return found


def _find(value: Any, subject: str, text: bool, found: list[tuple[str, str]]) -> None:
    if isinstance(value, str):
        if text and value:
            found.append((subject, value))
    elif isinstance(value, msgspec.Struct):
        named = getattr(value, SUBJECT, "")
        for attribute, is_text, reference in _held(type(value)):
            inner = getattr(value, attribute)
            if inner and not (reference and is_reference(inner)):
                _find(inner, named if isinstance(named, str) else "", is_text, found)
    elif isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            _find(item, subject, text, found)


def with_texts(message: Any, texts: Iterator[str]) -> Any:
    """A copy of a message with what `personal_texts` found replaced, one after the other, by `texts`."""
    return _filled(message, False, texts)


def _filled(value: Any, text: bool, texts: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(texts) if text and value else value
    if isinstance(value, msgspec.Struct):
        changed = {}
        for attribute, is_text, reference in _held(type(value)):
            inner = getattr(value, attribute)
            if inner and not (reference and is_reference(inner)):
                changed[attribute] = _filled(inner, is_text, texts)
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(value, dict):
        return {key: _filled(item, text, texts) for key, item in value.items()}
    return type(value)(_filled(item, text, texts) for item in value) if isinstance(value, list | tuple) else value


def _replaced(data: Any, path: tuple[str, ...], subject: str, change: Callable[[str, str], str]) -> Any:
    if not path:
        return change(subject, data) if isinstance(data, str) and data else data
    if path[0] == "[]":
        if isinstance(data, dict):
            return {key: _replaced(value, path[1:], subject, change) for key, value in data.items()}
        return [_replaced(value, path[1:], subject, change) for value in data] if isinstance(data, list) else data
    if not isinstance(data, dict) or path[0] not in data:
        return data
    named = data.get(SUBJECT)
    return {**data, path[0]: _replaced(data[path[0]], path[1:], named if isinstance(named, str) else "", change)}
