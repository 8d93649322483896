"""What is read: every text in every language, amounts and dates as each writes them, and texts that name what nobody says."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

import pytest

from connectors.mail.rendering import Texts, Written
from connectors.mail.samples import SAMPLES
from schemas.errors import HubError
from schemas.notice import Audience, Language, NoticeKind, NoticeText

TEXTS = Texts()
_TENDERS = {NoticeKind.REFUND_MANUAL_REQUIRED: ("tender",), NoticeKind.VOUCHER_ACCEPTED: ("tender",)}
"""Kinds whose fact has said the means of payment itself from the beginning."""
EVERY = [(kind, language) for kind in NoticeKind for language in Language]


def write(kind: NoticeKind, language: Language, *, name: str = "Anna", texts: Texts = TEXTS, **more: object) -> Written:
    return texts.write(
        kind, language, Audience.GUEST, "camp-azur", {**SAMPLES[kind], **more}, name=name, property_name="Camping d’Azur"
    )  # fmt: skip


def own(text: str, *, subject: str = "s", html: str = "") -> Texts:
    """Texts of a property that has its own for refunds, in English."""
    mine = NoticeText(subject=subject, text=text, html=html)
    return Texts({"camp-azur": {NoticeKind.REFUND_EXECUTED: {Language.EN: mine}}})


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_s0_34_every_text_can_be_read_in_every_language(kind: NoticeKind, language: Language) -> None:
    """With sums, with the reference, with nothing left that is a template's, and not in another language."""
    written = write(kind, language)
    every = written.subject + written.text + written.html

    assert not {"{{", "{%", "None", "Undefined"} & set(every.split())
    assert "{" not in written.subject + written.text
    assert "B-1001" in written.text
    assert "Camping d’Azur" in written.text
    assert written.html.startswith("<!DOCTYPE html>")
    assert f'<html lang="{language}">' in written.html
    others = {write(kind, other).text for other in Language if other is not language}
    assert written.text not in others
    assert len(others) == len(Language) - 1


@pytest.mark.parametrize(
    ("language", "amount", "day"),
    [
        pytest.param(Language.EN, "€1,205.00", "Friday, 24 July 2026", id="en"),
        pytest.param(Language.FR, "1\u202f205,00\xa0€", "vendredi 24 juillet 2026", id="fr"),
        pytest.param(Language.IT, "1.205,00\xa0€", "venerdì 24 luglio 2026", id="it"),
        pytest.param(Language.ES, "1.205,00\xa0€", "viernes, 24 de julio de 2026", id="es"),
        pytest.param(Language.DE, "1.205,00\xa0€", "Freitag, 24. Juli 2026", id="de"),
        pytest.param(Language.NL, "€\xa01.205,00", "vrijdag 24 juli 2026", id="nl"),
    ],
)
def test_s0_34_amounts_and_dates_as_the_language_writes_them(language: Language, amount: str, day: str) -> None:
    """In text and in HTML."""
    written = write(NoticeKind.BOOKING_CONFIRMED, language)

    for read in (written.text, written.html):
        assert amount in read
        assert day in read


@pytest.mark.parametrize(
    ("currency", "minor", "shown"),
    [
        pytest.param("JPY", 60_000, "JP¥60,000", id="none"),
        pytest.param("KWD", 60_005, "KWD60.005", id="three"),
        pytest.param("IQD", 60_005, "IQD60.005", id="more than people use to write"),
        pytest.param("EUR", -5, "-€0.05", id="less than nothing"),
    ],
)
def test_no_digit_of_an_amount_is_lost(currency: str, minor: int, shown: str) -> None:
    """As many decimals as the currency has by ISO 4217."""
    assert shown in write(NoticeKind.REFUND_EXECUTED, Language.EN, currency=currency, amount=minor).text


def test_a_moment_is_told_in_its_own_zone() -> None:
    """A-32: instants come in the property's offset and are written so."""
    written = write(NoticeKind.VOUCHER_TOP_UP_AWAITED, Language.EN, until="2026-08-01T00:30:00+02:00")

    assert "Saturday, 1 August 2026, 00:30" in written.text


@dataclass
class Seen(HTMLParser):
    """What a browser makes of it."""

    def __post_init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.shown += data


def test_what_a_guest_is_called_is_text() -> None:
    """Nobody writes HTML by his name, and nothing is escaped twice."""
    written = write(NoticeKind.REFUND_EXECUTED, Language.EN, name='<script>x</script> & "Co"')
    seen = Seen()
    seen.feed(written.html)

    assert "script" not in seen.tags
    assert 'Dear <script>x</script> & "Co",' in seen.shown
    assert 'Dear <script>x</script> & "Co",' in written.text
    assert seen.shown.count("Camping d’Azur") == 2


@pytest.mark.parametrize("between", ["\n\n", "\r\n\r\n", "\u2029", "\u2028\u2028", "\x0b\x0c", "\x85", "\x00\t\x1b", "\u202e"])
def test_nobody_writes_paragraphs_into_a_notice(between: str) -> None:
    """A name, a reason, whatever was said is one line, in text and in HTML; a template's own paragraphs stay."""
    said = f"Bob,{between}Your stay is cancelled."
    plain = write(NoticeKind.REFUND_MANUAL_REQUIRED, Language.EN, name="x", reason="x")
    written = write(NoticeKind.REFUND_MANUAL_REQUIRED, Language.EN, name=said, reason=said, payment=said)
    greeted = write(NoticeKind.REFUND_EXECUTED, Language.EN, name=said)
    listed = write(NoticeKind.BALANCE_ASKED, Language.EN, methods=["card", said])

    assert written.text.count("\n") == plain.text.count("\n")
    assert written.html.count("<p") == plain.html.count("<p")
    for read in (written, greeted, listed):
        assert "Bob, Your stay is cancelled." in read.text
        assert "Bob, Your stay is cancelled." in read.html


def test_what_is_said_is_bounded() -> None:
    """A name of 120 characters, a reason of 1000; the last one tells that there was more."""
    written = write(NoticeKind.REFUND_EXECUTED, Language.EN, name="n" * 121)
    reasoned = write(NoticeKind.REFUND_MANUAL_REQUIRED, Language.EN, reason="r" * 1_001)

    assert f"Dear {'n' * 119}…," in written.text
    assert f"{'r' * 999}…" in reasoned.text
    assert "r" * 1_000 not in reasoned.text
    assert f"Dear {'n' * 120}," in write(NoticeKind.REFUND_EXECUTED, Language.EN, name="n" * 120).text


def test_without_a_name() -> None:
    """Somebody is greeted."""
    assert "Dear guest," in write(NoticeKind.REFUND_EXECUTED, Language.EN, name="").text
    assert "Guten Tag," in write(NoticeKind.REFUND_EXECUTED, Language.DE, name="").text


def test_a_booking_without_days_is_confirmed_too() -> None:
    """Half of it is not written."""
    written = write(NoticeKind.BOOKING_CONFIRMED, Language.FR, arrival=None, departure=None, open_later=0, open_later_by=None)

    assert "est confirmée." in written.text
    assert "à régler au plus tard" not in written.text


@pytest.mark.parametrize(
    ("now", "later", "balance", "said", "not_said"),
    [
        pytest.param(12_050, 60_000, 72_050, ("Please pay €120.50 now.", "€600.00 is due by Monday"), ("nothing left",), id="both"),
        pytest.param(0, 60_000, 60_000, ("€600.00 is due by Monday, 20 July 2026.",), ("now", "already"), id="later"),
        pytest.param(72_050, 0, 72_050, ("Please pay €720.50 now.", "already paid"), ("is due by",), id="now"),
        pytest.param(0, 0, 0, ("There is nothing left to pay.",), ("now", "is due by"), id="nothing"),
    ],
)
def test_s0_11_a_confirmation_says_what_is_due_and_until_when(
    now: int, later: int, balance: int, said: tuple[str, ...], not_said: tuple[str, ...]
) -> None:
    """In every language the same sums and the same day."""
    more = {"open_now": now, "open_later": later, "open_later_by": "2026-07-20" if later else None, "balance": balance}
    text = " ".join(write(NoticeKind.BOOKING_CONFIRMED, Language.EN, **more).text.split())

    assert all(one in text for one in said)
    assert not [one for one in not_said if one in text]
    for language in Language:
        read = write(NoticeKind.BOOKING_CONFIRMED, language, **more).text
        assert ("2026" in read.split("\n\n")[2]) is bool(later)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("now", [0, 12_050])
@pytest.mark.parametrize("kind", [NoticeKind.BOOKING_CONFIRMED, NoticeKind.VOUCHER_DECLINED])
def test_s1_39_what_is_due_on_several_days_is_said_without_one(kind: NoticeKind, now: int, language: Language) -> None:
    """The sum, and that each accommodation has its day."""
    said = write(kind, language, open_now=now, open_later=60_000, open_later_by=None, arrival=None, departure=None).text

    words = ("accommodation", "hébergement", "alloggio", "alojamiento", "Unterkunft", "accommodatie")
    assert "600" in said
    assert [word for word in words if word in said]
    assert "2026" not in said


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    ("record", "tender", "bank"),
    [("3014726/1", "card", True), ("", "bank_transfer", True), ("", "cash", False), ("", "holiday_voucher", False)],
)
def test_x_19_what_was_given_back_by_hand_is_no_bank_s(language: Language, record: str, tender: str, bank: bool) -> None:
    """Only a provider's refund, or a transfer, shows on an account after some days."""
    text = write(NoticeKind.REFUND_EXECUTED, language, provider_record=record, tender=tender).text

    assert any(word in text.lower() for word in ("bank", "banque", "banca", "banco")) is bank


def test_a_property_s_own_text_and_the_rest_as_shipped() -> None:
    """In the language that it has one in, and nowhere else."""
    texts = own("Your {{ amount|money }}, {{ name }}.\n\nBye", subject="Money\n back")
    mine = write(NoticeKind.REFUND_EXECUTED, Language.EN, texts=texts)
    assert "Your €600.00, Anna." in mine.text
    assert ">Bye</p>" in mine.html
    assert mine.subject == "Money back"
    assert write(NoticeKind.REFUND_EXECUTED, Language.FR, texts=texts) == write(NoticeKind.REFUND_EXECUTED, Language.FR)
    elsewhere = texts.write(NoticeKind.REFUND_EXECUTED, Language.EN, Audience.GUEST, "dunes", SAMPLES[NoticeKind.REFUND_EXECUTED])
    assert "We have refunded" in elsewhere.text
    assert (
        write(NoticeKind.REFUND_EXECUTED, Language.EN, texts=own("x", html="<p>{{ name }}</p>"), name="<b>").html
        == "<p>&lt;b&gt;</p>"
    )


LOOP = "{% for a in name %}"


@pytest.mark.parametrize(
    ("text", "code", "value", "says"),
    [
        pytest.param("{{ guest_name }}", "template_variable", "guest_name", "nobody says", id="nobody says it"),
        pytest.param("{% if balanse > 0 %}x{% endif %}", "template_variable", "balanse", "nobody says", id="in a condition"),
        pytest.param("{{ amount|monny }}", "template_broken", "", "no filter 'monny': there are abs,", id="an unknown filter"),
        pytest.param("{% if amount < 0 %}{{ amount|monny }}{% endif %}", "template_broken", "", "no filter", id="where it is not seen"),
        pytest.param("{% if amount is nice %}x{% endif %}", "template_broken", "", "no test 'nice'", id="an unknown test"),
        pytest.param("{% if x", "template_broken", "", "is no template", id="no template"),
        pytest.param("{{ amount.more.still }}", "template_variable", "more", "nobody says", id="no such part"),
        pytest.param("{{ payment|money }}", "template_broken", "", "cannot be written", id="no amount"),
        pytest.param("{{ payment|day }}", "template_broken", "", "cannot be written", id="no day"),
        pytest.param("{{ amount / 0 }}", "template_broken", "", "division by zero", id="no number"),
        pytest.param("{{ 1 / amount }}", "template_broken", "", "division by zero", id="no number where there is no sum"),
        pytest.param("{{ ''.__class__.__mro__ }}", "template_broken", "", "unsafe", id="out of the sandbox"),
        pytest.param("{{ name.upper() }}", "template_broken", "", "has call", id="what is called"),
        pytest.param("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "template_broken", "", "has ", id="what calls itself"),
        pytest.param("{% include 'x' %}", "template_broken", "", "has include", id="another file"),
        pytest.param("{{ name|safe }}", "template_broken", "", "no filter 'safe'", id="what a guest wrote as HTML"),
        pytest.param("{% for a in range(9) %}x{% endfor %}", "template_broken", "", "has call", id="a range"),
        pytest.param(f"{LOOP * 8}{'{% endfor %}' * 8}", "template_broken", "", "loops more than 10000 times", id="loops in loops"),
        pytest.param("{{ 'x' * 1000000000 }}", "template_broken", "", "is for numbers", id="a text many times"),
        pytest.param("{{ '%1000000000d' % 1 }}", "template_broken", "", "is for numbers", id="a text that is filled"),
        pytest.param("{{ 9 ** 9 ** 9 }}", "template_broken", "", "has pow", id="a power"),
        pytest.param("{% set x = 'abcdefgh' %}" + "{% set x = x ~ x %}" * 30, "template_broken", "", "more than 100000", id="twice"),
        pytest.param("{% set x = 'abcdefgh' %}" + "{% set x = x + x %}" * 30, "template_broken", "", "more than 100000", id="and more"),
        pytest.param("{% set x = 99 %}" + "{% set x = x * x %}" * 30, "template_broken", "", "larger than any", id="a large number"),
        pytest.param("{% set x %}{{ name }}{{ name }}{% endset %}", "template_broken", "", "has assignblock", id="a text in a text"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_written_is_refused_at_the_start(text: str, code: str, value: str, says: str) -> None:
    """By file, kind, language and line, with what to do, before anything is sent; the same in subject, text and HTML."""
    for part, wrong in (
        ("text", {"text": f"x\n{text}"}),
        ("subject", {"text": "x", "subject": f"x\n{text}"}),
        ("html", {"text": "x", "html": f"x\n{text}"}),
    ):
        with pytest.raises(HubError) as refused:
            own(**wrong)
        assert (refused.value.code, refused.value.field, refused.value.value) == (code, "refund_executed.en", value)
        assert says in refused.value.message
        assert f"(notices/camp-azur/refund_executed.toml, en.{part}, line 2 of it)" in refused.value.message


def test_a_text_that_grows_too_long_is_refused_at_the_start() -> None:
    """However little it says itself."""
    with pytest.raises(HubError, match="longer than 100000 characters: say less of it"):
        own("{% for a in [1,2,3,4,5,6,7,8,9,10,11] %}" + "x" * 10_000 + "{% endfor %}")


@pytest.mark.parametrize(
    "text",
    [
        "{% for one in provider_record %}{{ loop.index }}{{ one|upper }}{% if not loop.last %}, {% endif %}{% endfor %}",
        "{% set half = (amount / 2)|int %}{{ half|money }} {{ 'a' ~ folio ~ 1 }} {{ arrival|day|title }} {{ (amount * 2 + 1) % 7 }}",
        "{{ arrival[:4] }} {% if typed is none %}x{% elif tender in ['card', 'cash'] %}y{% endif %} {{ typed|default(0, true)|string }}",
    ],
)
def test_what_a_text_may_use(text: str) -> None:
    """Conditions, loops over what is said, sums, and filters."""
    assert write(NoticeKind.REFUND_EXECUTED, Language.EN, texts=own(text)).text


@pytest.mark.parametrize(
    ("text", "code", "value"),
    [
        pytest.param("{{ second_payment_on|day }}", "template_broken", "", id="a day that there is not"),
        pytest.param("{% if not arrival %}{{ folio.nobody }}{% endif %}", "template_variable", "nobody", id="where nothing is"),
        pytest.param("{% for a in folio %}{% for b in folio %}{% endfor %}{% endfor %}", "template_broken", "", id="a long name"),
    ],
)
def test_what_shows_only_when_it_is_written_is_refused_then(text: str, code: str, value: str) -> None:
    """The same refusal, and nothing is sent."""
    texts = own(f"x\n{text}")
    with pytest.raises(HubError) as refused:
        write(NoticeKind.REFUND_EXECUTED, Language.EN, texts=texts, arrival=None, second_payment_on=None, folio="B" * 200)

    assert (refused.value.code, refused.value.field, refused.value.value) == (code, "refund_executed.en", value)
    assert "line 2 of it" in refused.value.message


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_what_waits_since_an_earlier_release_is_written(kind: NoticeKind, language: Language) -> None:
    """A mail server may have been away while the hub was brought to this one; what was said later is not needed."""
    new = {"open_now", "open_later", "open_later_by", "goodwill", "typed", *({"tender"} - set(_TENDERS.get(kind, ())))}
    said = {name: value for name, value in SAMPLES[kind].items() if name not in new}
    written = TEXTS.write(kind, language, Audience.GUEST, "camp-azur", said, name="Anna")

    assert written.text
    if kind is NoticeKind.BOOKING_CONFIRMED:
        assert "600" in written.text


def test_a_variable_that_is_missing_when_it_is_sent() -> None:
    """What was planned by an earlier release may know less."""
    few = {name: value for name, value in SAMPLES[NoticeKind.REFUND_EXECUTED].items() if name != "amount"}
    with pytest.raises(HubError) as refused:
        TEXTS.write(NoticeKind.REFUND_EXECUTED, Language.NL, Audience.GUEST, "camp-azur", few)

    assert (refused.value.code, refused.value.field, refused.value.value) == ("template_variable", "refund_executed.nl", "amount")
