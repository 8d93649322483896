"""The luck of codes: drawn at the door, before a message is stored, so that decisions have none and a replay gives the same (S0-32).

Where it comes from is an argument: the system's own in a hub, derived from the message's id where every run must give the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

import msgspec

from schemas.voucher_code import code_of

Luck = Callable[[bytes], bytes]
"""16 bytes of it for a message, by the hub's id of it."""
_BYTES: Final = 16
_DRAWN: Final = frozenset({"booking.cancel_with_voucher"})
"""Messages that get a number where they have none."""


def drawn(_message: bytes) -> bytes:
    """From the system's generator: nobody can guess it."""
    return secrets.token_bytes(_BYTES)


def derived(message: bytes) -> bytes:
    """From the message's id: the same at every run, for dry runs and simulations, whose codes open nothing."""
    return blake2b(message, digest_size=_BYTES, person=b"foliohub.luck").digest()


def with_number(name: str, message: Any, id_: bytes, luck: Luck) -> Any:
    """The message with a code of its own where it wants one and its sender gave none."""
    if name not in _DRAWN or message.number:
        return message
    return msgspec.structs.replace(message, number=code_of(luck(id_)))
