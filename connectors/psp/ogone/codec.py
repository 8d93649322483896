"""Orders of ours to Ogone's form parameters, and `<ncresponse>` bytes to values. Pure: nothing is sent or stored.

Amounts. A request's AMOUNT is a whole number: major units times 100 for every currency, also those without decimals (1999 JPY
is `199900`) and those with three (1.990 KWD is `199`; 1.999 KWD cannot be written and is refused before anything is sent).
An account that is set up otherwise says so per currency in `wire_digits`. An answer's amount is in major units with decimals
only when needed (`15`, `15.1`, `15.12`). Source: DirectLink guide, order and maintenance requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import msgspec
from lxml import etree

from connectors.psp.ogone import codes, signature
from connectors.psp.ogone.account import LevelAmounts, OgoneAccount
from schemas.effect import EffectKind, EffectOrder, ProviderRecord, RecordKind, Reply, Result
from schemas.errors import Rejected, Undecodable
from schemas.money import Money, exponent

MAX_BODY = 256 * 1024  # bytes of one answer
WIRE_DIGITS = 2
OPERATIONS: Mapping[tuple[EffectKind, bool], str] = {
    (EffectKind.REFUND, False): "RFD",
    (EffectKind.REFUND, True): "RFS",
    (EffectKind.CAPTURE, False): "SAL",
    (EffectKind.CAPTURE, True): "SAS",
    (EffectKind.VOID, False): "DEL",
    (EffectKind.VOID, True): "DES",
}

_ENCODINGS = frozenset({"utf-8", "utf8", "iso-8859-1", "iso8859-1", "latin1", "latin-1", "us-ascii", "ascii", "windows-1252"})
_DECLARATION = re.compile(r"\A<\?xml\b[^>]{0,200}?\?>", re.IGNORECASE)
_DECLARED = re.compile(rb"""\A<\?xml\b[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""", re.IGNORECASE)
_CONTENT_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._-]{1,40})""", re.IGNORECASE)
_FORBIDDEN = re.compile(rb"<!(?!--|\[CDATA\[)")


class NcResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An `<ncresponse>`: what it says, by upper-case attribute names in `attributes`. Absent is the empty text."""

    order: str
    reference: str
    level: str
    status: str
    ncstatus: str
    ncerror: str
    message: str
    currency: str
    minor: int | None
    attributes: Mapping[str, str]


def wire_amount(minor: int, currency: str, wire_digits: Mapping[str, int] | None = None) -> str:
    """AMOUNT of a request from minor units; see the module for the rule. Raises Rejected for an amount it cannot write."""
    digits = (wire_digits or {}).get(currency, WIRE_DIGITS)
    try:
        own = exponent(currency)
    except ValueError as error:
        raise Rejected(str(error), code="unknown_currency", field="currency", value=currency) from None
    whole, rest = divmod(minor * 10**digits, 10**own)
    if minor <= 0 or rest:
        text = f"{Money(minor, currency)} cannot be written with {digits} decimals"
        raise Rejected(text, code="amount_not_expressible", field="AMOUNT", value=minor)
    return str(whole)


def minor_of_wire(text: str, currency: str, wire_digits: Mapping[str, int] | None = None) -> int:
    """Minor units of a request's AMOUNT, as the provider reads it. Raises Rejected for decimals that the currency lacks."""
    digits = (wire_digits or {}).get(currency, WIRE_DIGITS)
    if not re.fullmatch("[0-9]{1,15}", text):
        raise Rejected(f"AMOUNT {text[:40]!r} is not a whole number", code="amount_not_a_number", field="AMOUNT", value=text)
    minor, rest = divmod(int(text) * 10 ** exponent(currency), 10**digits)
    if rest:
        raise Rejected(f"AMOUNT {text} has decimals that {currency} lacks", code="amount_decimals", field="AMOUNT")
    return int(minor)


def shown_amount(minor: int, currency: str) -> str:
    """Major units as the provider shows them: decimals only when needed."""
    text = Money(minor, currency).text()
    return text.rstrip("0").rstrip(".") if "." in text else text


def maintenance_fields(order: EffectOrder, account: OgoneAccount) -> dict[str, str]:
    """The signed parameters of a maintenance call. Raises Rejected for an order that cannot be written: nothing was sent."""
    if not order.reference and not order.order:
        raise Rejected("neither PAYID nor ORDERID", code="no_reference", field="reference")
    if order.merchant != account.merchant:
        text = f"the order is for merchant {order.merchant}, the account is {account.merchant}"
        raise Rejected(text, code="wrong_merchant", field="merchant", value=order.merchant)
    fields = {
        **_credentials(account),
        **_payment(order.reference, order.order),
        "OPERATION": OPERATIONS[order.kind, order.last],
        "AMOUNT": wire_amount(order.minor, order.currency, account.wire_digits),
        "CURRENCY": order.currency,
    }
    return _signed(fields, account)


def query_fields(reference: str, order: str, level: int | None, account: OgoneAccount) -> dict[str, str]:
    """The signed parameters of a query for one history level, or with None for the latest."""
    if not reference and not order:
        raise Rejected("neither PAYID nor ORDERID", code="no_reference", field="reference")
    fields = {**_credentials(account), **_payment(reference, order)}
    if level is not None:
        fields["PAYIDSUB"] = str(level)
    return _signed(fields, account)


def form(fields: Mapping[str, str], account: OgoneAccount) -> bytes:
    """The body of a request, percent-encoded in the account's charset."""
    return urlencode(list(fields.items()), encoding=account.charset.value).encode("ascii")


def _credentials(account: OgoneAccount) -> dict[str, str]:
    return {"PSPID": account.pspid, "USERID": account.userid, "PSWD": account.pswd}


def _payment(reference: str, order: str) -> dict[str, str]:
    return {"PAYID": reference} if reference else {"ORDERID": order}


def _signed(fields: dict[str, str], account: OgoneAccount) -> dict[str, str]:
    return {**fields, "SHASIGN": signature.sign(fields, account.sha_in, account.signs_in)}


def answer_as_text(body: bytes, content_type: str = "") -> str:
    """The text of an answer: its declaration first, then the header, then UTF-8, ISO-8859-1 where UTF-8 does not fit."""
    declared = _DECLARED.search(body.lstrip())
    header = _CONTENT_CHARSET.search(content_type)
    named = declared[1].decode("ascii") if declared else (header[1] if header else "utf-8")
    if named.lower() not in _ENCODINGS:
        raise Undecodable(f"encoding {named!r} is not one that the provider uses", field="encoding", value=named)
    try:
        return body.decode(named)
    except UnicodeDecodeError:
        return body.decode("iso-8859-1")


def parse_response(body: bytes, content_type: str = "") -> NcResponse:
    """An answer's bytes to its values: no document type, no entities, no network, at most `MAX_BODY` bytes.

    Attribute names count in any case, any may be missing. Raises Undecodable, saying what is wrong, for anything else: to
    whoever asked, such an answer is silence.
    """
    if len(body) > MAX_BODY:
        raise Undecodable(f"answer is longer than {MAX_BODY} bytes", field="body", value=len(body))
    if b"\0" in body or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Undecodable("answer is not in an encoding that the provider uses", field="encoding")
    if _FORBIDDEN.search(body):
        raise Undecodable("answer has a document type or a declaration", field="doctype")
    text = _DECLARATION.sub("", answer_as_text(body, content_type).removeprefix("\ufeff").strip())
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Undecodable(f"answer is not well-formed: {type(error).__name__}", field="body") from None
    if not isinstance(root.tag, str) or root.tag.lower() != "ncresponse":
        raise Undecodable("answer is not an ncresponse", field="root", value=str(root.tag)[:40])
    attributes: dict[str, str] = {}
    for raw_name, value in root.attrib.items():
        name = str(raw_name).upper()
        if attributes.setdefault(name, str(value)) != value:
            raise Undecodable(f"attribute {name} stands twice with different values", field=name)
    return _response(attributes)


def _response(attributes: Mapping[str, str]) -> NcResponse:
    def get(name: str) -> str:
        return attributes.get(name, "").strip()

    currency, amount = get("CURRENCY"), get("AMOUNT")
    minor: int | None = None
    if amount and currency:
        try:
            shown = Money.parse(amount, currency).minor
        except ValueError as error:
            raise Undecodable(str(error), field="amount", value=amount) from None
        minor = shown if shown >= 0 else None  # what an operation moved has no sign: this one does not say how much
    return NcResponse(
        order=get("ORDERID"),
        reference=get("PAYID"),
        level=get("PAYIDSUB"),
        status=get("STATUS"),
        ncstatus=get("NCSTATUS"),
        ncerror=get("NCERROR"),
        message=get("NCERRORPLUS"),
        currency=currency,
        minor=minor,
        attributes=dict(attributes),
    )


def record_of(answer: NcResponse, *, level: str = "") -> ProviderRecord:
    """One history level from a query's answer; `level` is the one that was asked for, where the answer does not say."""
    kind, result = codes.status_meaning(answer.status)
    return ProviderRecord(
        reference=answer.reference,
        level=answer.level or level,
        kind=kind,
        result=result,
        status=answer.status,
        currency=answer.currency,
        minor=answer.minor,
    )


def maintenance_reply(answer: NcResponse, order: EffectOrder, account: OgoneAccount) -> Reply:
    """What a maintenance answer says of our order. An answer about another payment or amount is not an answer: UNKNOWN.

    STATUS 0 speaks of the call alone, so that no record comes of it.
    """
    code = answer.ncerror if answer.ncerror not in ("", "0") else answer.status
    message = answer.message.strip("! ")[:200]
    crossed = _crossed(answer, order, account)
    if crossed:
        return Reply(result=Result.UNKNOWN, code=code, message=crossed)
    result = codes.maintenance_result(order.kind, answer.status, answer.ncerror)
    kind, _ = codes.status_meaning(answer.status)
    record: ProviderRecord | None = None
    if kind is codes.KIND_OF[order.kind] and answer.level:
        shown = answer.minor if answer.minor == order.minor else None
        record = ProviderRecord(
            reference=answer.reference or order.reference,
            level=answer.level,
            kind=kind,
            result=result,
            status=answer.status,
            currency=answer.currency or order.currency,
            minor=shown,
        )
    return Reply(result=result, code=code, message=message, record=record)


def _crossed(answer: NcResponse, order: EffectOrder, account: OgoneAccount) -> str:
    """Why an answer is not one to this order, or nothing. STATUS 0 may lack or zero what it echoes."""
    if answer.reference not in ("", "0", order.reference) and order.reference:
        return "the answer is about another payment"
    if answer.status == "0":
        return ""
    if answer.currency not in ("", order.currency):
        return "the answer is in another currency"
    if account.level_amounts is LevelAmounts.OPERATION and answer.minor not in (None, order.minor):
        return "the answer is about another amount"
    return ""


def own_amounts(records: Sequence[ProviderRecord], shown: LevelAmounts) -> tuple[ProviderRecord, ...]:
    """The history with each level's own amount, oldest first.

    Cumulated: a level shows its own amount and those of the earlier operations of its kind that stand (neither refused nor
    reversed). Where an earlier level does not say what it is, later amounts cannot be told apart and are None.
    """
    if shown is LevelAmounts.OPERATION:
        return tuple(records)
    standing: dict[RecordKind, int] = {}
    unclear = False
    result: list[ProviderRecord] = []
    for record in records:
        before = standing.get(record.kind, 0)
        own = None if unclear or record.minor is None or record.minor <= before else record.minor - before
        result.append(msgspec.structs.replace(record, minor=own))
        stands = record.result not in (Result.REFUSED, Result.REVERSED)
        if record.kind is RecordKind.OTHER or (stands and own is None):
            unclear = True
        elif stands and own is not None:
            standing[record.kind] = before + own
    return tuple(result)
