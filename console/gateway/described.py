"""What OpenAPI says of doors whose bodies are not parsed by the framework: their media types, examples and answers, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema

from engine.balances import Asked
from engine.collectable import Collectable
from engine.journal_answer import Journal
from engine.transactions import Recoverable, Transaction
from engine.vouchers import Listed

_EVENT: Final[dict[str, Any]] = {
    "specversion": "1.0", "id": "m-1", "source": "pms.thais", "type": "foliohub.cancellation.request.v1", "tenant": "azur",
    "data": {"actor": {"kind": "guest", "id": "p-77"}, "folio": "B-1001", "request": "R1"},
}  # fmt: skip
POST_MESSAGES: Final = (
    "CloudEvents 1.0: binary mode (`ce-` headers, the body is the data), structured mode (`application/cloudevents+json`) or a batch"
    " (`application/cloudevents-batch+json`, at most 1000 events). 202: stored durably, and will be decided. 200: decided, with its"
    " outcomes. A repeated message gets the stored first answer."
)


class ReceiptView(msgspec.Struct, kw_only=True):
    """A message that was taken. `taken`: accepted or duplicate; `message` is the hub's id of it; `warnings`: what was removed."""

    id: str
    taken: str
    message: str
    warnings: list[str] = []
    outcomes: list[dict[str, Any]] = []


class ProblemView(msgspec.Struct, kw_only=True):
    """What is wrong: a stable code, the field, its value, and what to do (RFC 9457). `dead_letter` names bytes that were kept."""

    title: str
    status: int
    code: str
    field: str
    value: str
    message: str
    dead_letter: str = ""


class BalanceRequestView(Asked, frozen=True, kw_only=True):
    """A balance request of a folio: whether it is live, and each outcome about it."""

    live: bool
    history: list[dict[str, Any]]


class RecoverableView(msgspec.Struct, kw_only=True):
    """What could be given back now: of each payment, of each tender, in all."""

    payments: list[Recoverable]
    tenders: list[Recoverable]
    total: int


class FolioView(msgspec.Struct, kw_only=True):
    """How a folio stands; amounts are minor units of `currency`."""

    folio: str
    status: str
    blocked: str
    currency: str
    sums: dict[str, int]
    not_yet_collected: dict[str, int]
    recoverable: RecoverableView
    if_cancelled_now: dict[str, Any]
    transactions: list[Transaction]
    balance_requests: list[BalanceRequestView]
    vouchers: list[Listed]
    notices: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    state: dict[str, Any]
    outcomes: list[dict[str, Any]]


class BalanceRequestsView(msgspec.Struct, kw_only=True):
    """Balance requests in their order; `next` is `after` of the next page, empty at the end."""

    balance_requests: list[Asked]
    next: str


class VouchersView(msgspec.Struct, kw_only=True):
    """Vouchers in their order; `next` is `after` of the next page, empty at the end."""

    vouchers: list[Listed]
    next: str


def _problems(**words: str) -> dict[int, ResponseSpec]:
    return {
        int(status.removeprefix("s")): ResponseSpec(
            data_container=ProblemView, description=text, media_type="application/problem+json", generate_examples=False
        )
        for status, text in words.items()
    }


_KEYS: Final = _problems(s401="No key that is known", s403="A key that does not open this door, or another tenant")
_CLOSED: Final = _problems(s503="The store is away: nothing was taken, send it again")
POSTED: Final[dict[int, ResponseSpec]] = {
    200: ResponseSpec(data_container=ReceiptView, description="Decided, with its outcomes", generate_examples=False),
    **_problems(
        s400="Not a message; kept as a dead letter", s409="The same identity came before with another body", s413="Too large"
    ),
    **_KEYS,
    **_CLOSED,
}
FOUND: Final[dict[int, ResponseSpec]] = {**_problems(s404="Not known to this key's tenant"), **_KEYS}
JOURNAL: Final[dict[int, ResponseSpec]] = {
    200: ResponseSpec(data_container=Journal, description="The day, or a page of it", generate_examples=False),
    **_problems(s400="A day or a position that is none, or a property is needed"),
    **FOUND,
}


FOLIO: Final[dict[int, ResponseSpec]] = {
    200: ResponseSpec(data_container=FolioView, description="As it stands at this moment", generate_examples=False),
    **FOUND,
}
_LISTED: Final = {**_problems(s400="No such queue or status, or `after` or `limit` that cannot be"), **FOUND}
BALANCE_REQUESTS: Final[dict[int, ResponseSpec]] = {
    200: ResponseSpec(data_container=BalanceRequestsView, description="One page of them", generate_examples=False),
    **_LISTED,
}
COLLECTABLE: Final[dict[int, ResponseSpec]] = {
    200: ResponseSpec(data_container=Collectable, description="The live attempt", generate_examples=False),
    **_problems(s409="It is not answered, or its money has come: there is nothing to charge"),
    **FOUND,
}
VOUCHERS: Final[dict[int, ResponseSpec]] = {
    200: ResponseSpec(data_container=VouchersView, description="One page of them", generate_examples=False),
    **_LISTED,
}


@dataclass
class Messages(Operation):
    """The body of POST /messages."""

    def __post_init__(self) -> None:
        event = Schema(type=OpenAPIType.OBJECT, required=["specversion", "id", "source", "type", "tenant"])
        self.request_body = RequestBody(
            required=True,
            description="A CloudEvent; the data of each type is described by `foliohub schemas`",
            content={
                "application/cloudevents+json": OpenAPIMediaType(schema=event, examples={"one": Example(value=_EVENT)}),
                "application/cloudevents-batch+json": OpenAPIMediaType(
                    schema=Schema(type=OpenAPIType.ARRAY, items=event, max_items=1000)
                ),
                "application/json": OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT)),
            },
        )


@dataclass
class Xml(Operation):
    """The body of a channel's document."""

    def __post_init__(self) -> None:
        text = Schema(type=OpenAPIType.STRING)
        self.request_body = RequestBody(
            required=True,
            description="An OTA document, bare or in SOAP 1.1 or 1.2",
            content={"text/xml": OpenAPIMediaType(schema=text), "application/soap+xml": OpenAPIMediaType(schema=text)},
        )


@dataclass
class Form(Operation):
    """The body of a provider's callback."""

    def __post_init__(self) -> None:
        self.request_body = RequestBody(
            description="What the provider signed",
            content={"application/x-www-form-urlencoded": OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))},
        )
