"""What the codec gives: a document opened, a document read, and what its sender is to be warned of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from lxml import etree

from connectors.channels.ota import tags, xml
from connectors.channels.ota.soap import Credentials, Wrapping, unwrap
from connectors.channels.ota.tags import OTA, child
from connectors.channels.ota.xml import bad
from schemas.booking import Booking
from schemas.cancellation import CancellationRequest
from schemas.errors import HubError
from schemas.policy import ChannelProfile

_REQUESTOR: Final = f"{OTA}POS/{OTA}Source/{OTA}RequestorID[@MessagePassword]"


class Head(msgspec.Struct, frozen=True):
    """What is known of a document before it is read: enough to check its sender and to answer it, whatever then goes wrong."""

    kind: str
    echo_token: str
    version: str
    target: str
    wrapping: Wrapping
    root: etree._Element
    pos: Credentials | None = None

    @property
    def credentials(self) -> Credentials | None:
        """Of the SOAP header, else of POS/Source/RequestorID (ID and MessagePassword)."""
        return self.wrapping.credentials or self.pos


class Warned(msgspec.Struct, frozen=True):
    """Something the sender is told although its message was taken: `guarantee_scrubbed`, `card_removed` or `total_adjusted`."""

    code: str
    message: str
    field: str = ""


class Item(msgspec.Struct, frozen=True):
    """One message: `id` is its identity for the envelope (30 characters), `fingerprint` tells the same identity with another
    body; it leaves out `requested_at`, which a retransmission renews. `reference` is the channel's name of the booking."""

    name: str
    message: Booking | CancellationRequest
    id: str
    fingerprint: str
    reference: str
    is_quote: bool = False
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Declined:
    """One reservation of several that cannot be taken; the others are."""

    record: str
    problem: HubError


class Decoded(msgspec.Struct, frozen=True):
    """A document read: one item for each reservation, in order, and those declined."""

    head: Head
    items: tuple[Item, ...]
    declined: tuple[Declined, ...] = ()

    @property
    def kind(self) -> str:
        """The document's name: OTA_HotelResNotifRQ."""
        return self.head.kind

    @property
    def echo_token(self) -> str:
        """As sent, for the answer."""
        return self.head.echo_token

    @property
    def version(self) -> str:
        """As sent; many send none."""
        return self.head.version


def open_message(body: bytes, profile: ChannelProfile, max_bytes: int = xml.MAX_BYTES) -> Head:
    """Parse and unwrap: what the gateway needs to check the sender and to answer. Raises Undecodable (see `xml.parse`,
    `soap.unwrap`), and `namespace_unknown` or `message_unknown` for what is no OTA document."""
    root, wrapping = unwrap(xml.parse(body, profile.encodings, max_bytes))
    if not root.tag.startswith(OTA):
        raise bad("namespace_unknown", "root", root.tag, f"a document of the namespace {OTA[1:-1]} is wanted")
    kind = root.tag[len(OTA) :]
    if not kind.startswith("OTA_"):
        raise bad("message_unknown", "root", kind, "no OTA document is called so")
    head = Head(kind, root.get("EchoToken", "")[:128], root.get("Version", "")[:16], root.get("Target", "")[:16], wrapping, root)
    requestor = None if child(root, tags.POS) is None else root.find(_REQUESTOR)
    if requestor is None:
        return head
    return msgspec.structs.replace(head, pos=Credentials(requestor.get("ID", ""), requestor.get("MessagePassword", "")))
