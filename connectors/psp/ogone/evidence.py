"""What is kept of a request and its answer: everything but passwords, signatures and card data. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

KEPT = 16_000  # characters of an answer
HIDDEN = "***"
SECRETS = frozenset({"PSWD", "SHASIGN"})
CARD = frozenset({"CARDNO", "CVC", "ED", "CN", "DIGESTCARDNO", "ENCCARDNO", "NCERRORCARDNO", "IBAN", "BIC"})
REFERENCES = frozenset({"ORDERID", "PAYID", "PAYIDSUB", "ACCEPTANCE"})  # typed: never read as card numbers

_MASKED = re.compile(r"[Xx*]{2,}[0-9]{2,4}")
_ATTRIBUTE = re.compile(r"""(?P<name>[A-Za-z_][A-Za-z0-9_]{0,60})\s*=\s*(?P<quote>["'])(?P<value>.*?)(?P=quote)""", re.DOTALL)
_CHILD = re.compile(r"<HTML_ANSWER\b.*?(?:</HTML_ANSWER\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_DIGITS = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")


def luhn(digits: str) -> bool:
    """The check digit of card numbers."""
    doubled = (int(d) * 2 if place % 2 else int(d) for place, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _card(text: str) -> bool:
    digits = re.sub("[ -]", "", text)
    return digits[0] in "23456" and 13 <= len(digits) <= 19 and luhn(digits)


def holds_card(text: str) -> bool:
    """Whether free text holds what looks like a card number: length, issuer range and check digit together."""
    return any(_card(match[0]) for match in _DIGITS.finditer(text))


def without_cards(text: str) -> str:
    """Free text with card numbers hidden."""
    return _DIGITS.sub(lambda match: HIDDEN if _card(match[0]) else match[0], text)


def kept_value(name: str, value: str) -> str:
    """One parameter as it may be kept; `name` is upper case. A masked card number stays."""
    if name in SECRETS or (name in CARD and not (name == "CARDNO" and _MASKED.fullmatch(value))):
        return HIDDEN
    return value if name in REFERENCES else without_cards(value)


def request_text(url: str, fields: Mapping[str, str]) -> str:
    """A request as evidence: the address, and one `NAME=value` a line."""
    return "\n".join([f"POST {url}", *(f"{name}={kept_value(name.upper(), value)}" for name, value in fields.items())])


def answer_text(text: str, secrets: Iterable[str] = ()) -> str:
    """An answer as evidence, parseable or not; `secrets` are hidden wherever they stand."""

    def attribute(match: re.Match[str]) -> str:
        return f"{match['name']}={match['quote']}{kept_value(match['name'].upper(), match['value'])}{match['quote']}"

    text = _CHILD.sub(f"<HTML_ANSWER>{HIDDEN}</HTML_ANSWER>", text)
    pieces: list[str] = []
    end = 0
    for match in _ATTRIBUTE.finditer(text):
        pieces += [without_cards(text[end : match.start()]), attribute(match)]
        end = match.end()
    text = "".join([*pieces, without_cards(text[end:])])
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return text if len(text) <= KEPT else f"{text[:KEPT]}\n[{len(text) - KEPT} characters left out]"
