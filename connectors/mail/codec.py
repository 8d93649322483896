"""A notice as a mail, and a mail that came back as a message. Pure: bytes and values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import SMTP, default
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.common import Actor, ActorKind
from schemas.errors import HubError
from schemas.notice import NoticeBounced

if TYPE_CHECKING:
    from connectors.mail.rendering import Written

NOTICE: Final = "X-Foliohub-Notice"
FOLIO: Final = "X-Foliohub-Folio"
_STRANGE: Final = re.compile(r"[\s\x00-\x1f\x7f]")
_ADDRESS: Final = re.compile(r"<[^>]*@[^>]*>|\S+@\S+")
_LONGEST: Final = 254


class Party(NamedTuple):
    """An address with the name that is shown beside it."""

    address: str
    name: str = ""


def address(text: str) -> str:
    """An address as it goes on the wire. Raises HubError `bad_address`, which does not show it."""
    bad = HubError("this is no address that mail can be sent to", code="bad_address", field="email")
    if not text or len(text) > _LONGEST or _STRANGE.search(text):
        raise bad
    try:
        parts = Address(addr_spec=text)
        domain = parts.domain.encode("idna").decode("ascii")
        parts.username.encode("ascii")  # others want a server that knows SMTPUTF8
    except (MessageError, ValueError, IndexError, AttributeError):  # whatever its parser makes of it
        raise bad from None
    if not parts.username or not domain:
        raise bad
    return str(Address(username=parts.username, domain=domain))


def message_id(notice: str, sender: str) -> str:
    """Derived from what the notice is, so that who gets it twice can tell (S1-41)."""
    return f"<{notice}@{sender.rpartition('@')[2]}>"


def letter(written: Written, notice: str, folio: str, sender: Party, recipient: Party, at: datetime, reply_to: str = "") -> bytes:
    """The mail, lines ended by CR LF, all of it ASCII. Raises HubError `bad_address`."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _shown(sender)
    mail["To"] = _shown(recipient)
    if reply_to:
        mail["Reply-To"] = _shown(Party(reply_to))
    mail["Subject"] = written.subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(notice, sender.address)
    mail["Auto-Submitted"] = "auto-generated"  # no holiday replies
    mail[NOTICE], mail[FOLIO] = notice, " ".join(folio.split())
    mail.set_content(written.text, cte="quoted-printable")
    mail.add_alternative(written.html, subtype="html", cte="quoted-printable")
    mail["Content-Language"] = written.language.value  # of the whole
    return mail.as_bytes()


def _shown(party: Party) -> Address:
    parts = Address(addr_spec=address(party.address))
    name = " ".join(_STRANGE.sub(" ", party.name).split())[:120]
    return Address(display_name=name, username=parts.username, domain=parts.domain)


def bounced(data: bytes) -> NoticeBounced | None:
    """The message that a delivery report (RFC 3464) is; None for a mail that reports no failure of a notice of ours.

    Whose it is stands in the headers of the mail that came back, which reports carry whole or as headers alone.
    """
    report = BytesParser(policy=default).parsebytes(data)
    failed, code, reason = False, "", ""
    notice = folio = ""
    for part in report.walk():
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            for fields in _blocks(part):
                if str(fields.get("Action", "")).strip().lower() == "failed":
                    failed, code = True, str(fields.get("Status", "")).strip()[:64]
                    reason = _ADDRESS.sub("(address)", str(fields.get("Diagnostic-Code", "")).strip())[:2000]
        elif kind == "text/rfc822-headers":
            carried: Message = BytesParser(policy=default).parsebytes(_content(part), headersonly=True)
            notice, folio = _ours(carried, notice, folio)
        notice, folio = _ours(part, notice, folio)
    if not failed or not notice:
        return None
    actor = Actor(kind=ActorKind.SYSTEM, id="mail")
    return NoticeBounced(actor=actor, folio=folio, notice=notice, code=code, reason=reason)


def _blocks(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    for block in payload if isinstance(payload, list) else ():
        if isinstance(block, Message):
            yield block


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _ours(headers: Message, notice: str, folio: str) -> tuple[str, str]:
    return str(headers.get(NOTICE, "")).strip()[:64] or notice, str(headers.get(FOLIO, "")).strip()[:64] or folio
