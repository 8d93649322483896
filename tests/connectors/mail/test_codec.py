"""A notice as a mail, and a report that comes back as a message."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from connectors.mail.codec import Party, address, bounced, letter
from connectors.mail.codes import Delivery, Result, of_greeting, of_reply
from connectors.mail.rendering import Texts, Written
from connectors.mail.samples import SAMPLES
from schemas.errors import HubError
from schemas.notice import Audience, Language, NoticeKind

AT = datetime(2026, 7, 21, 9, 5, tzinfo=UTC)
KIND = NoticeKind.CANCELLATION_CONFIRMED
WRITTEN = Texts().write(KIND, Language.FR, Audience.GUEST, "camp-azur", SAMPLES[KIND], name="Zoë Ångström")


ZOE = Party("zoe@example.org", "Zoë Ångström")


def mail(written: Written = WRITTEN, to: Party = ZOE, **more: str) -> bytes:
    return letter(written, "n-1", "B-1001", Party("folios@camp.example", "Camping d’Azur"), to, AT, **more)


def read(data: bytes) -> EmailMessage:
    found = message_from_bytes(data, policy=default)
    assert isinstance(found, EmailMessage)
    return found


def test_what_a_reader_gets() -> None:
    """Text and HTML, with accents, and headers by which machines know it."""
    found = read(mail(reply_to="desk@camp.example"))

    assert found["Message-ID"] == "<n-1@camp.example>"
    assert (found["X-Foliohub-Notice"], found["X-Foliohub-Folio"]) == ("n-1", "B-1001")
    assert (found["Auto-Submitted"], found["Content-Language"], found["Reply-To"]) == ("auto-generated", "fr", "desk@camp.example")
    assert found["Subject"] == "Annulation confirmée, réservation B-1001"
    assert found["To"].addresses[0].display_name == "Zoë Ångström"
    assert found["Date"].datetime == AT
    text, html = (found.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == WRITTEN.text
    assert html.get_content().replace("\r\n", "\n").rstrip() == WRITTEN.html.rstrip()


def test_what_goes_on_the_wire() -> None:
    """ASCII in lines of at most 998, each ended by CR LF: any server can take it."""
    data = mail()
    data.decode("ascii")

    assert data.count(b"\n") == data.count(b"\r\n")
    assert max(map(len, data.split(b"\r\n"))) <= 998


def test_nobody_writes_headers_by_his_name() -> None:
    """A name that ends its line does not begin another one."""
    found = read(mail(to=Party("zoe@example.org", "Zoë\r\nBcc: all@example.org")))

    assert found["Bcc"] is None
    assert [one.addr_spec for one in found["To"].addresses] == ["zoe@example.org"]


def test_a_domain_of_other_letters() -> None:
    """Is written as the wire wants it."""
    assert address("info@café.example") == "info@xn--caf-dma.example"


@pytest.mark.parametrize(
    "text",
    ["", "zoe", "@example.org", "zoe@", "zoe@example.org\r\nRCPT TO:<x@example.org>", "zoe @example.org", "zoë@example.org",
     "a@b@c", "x" * 250 + "@example.org", "Zoe <zoe@example.org>", "a@" + "ü" * 64 + ".example"],
)  # fmt: skip
def test_what_is_no_address_is_not_shown(text: str) -> None:
    """A typed refusal that does not name the guest."""
    with pytest.raises(HubError) as refused:
        address(text)

    assert refused.value.code == "bad_address"
    assert "zo" not in refused.value.message + refused.value.value


REPORT = """From: MAILER-DAEMON@mx.example
To: folios@camp.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; zoe@example.org
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <zoe@example.org>: no such user

--b
Content-Type: {kind}

{headers}
--b--
"""
HEADERS = "X-Foliohub-Notice: n-1\nX-Foliohub-Folio: B-1001\nSubject: x\n\nbody"


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_s1_40_a_report_is_a_message(kind: str) -> None:
    """Whose it is stands in what came back, whole or as headers alone."""
    found = bounced(REPORT.format(action="failed", kind=kind, headers=HEADERS).encode())

    assert found is not None
    assert (found.notice, found.folio, found.code) == ("n-1", "B-1001", "5.1.1")
    assert found.reason == "smtp; 550 5.1.1 (address): no such user"
    assert found.actor.kind == "system"


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(REPORT.format(action="delayed", kind="message/rfc822", headers=HEADERS), id="it may still arrive"),
        pytest.param(REPORT.format(action="failed", kind="message/rfc822", headers="Subject: x\n\nbody"), id="not ours"),
        pytest.param("Subject: I am on holiday\n\nX-Foliohub-Notice: n-1\n", id="somebody's words"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_report_is_no_message(report: str) -> None:
    """Nothing is made of it."""
    assert bounced(report.encode()) is None


@pytest.mark.parametrize(
    ("code", "words", "after", "delivery"),
    [
        pytest.param(250, b"2.0.0 ok", True, Delivery(Result.SENT, "", "250 2.0.0"), id="taken"),
        pytest.param(451, b"4.3.0 later", False, Delivery(Result.NOT_SENT, "deferred", "451 4.3.0"), id="later"),
        pytest.param(452, b"", True, Delivery(Result.NOT_SENT, "deferred", "452"), id="later, said at the end"),
        pytest.param(550, b"5.1.1 <a@b> unknown", False, Delivery(Result.REFUSED, "refused_by_server", "550 5.1.1"), id="never"),
        pytest.param(550, b"<a@b> unknown", True, Delivery(Result.REFUSED, "refused_by_server", "550"), id="never, in words"),
        pytest.param(354, b"", True, Delivery(Result.UNKNOWN, "unknown", "354"), id="no answer to the end of a mail"),
        pytest.param(-1, b"", True, Delivery(Result.UNKNOWN, "unknown", "-1"), id="no reply at all"),
        pytest.param(-1, b"", False, Delivery(Result.NOT_SENT, "away", "-1"), id="no reply at all, and nobody has it"),
    ],
)
def test_what_a_reply_means(code: int, words: bytes, after: bool, delivery: Delivery) -> None:
    """By its first digit; never the words, which name addresses."""
    assert delivery == of_reply(code, words, after_data=after)


def test_a_server_that_does_not_know_us_has_refused_nobody() -> None:
    """A password that is wrong is no word about a guest's address."""
    assert of_greeting(535, b"5.7.8 no") == Delivery(Result.NOT_SENT, "server_refuses_us", "535 5.7.8")
