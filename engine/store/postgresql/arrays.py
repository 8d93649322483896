"""Columns of many rows as PostgreSQL reads them: one array of numbers, texts or bytes in its binary format, made at once.

psycopg would look at each value for its type, which took a tenth of all the time. Here the type is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct, pack
from typing import Any, Final

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD: Final = Struct("!iiIii")  # dimensions, whether there are nulls, the elements' type, how many, the first one's index
_LENGTH: Final = Struct("!i").pack
_NULL: Final = _LENGTH(-1)
_LENGTHS: Final = tuple(map(_LENGTH, range(4096)))


class Array:
    """One column, ready to be sent."""

    __slots__ = ("data",)
    oid = 0

    def __init__(self, data: bytes) -> None:
        self.data = data


class Numbers(Array):
    oid = 1016  # bigint[]


class Texts(Array):
    oid = 1009  # text[]


class Bytes(Array):
    oid = 1001  # bytea[]


def numbers(values: Sequence[Any]) -> Array:
    if None in values:
        parts = [_NULL if value is None else b"\0\0\0\x08" + value.to_bytes(8, "big", signed=True) for value in values]
        return Numbers(_HEAD.pack(1, 1, 20, len(values), 1) + b"".join(parts))
    flat = [8] * (2 * len(values))
    flat[1::2] = values
    return Numbers(_HEAD.pack(1, 0, 20, len(values), 1) + pack("!" + "iq" * len(values), *flat))


def texts(values: Sequence[Any]) -> Array:
    return Texts(_of(25, [None if value is None else value.encode() for value in values]))


def bytes_(values: Sequence[Any]) -> Array:
    return Bytes(_of(17, values))


MAKERS: Final[Mapping[str, Callable[[Sequence[Any]], Array]]] = {"n": numbers, "t": texts, "b": bytes_}


def _of(element: int, values: Sequence[bytes | None]) -> bytes:
    parts = [_HEAD.pack(1, None in values, element, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            size = len(value)
            parts += (_LENGTHS[size] if size < 4096 else _LENGTH(size), value)
    return b"".join(parts)


class _Numbers(Dumper):
    format = Format.BINARY
    oid = Numbers.oid

    def dump(self, obj: Array) -> Buffer:
        return obj.data


class _Texts(_Numbers):
    oid = Texts.oid


class _Bytes(_Numbers):
    oid = Bytes.oid


def known_to(connection: Connection[Any]) -> None:
    """From now on this connection can send them."""
    for made, dumper in ((Numbers, _Numbers), (Texts, _Texts), (Bytes, _Bytes)):
        connection.adapters.register_dumper(made, dumper)
