"""By which name a channel knows a booking, and by which identity a message of its is recognised when it comes again.

References: namespace `ota:<channel>`, value by the preference of UniqueID types below. Identity: see `identity`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from lxml import etree

from connectors.channels.ota.tags import HOTEL_RESERVATION_ID, UNIQUE_ID, listed
from connectors.channels.ota.xml import bad
from schemas.policy import ChannelProfile

MESSAGE_UNIQUE_ID: Final = "MESSAGE_UNIQUE_ID"
IDENTITIES: Final = ("unique_id", "echo_token", "message_id")
_PREFERRED: Final = ("14", "16", "40", "10")
"""UniqueID types (code list UIT): reservation, reference, confirmation number, hotel; then any other, as they stand."""
_PREFERRED_CANCEL: Final = ("14", "15", *_PREFERRED[1:])
"""A cancellation's own UniqueID of type 15 holds the reservation's ID where no 14 stands beside it (AlpineBits)."""
_LONGEST: Final = 64
_UNIQUE_ID: Final = "UniqueID/@ID"


def reference_of(holders: Iterable[etree._Element | None], *, cancel: bool, where: str) -> str:
    """The value by which the channel names the booking.

    UniqueIDs of the first holder that has any, by type; without one, HotelReservationIDs by type. An id of the message itself
    (ID_Context MESSAGE_UNIQUE_ID) is no name of a booking. Raises Undecodable `reference_missing` or `value_invalid`.
    """
    for holder in holders:
        if holder is None:
            continue
        found, field = _named(holder), _UNIQUE_ID
        if not found:
            found, field = _otherwise_named(holder), "HotelReservationID/@ResID_Value"
        if found:
            break
    else:
        raise bad("reference_missing", f"{where}/{_UNIQUE_ID}", "", "the booking has no UniqueID and no HotelReservationID")
    order = _PREFERRED_CANCEL if cancel else _PREFERRED
    _, best = found[0] if len(found) == 1 else min(found, key=lambda one: order.index(one[0]) if one[0] in order else len(order))
    if len(best) > _LONGEST or not best.isprintable():
        raise bad("value_invalid", f"{where}/{field}", best, f"an id has at most {_LONGEST} printable characters")
    return best


def _named(holder: etree._Element) -> list[tuple[str, str]]:
    """UniqueIDs, but not the message's own: type and value."""
    found = list[tuple[str, str]]()
    for unique in listed(holder, UNIQUE_ID):
        value = unique.get("ID", "").strip()
        if value and unique.get("ID_Context") != MESSAGE_UNIQUE_ID:
            found.append((unique.get("Type", ""), value))
    return found


def _otherwise_named(holder: etree._Element) -> list[tuple[str, str]]:
    return [
        (other.get("ResID_Type", ""), value)
        for other in holder.iter(HOTEL_RESERVATION_ID)
        if (value := other.get("ResID_Value", "").strip())
    ]


def person_of(namespace: str, reference: str) -> str:
    """The subject whose key seals the guest's data: derived from the booking's name, never from the person."""
    return f"p-{_digest(('person', namespace, reference))}"


def fingerprint(canonical: bytes, key: bytes) -> str:
    """Keyed hash of a decoded message without its time stamp: equal for a retransmission, whatever its transport fields say.

    Keyed, since guests' names are in it and a plain hash could be guessed. `key` has at most 64 bytes.
    """
    return hashlib.blake2b(canonical, digest_size=16, key=key).hexdigest()


def identity(
    profile: ChannelProfile, word: str, reference: str, content: str, version: Sequence[str], *holders: etree._Element
) -> str:
    """The id of a message: the same for a retransmission with a new TimeStamp and EchoToken, another one for another act.

    unique_id: action, reference, LastModifyDateTime as written (`version`) and the content's fingerprint.
    echo_token: action, reference and EchoToken. message_id: UniqueID type 16 with ID_Context MESSAGE_UNIQUE_ID, and
    reference: the same with another action is another body of the same message. `holders`: the reservation, then the document.
    A quote moves nothing and grows old, so under unique_id its EchoToken and TimeStamp (`version`) belong to it.
    Raises Undecodable `identity_missing` where the profile's identity is not in the message.
    """
    parts: tuple[str, ...]
    match profile.identity:
        case "echo_token":
            root = holders[-1]
            parts = (
                word,
                reference,
                _wanted(root.get("EchoToken", ""), f"{root.tag.rpartition('}')[2]}/@EchoToken"),
            )
        case "message_id":
            ids = (u.get("ID", "") for h in holders for u in listed(h, UNIQUE_ID) if u.get("ID_Context") == MESSAGE_UNIQUE_ID)
            word = "o"
            parts = (reference, _wanted(next(ids, ""), f"UniqueID[@ID_Context={MESSAGE_UNIQUE_ID}]/@ID"))
        case _:
            parts = (word, reference, *version, content)
    return f"{word}-{_digest((profile.identity, *parts))}"


def _wanted(text: str, field: str) -> str:
    if not text.strip():
        raise bad("identity_missing", field, "", "this channel's messages are recognised by it")
    return text.strip()


def _digest(parts: Sequence[str]) -> str:
    """28 characters: with a letter and a dash before it, an id fits OTA's 32."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=14).hexdigest()
