"""Our refusal codes to OTA's error type (code list EWT) and code (code list ERR), a table. Source: OpenTravel code lists 2010-12."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.errors import HubError, OutcomeUnknown, Rejected, Retryable

NO_IMPLEMENTATION, BUSINESS_RULE, AUTHENTICATION, AUTHORISATION = "2", "3", "4", "6"
MISSING, ADVISORY, PROCESSING = "10", "11", "12"


class Code(NamedTuple):
    """`type` and `code` as OTA counts them; `text` is ShortText, at most 64 characters."""

    type: str
    code: str
    text: str


TABLE: Final[Mapping[str, Code]] = MappingProxyType(
    {
        # the document
        "empty_body": Code(PROCESSING, "450", "Nothing was sent"),
        "body_too_large": Code(PROCESSING, "450", "Message too large"),
        "compressed": Code(PROCESSING, "367", "Compressed body"),
        "encoding_refused": Code(PROCESSING, "367", "Encoding not accepted"),
        "encoding_mismatch": Code(PROCESSING, "367", "Encoding is not the one declared"),
        "doctype_refused": Code(PROCESSING, "367", "DOCTYPE is not accepted"),
        "too_many_attributes": Code(PROCESSING, "450", "Too many attributes"),
        "not_xml": Code(PROCESSING, "367", "Not well-formed XML"),
        "soap_body": Code(PROCESSING, "367", "SOAP Body must hold one element"),
        "namespace_unknown": Code(NO_IMPLEMENTATION, "450", "Namespace is not supported"),
        "message_unknown": Code(NO_IMPLEMENTATION, "450", "Message is not supported"),
        "too_many_reservations": Code(PROCESSING, "450", "Too many reservations in one message"),
        "profile_invalid": Code(PROCESSING, "450", "Channel is not set up correctly"),
        "undecodable": Code(PROCESSING, "450", "Message could not be read"),
        # its fields
        "action_missing": Code(MISSING, "321", "ResStatus or CancelType is missing"),
        "action_not_supported": Code(NO_IMPLEMENTATION, "446", "ResStatus or CancelType is not supported"),
        "field_missing": Code(MISSING, "321", "Required field missing"),
        "identity_missing": Code(MISSING, "321", "Message identifier is missing"),
        "reference_missing": Code(MISSING, "315", "Reservation identifier is missing"),
        "price_missing": Code(MISSING, "154", "Room or service price is missing"),
        "currency_missing": Code(MISSING, "61", "Currency is missing"),
        "date_missing": Code(MISSING, "321", "Arrival or departure is missing"),
        "date_invalid": Code(PROCESSING, "15", "Invalid date"),
        "dates_reversed": Code(BUSINESS_RULE, "404", "Departure before arrival"),
        "amount_invalid": Code(PROCESSING, "320", "Invalid amount"),
        "amount_negative": Code(BUSINESS_RULE, "320", "Negative amount"),
        "value_invalid": Code(PROCESSING, "320", "Invalid value"),
        "duplicate_line": Code(PROCESSING, "320", "Two services with one number"),
        "currency_unknown": Code(BUSINESS_RULE, "61", "Invalid currency code"),
        "currency_mismatch": Code(BUSINESS_RULE, "61", "Currencies differ"),
        "total_mismatch": Code(BUSINESS_RULE, "143", "Rooms do not add up to the total"),
        "unknown_property": Code(BUSINESS_RULE, "392", "Invalid hotel code"),
        "property_mixed": Code(BUSINESS_RULE, "415", "Several hotels in one reservation"),
        "unknown_terms": Code(BUSINESS_RULE, "249", "Invalid rate code"),
        # the decision
        "already_cancelled": Code(BUSINESS_RULE, "95", "Booking already cancelled"),
        "unknown_folio": Code(BUSINESS_RULE, "385", "Booking is not known"),
        "unknown_line": Code(BUSINESS_RULE, "98", "Room is not part of the booking"),
        "not_cancellable_by_requester": Code(BUSINESS_RULE, "264", "Reservation cannot be cancelled by you"),
        "quote_expired": Code(BUSINESS_RULE, "193", "Quote has expired, ask again"),
        "quote_changed": Code(BUSINESS_RULE, "193", "Refund has changed, ask again"),
        "amount_above_total": Code(BUSINESS_RULE, "320", "Amount above the total"),
        "deposit_not_covered": Code(BUSINESS_RULE, "371", "Deposit is not covered"),
        "feature_not_available": Code(NO_IMPLEMENTATION, "450", "Not available"),
        "unknown_zone": Code(PROCESSING, "450", "Property has no valid time zone"),
        "payout_stopped": Code(PROCESSING, "187", "Payouts are stopped"),
        "approval_required": Code(BUSINESS_RULE, "258", "A person has to approve this"),
        "reference_bound": Code(BUSINESS_RULE, "127", "Identifier belongs to another booking"),
        "duplicate_identity": Code(BUSINESS_RULE, "450", "Same identifier, different message"),  # 127 would read as: you have it
        "rejected": Code(BUSINESS_RULE, "450", "Unable to process"),
        # the sender and the hub
        "authentication_failed": Code(AUTHENTICATION, "497", "Authorization error"),
        "forbidden": Code(AUTHORISATION, "497", "Not allowed on this channel"),
        "retryable": Code(PROCESSING, "450", "Temporarily unavailable, please retry"),
        "outcome_unknown": Code(PROCESSING, "450", "Outcome not known yet"),
    }
)
_OTHER_RULE: Final = Code(BUSINESS_RULE, "450", "Unable to process")
_OTHER: Final = Code(PROCESSING, "450", "Unable to process")

# Told beside a success; EWT 11 is advisory.
WARNINGS: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "guarantee_scrubbed": Code(ADVISORY, "372", "Card guarantee was not kept"),
        "card_removed": Code(ADVISORY, "372", "A card number was removed"),
        "total_adjusted": Code(ADVISORY, "143", "Rounding difference to the total"),
        "penalties_apply": Code(ADVISORY, "568", "Cancellation penalties apply"),
        "pending": Code(ADVISORY, "450", "Received, not decided yet"),
        "stale": Code(ADVISORY, "450", "Older than what is known"),
    }
)

ERROR_RS: Final[Mapping[str, str]] = MappingProxyType(
    {"message_unknown": "UnrecognizedRoot", "namespace_unknown": "UnrecognizedRoot"}
)
"""OTA_ErrorRS/@ErrorCode of the codes that have one of their own; the others are Malformed."""


def code_of(problem: HubError | str, *, rule: bool = True) -> Code:
    """OTA's type, code and short text for an error, or for a refusal's code. A code that is not listed keeps its kind:
    `rule` says whether it was a rule's no."""
    if isinstance(problem, str):
        return TABLE.get(problem, _OTHER_RULE if rule else _OTHER)
    if problem.code in TABLE:
        return TABLE[problem.code]
    if isinstance(problem, Retryable | OutcomeUnknown):
        return TABLE["retryable" if isinstance(problem, Retryable) else "outcome_unknown"]
    return _OTHER_RULE if isinstance(problem, Rejected) else _OTHER
