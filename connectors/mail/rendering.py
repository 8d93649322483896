"""From a notice to what is read: subject, text and HTML, amounts and dates as each language writes them (S0-34).

Texts are templates of Jinja2 in a sandbox. What a template names and nobody says is refused, by kind, language and variable: when the
hub starts (`Texts`), and when it is sent.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from importlib import resources
from typing import Any, Final, NamedTuple

import msgspec
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_currency
from jinja2 import StrictUndefined, Template, TemplateError, Undefined, UndefinedError, meta, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from connectors.mail.reasons import sentence
from connectors.mail.samples import SAMPLES
from schemas.errors import HubError
from schemas.money import exponent
from schemas.notice import Audience, Language, NoticeKind, NoticeText

LOCALES: Final[Mapping[Language, str]] = {
    Language.EN: "en_GB",
    Language.FR: "fr_FR",
    Language.IT: "it_IT",
    Language.ES: "es_ES",
    Language.DE: "de_DE",
    Language.NL: "nl_NL",
}
SAID: Final = frozenset({"name", "property_name", "language"})
"""What is added when a notice is sent: who it is to, by name, and what the property calls itself."""
_UNDEFINED: Final = re.compile(r"'([^']*)' is undefined|has no attribute '([^']*)'")
_BREAKS: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""Blanks, ends of lines and paragraphs, control characters, and those that turn the direction of what is read; spaces that do not break
are none of them."""
LONGEST_NAME: Final = 120
LONGEST: Final = 1_000
"""Characters of a name, and of anything else that is said, in a notice."""
_PARAGRAPHS: Final = re.compile(r"\n[ \t]*\n+")

Overrides = Mapping[str, Mapping[NoticeKind, Mapping[Language, NoticeText]]]
"""A property's own texts; what it does not have is the shipped one's."""


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands around every text."""

    greeting: str
    closing: str
    to_merchant: str
    footer: str


class Written(NamedTuple):
    """A notice as it is read."""

    language: Language
    subject: str
    text: str
    html: str


class _Text(NamedTuple):
    subject: Template
    text: Template
    marked: Template
    html: Template | None


class _Frame(NamedTuple):
    greeting: tuple[Template, Template]
    closing: tuple[Template, Template]
    to_merchant: tuple[Template, Template]
    footer: tuple[Template, Template]


class Texts:
    """Every text, read, compiled, and held against what its kind may say.

    Raises HubError `template_variable`, or `template_broken`, which name kind, language and, where there is one, the variable.
    """

    def __init__(self, overrides: Overrides | None = None) -> None:
        self._plain, self._marked = _environment(marked=False), _environment(marked=True)
        self._layout = self._marked.from_string(_shipped("layout.html"))
        self._frames = {language: self._framed(frame) for language, frame in _frames().items()}
        self._texts: dict[tuple[str, NoticeKind, Language], _Text] = {}
        for property_, kinds in {"": _every(), **(overrides or {})}.items():
            for kind, texts in kinds.items():
                for language, text in texts.items():
                    self._texts[property_, kind, language] = self._compiled(kind, language, text)

    def write(
        self,
        kind: NoticeKind,
        language: Language,
        audience: Audience,
        property_: str,
        variables: Mapping[str, Any],
        *,
        name: str = "",
        property_name: str = "",
    ) -> Written:
        """One notice. Raises HubError as the class does."""
        text = self._texts.get((property_, kind, language)) or self._texts["", kind, language]
        said = {
            **{variable: _lined(value, LONGEST) for variable, value in variables.items()},
            "name": _lined(name, LONGEST_NAME), "property_name": property_name or property_, "language": language,
        }  # fmt: skip
        frame = self._frames[language]
        greeting, closing = frame.greeting if audience is Audience.GUEST else frame.to_merchant, frame.closing

        def rendered(template: Template) -> str:
            return _rendered(template, said, kind, language)

        plain = [rendered(part).strip() for part in (greeting[0], text.text, closing[0])]
        footer = rendered(frame.footer[0]).strip()
        if text.html is not None:
            html = rendered(text.html)
        else:
            paragraphs = [
                rendered(greeting[1]).strip(),
                *_PARAGRAPHS.split(rendered(text.marked).strip()),
                rendered(closing[1]).strip(),
            ]
            html = self._layout.render(
                language=language.value, subject=rendered(text.subject), footer=rendered(frame.footer[1]),
                paragraphs=[part.replace("\n", "<br>\n") for part in paragraphs],
            )  # fmt: skip
        return Written(
            language, _in_a_line(rendered(text.subject)), "\n\n".join([*plain, f"-- \n{footer}"]) + "\n", html
        )  # fmt: skip

    def _framed(self, frame: Frame) -> _Frame:
        parts = (frame.greeting, frame.closing, frame.to_merchant, frame.footer)
        return _Frame(*((self._plain.from_string(part), self._marked.from_string(part)) for part in parts))

    def _compiled(self, kind: NoticeKind, language: Language, text: NoticeText) -> _Text:
        known = frozenset(SAMPLES[kind]) | SAID
        try:
            named = [meta.find_undeclared_variables(self._plain.parse(source)) for source in (text.subject, text.text, text.html)]
            compiled = _Text(
                self._plain.from_string(text.subject),
                self._plain.from_string(text.text),
                self._marked.from_string(text.text),
                self._marked.from_string(text.html) if text.html else None,
            )
        except TemplateError as broken:
            raise HubError(
                f"the text of {kind} in {language} is no template: {broken}", code="template_broken", field=f"{kind}.{language}"
            ) from None
        for variable in sorted(frozenset().union(*named) - known):
            raise _missing(kind, language, variable)
        return compiled


def _in_a_line(text: str) -> str:
    """A subject ends where its line does."""
    return _BREAKS.sub(" ", text).strip()


def _lined(value: Any, most: int) -> Any:
    """What is said, in one line of a bounded length wherever it is text: who says it writes no paragraphs into a notice."""
    if isinstance(value, str):
        line = _in_a_line(value)
        return line if len(line) <= most else line[: most - 1] + "…"
    if isinstance(value, Mapping):
        return {name: _lined(one, most) for name, one in value.items()}
    return [_lined(one, most) for one in value] if isinstance(value, list | tuple) else value


def _rendered(template: Template, said: Mapping[str, Any], kind: NoticeKind, language: Language) -> str:
    try:
        return template.render(said)
    except UndefinedError as missing:
        found = _UNDEFINED.search(str(missing))
        raise _missing(kind, language, (found[1] or found[2]) if found else str(missing)) from None
    except (TemplateError, ValueError, TypeError, ArithmeticError) as broken:
        raise HubError(
            f"the text of {kind} in {language} cannot be written: {broken}", code="template_broken", field=f"{kind}.{language}"
        ) from None


def _missing(kind: NoticeKind, language: Language, variable: str) -> HubError:
    return HubError(
        f"the text of {kind} in {language} names {variable!r}, which nobody says: it may name {', '.join(sorted(SAMPLES[kind]))} and"
        f" {', '.join(sorted(SAID))}",
        code="template_variable", field=f"{kind}.{language}", value=variable,
    )  # fmt: skip


# -- amounts and dates ---------------------------------------------------------------------------------------------------------


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
    return _words()[context["language"]].get(_said(word), str(word))


@pass_context
def _enumerated(context: Context, words: Sequence[str], style: str = "and") -> str:
    """Several of them in a row, the last one after `and`, or after `or`."""
    named = [_word(context, word) for word in _said(words)]
    return str(format_list(named, style="or" if style == "or" else "standard", locale=LOCALES[context["language"]]))


@pass_context
def _reason(context: Context, reason: str) -> str:
    """Why a person is needed, as the language says it; what no table has, as it was said."""
    language = context["language"]
    sentences = {code: said[language] for code, said in _reasons().items()}
    write = {"word": partial(_word, context), "amount": partial(_sum, language), "more": partial(_sum, language)}
    return sentence(_said(reason), sentences, write | {"day": partial(_day, context)})


def _sum(language: Language, text: str) -> str:
    """An amount as a trace writes it (`120.00 EUR`), as the language does."""
    amount, _, currency = text.partition(" ")
    return str(format_currency(Decimal(amount), currency, locale=LOCALES[language], decimal_quantization=False))


def _environment(*, marked: bool) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=marked, keep_trailing_newline=False)
    made.filters.update(money=_money, day=_day, moment=_moment, word=_word, words=_enumerated, reason=_reason)
    return made


# -- what is shipped -----------------------------------------------------------------------------------------------------------


def _shipped(name: str) -> str:
    return resources.files("connectors.mail").joinpath(f"texts/{name}").read_text(encoding="utf-8")


def _every() -> dict[NoticeKind, dict[Language, NoticeText]]:
    return {
        kind: msgspec.convert(tomllib.loads(_shipped(f"{kind}.toml")), dict[Language, NoticeText]) for kind in NoticeKind
    }  # fmt: skip


def _frames() -> dict[Language, Frame]:
    return msgspec.convert(tomllib.loads(_shipped("frame.toml")), dict[Language, Frame])


@cache
def _words() -> dict[Language, dict[str, str]]:
    return msgspec.convert(tomllib.loads(_shipped("words.toml")), dict[Language, dict[str, str]])


@cache
def _reasons() -> dict[str, dict[Language, str]]:
    return msgspec.convert(tomllib.loads(_shipped("reasons.toml")), dict[str, dict[Language, str]])
