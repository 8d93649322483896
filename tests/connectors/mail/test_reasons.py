"""Why a person is needed, in six languages: what the decisions say, and what no table has."""

from __future__ import annotations

import re
import string

import pytest

from connectors.mail.filters import reasons, words
from connectors.mail.reasons import SHAPES
from connectors.mail.rendering import Texts
from connectors.mail.samples import SAMPLES
from handlers.notice_table import NOTICES
from schemas.notice import Audience, Language, NoticeKind
from schemas.payment import Tender
from schemas.voucher import Flag

TEXTS = Texts()
FAILS = (
    "refused_by_server", "gave_up", "unknown", "bounced", "no_address", "bad_address", "person_forgotten", "template_variable",
    "template_broken", "defect",
)  # fmt: skip


def said(kind: NoticeKind, language: Language, **more: object) -> str:
    return TEXTS.write(kind, language, Audience.MERCHANT, "camp-azur", {**SAMPLES[kind], **more}).text


@pytest.mark.parametrize("code", SHAPES)
def test_s0_34_each_code_is_a_sentence_in_every_language(code: str) -> None:
    """With what the shape tells, and nothing that it does not."""
    sentences = reasons()[code]
    groups = set(re.compile(SHAPES[code]).groupindex)

    assert set(sentences) == set(Language)
    assert set(reasons()) == set(SHAPES)
    for sentence in sentences.values():
        assert {field for _, field, _, _ in string.Formatter().parse(sentence) if field} == groups
    assert len(set(sentences.values())) == len(Language)


@pytest.mark.parametrize("language", Language)
def test_s0_34_codes_and_kinds_are_words_in_every_language(language: Language) -> None:
    """What a failed notice was about, and why; means of payment; warnings about a voucher."""
    guests = {one.kind.value for one in NOTICES if one.audience is Audience.GUEST}
    known = words()[language]

    assert not {*guests, *FAILS, *Tender, *(flag.value for flag in Flag)} - set(known)
    assert set(known) == set(words()[Language.EN])
    for code in FAILS:
        assert known[code] in said(NoticeKind.NOTICE_FAILED, language, code=code)


def test_amounts_days_and_words_within_a_reason_are_the_language_s() -> None:
    """And what stands behind a colon is said in it too."""
    reason = "wait, the payment is disputed: voucher MER-7: the voucher was good until 2026-07-24: issue its value again"
    owed = "owed again: 1205.00 EUR of a cancelled booking, since payment P1 was taken back; 5.00 EUR of it had been given back"

    assert "warten, die Zahlung ist strittig; der Gutschein MER-7 galt bis Freitag, 24. Juli 2026:" in said(
        NoticeKind.REFUND_MANUAL_REQUIRED, Language.DE, reason=reason
    )
    assert "1.205,00\xa0€ einer stornierten Buchung" in said(NoticeKind.EFFECT_NEEDS_PERSON, Language.DE, reason=owed)
    assert "questo mezzo di pagamento (assegno)" in said(
        NoticeKind.REFUND_MANUAL_REQUIRED, Language.IT, reason="paid by cheque: no provider gives it back"
    )


@pytest.mark.parametrize("language", Language)
def test_what_no_table_has_is_shown_as_it_was_said(language: Language) -> None:
    """A reason, a code, a means of payment of a later release."""
    assert "the moon: {word}" in said(NoticeKind.REFUND_MANUAL_REQUIRED, language, reason="the moon: {word}")
    assert "too_late_again" in said(NoticeKind.NOTICE_FAILED, language, code="too_late_again")
    assert "seashells" in said(NoticeKind.REFUND_MANUAL_REQUIRED, language, tender="seashells")
