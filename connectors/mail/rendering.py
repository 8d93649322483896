"""From a notice to what is read: subject, text and HTML, amounts and dates as each language writes them (S0-34).

What a property's own text asks for and there is not is refused, by file, kind, language and line: when the hub starts (`Texts`), and when
it is sent. What a text may use is `connectors.mail.templates`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from connectors.mail.filters import shipped
from connectors.mail.samples import SAMPLES
from connectors.mail.templates import MARKED, PLAIN, Broken, Mistake, mistakes, rendered
from schemas.errors import HubError
from schemas.notice import Audience, Language, NoticeKind, NoticeText

SAID: Final = frozenset({"name", "property_name", "language"})
"""What is added when a notice is sent: who it is to, by name, and what the property calls itself."""
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


class Wrong(NamedTuple):
    """A mistake in a text of a property's own: where it stands, and what to do."""

    whose: str
    kind: NoticeKind
    language: Language
    part: str  # subject, text or html
    mistake: Mistake

    @property
    def file(self) -> str:
        """Within the folder of the configuration."""
        return f"notices/{self.whose}/{self.kind}.toml"

    def error(self) -> HubError:
        """The same, raised."""
        line, message, code, value = self.mistake
        where = f"{self.file}, {self.language}.{self.part}, line {line} of it"
        return HubError(
            f"the text of {self.kind} in {self.language} {message} ({where})",
            code=code, field=f"{self.kind}.{self.language}", value=value,
        )  # fmt: skip


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
    """Every text: a property's own, read, compiled, held against what its kind may say and written once with what is made up; else the
    shipped one.

    Raises HubError `template_variable`, or `template_broken`, which name kind, language and, where there is one, the variable.
    """

    def __init__(self, overrides: Overrides | None = None) -> None:
        for wrong in wrongs(overrides or {}):
            raise wrong.error()
        self._own = {
            (property_, kind, language): _compiled(text)
            for property_, kinds in (overrides or {}).items()
            for kind, texts in kinds.items()
            for language, text in texts.items()
        }

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
        text = self._own.get((property_, kind, language)) or _shipped(kind, language)
        said = {
            **{variable: _lined(value, LONGEST) for variable, value in {**_since(variables), **variables}.items()},
            "name": _lined(name, LONGEST_NAME), "property_name": property_name or property_, "language": language,
        }  # fmt: skip
        frame = _frames()[language]
        greeting, closing = frame.greeting if audience is Audience.GUEST else frame.to_merchant, frame.closing

        def written(template: Template) -> str:
            return _rendered(template, said, kind, language)

        plain = [written(part).strip() for part in (greeting[0], text.text, closing[0])]
        footer = written(frame.footer[0]).strip()
        if text.html is not None:
            html = written(text.html)
        else:
            paragraphs = [
                written(greeting[1]).strip(),
                *_PARAGRAPHS.split(written(text.marked).strip()),
                written(closing[1]).strip(),
            ]
            html = _layout().render(
                language=language.value, subject=written(text.subject), footer=written(frame.footer[1]),
                paragraphs=[part.replace("\n", "<br>\n") for part in paragraphs],
            )  # fmt: skip
        return Written(
            language, _in_a_line(written(text.subject)), "\n\n".join([*plain, f"-- \n{footer}"]) + "\n", html
        )  # fmt: skip


def wrongs(overrides: Overrides) -> Iterator[Wrong]:
    """Every mistake in properties' own texts: what a text shows by itself, then what shows when it is written."""
    for property_, kinds in overrides.items():
        for kind, texts in kinds.items():
            for language, text in texts.items():
                yield from (Wrong(property_, kind, language, part, mistake) for part, mistake in _mistakes(kind, language, text))


def _mistakes(kind: NoticeKind, language: Language, text: NoticeText) -> list[tuple[str, Mistake]]:
    known = frozenset(SAMPLES[kind]) | SAID
    parts = {"subject": text.subject, "text": text.text, "html": text.html}
    found = [(part, mistake) for part, source in parts.items() for mistake in mistakes(source, known)]
    return found or [(part, mistake) for part, mistake in _tried(kind, language, _compiled(text))]


def _tried(kind: NoticeKind, language: Language, text: _Text) -> Iterator[tuple[str, Mistake]]:
    """What shows when it is written, with what is made up, and once more with no sums and all flags the other way."""
    for sample in (SAMPLES[kind], {name: _otherwise(value) for name, value in SAMPLES[kind].items()}):
        said = {**sample, "name": "Anna", "property_name": "Camping", "language": language}
        for part, template in zip(("subject", "text", "text", "html"), text, strict=True):
            try:
                rendered(template or text.subject, said)
            except Broken as broken:
                yield part, broken.mistake
                return


def _otherwise(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return (0 if value else 60_000) if isinstance(value, int) else value


def _compiled(text: NoticeText) -> _Text:
    return _Text(
        PLAIN.from_string(text.subject),
        PLAIN.from_string(text.text),
        MARKED.from_string(text.text),
        MARKED.from_string(text.html) if text.html else None,
    )


def _since(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What a notice that waits since an earlier release does not say: no more than it said of payments is asked for."""
    by = variables.get("second_payment_on")
    later = variables.get("second_payment", 0) if by else 0
    return {"open_now": 0, "open_later": later, "open_later_by": by, "goodwill": 0, "tender": "", "typed": None}


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
        return rendered(template, said)
    except Broken as broken:
        line, message, code, value = broken.mistake
        text = f"the text of {kind} in {language} {message} (line {line} of it)"
        raise HubError(text, code=code, field=f"{kind}.{language}", value=value) from None


# -- what is shipped -----------------------------------------------------------------------------------------------------------


@cache
def _source(kind: NoticeKind) -> dict[Language, NoticeText]:
    return msgspec.convert(tomllib.loads(shipped(f"{kind}.toml")), dict[Language, NoticeText])


@cache
def _shipped(kind: NoticeKind, language: Language) -> _Text:
    return _compiled(_source(kind)[language])


@cache
def _frames() -> dict[Language, _Frame]:
    frames = msgspec.convert(tomllib.loads(shipped("frame.toml")), dict[Language, Frame])
    return {language: _framed(frame) for language, frame in frames.items()}


def _framed(frame: Frame) -> _Frame:
    parts = (frame.greeting, frame.closing, frame.to_merchant, frame.footer)
    return _Frame(*((PLAIN.from_string(part), MARKED.from_string(part)) for part in parts))


@cache
def _layout() -> Template:
    """What is around the paragraphs, which are HTML by then."""
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=True).from_string(shipped("layout.html"))
