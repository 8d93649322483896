"""Untrusted XML to a tree, and nothing else: no entities, no network, no surprises of encoding, bounded in every direction.

Amounts stand in attributes, and an internal entity in an attribute is expanded whatever the parser is told, so any DOCTYPE is
refused. The encoding is settled here, before libxml2 sees a byte, and forced on it: it has no second opinion.
"""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Iterable
from functools import lru_cache

from lxml import etree

from schemas.cards import scrub_text
from schemas.errors import Undecodable

MAX_BYTES = 1_000_000
MAX_ATTRIBUTES = 20_000
_SHORTEST_ATTRIBUTE = 5  # bytes: blank, name, =, two quotes
_SHOWN = 60  # characters of a wrong value that an error repeats

_DECLARED = re.compile(rb"""<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_LONGEST_DECLARATION = 300  # bytes of one that is worth remembering
_UTF8_BOM = codecs.BOM_UTF8
_WIDE_BOMS = (  # UTF-32 first: its little-endian mark starts with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What Python calls an encoding: what libxml2 is told. Senders who say ISO-8859-1 mean windows-1252, as browsers read it.
_READ_AS = {"utf-8": "utf-8", "ascii": "us-ascii", "iso8859-1": "windows-1252", "cp1252": "windows-1252", "utf-16": "utf-16"}
_WIDE = tuple(mark for mark, _ in _WIDE_BOMS)
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_TOO_MANY = etree.XPath("count(//@*) > $most")


def shown(value: object) -> str:
    """A wrong value as errors may repeat it: short, on one line, without card numbers (X-10)."""
    text = " ".join(str(value).split())
    clean = scrub_text(text)[0]
    return clean if len(clean) <= _SHOWN else f"{clean[:_SHOWN]}…"


def bad(code: str, field: str, value: object, why: str) -> Undecodable:
    """The one way this codec says that a document is wrong: a stable code, the field as a path, the value, and what to do."""
    text, why = shown(value), scrub_text(why)[0]
    return Undecodable(f"{field}: {why}, it is {text!r}" if text else f"{field}: {why}", code=code, field=field, value=text)


def parse(
    body: bytes,
    encodings: Iterable[str] = ("utf-8", "iso-8859-1", "us-ascii"),
    max_bytes: int = MAX_BYTES,
    max_attributes: int = MAX_ATTRIBUTES,
) -> etree._Element:
    """The root element of `body`, without comments, processing instructions, and the blanks that only indent elements.

    `encodings` is the allow-list by name. Raises Undecodable with code: empty_body, body_too_large, compressed, encoding_refused,
    encoding_mismatch, doctype_refused, too_many_attributes or not_xml.
    """
    if not body:
        raise bad("empty_body", "body", "", "nothing was sent")
    if len(body) > max_bytes:
        raise bad("body_too_large", "body", f"{len(body)} bytes", f"at most {max_bytes} bytes are read")
    if body.startswith(_COMPRESSED):
        raise bad("compressed", "body", "", "compressed bodies are not read, send the XML itself")
    encoding = _encoding(body, encodings)
    if b"<!DOCTYPE" in (body.replace(b"\0", b"") if encoding == "utf-16" else body):
        raise _doctype()
    if body.startswith(_UTF8_BOM):
        body = body[len(_UTF8_BOM) :]
    try:
        root = etree.fromstring(body, _parsers.get(encoding))
    except etree.XMLSyntaxError as wrong:
        raise _syntax(wrong, encoding) from None
    except (LookupError, ValueError) as wrong:
        raise bad("not_xml", "body", wrong, "it is not well-formed XML") from None
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise _doctype()
    # Every attribute has its "=": only a body that has too many of these is counted in earnest.
    suspect = len(body) > _SHORTEST_ATTRIBUTE * max_attributes and body.count(b"=") > max_attributes
    if suspect and _TOO_MANY(root, most=max_attributes):
        raise bad("too_many_attributes", "body", "", f"at most {max_attributes} attributes are read")
    return root


def _encoding(body: bytes, encodings: Iterable[str]) -> str:
    """How the bytes are read: mark, then declaration, then UTF-8. Both must agree, and stand on the allow-list."""
    if body.startswith(_WIDE) or b"\0" in body[:4]:
        wide = next((name for mark, name in _WIDE_BOMS if body.startswith(mark)), "utf-16")
        if wide not in _allowed(tuple(encodings)) or wide not in _READ_AS:
            raise bad("encoding_refused", "encoding", wide, "this encoding is not accepted from this channel")
        return _READ_AS[wide]
    marked = body.startswith(_UTF8_BOM)
    start = len(_UTF8_BOM) if marked else 0
    end = body.find(b">", start, start + _LONGEST_DECLARATION)
    if end < 0:
        return _settled.__wrapped__(body[start:], marked, tuple(encodings))
    return _settled(body[start:end] if body.startswith(b"<?xml", start) else b"", marked, tuple(encodings))


@lru_cache(maxsize=64)
def _settled(declaration: bytes, marked: bool, encodings: tuple[str, ...]) -> str:
    """Kept, since a sender's documents all begin alike. No `>` can stand in what is looked for."""
    match = _DECLARED.match(declaration)
    declared = match[1].decode("ascii") if match else "utf-8"
    name = _canonical(declared)
    if name == "utf-16":
        raise bad("encoding_mismatch", "encoding", declared, "the declaration says two bytes a character, the body has one")
    if name not in _allowed(encodings) or name not in _READ_AS:
        raise bad("encoding_refused", "encoding", declared, "this encoding is not accepted from this channel")
    if marked and name != "utf-8":
        raise bad("encoding_mismatch", "encoding", declared, "the byte order mark says UTF-8, the declaration does not")
    return _READ_AS[name]


@lru_cache(maxsize=64)
def _allowed(encodings: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_canonical(name) for name in encodings)


@lru_cache(maxsize=64)
def _canonical(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return name.lower()


class _Parsers(threading.local):
    """One parser for each encoding and thread: parsers are not shared between threads, and a new one costs a tenth of its work."""

    def __init__(self) -> None:
        self._made: dict[str, etree.XMLParser] = {}

    def get(self, encoding: str) -> etree.XMLParser:
        """`encoding` is one of those in `_READ_AS`."""
        parser = self._made.get(encoding)
        if parser is None:
            parser = self._made[encoding] = _parser(encoding)
        return parser


_parsers = _Parsers()


def _parser(encoding: str) -> etree.XMLParser:
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_blank_text=True,  # nothing reads it, and most nodes of an indented document are blanks
        remove_comments=True,
        remove_pis=True,
    )


def _doctype() -> Undecodable:
    return bad("doctype_refused", "DOCTYPE", "", "document types and entities are never accepted")


def _syntax(wrong: etree.XMLSyntaxError, encoding: str) -> Undecodable:
    text = (wrong.msg or "").strip()
    if "encoding" in text.lower():
        return bad("encoding_mismatch", "encoding", encoding, f"the bytes are not what they are said to be ({shown(text)})")
    return bad("not_xml", "body", text, "it is not well-formed XML")
