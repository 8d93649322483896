"""Money: integer minor units of an ISO 4217 currency, exact rates, and the only place that rounds.

No float, ever. Codecs turn a provider's or a channel's decimal text into `Money` at the edge with `Money.parse`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

import msgspec
from babel.core import get_global
from babel.numbers import get_currency_precision, list_currencies

# CLDR gives the digits people write, ISO 4217 the digits that banks count; where they differ ISO wins.
_ISO_DIGITS = {
    "AFN": 2, "ALL": 2, "IQD": 3, "IRR": 2, "KPW": 2, "LAK": 2, "LBP": 2, "MGA": 2, "MMK": 2, "RSD": 2, "SLL": 2,
    "SOS": 2, "SYP": 2, "YER": 2,
}  # fmt: skip
_NO_MONEY = frozenset({"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"})
"""Codes of ISO 4217 without minor units: metals, units of account, the one for tests, and none."""
_KNOWN = (frozenset(list_currencies()) | frozenset(get_global("all_currencies"))) - _NO_MONEY
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,8}))?", re.ASCII)
# As many digits as a part of any price may need: 1/2^49 of one has 47 decimals.
_RATE = re.compile(r"(?:(\d{1,6})(?:[.](\d{1,64}))?|(?:(\d{1,6})\s+)?(\d{1,18})/(\d{1,18}))\s*%", re.ASCII)


class Rounding(StrEnum):
    """Named directions: half away from zero, half to even, and up in the guest's favour (A-19)."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    GUEST = "guest"


HALF_UP = Rounding.HALF_UP
ZERO_RATE = Fraction(0)
FULL_RATE = Fraction(1)


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """Decimal digits of a currency by ISO 4217: EUR 2, JPY 0, KWD 3. Raises ValueError for a code that does not exist or is no money."""
    if currency not in _KNOWN:
        raise ValueError(f"currency {currency!r} is not an ISO 4217 code")
    return _ISO_DIGITS.get(currency, get_currency_precision(currency))


def rounded(numerator: int, denominator: int, how: Rounding = HALF_UP) -> int:
    """An exact number of minor units, `numerator` / `denominator` > 0, to a whole one."""
    floor, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice == denominator:
        match how:
            case Rounding.HALF_UP:
                return floor + (numerator > 0)
            case Rounding.HALF_EVEN:
                return floor + floor % 2
            case Rounding.GUEST:
                return floor + 1
    if how is Rounding.GUEST:
        return floor + (rest > 0)
    return floor + (twice > denominator)


def times(minor: int, rate: Fraction, how: Rounding = HALF_UP) -> int:
    """`rate` of so many minor units, rounded once."""
    numerator, denominator = rate.as_integer_ratio()
    return rounded(minor * numerator, denominator, how)


def included(minor: int, rate: Fraction, how: Rounding = HALF_UP) -> int:
    """X-5, X-23: the tax at `rate` that so many minor units have in them, rounded once: 120.00 at 20 % have 20.00."""
    numerator, denominator = rate.as_integer_ratio()
    return rounded(minor * numerator, denominator + numerator, how)


class Money(msgspec.Struct, frozen=True, order=True, gc=False):
    """An amount: `minor` 1999 is 19.99 EUR, 1999 JPY, 1.999 KWD."""

    minor: int
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"currencies differ: {self.currency} and {other.currency}")
        return other.minor

    def times(self, rate: Fraction, how: Rounding = HALF_UP) -> Money:
        """`rate` of this amount, rounded once."""
        return Money(times(self.minor, rate, how), self.currency)

    def allocate(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Split without losing a cent (X-5): parts add up to self; largest remainders get the rest, the first one on ties."""
        return tuple(Money(part, self.currency) for part in allocate(self.minor, weights))

    def text(self) -> str:
        """Major units with the currency's own digits and a point: `19.99`, `1999`, `1.999`."""
        return major(self.minor, self.currency)

    def __str__(self) -> str:
        return f"{self.text()} {self.currency}"

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Major units as decimal text (`15`, `15.1`, `15.12`). Trailing zeros beyond the currency's digits are allowed.

        Raises ValueError, naming the text, for anything else: commas, signs in the middle, exponents, blanks, too many decimals.
        """
        match = _DECIMAL.fullmatch(text)
        if match is None:
            raise ValueError(f"amount {text[:40]!r} is not a decimal number")
        digits = exponent(currency)
        fraction = (match[2] or "").rstrip("0")
        if len(fraction) > digits:
            raise ValueError(f"amount {text[:40]!r} has more decimals than {currency} knows ({digits})")
        minor = int(match[1]) * 10**digits + int(fraction.ljust(digits, "0") or "0")
        return cls(-minor if text.startswith("-") else minor, currency)


def major(minor: int, currency: str) -> str:
    """Minor units as `Money.text` writes them."""
    digits = exponent(currency)
    sign = "-" if minor < 0 else ""
    whole = str(abs(minor)).zfill(digits + 1)
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}" if digits else f"{sign}{whole}"


def allocate(minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Minor units split by weights, exactly; see `Money.allocate`. Raises ValueError for no weight or a negative one."""
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError(f"bad weights {list(weights)}")
    cuts = [divmod(minor * weight, total) for weight in weights]
    short = minor - sum(whole for whole, _ in cuts)
    extra = set(sorted(range(len(cuts)), key=lambda i: -cuts[i][1])[:short])
    return tuple(whole + (i in extra) for i, (whole, _) in enumerate(cuts))


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum; nothing is zero of `currency`."""
    result = Money(0, currency)
    for amount in amounts:
        result += amount
    return result


@lru_cache(maxsize=4096)
def parse_rate(text: str) -> Fraction:
    """An exact rate from `50 %`, `12.5 %`, `33 1/3 %` or `100/3 %`. Raises ValueError naming the text."""
    match = _RATE.fullmatch(text.strip())
    if match is None or (match[5] is not None and int(match[5]) == 0):
        raise ValueError(f"rate {text[:40]!r} is not written like '50 %', '12.5 %', '33 1/3 %' or '100/3 %'")
    whole, decimals, mixed, numerator, denominator = match.groups()
    if whole is not None:
        return Fraction(f"{whole}.{decimals or 0}") / 100
    return (int(mixed or 0) + Fraction(int(numerator), int(denominator))) / 100


def rate_text(rate: Fraction) -> str:
    """The one way a rate is written: `50 %`, `12.5 %`, `33 1/3 %`."""
    return _rate_text(*rate.as_integer_ratio())


@lru_cache(maxsize=4096)
def _rate_text(numerator: int, denominator: int) -> str:  # two numbers are a quicker key than a Fraction
    percent = Fraction(numerator, denominator) * 100
    if percent.denominator == 1:
        return f"{percent.numerator} %"
    reduced = percent.denominator
    for prime in (2, 5):
        while reduced % prime == 0:
            reduced //= prime
    if reduced == 1:
        digits = 1
        while (percent * 10**digits).denominator != 1:
            digits += 1
        scaled = str((percent * 10**digits).numerator).rjust(digits + 1, "0")
        return f"{scaled[:-digits]}.{scaled[-digits:]} %"
    whole, rest = divmod(percent.numerator, percent.denominator)
    part = f"{rest}/{percent.denominator} %"
    return f"{whole} {part}" if whole else part
