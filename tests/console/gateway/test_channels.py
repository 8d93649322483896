"""POST /channels/{channel}/ota over real HTTP: booked, changed, quoted, cancelled, repeated; wrong senders and wrong documents."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import requests
from lxml import etree

from config.loader import load
from engine.clock import ManualClock
from tests.console.gateway.world import World, configuration, payment, world

OTA = "{http://www.opentravel.org/OTA/2003/05}"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
TEXT = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"


def notif(
    id_: str, status: str = "Commit", price: str = "120.00", echo: str = "e-1", stamp: str = "2026-05-01T08:00:00Z", extra: str = "",
    changed: str = "",
) -> str:  # fmt: skip
    """A reservation of one pitch for a week in July."""
    modified = f' LastModifyDateTime="{changed}"' if changed else ""
    return f"""<OTA_HotelResNotifRQ xmlns="{OTA[1:-1]}" EchoToken="{echo}" TimeStamp="{stamp}" Version="1.0">
  <HotelReservations><HotelReservation ResStatus="{status}" CreateDateTime="2026-05-01T07:59:00Z"{modified}>
    <UniqueID Type="14" ID="{id_}"/>
    <RoomStays><RoomStay IndexNumber="1"><TimeSpan Start="2026-07-24" End="2026-07-31"/>
      <Total AmountAfterTax="{price}" CurrencyCode="EUR"/></RoomStay></RoomStays>{extra}
  </HotelReservation></HotelReservations></OTA_HotelResNotifRQ>"""


def cancel(id_: str, kind: str, echo: str = "c-1", stamp: str = "2026-07-21T08:00:00Z") -> str:
    return (
        f'<OTA_CancelRQ xmlns="{OTA[1:-1]}" EchoToken="{echo}" TimeStamp="{stamp}" Version="1.0" CancelType="{kind}">'
        f'<UniqueID Type="14" ID="{id_}"/></OTA_CancelRQ>'
    )


def soap(body: str, password: str, kind: str = TEXT) -> str:
    return f"""<s:Envelope xmlns:s="{SOAP}"><s:Header><w:Security xmlns:w="{WSSE}"><w:UsernameToken><w:Username>demo</w:Username>
  <w:Password Type="{kind}">{password}</w:Password></w:UsernameToken></w:Security></s:Header><s:Body>{body}</s:Body></s:Envelope>"""


def post(hub: World, body: str | bytes, key: str = "channel", channel: str = "demo") -> requests.Response:
    return hub.post(f"/channels/{channel}/ota", body, "text/xml", key)


def root(got: requests.Response) -> etree._Element:
    return etree.fromstring(got.content)


def error(got: requests.Response) -> tuple[str, str]:
    """Type and code of the first error."""
    first = root(got).find(f".//{OTA}Error")
    assert first is not None, got.text
    return first.get("Type", ""), first.get("Code", "")


def folio_of(got: requests.Response) -> str:
    confirmed = root(got).find(f".//{OTA}HotelReservationID")
    assert confirmed is not None, got.text
    return confirmed.get("ResID_Value", "")


def test_a_reservation_is_booked_and_answered(hub: World) -> None:
    """Success, with the hub's confirmation number; the folio is there."""
    got = post(hub, notif("X-1"))

    assert (got.status_code, got.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    answer = root(got)
    assert answer.tag == f"{OTA}OTA_HotelResNotifRS"
    assert answer.find(f"{OTA}Success") is not None
    assert (answer.get("ResResponseType"), answer.get("EchoToken")) == ("Committed", "e-1")
    folio = hub.get(f"/folios/{folio_of(got)}").json()
    assert (folio["status"], folio["sums"]["ordered"]) == ("confirmed", 12_000)


def test_new_changed_quoted_and_cancelled(hub: World) -> None:
    """Story 2: the channel's whole life of a stay, with money in between."""
    folio = folio_of(post(hub, notif("X-2")))
    changed = post(hub, notif("X-2", "Modify", "150.00", changed="2026-05-01T08:30:00Z"))
    assert root(changed).get("ResResponseType") == "Modified"
    assert hub.send(payment("P-X2", folio, 15_000)).status_code == 200

    quote = post(hub, cancel("X-2", "Quote"))
    answer = root(quote)
    assert answer.get("Status") == "PendingCancellation"
    rules = {rule.get("Type"): rule.get("Amount") for rule in answer.iter(f"{OTA}CancelRule")}
    assert rules == {"Refund": "150.00", "Forfeiture": "0.00"}
    assert hub.get(f"/folios/{folio}").json()["status"] == "confirmed"

    done = post(hub, cancel("X-2", "Cancel"))
    assert root(done).get("Status") == "Cancelled"
    assert [unique.get("Type") for unique in root(done).findall(f"{OTA}UniqueID")] == ["14", "15"]
    standing = hub.get(f"/folios/{folio}").json()
    assert (standing["status"], standing["sums"]["collected"]) == ("cancelled", 0)


def test_a_change_without_its_own_time_is_taken(hub: World) -> None:
    """X-2: the same CreateDateTime in each version orders nothing; then a version that has LastModifyDateTime counts too."""
    folio = folio_of(post(hub, notif("X-70")))
    ordered = []
    for echo, price, changed in (("m-1", "150.00", ""), ("m-2", "140.00", "2026-05-01T07:58:00Z"), ("m-3", "130.00", "")):
        got = post(hub, notif("X-70", "Modify", price, echo=echo, changed=changed))
        ordered.append((root(got).get("ResResponseType"), hub.get(f"/folios/{folio}").json()["sums"]["ordered"]))

    assert ordered == [("Modified", 15_000), ("Modified", 14_000), ("Modified", 13_000)]


def test_an_older_version_is_said_to_change_nothing(hub: World) -> None:
    """X-2: decided and without outcome: Success, unchanged, a warning that says why; the same to the byte when it comes again."""
    folio = folio_of(post(hub, notif("X-71")))
    post(hub, notif("X-71", "Modify", "150.00", changed="2026-05-01T08:30:00Z"))
    late = notif("X-71", "Modify", "140.00", changed="2026-05-01T08:20:00Z")
    got = post(hub, late)

    answer = root(got)
    (warning,) = answer.iter(f"{OTA}Warning")
    assert (got.status_code, answer.find(f"{OTA}Success") is not None, answer.get("ResResponseType")) == (200, True, "Unchanged")
    assert (warning.get("Type"), warning.get("ShortText")) == ("11", "Older than what is known")
    assert "known is" in (warning.text or "")
    assert hub.get(f"/folios/{folio}").json()["sums"]["ordered"] == 15_000
    clock = hub.hub.clock
    assert isinstance(clock, ManualClock)
    clock.advance(clock.now() + 3_000_000)
    assert post(hub, late).content == got.content


@contextmanager
def shipped(folder: Path) -> Iterator[World]:
    """A hub whose channel is the shipped one, recognised by EchoToken."""
    with world(folder, settled=msgspec.structs.replace(configuration(), channels=load(None, {}).channels)) as made:
        yield made


def test_the_shipped_channel_loses_no_change_back_and_forth(tmp_path: Path) -> None:
    """X-1: A, B, A, B without LastModifyDateTime: four changes; the last one sent again is one, with the stored first answer."""
    with shipped(tmp_path) as hub:
        folio = folio_of(post(hub, notif("X-90", echo="t-0")))
        ordered = []
        for token, price in enumerate(("130.00", "150.00", "130.00", "150.00"), 1):
            got = post(hub, notif("X-90", "Modify", price, echo=f"t-{token}"))
            ordered.append(hub.get(f"/folios/{folio}").json()["sums"]["ordered"])
        again = post(hub, notif("X-90", "Modify", "150.00", echo="t-4", stamp="2026-05-01T08:09:00Z"))

    assert ordered == [13_000, 15_000, 13_000, 15_000]
    assert again.content == got.content


def test_one_identity_with_two_contents_is_an_error(tmp_path: Path) -> None:
    """X-1: of a channel recognised by its EchoToken: an error of type 3, never success, and the first content stands."""
    with shipped(tmp_path) as by_echo:
        folio = folio_of(post(by_echo, notif("X-80", echo="t-1")))
        got = post(by_echo, notif("X-80", echo="t-1", price="150.00"))

        assert (got.status_code, error(got)) == (200, ("3", "450"))
        assert (root(got).find(f"{OTA}Success"), b"Pending" in got.content) == (None, False)
        assert by_echo.get(f"/folios/{folio}").json()["sums"]["ordered"] == 12_000


def test_a_repeat_gets_the_stored_first_answer(hub: World) -> None:
    """A retransmission has a new TimeStamp and EchoToken: the same answer to the byte, but for the token it sent."""
    first = post(hub, notif("X-3", echo="e-1"))
    again = post(hub, notif("X-3", echo="e-2", stamp="2026-05-01T08:09:00Z"))

    assert again.content == first.content.replace(b'EchoToken="e-1"', b'EchoToken="e-2"')
    (count,) = hub.hub.reading.rows(
        "SELECT count(*) AS n FROM outbox WHERE key = ? AND name = 'booking.accepted'", (folio_of(first),)
    )
    assert count["n"] == 1


def test_cancelled_twice_is_answered_twice_and_done_once(hub: World) -> None:
    folio = folio_of(post(hub, notif("X-4")))
    first = post(hub, cancel("X-4", "Cancel", echo="a"))
    again = post(hub, cancel("X-4", "Cancel", echo="b"))

    assert root(again).get("Status") == root(first).get("Status") == "Cancelled"
    confirmed = [
        one for one in hub.get(f"/folios/{folio}").json()["outcomes"] if one["type"] == "foliohub.cancellation.confirmed.v1"
    ]
    assert len(confirmed) == 1


def test_an_unknown_booking_is_an_ota_error(hub: World) -> None:
    """Business rule, 385, in a good HTTP answer: it must not be sent again."""
    got = post(hub, cancel("X-none", "Cancel"))

    assert (got.status_code, error(got)) == (200, ("3", "385"))


def test_several_reservations_each_for_itself(hub: World) -> None:
    """One that is wrong is a warning with its RecordID; the whole document is kept for a person."""
    good, bad = notif("X-5"), notif("X-6", price="ten")
    inner = bad[bad.index("<HotelReservation ") : bad.index("</HotelReservations>")]
    got = post(hub, good.replace("</HotelReservations>", f"{inner}</HotelReservations>"))

    answer = root(got)
    assert answer.find(f"{OTA}Success") is not None
    (warning,) = answer.iter(f"{OTA}Warning")
    assert (warning.get("RecordID"), warning.get("Code")) == ("X-6", "320")
    assert [unique.get("ID") for unique in answer.iter(f"{OTA}UniqueID")] == ["X-5"]


def test_soap_in_soap_out(hub: World) -> None:
    """The key stands in the WSSE header; the answer is enveloped as the question was."""
    got = post(hub, soap(notif("X-7"), hub.keys["channel"]), key="")

    assert (got.status_code, got.headers["content-type"]) == (200, "application/soap+xml; charset=utf-8")
    assert root(got).tag == f"{{{SOAP}}}Envelope"
    assert root(got).find(f".//{OTA}Success") is not None


def test_http_basic(hub: World) -> None:
    """The password of HTTP Basic is the key, the user's name is nobody's business."""
    told = base64.b64encode(f"whoever:{hub.keys['channel']}".encode()).decode()
    got = hub.session.post(hub.url("/channels/demo/ota"), data=notif("X-8"), headers={"authorization": f"Basic {told}"})

    assert root(got).find(f"{OTA}Success") is not None


@pytest.mark.parametrize("key", ["", "azur", "reader", "operator", "dunes", "dunes-channel"])
def test_a_key_of_somebody_else_is_refused(hub: World, key: str) -> None:
    """401 with an OTA error of type 4; nothing is kept of strangers."""
    before = hub.hub.reading.unsettled()
    got = post(hub, notif("X-9"), key=key)

    assert (got.status_code, error(got)) == (401, ("4", "497"))
    assert hub.hub.reading.unsettled() == before


def test_a_digest_cannot_be_checked(hub: World) -> None:
    """Keys are stored hashed: a digest of one proves nothing to us."""
    got = post(hub, soap(notif("X-10"), hub.keys["channel"], kind="x#PasswordDigest"), key="")

    assert got.status_code == 401


def test_an_unknown_channel(hub: World) -> None:
    got = post(hub, notif("X-11"), channel="nobody")

    assert got.status_code == 404
    assert root(got).tag == f"{OTA}OTA_ErrorRS"


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(f"{BOMB}<x>&b;</x>", "Malformed", id="entity bomb"),
        pytest.param("<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" + notif("X-20"), "Malformed", id="doctype"),
        pytest.param(("<!DOCTYPE x>" + notif("X-21")).encode("utf-16"), "Malformed", id="doctype in utf-16"),
        pytest.param(b'<?xml version="1.0" encoding="utf-7"?>' + notif("X-22").encode(), "Malformed", id="utf-7"),
        pytest.param(b'<?xml version="1.0" encoding="utf-8"?><a b="\xe9"/>', "Malformed", id="wrong encoding"),
        pytest.param(notif("X-23", price="1<!-- -->00"), "Malformed", id="comment inside an amount"),
        pytest.param(notif("X-24&#0;"), "Malformed", id="a NUL written out"),
        pytest.param(notif("X-25\0"), "Malformed", id="a NUL"),
        pytest.param(b"", "Malformed", id="empty"),
        pytest.param(b"not xml", "Malformed", id="text"),
        pytest.param(b"\x1f\x8b\x08\x00", "Malformed", id="gzip"),
        pytest.param(b"<x xmlns='urn:other'/>", "UnrecognizedRoot", id="another namespace"),
    ],
)
def test_documents_that_cannot_be_read(hub: World, body: str | bytes, code: str) -> None:
    """An OTA_ErrorRS that says why; the bytes are kept."""
    letters = hub.hub.reading.rows("SELECT count(*) AS n FROM dead_letter WHERE door = 'channel:demo'")[0]["n"]
    got = post(hub, body)

    answer = root(got)
    assert (got.status_code, answer.tag, answer.get("ErrorCode")) == (200, f"{OTA}OTA_ErrorRS", code)
    assert answer.get("ErrorMessage")
    after = hub.hub.reading.rows("SELECT count(*) AS n FROM dead_letter WHERE door = 'channel:demo'")[0]["n"]
    assert after == letters + 1


@pytest.mark.parametrize(
    ("document", "code"),
    [
        pytest.param(notif("X-31", price="1,2,3"), "320", id="no amount"),
        pytest.param(notif("X-32").replace("2026-07-24", "2026-02-30"), "15", id="no such day"),
        pytest.param(notif("X-33").replace('CurrencyCode="EUR"', 'CurrencyCode="XXQ"'), "61", id="no such currency"),
        pytest.param(notif("X-34", status="Bogus"), "446", id="unknown action"),
        pytest.param(notif("").replace('ID=""', 'ID=" "'), "315", id="no reference"),
        pytest.param(cancel("X-35", "Maybe"), "446", id="unknown kind of cancellation"),
    ],
)
def test_documents_that_are_wrong(hub: World, document: str, code: str) -> None:
    """Errors with OTA's own type and code, under the document's own name."""
    got = post(hub, document)

    assert got.status_code == 200
    assert error(got)[1] == code


def test_a_document_that_is_too_large(hub: World) -> None:
    got = post(hub, b"<x>" + b"y" * 20_000_000 + b"</x>")

    assert (got.status_code, root(got).tag) == (413, f"{OTA}OTA_ErrorRS")


def test_card_data_is_not_kept_and_is_told(hub: World) -> None:
    """A guarantee with a whole card: booked, warned, and nowhere in the store (X-22)."""
    card = (
        '<ResGuests><ResGuest><Profiles/></ResGuest></ResGuests><ResGlobalInfo><Guarantee><GuaranteesAccepted><GuaranteeAccepted>'
        '<PaymentCard CardNumber="4111111111111111" SeriesCode="737" ExpireDate="1228"/></GuaranteeAccepted></GuaranteesAccepted>'
        "</Guarantee></ResGlobalInfo>"
    )  # fmt: skip
    got = post(hub, notif("X-40", extra=card))

    answer = root(got)
    assert answer.find(f"{OTA}Success") is not None
    assert "372" in [warning.get("Code") for warning in answer.iter(f"{OTA}Warning")]
    assert b"4111111111111111" not in hub.everything_stored()


def test_a_card_in_what_cannot_be_read_is_not_kept(hub: World) -> None:
    """Also when the document is kept as a dead letter."""
    post(hub, "<broken card='4111 1111 1111 1111' cvc='737'")

    letters = hub.hub.reading.rows("SELECT id FROM dead_letter WHERE door = 'channel:demo' AND code = 'not_xml'")
    (opened,) = (one for row in letters if (one := hub.dead_letter(row["id"])["opened"]).startswith(b"<broken"))
    assert b"4111" not in opened
    assert b"<broken card='****" in opened


def test_a_late_answer_asks_to_come_again_and_then_is_the_first(tmp_path: Path) -> None:
    """A SOAP Fault with 500, or 503: senders repeat it, and get what was decided meanwhile."""
    base = configuration()
    hasty = {"demo": msgspec.structs.replace(base.channels["demo"], answer_s=0.05)}
    with world(tmp_path, start_lanes=False, settled=msgspec.structs.replace(base, channels=hasty)) as quiet:
        plain = post(quiet, notif("X-50"))
        enveloped = post(quiet, soap(notif("X-51"), quiet.keys["channel"]), key="")
        assert (plain.status_code, enveloped.status_code) == (503, 500)
        assert root(enveloped).find(f".//{{{SOAP}}}Fault") is not None
        quiet.serving.start()
        quiet.send({**payment("P-50", "none"), "id": "wake"})

        assert root(post(quiet, notif("X-50"))).find(f"{OTA}Success") is not None


def test_the_same_document_from_many_at_once_is_one_booking(hub: World) -> None:
    """Eight retries that race: one decision, eight equal answers."""
    told: list[bytes] = []
    senders = [threading.Thread(target=lambda: told.append(post(hub, notif("X-60")).content)) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(15)

    assert len(told) == 8
    assert len(set(told)) == 1
