"""S0-6, S0-32: codes that nobody guesses and whoever types them may mistype, and one spelling for all numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.voucher_code import ALPHABET, DRAWN, LENGTH, code_of, mixed, normalised, ours, shaped_as_ours, written

luck = st.binary(min_size=16, max_size=16)


@given(luck)
def test_s0_32_a_code_is_typeable(drawn: bytes) -> None:
    """Twelve characters that are not mistaken for others, in groups of four, however they are typed."""
    code = code_of(drawn)

    assert len(code) == LENGTH
    assert not set(code) & set("01ILOU")
    assert ours(code)
    assert written(code) == "-".join((code[:4], code[4:8], code[8:]))
    for typed in (written(code), code.lower(), f" {code[:3]} {code[3:]} ", written(code).replace("-", "–")):
        assert normalised(typed) == code


@given(luck, st.integers(0, LENGTH - 1), st.sampled_from(ALPHABET))
def test_s0_32_every_wrong_character_is_seen(drawn: bytes, place: int, other: str) -> None:
    """Not by luck: always."""
    code = code_of(drawn)
    wrong = code[:place] + other + code[place + 1 :]

    assert ours(wrong) is (wrong == code)
    assert shaped_as_ours(wrong)


def test_s0_32_changed_places_are_seen() -> None:
    """Of two neighbours that changed places, all but those whose sums the system cannot tell apart: at most one in thirty."""
    unseen = total = 0
    for seed in range(400):
        code = code_of(seed.to_bytes(16, "big") if seed % 2 else bytes([seed % 256]) * 16)
        for place in range(LENGTH - 1):
            swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            if swapped != code:
                total += 1
                unseen += ours(swapped)

    assert unseen * 30 < total


@given(luck, luck)
def test_s0_32_other_luck_another_code(one: bytes, other: bytes) -> None:
    """All of the space is used: 30 to the 11th."""
    space = len(ALPHABET) ** DRAWN
    same = int.from_bytes(one, "big") % space == int.from_bytes(other, "big") % space

    assert (code_of(one) == code_of(other)) is same


@given(st.text(max_size=64))
def test_s0_6_one_spelling(number: str) -> None:
    """Normalising again changes nothing, and nothing but letters and digits is left."""
    once = normalised(number)

    assert normalised(once) == once
    assert once == "" or once.isalnum()


@pytest.mark.parametrize(
    "between", ["\u200b", "\u00ad", "\u2060", "\u200d", "\ufeff", "\ufe0f", "\u034f", ".", "/", "_", "#", "·", "−", " ", "-", "\n"]
)
def test_s0_6_what_is_no_letter_or_digit_makes_no_other_number(between: str) -> None:
    """Whether anybody sees it or not; alone it is no number."""
    assert normalised(f"mer{between}77{between}") == "MER77"
    assert normalised(between * 2) == ""


@pytest.mark.parametrize("typed", ["МЕР77", "MЕP77", "мер-77", "ΜΕΡ 77", "MEP٧٧", "ＭＥＰ７７"])
def test_s0_6_lookalikes_are_one_number(typed: str) -> None:
    """Cyrillic, Greek, digits of other scripts and wide ones, whole or among Latin."""
    assert normalised(typed) == "MEP77"


@pytest.mark.parametrize(
    ("typed", "key", "is_mixed"),
    [
        ("Ёлка-1", "ЁЛКА1", False),
        ("ΔΩΡΟ 5", "ΔΩΡΟ5", False),
        ("Été 12", "ÉTÉ12", False),
        ("1234", "1234", False),
        ("MERЖ77", "MERЖ77", True),
        ("MER\u3164", "MER\u1160", True),
    ],
)
def test_s0_6_words_of_other_scripts_stay_theirs(typed: str, key: str, is_mixed: bool) -> None:
    """Only what could be read as Latin throughout is; what is of both is told apart, even where a letter is not seen."""
    assert normalised(typed) == key
    assert mixed(key) is is_mixed


@pytest.mark.parametrize(("number", "is_ours"), [("", False), ("MER-77", False), ("2345-6789-ABC", False), ("2" * 12, False)])
def test_others_are_not_ours(number: str, is_ours: bool) -> None:
    """Free text stays free text."""
    assert ours(normalised(number)) is is_ours
    assert written(number) == number
