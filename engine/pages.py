"""Lists that are read a page at a time: where a page ended, as a text that nobody needs to understand."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Final, Generic, TypeVar

import msgspec

from engine.store.listed import BEGINNING, ListKind, Place
from schemas.errors import HubError
from schemas.nul import NUL

MOST: Final = 1000
"""Entries of one page."""
_T = TypeVar("_T")


def _by_day(place: Place) -> bool:
    try:
        return date.fromisoformat(place.rank).isoformat() == place.rank
    except ValueError:
        return False


def _by_item(place: Place) -> bool:
    return place.rank == place.item


_RANKS: Final[Mapping[ListKind, Callable[[Place], bool]]] = {ListKind.BALANCE: _by_day, ListKind.VOUCHER: _by_item}
"""What the places of each list are ordered by (`engine.listed_rows`)."""


class BadAfter(HubError):
    """A text that says of no page where it ended."""

    code = "bad_after"


class Page(msgspec.Struct, Generic[_T], frozen=True, kw_only=True):
    """Entries, and where the list goes on; `next` empty: there is no more. A page may hold fewer than were asked for before the end."""

    entries: list[_T]
    next: str


def page_of(places: list[Place], entries: list[_T], limit: int) -> Page[_T]:
    """The page of these places; as many as were asked for: there may be more behind them."""
    return Page(entries=entries, next=_written(places[-1]) if len(places) == limit else "")


def place_of(after: str, kind: ListKind) -> Place:
    """Where a page of this list ended. Raises BadAfter for what no page of it says: another list's, and what somebody wrote himself with a
    day that there is not."""
    if not after:
        return BEGINNING
    try:
        place = msgspec.json.decode(urlsafe_b64decode(after.encode("ascii")), type=Place)
    except (Error, UnicodeError, msgspec.DecodeError):
        place = BEGINNING
    if _written(place) != after or not _RANKS[kind](place) or NUL in "".join(place):
        text = "`after` is what `next` of an earlier answer of this list said, unchanged"
        raise BadAfter(text, field="after", value=after)
    return place


def entries(page: Callable[[str, int], Page[_T]], limit: int) -> Iterator[_T]:
    """At most so many of a list, from its beginning, page by page."""

    def every() -> Iterator[_T]:
        after = ""
        while True:
            found = page(after, min(limit, MOST))
            yield from found.entries
            after = found.next
            if not after:
                return

    return islice(every(), limit)


def _written(place: Place) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).decode("ascii")
