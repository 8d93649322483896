"""What the simulated provider writes: `<ncresponse>` bytes and signed callback forms. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.sax.saxutils import quoteattr

import msgspec

from connectors.psp.ogone import codec, codes, signature
from connectors.psp.ogone.account import LevelAmounts
from connectors.psp.ogone.simulator.accounts import SimulatorAccount
from connectors.psp.ogone.simulator.books import Operation, Payment
from connectors.psp.ogone.simulator.script import Answering
from schemas.effect import RecordKind, Result

CONTENT_TYPE = "text/xml; charset=iso-8859-1"
_ACCEPTANCE = "test123"


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back for one request: `answering` says how, `after_s` when."""

    body: bytes = b""
    answering: Answering = Answering.NORMAL
    after_s: float = 0
    http_status: int = 200
    content_type: str = CONTENT_TYPE

    @property
    def silent(self) -> bool:
        """Whether whoever asked gets no whole answer, however long it waits."""
        return self.answering in (Answering.SILENCE, Answering.CUT, Answering.DRIP, Answering.RESET)


def ncresponse(attributes: Mapping[str, str]) -> bytes:
    """The provider's XML, without an encoding of its own: the header names it."""
    lines = "\n".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    return f'<?xml version="1.0"?>\n<ncresponse\n{lines}>\n</ncresponse>'.encode("iso-8859-1", "xmlcharrefreplace")


def failure(order_id: str, payid: str, ncerror: str, plus: str, status: str = "0") -> bytes:
    """An answer that speaks of the call alone."""
    return ncresponse(
        {
            "orderID": order_id,
            "PAYID": payid or "0",
            "NCSTATUS": ncerror[:1] or "0",
            "NCERROR": ncerror or "0",
            "NCERRORPLUS": plus,
            "ACCEPTANCE": "",
            "STATUS": status,
            "amount": "",
            "currency": "",
        }
    )


def success(payment: Payment, level: int | None, status: str, minor: int) -> bytes:
    """An answer about one operation; `level` None leaves PAYIDSUB out."""
    _, result = codes.status_meaning(status)
    return ncresponse(
        {
            "orderID": payment.order_id,
            "PAYID": payment.payid,
            **({} if level is None else {"PAYIDSUB": str(level)}),
            "NCSTATUS": "3" if result is Result.REFUSED else "0",
            "NCERROR": "30001001" if result is Result.REFUSED else "0",
            "NCERRORPLUS": "!",
            "ACCEPTANCE": _ACCEPTANCE if result is Result.CONFIRMED else "",
            "STATUS": status,
            "amount": codec.shown_amount(minor, payment.currency),
            "currency": payment.currency,
        }
    )


def level_answer(payment: Payment, operation: Operation, history: Sequence[Operation], shown: LevelAmounts, said: bool) -> bytes:
    """A query's answer about one level. NCERROR stays 0 whatever the level's status: it speaks of the query."""
    minor = operation.minor
    if shown is LevelAmounts.CUMULATED:
        kind = kind_of(operation)
        minor += sum(o.minor for o in history if o.level < operation.level and kind_of(o) is kind and stands(o))
    return ncresponse(
        {
            "orderID": payment.order_id,
            "PAYID": payment.payid,
            **({"PAYIDSUB": str(operation.level)} if said else {}),
            "NCSTATUS": "0",
            "NCERROR": "",
            "NCERRORPLUS": "",
            "ACCEPTANCE": _ACCEPTANCE,
            "STATUS": operation.status,
            "ECI": "7",
            "amount": codec.shown_amount(minor, payment.currency),
            "currency": payment.currency,
            "PM": "CreditCard",
            "BRAND": "VISA",
            "CARDNO": "XXXXXXXXXXXX1111",
        }
    )


def kind_of(operation: Operation) -> RecordKind:
    """What an operation's status says it is."""
    return codes.status_meaning(operation.status)[0]


def stands(operation: Operation) -> bool:
    """Whether an operation counts: neither refused nor reversed."""
    return codes.status_meaning(operation.status)[1] not in (Result.REFUSED, Result.REVERSED)


def callback_form(account: SimulatorAccount, payment: Payment, operation: Operation, at_ms: int) -> bytes:
    """A signed callback about one level, percent-encoded in the account's feedback charset."""
    _, result = codes.status_meaning(operation.status)
    fields = {
        "orderID": payment.order_id,
        "currency": payment.currency,
        "amount": codec.shown_amount(operation.minor, payment.currency),
        "PM": "CreditCard",
        "ACCEPTANCE": _ACCEPTANCE if result is Result.CONFIRMED else "",
        "STATUS": operation.status,
        "CARDNO": "XXXXXXXXXXXX1111",
        "ED": "1230",
        "CN": account.holder,
        "TRXDATE": datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%m/%d/%y"),
        "PAYID": payment.payid,
        "PAYIDSUB": str(operation.level),
        "NCERROR": "30001001" if result is Result.REFUSED else "0",
        "BRAND": "VISA",
    }
    fields["SHASIGN"] = signature.sign(fields, account.sha_out, account.signs_out)
    charset = account.feedback_charset or account.charset
    return urlencode(list(fields.items()), encoding=charset.value, errors="xmlcharrefreplace").encode("ascii")
