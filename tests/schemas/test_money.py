"""Exact money: exponents, parsing, allocation, rates and the named roundings."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.money import HALF_UP, Money, Rounding, allocate, exponent, parse_rate, rate_text, rounded, total

amounts = st.integers(-(10**12), 10**12)
currencies = st.sampled_from(["EUR", "JPY", "KWD", "USD", "CLF", "HUF", "IQD"])


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("HUF", 2), ("IQD", 3)])
def test_exponents(currency: str, digits: int) -> None:
    """ISO 4217's digits, also where people write fewer."""
    assert digits == exponent(currency)


@pytest.mark.parametrize("code", ["EURO", "eur", "", "XYZ", "E1R"])
def test_unknown_currencies(code: str) -> None:
    """A code that does not exist is named."""
    with pytest.raises(ValueError, match="ISO 4217"):
        exponent(code)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("15", "EUR", 1500),
        ("15.1", "EUR", 1510),
        ("15.12", "EUR", 1512),
        ("15.1200", "EUR", 1512),
        ("0", "EUR", 0),
        ("-0.01", "EUR", -1),
        ("1999", "JPY", 1999),
        ("1999.00", "JPY", 1999),
        ("1.999", "KWD", 1999),
        ("999999999999999.99", "EUR", 99999999999999999),
    ],
)
def test_parse(text: str, currency: str, minor: int) -> None:
    """Major units as providers and channels write them."""
    assert Money(minor, currency) == Money.parse(text, currency)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1,50",
        "1.",
        ".5",
        "+1",
        "--1",
        "1e3",
        "0x10",
        "NaN",
        "Infinity",
        "1_000",
        "01",
        "٣",
        "1.123",
        "1" * 16,
        "1.999999999",
    ],
)
def test_parse_refuses(text: str) -> None:
    """What is not a plain decimal number of the currency is refused and named, never guessed."""
    with pytest.raises(ValueError, match="amount"):
        Money.parse(text, "EUR")


def test_parse_refuses_decimals_that_the_currency_lacks() -> None:
    """JPY has none, KWD three."""
    with pytest.raises(ValueError, match="JPY knows"):
        Money.parse("1.5", "JPY")
    with pytest.raises(ValueError, match="KWD knows"):
        Money.parse("1.2345", "KWD")


@given(amounts, currencies)
def test_text_and_back(minor: int, currency: str) -> None:
    """What is written is read again."""
    money = Money(minor, currency)
    assert money == Money.parse(money.text(), currency)
    assert f"{money.text()} {currency}" == str(money)


@given(amounts, st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any))
def test_x_5_allocate_keeps_the_sum(minor: int, weights: list[int]) -> None:
    """No cent is lost or made, none is more than one away from its exact share, and a weight of 0 gets nothing."""
    parts = allocate(minor, weights)

    assert minor == sum(parts)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(minor * weight, sum(weights))) < 1
        assert weight or part == 0


@pytest.mark.parametrize(
    ("minor", "weights", "expected"),
    [
        (1_000_000, (1, 2, 3), (166_667, 333_333, 500_000)),
        (10_000, (1, 1, 1), (3_334, 3_333, 3_333)),
        (500_000, (1,) * 7, (71_429,) * 4 + (71_428,) * 3),
        (-100, (1, 1, 1), (-33, -33, -34)),
    ],
)
def test_x_5_largest_remainders(minor: int, weights: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Largest remainders get the rest, the first one on ties (V11, V12, V13)."""
    assert expected == tuple(part.minor for part in Money(minor, "EUR").allocate(weights))


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2]])
def test_bad_weights(weights: list[int]) -> None:
    """Nothing to split by."""
    with pytest.raises(ValueError, match="weights"):
        allocate(1, weights)


@pytest.mark.parametrize(
    ("exact", "half_up", "half_even", "guest"),
    [
        (Fraction(1, 2), 1, 0, 1),
        (Fraction(3, 2), 2, 2, 2),
        (Fraction(5, 2), 3, 2, 3),
        (Fraction(-1, 2), -1, 0, 0),
        (Fraction(-3, 2), -2, -2, -1),
        (Fraction(49, 100), 0, 0, 1),
        (Fraction(51, 100), 1, 1, 1),
        (Fraction(-51, 100), -1, -1, 0),
        (Fraction(7), 7, 7, 7),
    ],
)
def test_roundings(exact: Fraction, half_up: int, half_even: int, guest: int) -> None:
    """Half away from zero, half to even, up in the guest's favour."""
    ratio = exact.as_integer_ratio()
    assert (half_up, half_even, guest) == (rounded(*ratio), rounded(*ratio, Rounding.HALF_EVEN), rounded(*ratio, Rounding.GUEST))


@given(st.fractions(min_value=-(10**9), max_value=10**9), st.sampled_from(list(Rounding)))
def test_rounding_moves_less_than_one(exact: Fraction, how: Rounding) -> None:
    """And by at most a half, but for the guest."""
    moved = abs(rounded(*exact.as_integer_ratio(), how) - exact)
    assert moved < 1 if how is Rounding.GUEST else moved <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("text", "rate", "again"),
    [
        ("50 %", Fraction(1, 2), "50 %"),
        ("50%", Fraction(1, 2), "50 %"),
        ("12.5 %", Fraction(1, 8), "12.5 %"),
        ("12.50 %", Fraction(1, 8), "12.5 %"),
        ("33 1/3 %", Fraction(1, 3), "33 1/3 %"),
        ("100/3 %", Fraction(1, 3), "33 1/3 %"),
        ("1/3 %", Fraction(1, 300), "1/3 %"),
        ("0 %", Fraction(0), "0 %"),
        ("0.05 %", Fraction(1, 2000), "0.05 %"),
    ],
)
def test_rates(text: str, rate: Fraction, again: str) -> None:
    """Exact, and written in one way."""
    assert rate == parse_rate(text)
    assert again == rate_text(rate)


@given(st.fractions(min_value=0, max_value=2, max_denominator=9999))
def test_rates_round_trip(rate: Fraction) -> None:
    """Any rate that can be written is read again as itself."""
    assert rate == parse_rate(rate_text(rate))


@given(st.integers(1, 10**15), st.integers(0, 10**15))
@example(4096, 1)
@example(1_000_003, 1)
@example(2**49, 1)
def test_rates_of_amounts_round_trip(price: int, kept: int) -> None:
    """What part of a price is kept is written, and read again, whatever the two are."""
    rate = Fraction(min(kept, price), price)
    assert rate == parse_rate(rate_text(rate))


@pytest.mark.parametrize("text", ["", "50", "%", "fifty %", "1/0 %", "50,5 %", "-1 %", "1e2 %", "0.5", "1 2 %", "٥ %"])
def test_rates_refused(text: str) -> None:
    """Never guessed."""
    with pytest.raises(ValueError, match="rate"):
        parse_rate(text)


def test_arithmetic_stays_in_its_currency() -> None:
    """Euros and yen do not add up."""
    assert Money(3, "EUR") == Money(1, "EUR") + Money(2, "EUR")
    assert Money(-1, "EUR") == Money(1, "EUR") - Money(2, "EUR")
    assert Money(6, "EUR") == total([Money(1, "EUR"), Money(5, "EUR")], "EUR")
    assert Money(0, "EUR") == total([], "EUR")
    assert Money(5001, "EUR") == Money(10001, "EUR").times(Fraction(1, 2), HALF_UP)
    assert not Money(0, "EUR")
    with pytest.raises(ValueError, match="currencies differ"):
        Money(1, "EUR") + Money(1, "JPY")
