"""SHA-IN and SHA-OUT: signing and verifying, pure.

Values are hashed as the bytes that travelled: nothing is reformatted or decoded on the way to the digest, because the
signature covers the text as sent (`15` and `15.00` sign differently). Source: the provider's e-Commerce guide, SHA rules.
What a failed check explains is for our log only; it never holds a passphrase or the signature that would have been right.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from schemas.errors import Rejected

_NUMBERED = re.compile(r"(.*?)([0-9]+)", re.DOTALL)
_MANY = "*XX*"
_HEX_LENGTHS = {40: "sha1", 64: "sha256", 128: "sha512"}
_MAX_TRIED = 64  # parameters: bounds what explaining a failure may cost whoever is sent forgeries


class Algorithm(StrEnum):
    """Hash functions that the provider offers."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"


class Charset(StrEnum):
    """Encodings that the provider signs and sends."""

    LATIN1 = "iso-8859-1"
    UTF8 = "utf-8"


class Scheme(StrEnum):
    """`ALL`: every listed parameter with its name; `MAIN`: values in a fixed order, the scheme before May 2010."""

    ALL = "all_parameters"
    MAIN = "main_parameters_only"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How one side of one account signs. `names` None signs every parameter; `order` serves `Scheme.MAIN` alone."""

    algorithm: Algorithm = Algorithm.SHA1
    charset: Charset = Charset.LATIN1
    scheme: Scheme = Scheme.ALL
    names: tuple[str, ...] | None = None
    order: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`passphrase` is the place of the one that matched, from 0 (-1: none). `differs` names the parameter that explains a
    failure, where one does, `reason` says it in words; both are for the log and hold no secret."""

    ok: bool
    passphrase: int = -1
    differs: str = ""
    reason: str = ""


def sort_key(name: str) -> tuple[str, int]:
    """By name, numbered repeats by number: ITEMNAME2 before ITEMNAME10."""
    match = _NUMBERED.fullmatch(name)
    return (match[1], int(match[2][:9])) if match else (name, -1)


def listed(name: str, names: Collection[str] | None) -> bool:
    """Whether an upper-case name is in a list, `*XX*` standing for a number."""
    if names is None or name in names:
        return True
    match = _NUMBERED.fullmatch(name)
    return match is not None and f"{match[1]}{_MANY}" in names


def encoded(fields: Mapping[str, str], charset: Charset) -> dict[str, bytes]:
    """Names upper-cased, values as bytes. Raises Rejected for a value that the charset cannot write or a name given twice."""
    result: dict[str, bytes] = {}
    for name, value in fields.items():
        if name.upper() in result:
            raise Rejected(f"parameter {name.upper()} is given twice", code="repeated_parameter", field=name.upper())
        try:
            result[name.upper()] = value.encode(charset.value)
        except UnicodeEncodeError:
            text = f"parameter {name.upper()} has a character that {charset.value} cannot write"
            raise Rejected(text, code="not_encodable", field=name.upper()) from None
    return result


def canonical(values: Mapping[str, bytes], passphrase: bytes, rule: Rule) -> bytes:
    """The bytes that are hashed. `values` has upper-case names; SHASIGN itself is never signed."""
    if rule.scheme is Scheme.MAIN:
        return b"".join(values.get(name, b"") for name in rule.order) + passphrase
    chosen = sorted((n for n, v in values.items() if v and n != "SHASIGN" and listed(n, rule.names)), key=sort_key)
    return b"".join(name.encode("utf-8") + b"=" + values[name] + passphrase for name in chosen)


def digest(values: Mapping[str, bytes], passphrase: str, rule: Rule) -> str:
    """Upper-case hex of the canonical bytes; the passphrase is written in the rule's charset."""
    data = canonical(values, passphrase.encode(rule.charset.value, "replace"), rule)
    return hashlib.new(rule.algorithm.value, data, usedforsecurity=True).hexdigest().upper()


def sign(fields: Mapping[str, str], passphrase: str, rule: Rule) -> str:
    """SHASIGN for `fields`. Raises Rejected without a passphrase or without a parameter: that would protect nothing."""
    values = encoded(fields, rule.charset)
    if not passphrase:
        raise Rejected("the passphrase is empty", code="no_passphrase", field="passphrase")
    if not any(v and n != "SHASIGN" and listed(n, rule.names) for n, v in values.items()):
        raise Rejected("no parameter to sign", code="nothing_to_sign", field="SHASIGN")
    return digest(values, passphrase, rule)


def verify(values: Mapping[str, bytes], given: str, passphrases: Sequence[str], rule: Rule) -> Verdict:
    """Whether `given` is the signature of `values` under one of the passphrases (two are valid while one is rotated).

    `values` are the raw bytes under upper-case names. Accents: the sender may have hashed another encoding of the same text
    than it sent, so each value counts as sent, and as ISO-8859-1 read from UTF-8 and the other way round.
    """
    if not given:
        return Verdict(ok=False, differs="SHASIGN", reason="SHASIGN is missing")
    if not any(v and listed(n, rule.names) for n, v in values.items() if n != "SHASIGN"):
        return Verdict(ok=False, differs="SHASIGN", reason="no parameter is signed")
    matched = _matching(values, given, passphrases, rule)
    if matched >= 0:
        return Verdict(ok=True, passphrase=matched)
    differs, reason = _explain(values, given, passphrases, rule)
    return Verdict(ok=False, differs=differs, reason=reason)


def _matching(values: Mapping[str, bytes], given: str, passphrases: Sequence[str], rule: Rule) -> int:
    """Place of the passphrase that fits, or -1. Every candidate is compared, in constant time, before the answer."""
    wanted = given.upper().encode("utf-8", "replace")
    found = -1
    for variant in _readings(values):
        for place, passphrase in enumerate(passphrases):
            if not passphrase:
                continue
            for charset in Charset if not passphrase.isascii() else (rule.charset,):
                candidate = digest(variant, passphrase, msgspec.structs.replace(rule, charset=charset))
                if hmac.compare_digest(candidate.encode("ascii"), wanted) and found < 0:
                    found = place
    return found


def _readings(values: Mapping[str, bytes]) -> Iterator[Mapping[str, bytes]]:
    """The values as sent, and where there are accents their two other encodings."""
    yield values
    if all(value.isascii() for value in values.values()):
        return
    with contextlib.suppress(UnicodeError):
        yield {n: v.decode("utf-8").encode("iso-8859-1") for n, v in values.items()}
    yield {n: v.decode("iso-8859-1").encode("utf-8") for n, v in values.items()}


def _explain(values: Mapping[str, bytes], given: str, passphrases: Sequence[str], rule: Rule) -> tuple[str, str]:
    """The parameter, and the words, for the smallest difference that would make the signature fit. Only the bytes as sent
    are tried, and of at most `_MAX_TRIED` parameters: a few hundred digests, some milliseconds."""

    def fits(other: Rule, changed: Mapping[str, bytes] = values) -> bool:
        wanted = given.upper()
        return any(hmac.compare_digest(digest(changed, p, other).encode(), wanted.encode()) for p in passphrases if p)

    length = _HEX_LENGTHS.get(len(given))
    if length is None or not re.fullmatch("[0-9A-Fa-f]+", given):
        return "SHASIGN", f"SHASIGN is not the hex of SHA-1, SHA-256 or SHA-512 ({len(given)} characters)"
    if length != rule.algorithm.value:
        fit = fits(msgspec.structs.replace(rule, algorithm=Algorithm(length)))
        more = "with it the signature fits" if fit else "and it does not fit either way"
        return "SHASIGN", f"the sender signs with {length}, the account says {rule.algorithm.value}: {more}"
    if rule.scheme is Scheme.MAIN:
        return "", "wrong passphrase, wrong order or a changed value (fixed-order scheme)"
    present = [n for n, v in values.items() if v and n != "SHASIGN"][:_MAX_TRIED]
    for change, words in _drifts(present, rule.names):
        if fits(msgspec.structs.replace(rule, names=tuple(n for n in present if n in change))):
            return words[0], words[1]
    for name in (n for n in present if listed(n, rule.names)):
        for other in {*_rewritten(name, values[name])} - {values[name]}:
            if fits(rule, {**values, name: other}):
                return name, f"{name} was signed as another text than it was sent"
    return "", "no single parameter explains it: wrong passphrase, or a value changed on the way"


def _drifts(present: Sequence[str], names: Collection[str] | None) -> Iterator[tuple[frozenset[str], tuple[str, str]]]:
    """Other sets of signed parameters to try, nearest first, each with the parameter and the words that explain it."""
    ours = frozenset(n for n in present if listed(n, names))
    strangers = [n for n in present if n not in ours]
    for name in strangers:
        yield ours | {name}, (name, f"the SHA-OUT list drifted: {name} is signed by the sender and missing in our list")
    for name in sorted(ours):
        yield ours - {name}, (name, f"the SHA-OUT list drifted: {name} is in our list and not signed by the sender")
    if len(strangers) > 1:
        text = ", ".join(strangers)
        yield frozenset(present), (text, f"the SHA-OUT list drifted: {text} are signed and missing in our list")
    newer = ours & {"PAYIDSUB", "TICKET"}
    if len(newer) > 1:
        yield ours - newer, (", ".join(sorted(newer)), "the SHA-OUT list drifted: the sender's is older than ours")
    for name in strangers:
        for gone in sorted(newer):
            yield (ours | {name}) - {gone}, (name, f"the SHA-OUT list drifted: {name} is signed, {gone} is not")


def _rewritten(name: str, value: bytes) -> Iterable[bytes]:
    """Other writings of one value that are often signed in its place: amounts with and without decimals, blanks trimmed."""
    yield value.strip()
    if name == "AMOUNT" and re.fullmatch(rb"[0-9]{1,15}(?:\.[0-9]{1,3})?", value):
        whole, _, part = value.partition(b".")
        short = part.rstrip(b"0")
        yield whole + (b"." + short if short else b"")
        yield whole + b"." + part.ljust(2, b"0")
        yield whole + b"." + part.ljust(1, b"0")
