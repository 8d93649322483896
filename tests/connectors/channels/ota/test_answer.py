"""What a channel is answered: whole answers as golden files, and what each outcome becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from lxml import etree

from connectors.channels.ota.answer import Answer, Facts, answer, refuse, unauthenticated
from connectors.channels.ota.codec import decode
from connectors.channels.ota.codes import TABLE, WARNINGS, code_of
from connectors.channels.ota.document import open_message
from schemas.booking import BookingAccepted, BookingRefused
from schemas.cancellation import CancellationConfirmed, CancellationQuoted, CancellationRefused, QuotedLine
from schemas.errors import HubError, Rejected, Retryable, Undecodable
from tests.connectors.channels.ota.golden import GOLDEN, PROFILE, body, expected, profile

AT = datetime(2026, 7, 20, 7, 0, 1, tzinfo=UTC)
O = "{http://www.opentravel.org/OTA/2003/05}"  # noqa: E741 - a namespace prefix
REQUEST = "c-0123456789abcdef0123456789ab"
QUOTE = "0d6f3a52-6d0a-5b0e-9d9c-0c1f6a0c0d11"
ACCEPTED = BookingAccepted(
    folio="f-1",
    revision=None,
    property="camp-azur",
    currency="EUR",
    ordered=92_500,
    service_fee=0,
    terms={"11": "outdoor/flexible/1"},
)


def amounts(**changes: Any) -> dict[str, Any]:
    line = QuotedLine(line="12", refund_rate="50 %", penalty=10_000)
    return {
        "folio": "f-1", "request": REQUEST, "quote": QUOTE, "lines": (line,), "penalty": 10_000, "refund": 10_000, "claim": 0,
        "kept": 10_500, "currency": "EUR", **changes,
    }  # fmt: skip


def quoted(**changes: Any) -> CancellationQuoted:
    return CancellationQuoted(valid_until=datetime(2026, 7, 20, 7, 30, tzinfo=UTC), **amounts(**changes))


def confirmed(**changes: Any) -> CancellationConfirmed:
    return CancellationConfirmed(**amounts(**changes))


def told(case: str, *outcomes: Facts) -> Answer:
    return answer(decode(body(case), profile(**expected(case).get("profile", {}))), outcomes, AT)


def tree(said: Answer) -> etree._Element:
    root = etree.fromstring(said.body)
    inside = root.find("{*}Body")
    return root if inside is None else inside[0]


def attributes(said: Answer, path: str) -> list[dict[str, str]]:
    return [{str(key): str(value) for key, value in element.items()} for element in tree(said).iterfind(path.replace("/", f"/{O}"))]


ALREADY = CancellationRefused(code="already_cancelled", message="it is cancelled")
GOLDEN_ANSWERS: dict[str, tuple[Any, ...]] = {
    "booking-soap-1.2": ("own/two-rooms-htng", [("booking.accepted", ACCEPTED)]),
    "modified-soap-1.1": ("own/modify-expedia", [("booking.accepted", ACCEPTED)]),
    "cancelled-in-notification": ("own/cancel-in-notification", [("cancellation.confirmed", confirmed())]),
    "quote": ("own/cancel-quote", [("cancellation.quoted", quoted())]),
    "cancelled": ("own/cancel-commit", [("cancellation.confirmed", confirmed())]),
    "one-room-cancelled": ("own/cancel-one-room", [("cancellation.confirmed", confirmed())]),
    "already-cancelled": ("concur/cancel", [("cancellation.refused", ALREADY)]),
    "guarantee": ("alpinebits/reservation-push", [("booking.accepted", ACCEPTED)]),
    "several-one-wrong": (
        "own/several-one-wrong",
        [("booking.accepted", ACCEPTED)],
        [("cancellation.refused", CancellationRefused(code="unknown_folio", message="booking A-3 is not known"))],
    ),
    "pending": ("own/request", []),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(GOLDEN_ANSWERS))
def test_golden_answers(name: str) -> None:
    """To the byte."""
    case, *outcomes = GOLDEN_ANSWERS[name]
    said = told(case, *outcomes)

    assert said.status == 200
    assert (
        etree.tostring(etree.fromstring(said.body), pretty_print=True).decode() == (GOLDEN / "answers" / f"{name}.xml").read_text()
    )


def test_quote_says_the_money() -> None:
    """S4-31: what comes back, what is kept, until when, in major units with currency."""
    said = told("own/cancel-quote", [("cancellation.quoted", quoted())])

    assert attributes(said, "./CancelInfoRS/CancelRules/CancelRule") == [
        {"CancelByDate": "2026-07-20T07:30:00Z", "Amount": "100.00", "CurrencyCode": "EUR", "Type": "Refund"},
        {"CancelByDate": "2026-07-20T07:30:00Z", "Amount": "105.00", "CurrencyCode": "EUR", "Type": "Forfeiture"},
    ]
    assert attributes(said, "./CancelInfoRS/UniqueID") == [{"Type": "42", "ID": QUOTE.replace("-", "")}]
    assert [warning["Code"] for warning in attributes(said, "./Warnings/Warning")] == ["568"]
    assert (tree(said).get("Status"), tree(said).get("EchoToken"), tree(said).get("TimeStamp")) == (
        "PendingCancellation", "q-1", "2026-07-20T07:00:01Z",
    )  # fmt: skip


def test_cancellation_says_both_numbers() -> None:
    """Theirs as type 14, ours as 15; a claim is a Charge; nothing kept is nothing to warn of."""
    said = told(
        "own/cancel-commit", [("cancellation.quoted", quoted()), ("cancellation.confirmed", confirmed(refund=0, kept=0, claim=300))]
    )
    free = told("own/cancel-commit", [("cancellation.confirmed", confirmed(refund=20_500, kept=0, currency="EUR"))])

    assert tree(said).get("Status") == "Cancelled"
    assert attributes(said, "./UniqueID") == [{"Type": "14", "ID": "HT-5001"}, {"Type": "15", "ID": REQUEST}]
    assert [(rule["Type"], rule["Amount"]) for rule in attributes(said, "./CancelInfoRS/CancelRules/CancelRule")] == [
        ("Refund", "0.00"), ("Forfeiture", "0.00"), ("Charge", "3.00"),
    ]  # fmt: skip
    assert attributes(free, "./Warnings/Warning") == []


def test_zero_decimal_currency() -> None:
    """Yen have no hundredths in an answer either."""
    said = told("own/cancel-commit", [("cancellation.confirmed", confirmed(currency="JPY"))])

    assert [rule["Amount"] for rule in attributes(said, "./CancelInfoRS/CancelRules/CancelRule")] == ["10000", "10500"]


def test_facts_may_be_json() -> None:
    """A stored outcome gives the same bytes as a fresh one."""
    stored = msgspec.to_builtins(quoted())

    assert told("own/cancel-quote", [("cancellation.quoted", stored)]) == told(
        "own/cancel-quote", [("cancellation.quoted", quoted())]
    )


@pytest.mark.parametrize(
    ("code", "type_", "ota"),
    [
        ("already_cancelled", "3", "95"), ("unknown_folio", "3", "385"), ("not_cancellable_by_requester", "3", "264"),
        ("quote_expired", "3", "193"), ("unknown_terms", "3", "249"), ("unknown_property", "3", "392"), ("payout_stopped", "12", "187"),
        ("a_code_of_tomorrow", "3", "450"),
    ],
)  # fmt: skip
def test_refusals(code: str, type_: str, ota: str) -> None:
    """A rule's no is an Error in a good HTTP answer: it must not be repeated."""
    said = told(
        "concur/cancel", [("cancellation.refused", CancellationRefused(code=code, field="lines", value="9", message="because"))]
    )
    (error,) = attributes(said, "./Errors/Error")

    assert (said.status, error["Type"], error["Code"], error["RecordID"]) == (200, type_, ota, "11112222")
    assert tree(said).get("Status") == "Unsuccessful"
    assert tree(said).find(f"{O}Success") is None


def test_a_refused_booking() -> None:
    """The same for a notification, in the same envelope."""
    said = told("own/two-rooms-htng", [("booking.refused", BookingRefused(code="currency_mismatch", message="no CHF here"))])

    assert said.content_type.startswith("application/soap+xml")
    assert etree.fromstring(said.body).tag == "{http://www.w3.org/2003/05/soap-envelope}Envelope"
    assert [error["Code"] for error in attributes(said, "./Errors/Error")] == ["61"]


@pytest.mark.parametrize(
    ("problem", "type_", "code"),
    [
        (Undecodable("x", code="date_invalid", field="a/@b", value="2026-02-30"), "12", "15"),
        (Undecodable("x", code="currency_missing"), "10", "61"),
        (Rejected("x", code="unknown_property"), "3", "392"),
        (Rejected("x", code="made_up"), "3", "450"),
        (Undecodable("x"), "12", "450"),
        (HubError("x", code="forbidden"), "6", "497"),
    ],
)
def test_what_could_not_be_read(problem: HubError, type_: str, code: str) -> None:
    """Before any decision: the document's own answer with type, code and where."""
    said = refuse(open_message(body("own/cancel-quote"), PROFILE), problem, AT)
    (error,) = attributes(said, "./Errors/Error")

    assert tree(said).tag == f"{O}OTA_CancelRS"
    assert (error["Type"], error["Code"], error.get("Tag", "")) == (type_, code, problem.field)
    assert (said.status, tree(said).get("EchoToken")) == (200, "q-1")


def test_what_is_no_document_gets_error_rs() -> None:
    """Nobody knows then which answer it would have been."""
    for data, code in ((b"<a/>", "UnrecognizedRoot"), (b"<<", "Malformed"), (b"<!DOCTYPE a><a/>", "Malformed")):
        with pytest.raises(Undecodable) as refused:
            open_message(data, PROFILE)
        said = refuse(None, refused.value, AT)

        assert (tree(said).tag, tree(said).get("ErrorCode")) == (f"{O}OTA_ErrorRS", code)


def test_only_what_may_be_repeated_is_a_fault() -> None:
    """A Fault with 500 makes SOAP senders retry; others get 503."""
    soap_11, soap_12, plain = (
        open_message(body(case), PROFILE) for case in ("own/modify-expedia", "own/two-rooms-htng", "own/cancel-quote")
    )
    away = Retryable("the store is locked by process 17")

    said = [refuse(head, away, AT) for head in (soap_11, soap_12, plain, None)]

    assert [one.status for one in said] == [500, 500, 503, 503]
    assert tree(said[0]).findtext("faultcode") == "soap:Server"
    assert tree(said[1]).findtext("{*}Code/{*}Value") == "soap:Receiver"
    assert [error["Code"] for error in attributes(said[2], "./Errors/Error")] == ["450"]
    assert not any(b"process 17" in one.body for one in said)


def test_unknown_sender() -> None:
    """401, authentication, and nothing of what was wrong."""
    said = unauthenticated(open_message(body("own/two-rooms-htng"), PROFILE), AT)
    (error,) = attributes(said, "./Errors/Error")

    assert (said.status, error["Type"], error["Code"]) == (401, "4", "497")
    assert b"demo-channel" not in said.body


def test_not_decided_yet() -> None:
    """A message that is stored and not decided in time is acknowledged as pending, with a warning."""
    said = told("own/cancel-commit", [])

    assert tree(said).get("Status") == "Pending"
    assert tree(said).find(f"{O}Success") is not None
    assert [warning["Type"] for warning in attributes(said, "./Warnings/Warning")] == ["11"]


@pytest.mark.parametrize(
    ("case", "status", "element"),
    [
        ("own/modify-expedia", "Unchanged", "ResResponseType"), ("own/two-rooms-htng", "Unchanged", "ResResponseType"),
        ("own/cancel-commit", "Unchanged", "Status"),
    ],
)  # fmt: skip
def test_an_older_version_changes_nothing_and_is_told_so(case: str, status: str, element: str) -> None:
    """X-2: it was decided; it is not pending, and the sender need not send it again."""
    decoded = decode(body(case), profile(**expected(case).get("profile", {})))
    said = answer(decoded, [[]], AT, stale={0: "revision 4 of ota.demo, known is 5"})
    (warning,) = attributes(said, "./Warnings/Warning")

    assert tree(said).find(f"{O}Success") is not None
    assert tree(said).get(element) == status
    assert (warning["Type"], warning["ShortText"], warning["RecordID"]) == (
        "11",
        "Older than what is known",
        decoded.items[0].reference,
    )
    text = tree(said).findtext(f"{O}Warnings/{O}Warning") or ""
    assert text == "this version is older than what is known: nothing changes (revision 4 of ota.demo, known is 5)"
    assert b"ending" not in said.body


def test_of_several_only_the_older_one_is_told_so() -> None:
    """Places are those of the items that were taken."""
    decoded = decode(body("own/several-one-wrong"), PROFILE)
    said = answer(decoded, [[("booking.accepted", ACCEPTED)], []], AT, stale={1: "known"})

    told_of = {one["RecordID"]: one["ShortText"] for one in attributes(said, "./Warnings/Warning")}
    assert told_of.get(decoded.items[1].reference) == "Older than what is known"
    assert decoded.items[0].reference not in told_of


def test_every_item_has_its_outcome() -> None:
    """One list of facts for each item, or it is a mistake of the caller."""
    decoded = decode(body("own/several-one-wrong"), PROFILE)

    with pytest.raises(ValueError, match="shorter"):
        answer(decoded, [[]], AT)


def test_texts_are_made_fit_for_xml() -> None:
    """Whatever a reason holds, the answer is XML."""
    refused = CancellationRefused(code="unknown_folio", message="a\x00b\x1fc <&> " + "x" * 900)
    said = told("own/cancel-commit", [("cancellation.refused", refused)])
    text = tree(said).findtext(f"{O}Errors/{O}Error") or ""

    assert text.startswith("a b c <&> ")
    assert len(text) == 500


def test_the_table_keeps_to_ota() -> None:
    """Types are of EWT, codes are numbers, ShortText has at most 64 characters."""
    for row in (*TABLE.values(), *WARNINGS.values()):
        assert row.type in {"2", "3", "4", "6", "10", "11", "12"}
        assert row.code.isdecimal()
        assert 0 < len(row.text) <= 64
    assert code_of(Retryable("x")) == TABLE["retryable"]


def test_an_id_that_ota_cannot_hold_is_left_out() -> None:
    """32 characters, or a UUID without its dashes; a part of an id would be another one."""
    said = told("own/cancel-quote", [("cancellation.quoted", quoted(quote="q" * 40))])

    assert attributes(said, "./CancelInfoRS/UniqueID") == []
