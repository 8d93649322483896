"""Card numbers and security codes, found and taken out before anything is stored or logged (X-10, X-22). Pure.

A card number is a run of digits whose issuer range, length and Luhn digit fit together; grouping by blanks, dashes and points is
seen through where people group cards that way. Fields that hold references, barcodes, company or telephone numbers are exempt by
name; IBANs, UUIDs, digests and decimal fractions by their shape. A doubt is decided for removing, never for keeping.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from schemas.card_issuers import ISSUERS

CARD = "[card removed]"
CODE = "[code removed]"
_MOST_PATHS = 50
_LEAST = 6  # characters: `cvc123` is the shortest of all

# Names are compared in lower case without anything but letters and digits.
_CARD_FIELDS = frozenset((
    "cardno", "cardnumber", "cardnumberplaintext", "ccnumber", "creditcardnumber", "numerocarte", "pan", "primaryaccountnumber",
    "track1", "track2"
))  # fmt: skip
_CODE_FIELDS = frozenset((
    "cardcode", "cardcvc", "cardcvv", "cardsecuritycode", "cardverificationcode", "cryptogramme", "csc", "cvc", "cvc2",
    "cvccode", "cvv", "cvv2", "cvvcode", "securitycode", "seriescode", "seriescodeplaintext", "verificationvalue"
))  # fmt: skip
_EXEMPT = frozenset((
    "accommodation", "barcode", "bic", "ean", "ean13", "echotoken", "effect", "fax", "folio", "gtin", "hold", "iban", "id",
    "isbn", "mobile", "order", "orderid", "payid", "payidsub", "payment", "phone", "phonenumber", "providerrecord",
    "providerreference", "quote", "record", "ref", "reference", "refund", "registrationnumber", "request", "resid",
    "residvalue", "revision", "schemetransaction", "sequence", "shasign", "siren", "siret", "sku", "tel", "telephone", "ticket",
    "timestamp", "traceparent", "transactionidentifier", "tva", "uniqueid", "vatid", "vatnumber", "voucher"
))  # fmt: skip
_EXEMPT_ENDS = ("reference", "barcode", "siret", "siren", "iban", "payid", "orderid", "phone", "timestamp", "uuid")

_INDICES = re.compile(r"(\[\d*\])+$")
_SIGNS = re.compile(r"[\W_]+")
_SEPARATORS = r"[\s.\-\u00ad\u2010-\u2015\u200b]"
_RUN = re.compile(rf"\d(?:{_SEPARATORS}{{0,3}}\d){{11,}}")
_GROUP = re.compile(r"\d+")
_THREE_DIGITS = re.compile(r"\d{3}")
_CODE_TEXT = re.compile(
    r"(?i)(?<![a-z])((?:cvc|cvv)2?|csc|security[ _]?code|series[ _]?code|cryptogramme|code de s[eé]curit[eé])"
    r"([^\w\n]{0,6}(?:is|est|:)?[^\w\n]{0,4})(\d{3,4})(?!\d)"
)
_SHAPES = re.compile(
    r"(?P<uuid>(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f]))"
    r"|(?P<digest>(?<![0-9A-Za-z])(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{32,}(?![0-9A-Za-z]))"
    r"|(?P<iban>(?<![0-9A-Za-z])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![0-9A-Za-z]))"
    r"|(?P<company>(?<![^\W\d_])(?i:siret|siren|rcs|tva|ean|gtin|isbn)\W{0,6}\d(?:[ \u00a0.]?\d){7,13}(?![ \u00a0.]?\d))"
)
# For the fast look at a whole body: its letters alone, for words that announce a code; digits as zeros, separators away.
_HINTS = ("cvc", "cvv", "csc", "curit", "series", "cryptogram", "verification", "cardcode")
_LOWER = bytes(range(256)).lower()
_NO_LETTERS = bytes(byte for byte in range(256) if not 0x61 <= _LOWER[byte] <= 0x7A)
_ZEROS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_RUN_OF_ZEROS = "0" * 12
_CARD_HINTS = frozenset(name.rstrip("12") for name in _CARD_FIELDS)
_BETWEEN = b" \t\r\n.-\xc2\xa0\xad\xe2\x80\x81\x9f\xa8\xa9\xaf\xe3" + bytes(range(0x82, 0x96))
_OTHER_SCRIPTS = bytes(byte for byte in range(256) if byte not in b"\xd9\xdb\xdf\xe0\xe1\xea\xef\xf0")  # lead bytes of other digits
_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_CARD_GROUPS = frozenset(((4, 6, 5), (4, 6, 4), (4, 5, 6), (6, 13), (6, 10), (8, 8), (4, 12), (12, 4), (4, 4, 5), (6, 6, 4)))


def scrub(value: Any, path: str = "") -> tuple[Any, tuple[str, ...]]:
    """X-10, S1-25: a copy of a decoded JSON value without card numbers and codes, and the paths (`guest.name`, `lines[0]`) they stood at.

    Unchanged values come back as they are. `path` is where the value itself stands. At most 50 paths are named.
    """
    found: list[str] = []
    return _scrub(value, path, _name(path), found), tuple(found[:_MOST_PATHS])


def scrub_field(name: str, text: str) -> tuple[str, bool]:
    """One named text (an XML attribute, a form field) without card data, and whether there was any."""
    key = _key(name)
    if key in _CODE_FIELDS and text.strip().isdecimal():
        return CODE, True
    if key in _CARD_FIELDS and sum(c.isdecimal() for c in text) >= 12:
        return CARD, True
    if key in _EXEMPT or key.endswith(_EXEMPT_ENDS):
        return text, False
    return scrub_text(text)


def scrub_text(text: str) -> tuple[str, bool]:
    """A text without card numbers and without codes that are named as such, and whether there was any."""
    if len(text) < _LEAST:
        return text, False
    clean = text
    for start, end in reversed(list(_spans(text))):
        clean = f"{clean[:start]}{CARD}{clean[end:]}"
    if _THREE_DIGITS.search(clean):
        clean = _CODE_TEXT.sub(rf"\1\2{CODE}", clean)
    return clean, clean != text


def scrub_bytes(data: bytes) -> tuple[bytes, bool]:
    """Bytes that nobody could decode, each digit of a card number or code replaced by `*`; the length stays.

    NUL bytes are seen through, so that UTF-16 and UTF-32 are searched as well.
    """
    places = [i for i, byte in enumerate(data) if byte] if 0 in data else range(len(data))
    text = data.replace(b"\0", b"").decode("latin-1")
    spans = [*_spans(text), *(match.span(3) for match in _CODE_TEXT.finditer(text))]
    if not spans:
        return data, False
    clean = bytearray(data)
    for start, end in spans:
        for i in range(start, end):
            if text[i].isdecimal():
                clean[places[i]] = 0x2A
    return bytes(clean), True


def suspicious(data: bytes) -> bool:
    """Whether a JSON body needs `scrub` at all: most have neither what could be a card number nor a field named like a code."""
    if 0x5C in data or (not data.isascii() and data.translate(None, _OTHER_SCRIPTS)):
        return True
    letters = data.translate(_LOWER, _NO_LETTERS).decode("ascii")  # texts are searched faster than bytes
    for hint in _HINTS:
        if hint in letters:
            return True
    return _RUN_OF_ZEROS in data.translate(_ZEROS, _BETWEEN).decode("ascii") and _perhaps_a_card(data, letters)


def _perhaps_a_card(data: bytes, letters: str) -> bool:
    """Twelve digits and more are looked at as they stand, whatever they are called: most are times, telephones and references."""
    if any(name in letters for name in _CARD_HINTS):
        return True
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return True
    return next(_windows(text), None) is not None


def is_card(digits: str) -> bool:
    """Issuer range, length and Luhn digit together; `digits` has no separators."""
    return len(digits) >= 12 and len(digits) in _lengths(digits[:4]) and _luhn(digits)


@lru_cache(maxsize=10_000)
def _lengths(head: str) -> frozenset[int]:
    """The lengths of card numbers that start with these four digits; empty: no issuer has them."""
    fitting = [lengths for low, high, lengths in ISSUERS if low <= head[: len(low)] <= high]
    return frozenset().union(*fitting)


def _scrub(value: Any, path: str, field: str, found: list[str]) -> Any:
    if isinstance(value, dict):
        return _scrub_object(value, path, field, found)
    if isinstance(value, list | tuple):
        items = [_scrub(item, f"{path}[{i}]", field, found) for i, item in enumerate(value)]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if not isinstance(value, str | int) or isinstance(value, bool):
        return value
    clean, hit = scrub_field(field, str(value))
    if not hit:
        return value
    found.append(path)
    return clean


def _scrub_object(value: dict[Any, Any], path: str, field: str, found: list[str]) -> dict[Any, Any]:
    named = ("namespace", "value") if field == "references" else ()
    result, changed = {}, False
    for key, item in value.items():
        name, hit = scrub_text(str(key))
        where = f"{path}.{name}" if path else name
        if hit:
            found.append(where)
        clean = item if key in named and isinstance(item, str) else _scrub(item, where, _name(name), found)
        result[name if hit else key] = clean
        changed = changed or hit or clean is not item
    return result if changed else value


def _name(path: str) -> str:
    return _INDICES.sub("", path).rpartition(".")[2]


def _key(name: str) -> str:
    return _SIGNS.sub("", name.lower())


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand in a text, from left to right, without overlap."""
    exempt: list[tuple[int, int]] | None = None
    for start, end in _windows(text):
        if exempt is None:
            exempt = list(_exempt(text))
        if not any(low <= start and end <= high for low, high in exempt):
            yield start, end


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """The same, whatever the words beside them say."""
    for run in _RUN.finditer(text):
        groups = [match.span() for match in _GROUP.finditer(text, *run.span())]
        first = 0
        while first < len(groups):
            last = _window(text, groups, first)
            if last is not None:
                yield groups[first][0], groups[last][1]
            first = first + 1 if last is None else last + 1


def _window(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last group of a card number that starts with group `first`, if one does."""
    digits, sizes, found, lengths = "", [], None, None
    for last in range(first, min(len(groups), first + 19)):
        start, end = groups[last]
        if end - start > 19 - len(digits):
            break
        part = text[start:end]
        digits += part if part.isascii() else "".join(str(int(c)) for c in part)
        sizes.append(end - start)
        if lengths is None and len(digits) >= 4:
            lengths = _lengths(digits[:4])
            if not lengths:
                return None
        if (
            lengths is not None
            and len(digits) in lengths
            and _grouped_as_card(sizes)
            and _luhn(digits)
            and not _something_else(text, groups[first][0], digits, sizes)
        ):
            found = last
    return found


def _grouped_as_card(sizes: list[int]) -> bool:
    even = all(size == sizes[0] for size in sizes[:-1]) and sizes[-1] <= sizes[0]
    return even or tuple(sizes) in _CARD_GROUPS


def _something_else(text: str, start: int, digits: str, sizes: list[int]) -> bool:
    """A telephone number, a barcode, or the decimals of a fraction."""
    if start and text[start - 1] == "+" and len(digits) <= 15:
        return True
    if len(digits) == 13 and sizes == [13] and _ean13(digits):  # Visa gives out 13 digits no more, the world is full of barcodes
        return True
    return len(sizes) == 1 and re.search(r"(?<![\d.])\d{1,3}\.$", text[max(0, start - 6) : start]) is not None


def _exempt(text: str) -> Iterator[tuple[int, int]]:
    for match in _SHAPES.finditer(text):
        if match.lastgroup != "iban" or _iban(match[0]):
            yield match.span()


def _luhn(digits: str) -> bool:
    code = digits.encode()
    return (sum(code[-1::-2].translate(_VALUES)) + sum(code[-2::-2].translate(_DOUBLED))) % 10 == 0


def _ean13(digits: str) -> bool:
    return (sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10 == 0


def _iban(text: str) -> bool:
    plain = re.sub(r"[ -]", "", text)
    return len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
