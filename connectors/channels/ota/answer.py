"""The hub's outcomes as OTA answers. Pure: facts and the time in, bytes out; the same arguments always give the same bytes.

A business refusal is an OTA Error in a good HTTP answer, since a sender must not repeat it; only what may help when repeated
(`Retryable`) is a SOAP Fault with 500, or 503 where there is no SOAP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec
from lxml import etree

from connectors.channels.ota.codes import ERROR_RS, WARNINGS, Code, code_of
from connectors.channels.ota.document import Decoded, Head, Item
from connectors.channels.ota.soap import CONTENT_TYPE, Wrapping, fault, wrap
from connectors.channels.ota.tags import OTA
from schemas.booking import BookingAccepted
from schemas.cancellation import CancellationConfirmed, CancellationQuoted
from schemas.common import Fact, Refused
from schemas.errors import HubError, Retryable, Undecodable
from schemas.money import Money
from schemas.registry import struct_of

Facts = Sequence[tuple[str, Fact | dict[str, Any]]]
"""What the hub said of one item: each fact's name (`cancellation.quoted`) with its struct, or with its JSON object."""
_RESERVATION, _CANCELLATION, _QUOTE, _CONFIRMATION = "14", "15", "42", "40"  # code list UIT
_LONGEST_ID: Final = 32
_RESPONSE: Final = {"booking.confirmed": "Committed", "booking.changed": "Modified", "booking.requested": "Requested"}
_DEFAULT_VERSION: Final = "1.0"
_NSMAP: Final[dict[Any, str]] = {None: OTA[1:-1]}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway sends back: HTTP status, Content-Type, body."""

    status: int
    content_type: str
    body: bytes


def answer(decoded: Decoded, outcomes: Sequence[Facts], at: datetime, *, stale: Mapping[int, str] = MappingProxyType({})) -> Answer:
    """The answer to a decoded document: `outcomes[i]` are the facts of `decoded.items[i]`, named, as structs or as JSON objects.

    `stale[i]` is why item i was decided to change nothing: it is older than what is known (X-2). Any other item without a deciding
    fact is said to be pending. One item that was refused is an Errors answer; of several documents' items a refused one is a
    Warning with its RecordID. `at` is TimeStamp. Raises ValueError if the lengths differ.
    """
    pairs = enumerate(zip(decoded.items, outcomes, strict=True))
    results = [_Result(item, _facts(facts), stale.get(n, "")) for n, (item, facts) in pairs]
    if len(results) == 1 and not decoded.declined and (refused := results[0].refused):
        return _errors(
            decoded.head, code_of(refused.code), refused.message, refused.field, refused.value, results[0].item.reference, at
        )
    root = _root(decoded.head, at)
    _sub(root, "Success")
    warnings = [warning for result in results for warning in result.warnings()]
    for one in decoded.declined:
        warnings.append((code_of(one.problem), str(one.problem), one.problem.field, one.record))
    if warnings:
        holder = _sub(root, "Warnings")
        for code, text, field, record in warnings:
            _problem(holder, "Warning", code, text, field, record)
    if decoded.head.kind == "OTA_CancelRQ":
        _cancel(root, results[0])
    else:
        _reservations(root, decoded.head, results)
    return _answer(root, decoded.head)


def refuse(head: Head | None, problem: HubError, at: datetime) -> Answer:
    """The answer to a document that could not be read, or was read and refused before any decision.

    `head` is None when `open_message` failed: nobody knows then what was asked, and the answer is an OTA_ErrorRS.
    """
    if isinstance(problem, Retryable):
        return _again(head, problem)
    code = code_of(problem)
    if head is not None:
        return _errors(head, code, str(problem), problem.field, problem.value, "", at)
    root = _element("OTA_ErrorRS", Version=_DEFAULT_VERSION, TimeStamp=_stamp(at), Status="NotProcessed")
    root.set("ErrorCode", ERROR_RS.get(problem.code, "Malformed" if isinstance(problem, Undecodable) else "Unknown"))
    root.set("ErrorMessage", _clean(f"{code.text}: {problem}"))
    return Answer(200, CONTENT_TYPE[""], wrap(root, Wrapping()))


def unauthenticated(head: Head | None, at: datetime) -> Answer:
    """The answer to a sender that is not who it says, with 401; what was wrong is not told."""
    problem = HubError("the sender could not be verified", code="authentication_failed")
    told = refuse(head, problem, at)
    return Answer(401, told.content_type, told.body)


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of one item, as far as the facts tell."""

    item: Item
    facts: tuple[Fact, ...]
    stale: str = ""

    @property
    def refused(self) -> Refused | None:
        return None if self.decided else next((fact for fact in self.facts if isinstance(fact, Refused)), None)

    @property
    def decided(self) -> BookingAccepted | CancellationConfirmed | CancellationQuoted | None:
        for kind in (CancellationConfirmed, CancellationQuoted, BookingAccepted):
            for fact in self.facts:
                if isinstance(fact, kind):
                    return fact
        return None

    def status(self) -> str:
        """TransactionStatusType."""
        if self.refused:
            return "Unsuccessful"
        match self.decided:
            case CancellationConfirmed():
                return "Cancelled"
            case CancellationQuoted():
                return "PendingCancellation"
            case BookingAccepted():
                return _RESPONSE.get(self.item.name, "Committed")
            case _:
                return "Unchanged" if self.stale else "Pending"

    def warnings(self) -> list[tuple[Code, str, str, str]]:
        reference = self.item.reference
        told = [(WARNINGS[warned.code], warned.message, warned.field, reference) for warned in self.item.warnings]
        if refused := self.refused:
            told.append((code_of(refused.code), refused.message, refused.field, reference))
        elif isinstance(fact := self.decided, CancellationQuoted | CancellationConfirmed):
            if fact.kept or fact.claim:
                told.append((WARNINGS["penalties_apply"], _summary(fact), "", reference))
        elif fact is None and self.stale:
            told.append(
                (WARNINGS["stale"], f"this version is older than what is known: nothing changes ({self.stale})", "", reference)
            )
        elif fact is None:
            told.append((WARNINGS["pending"], "the message is stored and will be decided", "", reference))
        return told


def _facts(facts: Facts) -> tuple[Fact, ...]:
    """Facts as structs; JSON objects are read by their name."""
    made = []
    for name, fact in facts:
        value = fact if isinstance(fact, Fact) else msgspec.convert(fact, struct_of(name))
        if isinstance(value, Fact):
            made.append(value)
    return tuple(made)


def _cancel(root: etree._Element, result: _Result) -> None:
    """OTA_CancelRS: UniqueID 14 (theirs) and, once cancelled, 15 (ours); CancelRules say what is refunded and what is forfeited."""
    root.set("Status", result.status())
    _unique(root, _RESERVATION, result.item.reference)
    fact = result.decided
    if not isinstance(fact, CancellationQuoted | CancellationConfirmed):
        return
    confirmed = isinstance(fact, CancellationConfirmed)
    if confirmed:
        _unique(root, _CANCELLATION, fact.request)
    info = _sub(root, "CancelInfoRS")
    rules = _sub(info, "CancelRules")
    until = {} if isinstance(fact, CancellationConfirmed) else {"CancelByDate": _stamp(fact.valid_until)}
    for kind, minor in (("Refund", fact.refund), ("Forfeiture", fact.kept), ("Charge", fact.claim)):
        if minor or kind != "Charge":
            _sub(rules, "CancelRule", **until, Amount=Money(minor, fact.currency).text(), CurrencyCode=fact.currency, Type=kind)
    _unique(info, _CANCELLATION if confirmed else _QUOTE, fact.request if confirmed else fact.quote)
    _sub(_sub(root, "Comment"), "Text").text = _summary(fact)
    for line in result.item.message.lines if confirmed else ():
        number = line if isinstance(line, str) else line.line
        if number.isascii() and number.isdecimal():
            _sub(root, "Segment", ItinSegNbr=number)


def _reservations(root: etree._Element, head: Head, results: Sequence[_Result]) -> None:
    """HotelReservations (HotelResModifies in a modification's answer): which were taken, under which confirmation number."""
    statuses = {result.status() for result in results if not result.refused}
    root.set("ResResponseType", statuses.pop() if len(statuses) == 1 else "Committed")
    modify = head.kind.startswith("OTA_HotelResModify")
    holder = _sub(root, "HotelResModifies" if modify else "HotelReservations")
    for result in results:
        if result.refused:
            continue
        one = _sub(holder, "HotelResModify" if modify else "HotelReservation")
        cancelled = result.item.name == "cancellation.request"
        _unique(one, _CANCELLATION if cancelled else _RESERVATION, result.item.reference)
        fact = result.decided
        if fact is not None and fact.folio:
            info = _sub(one, "ResGlobalInfo")
            _sub(_sub(info, "HotelReservationIDs"), "HotelReservationID", ResID_Type=_CONFIRMATION, ResID_Value=fact.folio)
            _sub(info, "BasicPropertyInfo")  # OTA 2015A wants the element, not its attributes
    if not len(holder):
        root.remove(holder)


def _errors(head: Head, code: Code, text: str, field: str, value: str, record: str, at: datetime) -> Answer:
    root = _root(head, at)
    if head.kind == "OTA_CancelRQ":
        root.set("Status", "Unsuccessful")
    said = text or f"{field} {value}".strip()
    _problem(_sub(root, "Errors"), "Error", code, said, field, record)
    return _answer(root, head)


def _problem(holder: etree._Element, name: str, code: Code, text: str, field: str, record: str) -> None:
    element = _sub(holder, name, Type=code.type, Code=code.code, ShortText=code.text)
    if field:
        element.set("Tag", _clean(field))
    if record:
        element.set("RecordID", _clean(record)[:64])
    element.text = _clean(text)


def _again(head: Head | None, problem: Retryable) -> Answer:
    """What may be sent again: a SOAP Fault with 500 to SOAP senders (they retry on it), 503 to others."""
    wrapping = head.wrapping if head else Wrapping()
    code = code_of(problem)
    if wrapping.version:
        return Answer(500, CONTENT_TYPE[wrapping.version], fault(code.text, wrapping))
    root = _element("OTA_ErrorRS" if head is None else _name(head.kind), Version=(head.version if head else "") or _DEFAULT_VERSION)
    if head is None:
        root.set("ErrorCode", "Unknown")
        root.set("ErrorMessage", code.text)
    else:
        _identify(root, head)
        _problem(_sub(root, "Errors"), "Error", code, code.text, "", "")
    return Answer(503, CONTENT_TYPE[""], wrap(root, Wrapping()))


def _root(head: Head, at: datetime) -> etree._Element:
    root = _element(_name(head.kind), Version=head.version or _DEFAULT_VERSION, TimeStamp=_stamp(at))
    _identify(root, head)
    return root


def _identify(root: etree._Element, head: Head) -> None:
    for name, value in (("EchoToken", head.echo_token), ("Target", head.target)):
        if value:
            root.set(name, value)


def _name(kind: str) -> str:
    return f"{kind[:-2]}RS" if kind.endswith("RQ") else f"{kind}RS"


def _answer(root: etree._Element, head: Head) -> Answer:
    return Answer(200, CONTENT_TYPE[head.wrapping.version], wrap(root, head.wrapping))


def _summary(fact: CancellationQuoted | CancellationConfirmed) -> str:
    refund, kept = Money(fact.refund, fact.currency), Money(fact.kept, fact.currency)
    claim = f", {Money(fact.claim, fact.currency)} claimed" if fact.claim else ""
    until = "" if isinstance(fact, CancellationConfirmed) else f", valid until {_stamp(fact.valid_until)}"
    return f"{refund} refunded, {kept} kept{claim}{until}"


def _unique(parent: etree._Element, kind: str, value: str) -> None:
    """A UniqueID, where the value fits OTA's 32 characters: a UUID does without its dashes."""
    if len(value) > _LONGEST_ID:
        try:
            value = UUID(value).hex
        except ValueError:
            if kind != _RESERVATION:
                return
    _sub(parent, "UniqueID", Type=kind, ID=_clean(value))


def _element(name: str, **attributes: str) -> etree._Element:
    element = etree.Element(f"{OTA}{name}", nsmap=_NSMAP)
    for key, value in attributes.items():
        element.set(key, value)
    return element


def _sub(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{OTA}{name}")
    for key, value in attributes.items():
        element.set(key, value)
    return element


def _clean(text: str) -> str:
    """Text that XML can carry."""
    return "".join(c if c.isprintable() else " " for c in text)[:500]


def _stamp(moment: datetime) -> str:
    """UTC to the second, as `2026-05-01T08:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
