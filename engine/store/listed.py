"""What people have lists of: a row for each balance request and each voucher, stored with the state that it is taken from.

A list is read by its own index, and then the states of one page: never the states of a whole store. A booking that is asked for nothing
and has no voucher has no row.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class ListKind(StrEnum):
    """Which list."""

    BALANCE = "balance"
    VOUCHER = "voucher"


class Mark(StrEnum):
    """What is said of an entry beside its queue."""

    OVERDUE = "overdue"
    SUSPENDED = "suspended"
    FLAGGED = "flagged"


class ListedRow(NamedTuple):
    """One entry. `folio` empty: a voucher that is on no booking; `item`: the request's id, or the voucher's number in its one spelling;
    `queue`: its status; `marks`: words between blanks, in the order of `Mark`; `rank`: its place in its list."""

    tenant: str
    folio: str
    kind: str
    item: str
    property: str
    queue: str
    marks: str
    rank: str

    def name(self) -> tuple[str, str, str, str]:
        """What names the row."""
        return self[:4]


class Place(NamedTuple):
    """Where an entry stands in its list; the list goes on behind it."""

    rank: str
    folio: str
    item: str


BEGINNING: Final = Place("", "", "")
