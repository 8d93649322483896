"""What is kept of requests and answers holds no password, no signature, no card."""

from __future__ import annotations

import pytest

from connectors.psp.ogone import evidence
from tests.connectors.psp.ogone.golden import VECTORS


@pytest.mark.parametrize(
    "text",
    ["4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "card:378282246310005.", "6011111111111117"],
)
def test_cards_are_found(text: str) -> None:
    """With blanks, with dashes, in a sentence."""
    assert evidence.holds_card(text)
    assert evidence.HIDDEN in evidence.without_cards(text)


@pytest.mark.parametrize(
    "text",
    ["4111111111111112", "3000000001", "1233680882919266242708828", "0000000000000000", "9111111111111111", "2026-05-01T10:00:00"],
)
def test_false_alarms(text: str) -> None:
    """Wrong check digit, too short, too long, no issuer: kept."""
    assert text == evidence.without_cards(text)


def test_answer_text() -> None:
    """Card attributes, the redirect form and known secrets are hidden; the rest stays readable, well-formed or not."""
    text = '<ncresponse orderID="4111111111111111" STATUS="8" CARDNO="4111111111111111" CN="Zoé" x="my-secret"\n<HTML_ANSWER>QUJD'
    kept = evidence.answer_text(text, ["my-secret"])

    assert 'orderID="4111111111111111" STATUS="8" CARDNO="***" CN="***"' in kept
    assert "my-secret" not in kept
    assert "QUJD" not in kept


def test_published_3d_secure_answer() -> None:
    """The form inside, which holds a card number in base64, is not kept."""
    sample = next(v for v in VECTORS["answers"] if v["id"] == "order-3ds-46")

    assert "PGZvcm0" in sample["xml"]
    assert "PGZvcm0" not in evidence.answer_text(sample["xml"])


def test_long_answers_are_cut() -> None:
    """Evidence is bounded."""
    assert len(evidence.answer_text("x" * 100_000)) < evidence.KEPT + 100
