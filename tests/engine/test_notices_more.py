"""Notices about balances and vouchers, and those that are written once more, on a real mail server and from message to mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from config.settings import Configuration
from engine.transport.contract import Arrival
from engine.verify import verify
from schemas.payment import Tender
from schemas.policy import BalancePolicy
from schemas.voucher_code import masked
from tests.engine.sandbox import arrival, booking, names
from tests.engine.test_notices import DAY, GUEST, HOUR, Office, configured
from tests.engine.test_notices import office as office

pytestmark = pytest.mark.both_stores
BOUGHT, MAIL = "2026-06-01T08:00:00+00:00", "2026-06-30T07:00:00+00:00"
GONE = "550 5.1.1 nobody here"


def asking(port: int, **mail: Any) -> Configuration:
    """A campsite that asks for balances and takes vouchers, and writes about everything; and another tenant beside it."""
    base = configured(port, **mail)
    balance = BalancePolicy(due_days=14, methods=(Tender.CARD, Tender.CHEQUE))
    camp = replace(base.properties["camp-azur"], balance=balance, payment_methods=balance.methods)
    azur = replace(base.tenants["azur"], plan="Pack Individual Premium")
    vert = replace(azur, tenant="vert", version="vert/1")
    other = replace(camp, property="camp-vert", tenant="vert", version="camp-vert/1")
    return replace(base, properties={"camp-azur": camp, "camp-vert": other}, tenants={"azur": azur, "vert": vert})


Made = Callable[..., Office]


def asks(make: Made, *script: str, **more: Any) -> Office:
    """V1, half of it paid; the mail of 30 June is still to come."""
    one = make(*script, configuration=asking, begins=BOUGHT, **more)
    one.books(payment_plan="split")
    one.box.pay("B-1", 10_000, "O-1")
    return one


def of_kind(one: Office, kind: str) -> list[dict[str, Any]]:
    """The rows of a kind, in order."""
    found: list[dict[str, Any]] = one.box.rows("SELECT * FROM notice WHERE kind = ? ORDER BY attempt", kind)
    return found


def by(tenant: str, name: str, data: dict[str, Any], actor: str = "system", id_: str = "x-1") -> Arrival:
    """The same words of another tenant."""
    word = arrival(id_, name, data, actor=actor)
    return replace(word, attributes={**word.attributes, "tenant": tenant})


def test_s1_1_s1_41_the_guest_is_asked_once_whatever_is_said_twice(office: Made) -> None:
    """`balance.send_now` comes twice as the same message and once more as another, a restart lies between, and the mail's own day comes."""
    one = asks(office)
    word = {"folio": "B-1"}
    told = names(one.box.say("balance.send_now", word, actor="operator", id_="now"))
    told += names(one.box.say("balance.send_now", word, actor="operator", id_="now"))
    told += names(one.box.say("balance.send_now", word, actor="operator", id_="again"))
    one.box.hub.lanes.revoke(list(one.box.hub.lanes.claim.epochs))
    one.box.hub = one.box.open()
    one.box.pass_time(30 * DAY)

    assert told == ["balance.sent", "notice.requested", "notice.sent", "balance.refused"]
    asked = [mail for mail in one.server.mails() if "solde" in mail["Subject"]]
    assert [mail["Subject"] for mail in asked] == ["Le solde de votre réservation B-1"]
    text = asked[0].get_body(("plain",))
    assert text is not None
    assert "100,00\xa0€" in text.get_content()
    assert "vendredi 10 juillet 2026" in text.get_content()
    assert "carte ou chèque" in text.get_content()


def test_s1_4_s1_43_a_mail_server_that_is_away_for_a_day(office: Made) -> None:
    """The balance is asked for while it is away: retried, then sent once; the request counts as sent all the while."""
    one = asks(office, away=True)
    one.box.until(MAIL)
    assert "balance.sent" in names(one.box.drain())
    assert "notice.sent" not in names(one.box.pass_time(DAY))
    (waits,) = of_kind(one, "balance_asked")
    assert (waits["state"], waits["code"]) == ("planned", "away")
    assert 6 < waits["tries"] < 12

    one.server.start()
    assert "notice.sent" in names(one.box.pass_time(6 * HOUR))
    one.box.pass_time(DAY)
    assert len([mail for mail in one.server.mails() if "solde" in mail["Subject"]]) == 1
    (sent,) = of_kind(one, "balance_asked")
    assert (sent["state"], sent["doubts"]) == ("sent", 0)


def test_s1_37_overdue_is_not_told_twice_after_a_silence(office: Made) -> None:
    """The guest was asked before, and the merchant is told that nobody knows."""
    one = asks(office, "takes", "takes", "dies after the dot")
    one.box.until("2026-07-11T12:00:00+02:00")
    told = one.box.pass_time(10 * DAY)

    assert [data["kind"] for name, data in told if name == "notice.failed"] == ["balance_overdue"]
    assert [row["state"] for row in of_kind(one, "balance_overdue")] == ["unknown"]
    assert [row["state"] for row in of_kind(one, "balance_unpaid")] == ["sent"]


# -- vouchers' numbers -------------------------------------------------------------------------------------------------------------


def test_s0_26_s0_32_the_code_is_in_the_mail_and_in_no_notice(office: Made) -> None:
    """Nor in what `foliohub notices` can show; it is found in the folio when the mail is sent, also after a day."""
    one = asks(office)
    one.server.stop()
    told = one.box.say("booking.cancel_with_voucher", {"folio": "B-1"}, actor="merchant")
    number = next(data["number"] for name, data in told if name == "voucher.issued")
    one.server.start()
    one.box.pass_time(DAY)

    (mail,) = [mail for mail in one.server.mails() if "bon" in mail["Subject"]]
    text = mail.get_body(("plain",))
    assert text is not None
    assert f"Son numéro est {number}." in text.get_content()
    kept = str(one.box.rows("SELECT * FROM notice"))
    assert masked(number).removeprefix("…") in kept
    assert number not in kept
    assert number.replace("-", "") not in kept


def test_s0_16_the_merchant_reads_number_and_amount(office: Made) -> None:
    """As they were typed."""
    one = asks(office)
    one.box.say("booking.requested", booking("B-2", price=50_000, guest=GUEST, payment_plan="split"))
    one.box.say("voucher.enter", {"folio": "B-2", "number": "mer-2020-77 b", "amount": 10_000}, actor="guest")
    mail = one.server.mails()[-1]
    text = mail.get_body(("plain",))

    assert one.server.handler.recipients[-1] == "desk@camp.example"
    assert text is not None
    assert "payer 100,00\xa0€ avec le bon mer-2020-77 b." in text.get_content()
    assert "2020" not in str(one.box.rows("SELECT body FROM notice WHERE kind = 'voucher_check'"))


# -- once more ---------------------------------------------------------------------------------------------------------------------


def test_x_15_what_bounced_is_written_once_more_to_the_address_of_today(office: Made) -> None:
    """Another Message-ID, the same words; asked for twice it is one mail, and the log makes the same of it."""
    one = asks(office)
    one.box.until(MAIL)
    one.box.drain()
    (first,) = of_kind(one, "balance_asked")
    one.box.say("notice.bounced", {"notice": first["id"], "code": "5.1.1"})
    corrected = booking(language="fr", guest={**GUEST, "email": "z@example.net"}, payment_plan="split", revision=2)
    one.box.say("booking.changed", corrected)
    told = names(one.box.say("notice.resend", {"notice": first["id"]}, actor="operator"))
    again = one.box.say("notice.resend", {"folio": "B-1", "notice": first["id"]}, actor="operator")

    assert told == ["notice.requested", "notice.sent"]
    assert [(name, data["code"]) for name, data in again] == [("notice.refused", "notice_sent")]
    asked = [mail for mail in one.server.mails() if "solde" in mail["Subject"]]
    assert [mail["To"].addresses[0].addr_spec for mail in asked] == ["zoe@example.org", "z@example.net"]
    assert len({mail["Message-ID"] for mail in asked}) == 2
    rows = of_kind(one, "balance_asked")
    assert rows[0]["body"] == rows[1]["body"]
    assert verify(one.box.database).agrees


@pytest.mark.parametrize("state", ["planned", "sending", "sent"])
def test_x_15_what_is_on_its_way_is_not_written_once_more(office: Made, state: str) -> None:
    """Nor what the server took; a notice that nobody wrote is unknown. Each is refused, and nothing is sent."""
    one = asks(office)
    if state != "sent":
        one.server.stop()
    one.box.until(MAIL)
    one.box.drain()
    if state == "sending":
        one.box.wait(61)
        assert one.box.hub.notices is not None
        assert one.box.hub.notices.take() is not None
    (known,) = of_kind(one, "balance_asked")
    before = len(one.server.mails())
    ((name, refused),) = one.box.say("notice.resend", {"notice": known["id"]}, actor="operator")
    ((_, unknown),) = one.box.say("notice.resend", {"notice": "n-9"}, actor="operator")

    assert known["state"] == state
    assert (name, refused["code"]) == ("notice.refused", "notice_sent" if state == "sent" else "notice_under_way")
    assert (unknown["code"], unknown["field"], unknown["value"]) == ("unknown_notice", "notice", "n-9")
    assert len(of_kind(one, "balance_asked")) == 1
    assert len(one.server.mails()) == before


def test_x_15_in_one_chunk_with_what_it_is_about(office: Made) -> None:
    """What the notice was to say is found though it is not stored yet: a booking, its bounce, and the word, decided together."""
    one = office(away=True, configuration=asking)
    probe = asks(office, away=True)
    notice = probe.notice()
    one.box.append(
        arrival("m-1", "booking.confirmed", booking(language="fr", guest=GUEST, payment_plan="split")),
        arrival("m-2", "notice.bounced", {"folio": "B-1", "notice": notice}),
        arrival("m-3", "notice.resend", {"folio": "B-1", "notice": notice}, actor="operator"),
    )
    told = names(one.box.drain())

    assert told[-1] == "notice.requested"
    first, second = of_kind(one, "booking_confirmed")
    assert msgspec.json.decode(first["body"]) == msgspec.json.decode(second["body"])


# -- tenants -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["by its id alone", "by the folio of the same name"])
@pytest.mark.parametrize("name", ["notice.bounced", "notice.resend"])
def test_x_12_what_another_tenant_says_of_a_notice_touches_nothing(office: Made, name: str, named: str) -> None:
    """A bounce, a word of an operator: refused as of a notice that nobody wrote; row, folio and mails are what they were."""
    one = asks(office, GONE)
    other = booking("B-1", guest=GUEST, language="de")
    one.box.append(by("vert", "booking.confirmed", {**other, "property": "camp-vert"}, id_="v-1"))
    one.box.drain()
    (known,) = one.box.rows("SELECT * FROM notice WHERE tenant = 'azur' AND kind = 'booking_confirmed'")
    before = (
        one.box.rows("SELECT * FROM notice ORDER BY id"),
        one.box.rows("SELECT * FROM state WHERE tenant = 'azur' ORDER BY key"),
    )
    mails = len(one.server.mails())
    data = {"notice": known["id"], **({"folio": "B-1"} if "folio" in named else {})}
    one.box.append(by("vert", name, data, actor="operator", id_="v-2"))
    ((refused, said),) = one.box.drain()

    assert (refused, said["code"], said["value"]) == ("notice.refused", "unknown_notice", known["id"])
    assert known["state"] == "failed", "so that its own tenant may have it written once more"
    assert one.box.rows("SELECT * FROM notice ORDER BY id") == before[0]
    assert one.box.rows("SELECT * FROM state WHERE tenant = 'azur' ORDER BY key") == before[1]
    assert len(one.server.mails()) == mails
