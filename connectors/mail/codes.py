"""What a mail server's reply means, a table: only its explicit yes or no is a yes or no."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\d)")


class Result(StrEnum):
    """What came of a mail."""

    SENT = "sent"
    REFUSED = "refused"  # for good: 5xx
    NOT_SENT = "not_sent"  # nobody has it: may be sent again
    UNKNOWN = "unknown"  # the server had all of it and did not say


class Delivery(NamedTuple):
    """The same with a stable word and the server's numbers; never its words, which name addresses."""

    result: Result
    code: str = ""
    reason: str = ""


BY_CLASS: Final[Mapping[int, tuple[Result, str]]] = {
    2: (Result.SENT, ""),
    4: (Result.NOT_SENT, "deferred"),
    5: (Result.REFUSED, "refused_by_server"),
}
"""By the first digit of a reply to the sender, the recipient, DATA and the end of the data."""


def of_reply(code: int, words: bytes, *, after_data: bool = False) -> Delivery:
    """What a reply says. One that is none of the table's: unknown when the server had everything, else nobody has it."""
    found = BY_CLASS.get(code // 100) if code > 0 else None
    if found is None:
        return Delivery(
            Result.UNKNOWN if after_data else Result.NOT_SENT, "unknown" if after_data else "away", numbers(code, words)
        )
    return Delivery(found[0], found[1], numbers(code, words))


def of_greeting(code: int, words: bytes) -> Delivery:
    """A server that does not take our hand (greeting, encryption, password) has refused us, not the mail: later again."""
    return Delivery(Result.NOT_SENT, "server_refuses_us", numbers(code, words))


def numbers(code: int, words: bytes) -> str:
    """`550 5.1.1`: a reply without its words."""
    enhanced = _ENHANCED.match(words.decode("ascii", "replace").strip())
    return f"{code} {enhanced[0]}" if enhanced else str(code)
