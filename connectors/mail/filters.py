"""What texts may ask for: amounts, days, moments and words, as each language writes them (S0-34, A-32)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from importlib import resources
from typing import Any, Final

import msgspec
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_currency
from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

from connectors.mail.reasons import sentence
from schemas.money import exponent
from schemas.notice import Language

LOCALES: Final[Mapping[Language, str]] = {
    Language.EN: "en_GB",
    Language.FR: "fr_FR",
    Language.IT: "it_IT",
    Language.ES: "es_ES",
    Language.DE: "de_DE",
    Language.NL: "nl_NL",
}


def _said(value: Any) -> Any:
    """What was said. Raises UndefinedError for what nobody did."""
    if isinstance(value, Undefined):
        str(value)
    return value


@pass_context
def _money(context: Context, minor: int) -> str:
    """Minor units of the notice's currency, with all the digits that they have."""
    currency = context["currency"]
    return str(
        format_currency(
            Decimal(_said(minor)).scaleb(-exponent(currency)),
            currency,
            locale=LOCALES[context["language"]],
            decimal_quantization=False,
        )
    )


@pass_context
def _day(context: Context, day: str) -> str:
    """A day, with the day of the week. An instant: the day in its own offset, which is the property's."""
    return str(format_date(date.fromisoformat(_said(day)[:10]), "full", locale=LOCALES[context["language"]]))


@pass_context
def _moment(context: Context, instant: str) -> str:
    """The day and the time of an instant, in its own offset, which is the property's (A-32)."""
    at, locale = datetime.fromisoformat(_said(instant)), LOCALES[context["language"]]
    return f"{format_date(at.date(), 'full', locale=locale)}, {format_time(at.time(), 'short', locale=locale)}"


@pass_context
def _word(context: Context, word: str) -> str:
    """A word of the messages (`bank_transfer`) as the language says it; one that it does not know, as it is."""
    return words()[context["language"]].get(_said(word), str(word))


@pass_context
def _enumerated(context: Context, words: Sequence[str], style: str = "and") -> str:
    """Several of them in a row, the last one after `and`, or after `or`."""
    named = [_word(context, word) for word in _said(words)]
    return str(format_list(named, style="or" if style == "or" else "standard", locale=LOCALES[context["language"]]))


@pass_context
def _reason(context: Context, reason: str) -> str:
    """Why a person is needed, as the language says it; what no table has, as it was said."""
    language = context["language"]
    sentences = {code: said[language] for code, said in reasons().items()}
    write = {"word": partial(_word, context), "amount": partial(_sum, language), "more": partial(_sum, language)}
    return sentence(_said(reason), sentences, write | {"day": partial(_day, context)})


def _sum(language: Language, text: str) -> str:
    """An amount as a trace writes it (`120.00 EUR`), as the language does."""
    amount, _, currency = text.partition(" ")
    return str(format_currency(Decimal(amount), currency, locale=LOCALES[language], decimal_quantization=False))


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "money": _money,
    "day": _day,
    "moment": _moment,
    "word": _word,
    "words": _enumerated,
    "reason": _reason,
}


def shipped(name: str) -> str:
    """A file of `texts/`."""
    return resources.files("connectors.mail").joinpath(f"texts/{name}").read_text(encoding="utf-8")


@cache
def words() -> dict[Language, dict[str, str]]:
    """The words of the messages, by language."""
    return msgspec.convert(tomllib.loads(shipped("words.toml")), dict[Language, dict[str, str]])


@cache
def reasons() -> dict[str, dict[Language, str]]:
    """Why a person is needed, by code."""
    return msgspec.convert(tomllib.loads(shipped("reasons.toml")), dict[str, dict[Language, str]])
