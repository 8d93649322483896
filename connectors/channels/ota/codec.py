"""OTA documents to the hub's messages. Pure: bytes and a profile in, messages and warnings out; nothing is fetched or stored.

`document.open_message` takes the envelope off and tells who claims to send; `decode` reads. What is refused says which field and why, by
path, with a stable code that `codes.py` turns into OTA's. What is not asked for by name is ignored: an unknown element is no error.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

import msgspec
from lxml import etree

from connectors.channels.ota import tags
from connectors.channels.ota.document import Declined, Decoded, Head, Item, Warned, open_message
from connectors.channels.ota.guarantee import scan
from connectors.channels.ota.guest import guest_of
from connectors.channels.ota.lines import lines_of, rooms_of
from connectors.channels.ota.names import IDENTITIES, fingerprint, identity, person_of, reference_of
from connectors.channels.ota.tags import OTA, child, children, listed
from connectors.channels.ota.values import READINGS, instant
from connectors.channels.ota.xml import bad, shown
from schemas.booking import Booking, CollectedBy, PaymentPlan, SaleChannel
from schemas.cancellation import CancellationRequest, LineChoice
from schemas.common import Actor, ActorKind, Reference
from schemas.errors import Rejected, Undecodable
from schemas.policy import ChannelProfile
from schemas.registry import encode, read_data

MAX_RESERVATIONS: Final = 100
_CANCEL: Final = "OTA_CancelRQ"
_MODIFY: Final = ("OTA_HotelResModifyNotifRQ", "OTA_HotelResModifyRQ")
KINDS: Final = ("OTA_HotelResNotifRQ", "OTA_HotelResRQ", *_MODIFY, _CANCEL)
"""The documents that are read."""

_NAMES: Final = {
    "commit": "booking.confirmed", "book": "booking.confirmed", "reserved": "booking.confirmed",
    "modify": "booking.changed",
    "requested": "booking.requested", "hold": "booking.requested",
    "cancel": "cancellation.request", "cancelled": "cancellation.request",
}  # fmt: skip
"""ResStatus, in lower case, to our message. What is not listed is refused by name."""
_PLANS: Final = {str(one): one for one in PaymentPlan}
_COLLECTORS: Final = {str(one): one for one in CollectedBy}
_KNOBS: Final[dict[str, Collection[str]]] = {
    "amount_reading": READINGS,
    "identity": IDENTITIES,
    "payment_plan": _PLANS,
    "collected_by": _COLLECTORS,
}
_WORDS: Final = {"booking.requested": "r", "booking.confirmed": "b", "booking.changed": "m"}
"""First letter of an identity; q and c are those of quotes and cancellations."""
_CANCEL_TYPES: Final = {"quote": False, "initiate": False, "cancel": True, "commit": True}
"""CancelType to `confirm` (S4-31). Initiate is the first of two steps, Commit the second: it asks, it does not cancel."""


def decode(message: bytes | Head, profile: ChannelProfile, *, key: bytes = b"", received_at: datetime | None = None) -> Decoded:
    """Read a document that `open_message` opened, or bytes.

    `key` (at most 64 bytes, the tenant's) hashes fingerprints and ids. `received_at` only tells apart quotes that carry neither
    EchoToken nor TimeStamp. A document with one reservation raises what is wrong with it; of several, each is declined by itself,
    and the first problem is raised if none is left. Raises Undecodable, or Rejected for what is understood and not served.
    """
    head = open_message(message, profile) if isinstance(message, bytes) else message
    _check(profile)
    if head.kind not in KINDS:
        raise bad("message_unknown", "root", head.kind, f"read are {', '.join(KINDS)}")
    found = _reservations(head.root)
    reader = _Reader(head, profile, key, received_at, alone=len(found) == 1)
    if head.kind == _CANCEL:
        return Decoded(head, (reader.cancel_request(),))
    if not found:
        raise bad("field_missing", f"{head.kind}/HotelReservations/HotelReservation", "", "there is no reservation in it")
    if len(found) > MAX_RESERVATIONS:
        raise bad("too_many_reservations", head.kind, len(found), f"at most {MAX_RESERVATIONS} reservations are read at once")
    items: list[Item] = []
    declined: list[Declined] = []
    for n, element in enumerate(found, 1):
        where = f"{element.tag[len(OTA) :]}[{n}]"
        try:
            items.append(reader.reservation(element, where))
        except (Undecodable, Rejected) as problem:
            declined.append(Declined(_record(element, n), problem))
    if not items:
        raise declined[0].problem
    return Decoded(head, tuple(items), tuple(declined))


def _check(profile: ChannelProfile) -> None:
    """A knob with a word that does not exist is our mistake, and said to be one before anything is read by it."""
    for name, words in _KNOBS.items():
        value = getattr(profile, name)
        if value not in words:
            why = f"channel {profile.channel}: {name} {value!r} is none of {', '.join(words)}"
            raise Rejected(why, code="profile_invalid", field=name, value=value)


def _reservations(root: etree._Element) -> list[etree._Element]:
    return listed(child(root, tags.HOTEL_RESERVATIONS), tags.HOTEL_RESERVATION) or listed(
        child(root, tags.HOTEL_RES_MODIFIES), tags.HOTEL_RES_MODIFY
    )


def _record(element: etree._Element, n: int) -> str:
    try:
        return reference_of((element,), cancel=True, where="")
    except Undecodable:
        return str(n)


class _Reader:
    """One document being read under one profile."""

    def __init__(self, head: Head, profile: ChannelProfile, key: bytes, received_at: datetime | None, *, alone: bool) -> None:
        self._head = head
        self._profile = profile
        self._key = key
        self._received_at = received_at
        self._alone = alone  # a UniqueID of the document is that of its only reservation
        self._actor = Actor(kind=ActorKind.CHANNEL, id=profile.channel)
        self._namespace = f"ota:{profile.channel}"
        self._sent_at = self._time_stamp()

    def _time_stamp(self) -> datetime | None:
        """The sender's clock (X-16). Unreadable, it is refused only where it is trusted; elsewhere it decides nothing."""
        written = self._head.root.get("TimeStamp")
        try:
            return instant(written, f"{self._head.kind}/@TimeStamp") if written else None
        except Undecodable:
            if self._profile.trust_time:
                raise
            return None

    def cancel_request(self) -> Item:
        """OTA_CancelRQ: Quote asks, Cancel and Commit are quote and confirmation in one (S4-31); Segments name rooms (S4-37)."""
        root = self._head.root
        written = root.get("CancelType", "")
        if not written.strip():
            raise bad("action_missing", f"{_CANCEL}/@CancelType", "", "whether to quote or to cancel must be said")
        confirm = _CANCEL_TYPES.get(written.strip().lower())
        if confirm is None:
            raise _unsupported(f"{_CANCEL}/@CancelType", written)
        reference = reference_of((root,), cancel=True, where=_CANCEL)
        version = () if confirm else (self._head.echo_token, root.get("TimeStamp", ""))
        if not confirm and not any(version) and self._received_at is not None:
            version = ("received", self._received_at.astimezone(UTC).isoformat())
        return self._cancellation(root, reference, _segments(root), version, confirm=confirm)

    def reservation(self, element: etree._Element, where: str) -> Item:
        """One HotelReservation or HotelResModify: what ResStatus says of it, else what the document is for."""
        parts = children(element)
        name = self._action(element, where)
        cancel = name == "cancellation.request"
        reference = reference_of((element, self._head.root if self._alone else None), cancel=cancel, where=where)
        modified = element.get("LastModifyDateTime", "").strip()
        if cancel:
            rooms = rooms_of(parts.get(tags.ROOM_STAYS))
            chosen = tuple(line for line, _ in rooms.stays if line in rooms.gone) if len(rooms.gone) < len(rooms.stays) else ()
            return self._cancellation(element, reference, chosen, (modified,), confirm=True)
        return self._booking(name, element, parts, reference, modified, where)

    def _action(self, element: etree._Element, where: str) -> str:
        field, written = f"{where}/@ResStatus", element.get("ResStatus", "")
        if not written.strip():
            field, written = f"{self._head.kind}/@ResStatus", self._head.root.get("ResStatus", "")
        status = written.strip().lower()
        if not status:
            if self._head.kind == "OTA_HotelResNotifRQ":
                raise bad("action_missing", f"{where}/@ResStatus", "", "whether it is new, changed or cancelled must be said")
            status = "modify" if self._head.kind in _MODIFY else "commit"
        name = _NAMES.get(status)
        if name is None:
            raise _unsupported(field, written)
        return "booking.changed" if self._head.kind in _MODIFY and name == "booking.confirmed" else name

    def _booking(
        self, name: str, element: etree._Element, parts: dict[str, etree._Element], reference: str, modified: str, where: str
    ) -> Item:
        profile = self._profile
        content = lines_of(parts, profile, where)
        created = instant(element.get("CreateDateTime", ""), f"{where}/@CreateDateTime")
        changed = instant(modified, f"{where}/@LastModifyDateTime") if modified else None
        guest, language, card = guest_of(parts, person_of(self._namespace, reference))
        token, scrubbed = scan(element)
        booking = Booking(
            actor=self._actor,
            references=(Reference(namespace=self._namespace, value=reference),),
            property=content.property,
            currency=content.currency,
            lines=content.lines,
            revision=_revision(changed),
            channel=SaleChannel.XML,
            booked_at=created,
            language=language or self._head.root.get("PrimaryLangID", "")[:2].lower(),
            guest=guest,
            payment_plan=_PLANS[profile.payment_plan],
            collected_by=_COLLECTORS[profile.collected_by],
            commission_rate=profile.commission_rate,
            payment_token=token,
        )
        canonical = encode(booking)
        print_ = fingerprint(canonical, self._key)
        id_ = identity(profile, _WORDS[name], reference, print_, (modified,), element, self._head.root)
        checked: Booking = read_data(name, canonical)
        if self._sent_at is not None:
            checked = msgspec.structs.replace(checked, requested_at=self._sent_at)
        warnings = list(_scrubbed(scrubbed, where))
        if card:
            warnings.append(
                Warned("card_removed", "a card number stood in the guest's data and was not kept", f"{where}/ResGuests")
            )
        if content.adjusted:
            warnings.append(
                Warned("total_adjusted", "rooms and total differ by rounding; the total counts", f"{where}/ResGlobalInfo/Total")
            )
        return Item(name, checked, id_, print_, reference, warnings=tuple(warnings))

    def _cancellation(
        self, holder: etree._Element, reference: str, lines: tuple[str, ...], version: tuple[str, ...], *, confirm: bool
    ) -> Item:
        name = "cancellation.request"
        request = CancellationRequest(
            actor=self._actor,
            references=(Reference(namespace=self._namespace, value=reference),),
            request="-",
            lines=tuple(LineChoice(line=line) for line in lines),
            confirm=confirm,
        )
        print_ = fingerprint(encode(request), self._key)
        word = "c" if confirm else "q"
        id_ = identity(self._profile, word, reference, print_, version, holder, self._head.root)
        checked: CancellationRequest = read_data(name, encode(msgspec.structs.replace(request, request=id_)))
        if self._sent_at is not None:
            checked = msgspec.structs.replace(checked, requested_at=self._sent_at)
        return Item(name, checked, id_, print_, reference, not confirm, tuple(_scrubbed(scan(holder)[1], holder.tag[len(OTA) :])))


def _segments(root: etree._Element) -> tuple[str, ...]:
    """Lines named by Segment/@ItinSegNbr, or FirstItinSegNbr to LastItinSegNbr: the RoomStay's IndexNumber, RPH or position."""
    chosen = dict[str, None]()
    for n, segment in enumerate(listed(root, tags.SEGMENT), 1):
        first = segment.get("ItinSegNbr", "").strip() or segment.get("FirstItinSegNbr", "").strip()
        last = segment.get("LastItinSegNbr", "").strip() or first
        if (
            not all(text.isascii() and text.isdecimal() and len(text) <= 6 for text in (first, last))
            or not 0 <= int(last) - int(first) < 500
        ):
            raise bad(
                "value_invalid", f"{_CANCEL}/Segment[{n}]/@ItinSegNbr", f"{first} {last}".strip(), "the number of a room is wanted"
            )
        chosen.update(dict.fromkeys((first,) if first == last else (str(i) for i in range(int(first), int(last) + 1))))
    return tuple(chosen)


def _revision(moment: datetime | None) -> int | None:
    """Microseconds since 1970 of the channel's own last change: rises with each version it sends, whatever order they come in.

    Never of CreateDateTime, which is the same in every version and would make each but the first stale (X-2)."""
    if moment is None:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return max(0, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _scrubbed(names: tuple[str, ...], where: str) -> tuple[Warned, ...]:
    if not names:
        return ()
    return (Warned("guarantee_scrubbed", f"card data was not kept: {', '.join(names)}", where),)


def _unsupported(field: str, value: str) -> Rejected:
    return Rejected(f"{field}: {shown(value)!r} is not served here", code="action_not_supported", field=field, value=shown(value))
