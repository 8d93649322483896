"""Notices: what is written about, once, in whose language, and what becomes of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace

from connectors.mail.samples import SAMPLES
from handlers import notice, notice_said
from handlers.notice_table import BY_KIND, NOTICES
from handlers.outcome import Outcome
from schemas.booking import BookingAccepted, PaymentScheduleSet
from schemas.common import Fact
from schemas.errors import Early, Rejected
from schemas.folio import Folio
from schemas.notice import (
    Audience,
    Language,
    NoticeBounced,
    NoticeCarried,
    NoticeFailed,
    NoticeKind,
    NoticeRequested,
    NoticeSent,
    NoticeState,
)
from schemas.refund import RefundDecided, RefundExecuted
from schemas.registry import fact_name
from tests.handlers.campsite import ACTOR, CAMP, Stay, kinds, ordered, paid

PAGE = (Path(__file__).parents[2] / "docs/rules/notice.md").read_text(encoding="utf-8")
WRITES = replace(CAMP, notices=tuple(NoticeKind))
REFUNDED = RefundExecuted(refund="R-1", payment="P1", amount=6_000, currency="EUR", provider_record="30/1")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the page."""
    text = PAGE[PAGE.index(f"## {heading}") :].partition("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")][1:]


class Written(Stay):
    """A folio whose decisions are written about."""

    def then(self, out: Outcome, name: str = "x") -> Outcome:
        """What the engine makes of a decision."""
        told = notice.noticed(out, self.facts(name))
        if isinstance(told.state, Folio):
            self.state = told.state
        return told

    def hears(self, message: NoticeBounced | NoticeCarried) -> Outcome:
        """What comes back of a notice."""
        decide: Any = notice.decide_bounced if isinstance(message, NoticeBounced) else notice.decide_carried
        return self.then(decide(message, self.facts("notice")))


@pytest.fixture
def stay() -> Written:
    """Confirmed, and told so."""
    written = Written(camp=WRITES)
    written.then(written.book(ordered(language="it")))
    return written


def test_the_page_is_the_table() -> None:
    """docs/rules/notice.md shows this very table."""
    shown = [
        (re.findall(r"`(\w+)`", kind)[0], re.findall(r"`([\w.]+)`", after)[0], to, tuple(re.findall(r"`(\w+)`", apart)), again)
        for kind, after, to, apart, again in rows("What is written about")
    ]

    assert shown == [
        (one.kind, fact_name(one.about), one.audience, one.occasion, one.again.replace("_", " ")) for one in NOTICES
    ]  # fmt: skip
    assert {one.kind for one in NOTICES} == set(NoticeKind)
    assert len(BY_KIND) == len(NOTICES)


def test_the_page_is_the_state_machine() -> None:
    """Every move that is listed, and no other."""
    shown = {
        (NoticeState(was), NoticeState(told)): NoticeState(then)
        for many, told, then, _ in rows("What becomes of it")
        for was in many.split(", ")
    }

    assert shown == notice.NEXT


def test_x_14_a_request_is_not_written_about() -> None:
    """Only what is confirmed is."""
    written = Written(camp=WRITES)
    asked = written.then(written.book(name="booking.requested"))
    assert not asked.notices
    assert not written.folio.notices

    (told,) = written.then(written.book(ordered(revision=2))).notices
    assert (told.kind, told.audience, told.attempt) == (NoticeKind.BOOKING_CONFIRMED, Audience.GUEST, 1)


def test_nothing_is_written_that_nobody_wants() -> None:
    """Without the policy's key a decision is what it was; with it only the kinds that it names."""
    silent = Written()
    out = silent.book()
    assert silent.then(out) is out

    some = Written(camp=replace(CAMP, notices=(NoticeKind.REFUND_EXECUTED,)))
    assert not some.then(some.book()).notices


def test_x_14_the_wish_is_told_after_its_fact(stay: Written) -> None:
    """In the same decision, with its rule."""
    out = stay.then(Outcome(facts=(REFUNDED,)))

    assert kinds(out) == ["RefundExecuted", "NoticeRequested"]
    assert [step.rule for step in out.trace] == ["X-14"]
    told = out.facts[1]
    assert isinstance(told, NoticeRequested)
    assert (told.kind, told.audience, told.attempt, told.language) == ("refund_executed", "guest", 1, "it")
    assert told.notice == stay.folio.notices[-1].notice == out.notices[0].notice
    decided = RefundDecided(refund="R-1", amount=1, currency="EUR", destinations=(), refund_due_by=datetime.now(UTC))
    assert not stay.then(Outcome(facts=(decided,))).notices


def test_s1_41_the_same_occasion_once(stay: Written) -> None:
    """A repeat is nothing new, another part is the next attempt, and ids derive from what the notice is."""
    first = stay.then(Outcome(facts=(REFUNDED,)))
    again = stay.then(Outcome(facts=(REFUNDED,)))
    other = stay.then(Outcome(facts=(replace(REFUNDED, payment="P2"),)))

    assert not again.notices
    assert kinds(again) == ["RefundExecuted"]
    assert [first.notices[0].attempt, other.notices[0].attempt] == [1, 2]
    assert first.notices[0].notice == notice.notice_id(stay.folio, NoticeKind.REFUND_EXECUTED, 1)
    assert len({one.notice for one in stay.folio.notices}) == len(stay.folio.notices) == 3


def test_s1_41_a_changed_booking_is_confirmed_once(stay: Written) -> None:
    """`booking.accepted` is told of each revision; the guest is not written to each time."""
    assert not stay.then(stay.book(ordered(revision=3, language="it"), name="booking.changed")).notices


@pytest.mark.parametrize(
    ("language", "languages", "guest", "merchant"),
    [
        pytest.param("it", ("fr", "en"), "it", "fr", id="the guest's own"),
        pytest.param("nl-BE", ("fr", "en"), "nl", "fr", id="of another country"),
        pytest.param("DE_at", ("fr", "en"), "de", "fr", id="however it is written"),
        pytest.param("pl", ("es", "en"), "es", "es", id="one that nobody writes: the property's first"),
        pytest.param("", ("cs", "de"), "de", "de", id="the property's first that somebody writes"),
        pytest.param("", ("cs",), "en", "en", id="English at last"),
        pytest.param("", (), "en", "en", id="also where nothing is said"),
    ],
)
def test_s0_34_in_the_language_of_who_reads(language: str, languages: tuple[str, ...], guest: str, merchant: str) -> None:
    """A guest's with the property's fallback; a merchant's is the property's."""
    written = Written(camp=replace(WRITES, languages=languages))
    written.then(written.book(ordered(language=language)))

    assert guest == notice.language_of(written.folio, written.camp, Audience.GUEST)
    assert Language(merchant) is notice.language_of(written.folio, written.camp, Audience.MERCHANT)


def test_a_text_knows_the_booking_and_the_fact(stay: Written) -> None:
    """Sums in minor units, days as days; nothing about a person."""
    (told,) = stay.then(Outcome(facts=(REFUNDED,))).notices

    assert told.variables == {
        "folio": "B-1", "property": "camp-azur", "currency": "EUR", "arrival": "2026-07-24", "departure": "2026-07-31",
        "ordered": 20_500, "collected": 0, "balance": 20_500, "due_now": 20_500, "second_payment": 0, "second_payment_on": None,
        "open_now": 20_500, "open_later": 0, "open_later_by": None, "goodwill": 0, "tender": "", "typed": None,
        "refund": "R-1", "payment": "P1", "amount": 6_000, "provider_record": "30/1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "paid_", "today", "due"),
    [
        pytest.param({}, 0, (2026, 5, 1), (10_500, 10_000, "2026-07-23"), id="nothing came yet"),
        pytest.param({}, 10_500, (2026, 5, 1), (0, 10_000, "2026-07-23"), id="the deposit came"),
        pytest.param({}, 10_500, (2026, 7, 23), (0, 10_000, "2026-07-23"), id="on its day"),
        pytest.param({}, 10_500, (2026, 7, 24), (10_000, 0, None), id="its day is over"),
        pytest.param({}, 20_500, (2026, 5, 1), (0, 0, None), id="everything"),
        pytest.param({"payment_plan": "full"}, 0, (2026, 5, 1), (20_500, 0, None), id="all at once"),
        pytest.param({"collected_by": "channel"}, 0, (2026, 5, 1), (0, 0, None), id="X-20: a channel collects"),
    ],
)
def test_s0_11_s4_13_x_20_what_is_due_now_and_until_when(
    more: dict[str, Any], paid_: int, today: tuple[int, int, int], due: tuple[int, int, str | None]
) -> None:
    """What is authorised is at hand, so nobody is asked for it."""
    for name in ("payment.received", "payment.authorised"):
        stay = Stay()
        stay.book(ordered(**{"payment_plan": "split", **more}))
        if paid_:
            stay.pay(paid(paid_), name=name)
        said = notice_said.variables(REFUNDED, stay.folio, ZoneInfo("Europe/Paris"), date(*today))

        assert (said["open_now"], said["open_later"], said["open_later_by"]) == due


def test_a_32_instants_are_the_property_s(stay: Written) -> None:
    """Late on 31 July in UTC is 1 August at the campsite."""

    class Told(Fact, frozen=True, kw_only=True):
        at: datetime

    said = notice_said.variables(
        Told(at=datetime(2026, 7, 31, 22, 30, tzinfo=UTC)), stay.folio, ZoneInfo("Europe/Paris"), date(2026, 7, 31)
    )

    assert said["at"] == "2026-08-01T00:30:00+02:00"


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_sample_has_what_a_text_may_name(kind: NoticeKind, stay: Written) -> None:
    """No more and no less: what a text may name at the start of the hub is what is said when it is sent."""
    about = BY_KIND[kind].about
    sample = {**SAMPLES[kind], "valid_until": "2026-07-21T09:00:00Z"}
    fact = msgspec.convert(sample, about)

    assert set(notice_said.variables(fact, stay.folio, ZoneInfo("Europe/Paris"), date(2026, 5, 1))) == set(SAMPLES[kind])


def test_what_became_of_it(stay: Written) -> None:
    """Taken by the server, once; later news of the same changes nothing."""
    (known,) = stay.folio.notices
    sent = stay.hears(NoticeCarried(notice=known.notice, state=NoticeState.SENT))
    again = stay.hears(NoticeCarried(notice=known.notice, state=NoticeState.FAILED, code="away"))

    assert sent.facts == (NoticeSent(notice=known.notice, kind=known.kind, audience="guest", attempt=1),)
    assert stay.folio.notices[0].state is NoticeState.SENT
    assert not again.facts


@pytest.mark.parametrize("state", [NoticeState.FAILED, NoticeState.UNKNOWN])
def test_s1_40_the_merchant_hears_of_a_guest_who_was_not_reached(stay: Written, state: NoticeState) -> None:
    """Of his own notice that failed nobody writes again."""
    (known,) = stay.folio.notices
    out = stay.hears(NoticeCarried(notice=known.notice, state=state, code="refused_by_server", reason="550 5.1.1"))

    assert kinds(out) == ["NoticeFailed", "NoticeRequested"]
    (told,) = out.notices
    assert (told.kind, told.audience, told.variables["kind"]) == (NoticeKind.NOTICE_FAILED, Audience.MERCHANT, "booking_confirmed")
    failed = stay.hears(NoticeCarried(notice=told.notice, state=NoticeState.FAILED, code="no_address"))
    assert kinds(failed) == ["NoticeFailed"]


def test_s1_40_a_bounce_is_a_failure_and_nothing_else(stay: Written) -> None:
    """After it was sent; a second one is nothing new, and the reason, which may name the guest, is not told."""
    (known,) = stay.folio.notices
    stay.hears(NoticeCarried(notice=known.notice, state=NoticeState.SENT))
    before = stay.folio
    message = msgspec.convert(
        {"actor": ACTOR, "folio": "B-1", "notice": known.notice, "code": "5.1.1", "reason": "<anna@example.org>: no such user"},
        NoticeBounced,
    )
    out = stay.hears(message)

    told = out.facts[0]
    assert isinstance(told, NoticeFailed)
    assert (told.code, told.reason) == ("bounced", "5.1.1")
    assert "anna" not in str(out)
    assert replace(stay.folio, notices=()) == replace(before, notices=())
    assert not stay.hears(message).facts


def test_s1_40_a_bounce_of_nothing_is_refused(stay: Written) -> None:
    """A notice that was never written, in a booking or in none; one whose booking is not here yet waits for it."""
    message = msgspec.convert({"actor": ACTOR, "folio": "B-1", "notice": "n-9"}, NoticeBounced)
    with pytest.raises(Rejected) as refused:
        stay.hears(message)
    assert (refused.value.code, refused.value.field, refused.value.value) == ("unknown_notice", "notice", "n-9")

    nobody = Written(camp=WRITES)
    with pytest.raises(Early):
        nobody.hears(message)
    with pytest.raises(Rejected, match="no notice"):
        nobody.hears(replace(message, folio=""))


def test_facts_without_notice_are_left_alone(stay: Written) -> None:
    """The very same outcome."""
    out = Outcome(facts=(PaymentScheduleSet(due_now=1, second_payment=0, due_on=None, currency="EUR"),))

    assert stay.then(out) is out
    assert BookingAccepted not in [type(fact) for fact in out.facts]
