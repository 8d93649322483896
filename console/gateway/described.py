"""What OpenAPI says of doors whose bodies are not parsed by the framework: their media types, examples and answers, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema

from engine.journal_answer import Journal

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
