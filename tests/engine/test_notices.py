"""Notices from decision to mail, on a real mail server: once, again after what nobody has, not again after what somebody may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from config.settings import Configuration, Mail, MailProperty
from engine.post import post_of
from engine.store.notices import Notice
from engine.store.opening import notices_of
from engine.verify import verify
from schemas.notice import Language, NoticeKind, NoticeState, NoticeText
from tests.engine.sandbox import CONFIGURATION, Sandbox, arrival, booking, names
from tests.services.mail import MailServer

pytestmark = pytest.mark.both_stores
GUEST = {"person": "p-77", "name": "Zoë Ångström", "email": "zoe@example.org"}
HOUR = 3600
DAY = 24 * HOUR


def configured(port: int, **mail: Any) -> Configuration:
    """The shipped configuration, with a mail server on that port, that writes about everything."""
    camp = replace(CONFIGURATION.properties["camp-azur"], version="camp-azur/9", notices=tuple(NoticeKind))
    of = MailProperty(property="camp-azur", name="Camping d’Azur", merchant="desk@camp.example")
    settled = Mail(**{
        "host": "127.0.0.1", "port": port, "security": "none", "from_": "folios@camp.example", "deadline_s": 20.0,
        "properties": (of,), **mail,
    })  # fmt: skip
    return replace(CONFIGURATION, properties={"camp-azur": camp}, mail=settled)


class Office:
    """A hub with a mail server beside it."""

    def __init__(
        self, *script: str, away: bool = False, configuration: Callable[[int], Configuration] = configured, **more: Any
    ) -> None:
        self.server = MailServer(*script)
        if not away:
            self.server.start()
        settled = configuration(self.server.port)
        self.box = Sandbox(configuration=settled, post=post_of(settled, {}), **more)

    def books(self, folio: str = "B-1", **more: Any) -> list[str]:
        """A confirmed booking; the names of what was told."""
        return names(self.box.say("booking.confirmed", booking(folio, **{"language": "fr", "guest": GUEST, **more})))

    def pays(self, **more: Any) -> None:
        """The same, paid by card."""
        self.books(**more)
        self.box.pay("B-1", 20_000, "O-1")

    def states(self) -> list[tuple[str, str, str]]:
        """Kind, state and code of each notice."""
        rows = self.box.rows("SELECT kind, state, code FROM notice ORDER BY created_at, attempt, kind")
        return [(row["kind"], row["state"], row["code"]) for row in rows]

    def notice(self) -> str:
        """The id of the only one of the guest's."""
        return str(self.box.one("SELECT id FROM notice WHERE audience = 'guest'")["id"])


@pytest.fixture
def office() -> Iterator[Callable[..., Office]]:
    """Makes them."""
    made: list[Office] = []

    def make(*script: str, **more: Any) -> Office:
        made.append(Office(*script, **more))
        return made[-1]

    yield make
    for one in made:
        one.server.stop()
        one.box.hub.close()


def test_x_14_s1_41_one_mail_for_what_was_confirmed(office: Callable[..., Office]) -> None:
    """In the guest's language, by the sender, with the id that receivers know a repeat by."""
    one = office()
    said = one.books()
    one.box.drain()

    assert said[-2:] == ["notice.requested", "notice.sent"]
    (mail,) = one.server.mails()
    assert one.server.handler.recipients == ["zoe@example.org"]
    assert mail["Subject"] == "Votre réservation B-1 est confirmée"
    assert mail["From"].addresses[0].display_name == "Camping d’Azur"
    assert mail["Message-ID"] == f"<{one.notice()}@camp.example>"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "Bonjour Zoë Ångström," in text.get_content()
    assert "du vendredi 24 juillet 2026 au vendredi 31 juillet 2026" in text.get_content()
    assert "200,00\xa0€" in text.get_content()
    assert one.states() == [("booking_confirmed", "sent", "")]


def test_s1_41_the_same_message_again_is_no_second_mail(office: Callable[..., Office]) -> None:
    """Neither a repeat, nor a revision, nor a restart."""
    one = office()
    one.books()
    one.box.say("booking.confirmed", booking(language="fr", guest=GUEST), id_="m-1")
    one.box.say("booking.changed", booking(language="fr", guest=GUEST, revision=2))
    one.box.hub.lanes.revoke(list(one.box.hub.lanes.claim.epochs))
    one.box.hub = one.box.open()
    one.box.pass_time(DAY)

    assert len(one.server.mails()) == 1


def test_a_refund_is_told_when_it_is_done(office: Callable[..., Office]) -> None:
    """Not when it was asked for (X-14): the mail follows the provider's word."""
    one = office()
    one.pays(language="de")
    told = names(one.box.cancel())

    assert told.index("refund.requested") < told.index("refund.executed") < told.index("notice.sent", told.index("refund.executed"))
    assert [mail["Subject"] for mail in one.server.mails()] == [
        "Ihre Buchung B-1 ist bestätigt", "Stornierung bestätigt, Buchung B-1", "Ihre Erstattung von 200,00\xa0€, Buchung B-1",
    ]  # fmt: skip


def test_s1_15_the_merchant_is_written_to(office: Callable[..., Office]) -> None:
    """In the property's language, at his own address: what was paid in cash is given back by hand."""
    one = office()
    one.books()
    one.box.say("payment.received", {"folio": "B-1", "payment": "P1", "amount": 20_000, "currency": "EUR", "tender": "cash"})
    one.box.cancel()

    assert one.server.handler.recipients[-1] == "desk@camp.example"
    assert one.server.mails()[-1]["Subject"] == "À rembourser manuellement : 200,00\xa0€, réservation B-1"


def test_nothing_is_written_without_a_server(office: Callable[..., Office]) -> None:
    """What is wanted is told and waits; what nobody wants is not even planned."""
    silent = Sandbox()
    assert "notice.requested" not in names(silent.say("booking.confirmed", booking(guest=GUEST)))
    assert silent.rows("SELECT * FROM notice") == silent.rows("SELECT * FROM contact") == []

    waits = Sandbox(configuration=configured(1), post=None)
    assert names(waits.say("booking.confirmed", booking(guest=GUEST)))[-1] == "notice.requested"
    waits.pass_time(10 * DAY)
    assert waits.one("SELECT state, tries FROM notice") == {"state": "planned", "tries": 0}


# -- what nobody has is sent again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        pytest.param("451 4.7.1 greylisted", "deferred", id="deferred at the recipient"),
        pytest.param("452 4.3.1 full at the end", "deferred", id="deferred at the end"),
        pytest.param("dies before DATA", "away", id="dies before DATA"),
    ],
)
def test_what_nobody_has_is_sent_again(office: Callable[..., Office], turn: str, code: str) -> None:
    """Later, and once: nothing is told of it meanwhile."""
    one = office(turn)
    assert "notice.failed" not in one.books()
    assert one.states() == [("booking_confirmed", "planned", code)]
    assert one.box.pass_time(59) == []

    assert names(one.box.pass_time(2)) == ["notice.sent"]
    assert len(one.server.mails()) == 1
    assert one.box.one("SELECT tries, doubts FROM notice") == {"tries": 2, "doubts": 0}


def test_a_server_that_is_away_for_a_day(office: Callable[..., Office]) -> None:
    """Tried at rising distances; when it is back, each notice is sent once."""
    one = office(away=True)
    one.books()
    one.books("B-2")
    assert one.box.pass_time(DAY) == []
    tries = one.box.one("SELECT tries FROM notice WHERE folio = 'B-1'")["tries"]
    assert 6 < tries < 12

    one.server.start()
    assert names(one.box.pass_time(6 * HOUR)) == ["notice.sent", "notice.sent"]
    assert sorted(mail["X-Foliohub-Folio"] for mail in one.server.mails()) == ["B-1", "B-2"]


def test_s1_41_a_day_without_a_server_through_a_restart_of_the_hub(office: Callable[..., Office]) -> None:
    """Whatever was decided meanwhile, of every kind: when the server is there, each is sent once, and never again."""
    one = office(away=True)
    for number in range(1, 6):
        one.books(f"B-{number}")
    one.box.pass_time(6 * HOUR)
    one.box.hub = one.box.open()
    one.box.pay("B-1", 20_000, "O-1")
    one.box.cancel()
    one.box.pass_time(18 * HOUR)
    assert {state for _, state, _ in one.states()} == {"planned"}
    assert one.server.mails() == []

    one.server.start()
    one.box.pass_time(6 * HOUR)
    one.box.hub = one.box.open()
    one.box.pass_time(3 * DAY)

    kinds = sorted(kind for kind, _, _ in one.states())
    assert kinds == sorted(["booking_confirmed"] * 5 + ["cancellation_confirmed", "refund_executed"])
    assert {state for _, state, _ in one.states()} == {"sent"}
    sent = [mail["X-Foliohub-Notice"] for mail in one.server.mails()]
    assert sorted(sent) == sorted(str(row["id"]) for row in one.box.rows("SELECT id FROM notice"))


@pytest.mark.parametrize(
    ("turn", "state"),
    [
        pytest.param("450 4.2.1 <zoe@example.org> over quota", "planned", id="deferred"),
        pytest.param("421 4.3.2 closing", "planned", id="the server closes"),
        pytest.param("550 5.1.1 <zoe@example.org> unknown", "failed", id="refused"),
    ],
)
def test_one_recipient_that_is_not_taken_holds_up_no_other(office: Callable[..., Office], turn: str, state: str) -> None:
    """The next booking's mail leaves at once."""
    one = office(turn, "takes")
    one.box.hub.intake.append(
        [arrival(f"m-{n}", "booking.confirmed", booking(f"B-{n}", language="fr", guest=GUEST)) for n in (1, 2)]
    )
    one.box.drain()

    rows = one.box.rows("SELECT state FROM notice WHERE kind = 'booking_confirmed' ORDER BY created_at, folio")
    assert sorted(row["state"] for row in rows) == sorted([state, "sent"])


def test_a_server_that_never_comes_back(office: Callable[..., Office]) -> None:
    """After four days it has failed, and the merchant's notice of it waits its own four."""
    one = office(away=True)
    one.books()
    told = one.box.pass_time(96 * HOUR + 6 * HOUR)

    assert names(told) == ["notice.failed", "notice.requested"]
    assert (told[0][1]["code"], told[0][1]["reason"]) == ("gave_up", "away ConnectionRefusedError")
    assert one.states() == [("booking_confirmed", "failed", "gave_up"), ("notice_failed", "planned", "away")]


@pytest.mark.parametrize("turn", ["550 5.1.1 <zoe@example.org> unknown", "554 5.6.0 no at the end"])
def test_a_refusal_is_final_and_the_merchant_hears_of_it(office: Callable[..., Office], turn: str) -> None:
    """By numbers: neither a log nor an outcome nor the store names the address."""
    one = office(turn)
    with capture_logs() as logged:
        told = one.box.say("booking.confirmed", booking(language="fr", guest=GUEST))
        told += one.box.pass_time(10 * DAY)

    failed = next(data for name, data in told if name.endswith("notice.failed.v1") or name == "notice.failed")
    assert (failed["code"], failed["reason"]) == ("refused_by_server", turn[:9])
    assert one.states() == [("booking_confirmed", "failed", "refused_by_server"), ("notice_failed", "sent", "")]
    assert one.server.handler.recipients == ["desk@camp.example"]
    clear = str(logged) + str(told) + str(one.box.rows("SELECT * FROM notice")) + str(one.box.rows("SELECT * FROM contact"))
    assert "zoe@" not in clear
    assert "Ångström" not in clear


# -- what somebody may have ------------------------------------------------------------------------------------------------------


def test_silence_after_the_dot_is_answered_once_more_where_that_is_chosen(office: Callable[..., Office]) -> None:
    """Two mails may come; both have one Message-ID, so that whoever gets them can tell."""
    one = office("dies after the dot")
    one.books()
    assert one.states() == [("booking_confirmed", "planned", "unknown")]

    assert names(one.box.pass_time(HOUR)) == ["notice.sent"]
    first, second = one.server.mails()
    assert first["Message-ID"] == second["Message-ID"]


def test_a_second_silence_is_not_answered(office: Callable[..., Office]) -> None:
    """Once more is once more."""
    one = office("dies after the dot", "dies after the dot")
    one.books()
    told = one.box.pass_time(10 * DAY)

    assert [data["code"] for name, data in told if name == "notice.failed"] == ["unknown"]
    assert one.states()[0] == ("booking_confirmed", "unknown", "unknown")
    assert len([mail for mail in one.server.mails() if mail["X-Foliohub-Notice"] == one.notice()]) == 2


def test_silence_about_money_is_not_answered(office: Callable[..., Office]) -> None:
    """A refund that is told twice would frighten: the guest gets one mail at most, and the merchant is told that nobody knows."""
    one = office("takes", "takes", "dies after the dot")
    one.pays()
    told = one.box.cancel() + one.box.pass_time(10 * DAY)

    assert [data["kind"] for name, data in told if name == "notice.failed"] == ["refund_executed"]
    assert len([mail for mail in one.server.mails() if "remboursement" in mail["Subject"]]) == 1
    assert ("refund_executed", "unknown", "unknown") in one.states()
    assert ("notice_failed", "sent", "") in one.states()


@pytest.mark.parametrize(
    ("turn", "code", "doubts", "mails"),
    [
        pytest.param("hangs before DATA", "away", 0, 1, id="nobody has it: again, and no doubt is counted"),
        pytest.param("hangs after the dot", "unknown", 1, 2, id="somebody may have it: once more"),
    ],
)
def test_a_server_that_hangs_is_left_at_the_deadline(
    office: Callable[..., Office], turn: str, code: str, doubts: int, mails: int
) -> None:
    """All of a mail has one deadline; what was heard of it by then decides."""
    one = office(turn, "takes", configuration=lambda port: configured(port, deadline_s=0.5))
    one.books()
    assert one.states() == [("booking_confirmed", "planned", code)]

    assert names(one.box.pass_time(HOUR)) == ["notice.sent"]
    assert one.box.one("SELECT doubts FROM notice") == {"doubts": doubts}
    assert len(one.server.mails()) == mails


def test_a_server_that_hangs_over_a_refund_is_not_asked_again(office: Callable[..., Office]) -> None:
    """After a silence of as long as the deadline: the guest has one mail at most, and the merchant is told that nobody knows."""
    one = office("takes", "takes", "hangs after the dot", "takes", configuration=lambda port: configured(port, deadline_s=0.5))
    one.pays()
    told = one.box.cancel() + one.box.pass_time(10 * DAY)

    assert [(data["kind"], data["code"]) for name, data in told if name == "notice.failed"] == [("refund_executed", "unknown")]
    assert len([mail for mail in one.server.mails() if "remboursement" in mail["Subject"]]) == 1


@pytest.mark.parametrize(("kind", "state"), [("booking_confirmed", "planned"), ("refund_executed", "unknown")])
def test_a_sender_that_died_after_its_mark(office: Callable[..., Office], kind: str, state: str) -> None:
    """It may have been after the last dot: once more, or not, by the same table."""
    one = office(away=True)
    one.pays()
    one.box.cancel()
    store, now = notices_of(one.box.database), one.box.clock.now()
    with one.box.database.write() as connection:
        connection.execute("UPDATE notice SET next_at = ? WHERE kind <> ?", (now + 10**15, kind))
        connection.execute("UPDATE notice SET next_at = ? WHERE kind = ?", (now, kind))
    taken = one.box.hub.notices.take() if one.box.hub.notices else None
    assert taken is not None
    assert taken.state == NoticeState.SENDING
    assert one.box.hub.notices is not None
    assert one.box.hub.notices.take() is None, "it is somebody's"

    one.box.wait(81)
    after = one.box.hub.notices.take()
    assert after is not None
    assert (after.kind, after.state, after.doubts) == (kind, state, 1)
    assert store.next_due() is not None


def test_what_the_server_said_too_late_changes_nothing(office: Callable[..., Office]) -> None:
    """The lease was over and the notice is in doubt: whoever had it is fenced."""
    one = office(away=True)
    one.books()
    one.box.wait(60)
    runner = one.box.hub.notices
    assert runner is not None
    taken = runner.take()
    assert taken is not None
    one.box.wait(81)
    runner.take()
    before = one.box.rows("SELECT * FROM notice")
    one.server.start()
    with capture_logs() as logged:
        runner.settle(taken, runner.hand_in(taken))

    assert [line["event"] for line in logged] == ["notice_late"]
    assert not one.server.mails(), "its lease was over: nothing was written"
    assert one.box.rows("SELECT * FROM notice") == before


# -- who is reached --------------------------------------------------------------------------------------------------------------


def test_x_11_who_was_forgotten_is_not_written_to(office: Callable[..., Office]) -> None:
    """The key is destroyed before the mail: nothing is sent, and the notice says why."""
    one = office(away=True)
    one.books()
    one.box.say("person.forget", {"subject": "p-77"}, actor="operator")
    one.server.start()
    told = one.box.pass_time(HOUR)

    assert [data["code"] for name, data in told if name == "notice.failed"] == ["person_forgotten"]
    assert one.server.handler.recipients == ["desk@camp.example"]


def test_x_11_whose_key_was_destroyed_by_another_process(office: Callable[..., Office]) -> None:
    """What this one has in memory since an earlier mail opens nothing any more."""
    one = office()
    one.pays()
    with one.box.database.write() as connection:
        connection.execute("DELETE FROM subject_key WHERE subject = 'p-77'")
    told = one.box.cancel()

    assert {data["code"] for name, data in told if name == "notice.failed"} == {"person_forgotten"}
    assert one.server.handler.recipients.count("zoe@example.org") == 1


def test_the_last_address_counts(office: Callable[..., Office]) -> None:
    """A wrong one is corrected by the next revision, also for what waits."""
    one = office(away=True)
    one.books()
    one.box.say("booking.changed", booking(language="fr", guest={**GUEST, "email": "z@example.net"}, revision=2))
    one.server.start()
    one.box.pass_time(HOUR)

    assert one.server.handler.recipients == ["z@example.net"]


@pytest.mark.parametrize(
    ("guest", "payer", "references", "reached"),
    [
        pytest.param(GUEST, None, (), "zoe@example.org", id="the guest"),
        pytest.param({"name": "Zoë", "email": "z@example.org"}, None, (), "z@example.org", id="who has no person's id"),
        pytest.param({"name": "Zoë", "email": "z@example.org"}, None, ("R-1",), "z@example.org", id="known by another name"),
        pytest.param({"person": "p-1"}, {"person": "p-2", "email": "pays@example.org"}, (), "pays@example.org", id="who pays"),
        pytest.param({"person": "p-1", "name": "Zoë"}, None, (), "no_address", id="nobody"),
        pytest.param({"person": "p-1", "email": "zoe"}, None, (), "bad_address", id="no address"),
        pytest.param({"person": "p-1", "email": "a@b.example\nRCPT TO:<x@b.example>"}, None, (), "bad_address", id="more than one"),
    ],
)
def test_who_is_reached(office: Callable[..., Office], guest: Any, payer: Any, references: tuple[str, ...], reached: str) -> None:
    """The guest; else who pays; else nobody, with the reason."""
    one = office()
    data = booking("" if references else "B-1", references=references, guest=guest, **({"payer": payer} if payer else {}))
    told = one.box.say("booking.confirmed", data)

    codes = [data["code"] for name, data in told if name == "notice.failed"]
    assert [*codes, *one.server.handler.recipients][0] == reached


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("{{ second_payment_on|day }}", "template_broken", "booking_confirmed.fr"),
        ("{% if not second_payment_on %}{{ folio.nobody }}{% endif %}", "template_variable", "booking_confirmed.fr nobody"),
    ],
)
def test_x_15_a_text_that_fails_in_production_is_kept_shown_and_sent_when_it_is_mended(
    office: Callable[..., Office], text: str, code: str, reason: str
) -> None:
    """Taken at the start, and this booking has less than the sample: the guest gets nothing, the folio goes on, the merchant is told; then
    an operator has it written once more."""
    wrong = NoticeText(subject="x", text=text)
    texts = {"camp-azur": {NoticeKind.BOOKING_CONFIRMED: {Language.FR: wrong}}}
    one = office(configuration=lambda port: replace(configured(port), texts=texts))
    told = one.box.say("booking.confirmed", booking(language="fr", guest=GUEST))

    failed = next(data for name, data in told if name == "notice.failed")
    assert (failed["code"], failed["reason"]) == (code, reason)
    assert one.states()[0] == ("booking_confirmed", "failed", code)
    assert one.server.handler.recipients == ["desk@camp.example"]
    one.box.pay("B-1", 20_000, "O-1")
    assert one.box.rows("SELECT 1 FROM outbox WHERE name = 'payment.captured'")

    notice = one.notice()
    one.box.configuration = configured(one.server.port)
    one.box.post = post_of(one.box.configuration, {})
    one.box.hub = one.box.open()
    told = one.box.say("notice.resend", {"notice": notice}, actor="operator")
    assert names(told) == ["notice.requested", "notice.sent"]
    assert one.server.handler.recipients == ["desk@camp.example", "zoe@example.org"]


def test_a_notice_that_nobody_can_write_stops_no_other(office: Callable[..., Office]) -> None:
    """Whatever is in its row."""
    one = office(away=True)
    one.books()
    one.books("B-2")
    with one.box.database.write() as connection:
        connection.execute("UPDATE notice SET body = ? WHERE folio = 'B-1'", (b'{"currency": 5, "folio": [], "arrival": {}}',))
    one.server.start()
    told = one.box.pass_time(HOUR)

    assert [data["folio"] for name, data in told if name == "notice.sent"] == ["B-2", "B-1"], "B-1: the merchant is told"
    assert [data["code"] for name, data in told if name == "notice.failed"] in (
        ["template_variable"],
        ["template_broken"],
        ["defect"],
    )


# -- bounces ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["folio", "nothing"])
def test_s1_40_a_bounce_comes_back_to_its_folio(office: Callable[..., Office], named: str) -> None:
    """By the folio, or by the notice alone; the merchant is written to, and the reason is sealed in the log."""
    one = office()
    one.books()
    data = {"notice": one.notice(), "code": "5.1.1", "reason": "<zoe@example.org> unknown"}
    told = one.box.say("notice.bounced", {"folio": "B-1", **data} if named == "folio" else data)

    assert names(told) == ["notice.failed", "notice.requested", "notice.sent"]
    assert (told[0][1]["code"], told[0][1]["reason"], told[0][1]["folio"]) == ("bounced", "5.1.1", "B-1")
    assert one.server.handler.recipients[-1] == "desk@camp.example"
    assert b"zoe@" not in one.box.one("SELECT body FROM intake WHERE name = 'notice.bounced'")["body"]
    assert one.box.say("notice.bounced", data, id_="again") == []
    rows = [(row["state"], row["code"]) for row in one.box.rows("SELECT state, code FROM notice ORDER BY created_at, id")]
    assert sorted(rows) == [("bounced", "5.1.1"), ("sent", "")]


def test_s1_40_a_bounce_of_nothing_is_refused(office: Callable[..., Office]) -> None:
    one = office()
    ((name, refused),) = one.box.say("notice.bounced", {"notice": "n-9"})

    assert (name, refused["code"], refused["field"], refused["value"]) == ("notice.refused", "unknown_notice", "notice", "n-9")


# -- the store -------------------------------------------------------------------------------------------------------------------


def test_the_log_makes_the_same_notices(office: Callable[..., Office]) -> None:
    """`verify` decides all of it again; what the sender did beside the log is not compared, what was decided is."""
    one = office("451 4.0.0 later")
    one.pays()
    one.box.cancel()
    one.box.say("person.forget", {"subject": "p-77"}, actor="operator")
    one.box.pass_time(DAY)
    found = verify(one.box.database)

    assert found.agrees, found.differences
    assert (found.compared["notice"], found.compared["contact"]) == (4, 1)
    for statement in ("UPDATE notice SET language = 'nl' WHERE kind = 'refund_executed'", "DELETE FROM contact"):
        with one.box.database.write() as connection:
            connection.execute(statement)
        assert not verify(one.box.database).agrees


def test_a_new_generation_sends_nothing_that_may_have_been_sent(office: Callable[..., Office]) -> None:
    """What was open may have left since the copy was made: as after a sender that died."""
    one = office(away=True)
    one.pays()
    one.box.cancel()
    assert notices_of(one.box.database).new_generation(one.box.clock.now()) == 3
    one.server.start()
    told = one.box.pass_time(DAY)

    assert sorted(mail["Subject"].partition(",")[0] for mail in one.server.mails() if mail["To"].addresses[0].username == "zoe") == [
        "Annulation confirmée", "Votre réservation B-1 est confirmée",
    ]  # fmt: skip
    assert [(data["kind"], data["code"]) for name, data in told if name == "notice.failed"] == [("refund_executed", "unknown")]


def test_a_blocked_folio_hears_what_became_of_its_mail(office: Callable[..., Office]) -> None:
    """As it hears of requests to providers: nothing queues that would hold a refund back."""
    one = office(away=True)
    one.books()
    with one.box.database.write() as connection:
        connection.execute("UPDATE state SET blocked = 'letter' WHERE kind = 'folio'")
    one.box.hub.lanes.revoke(list(one.box.hub.lanes.claim.epochs))
    one.box.hub = one.box.open()
    one.server.start()

    assert names(one.box.pass_time(HOUR)) == ["notice.sent"]
    assert one.box.rows("SELECT * FROM blocked") == []


def test_a_notice_has_nothing_about_a_person(office: Callable[..., Office]) -> None:
    """Neither its row, nor the folio: what is sealed lies in one place."""
    one = office()
    one.books()
    state = one.box.one("SELECT body FROM state WHERE kind = 'folio'")["body"]
    (row,) = one.box.rows("SELECT body FROM notice")
    contact = msgspec.json.decode(one.box.one("SELECT body FROM contact")["body"])

    assert "sealed" not in str(state) + str(row)
    assert contact["guest"]["email"].startswith("sealed:1:")
    assert set(Notice._fields) >= {"body", "fence"}
