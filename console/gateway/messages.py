"""POST /messages and GET /messages: CloudEvents in, and what became of them.

202 says that the message is durable, nothing more; with `?wait=` the outcomes are the answer, if they are there in time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import unquote
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import QueryParameter

from console.gateway import described
from console.gateway.bodies import read_body
from console.gateway.callers import caller
from console.gateway.desk import Desk
from console.gateway.problems import PROBLEM, Problem, body_of, status_of
from engine import cloudevents
from engine.cloudevents import time_of
from engine.keys import DoorKey
from engine.opening import STRUCTURED
from engine.store.rows import OutboxRow
from engine.transport.contract import Arrival, Receipt, Taken
from schemas.envelope import message_id, name_of
from schemas.errors import Undecodable
from schemas.registry import OPERATORS

BATCH: Final = "application/cloudevents-batch+json"
MOST_EVENTS: Final = 1000
_WAIT = re.compile(r"([0-9]{1,6})(ms|s)")


def desk_of(request: Request[Any, Any, Any]) -> Desk:
    """The desk that the application was made with."""
    desk: Desk = request.app.state["desk"]
    return desk


def wait_of(text: str, most_s: float) -> float:
    """Seconds of `2s` or `500ms`, at most `most_s`. Raises Problem 400."""
    if not text:
        return 0.0
    match = _WAIT.fullmatch(text)
    if match is None:
        raise Problem(HTTPStatus.BAD_REQUEST, "bad_wait", "wait is a number with s or ms: 2s, 500ms", field="wait", value=text)
    return min(int(match[1]) / (1000 if match[2] == "ms" else 1), most_s)


def answer_json(status: int, content: object, media_type: str = "application/json") -> Response[bytes]:
    """JSON as bytes; stored bodies go through unchanged."""
    return Response(msgspec.json.encode(content), status_code=status, media_type=media_type)


@post(
    "/messages", status_code=202, operation_class=described.Messages, responses=described.POSTED, tags=["messages"],
    summary="Bring messages", description=described.POST_MESSAGES,
)  # fmt: skip
async def post_messages(
    request: Request[Any, Any, Any],
    wait: Annotated[str, QueryParameter(description="`2s`, `500ms`: answer with the outcomes if they are there in time")] = "",
) -> Response[bytes]:
    """One message in binary or structured mode, or a batch."""
    desk = desk_of(request)
    key = await caller(request, desk, "messages")
    http = desk.hub.configuration.http
    wait_s = wait_of(wait, http.wait_s)
    body = await read_body(request, http.max_body_bytes)
    content_type = request.headers.get("content-type", "")
    batch = content_type.partition(";")[0].strip().lower() == BATCH
    arrivals = await _arrivals(request, desk, key, content_type, body, batch=batch)
    for arrival in arrivals:
        _check_operator(arrival, key)
    receipts = await desk.append(arrivals)
    if not batch:
        return await _one(desk, receipts[0], wait_s)
    until = time.monotonic() + wait_s
    told = [await _told(desk, receipt, max(until - time.monotonic(), 0.001) if wait_s else 0) for receipt in receipts]
    bad = any(status >= HTTPStatus.BAD_REQUEST for status, _ in told)
    status = HTTPStatus.MULTI_STATUS if bad else max((status for status, _ in told), default=HTTPStatus.ACCEPTED)
    return answer_json(status, {"receipts": [one for _, one in told]})


async def _arrivals(
    request: Request[Any, Any, Any], desk: Desk, key: DoorKey, content_type: str, body: bytes, *, batch: bool
) -> list[Arrival]:
    door, tenants = f"http:{key.id}", frozenset({key.tenant})
    if not batch:
        attributes = _attributes(request) if content_type.partition(";")[0].strip().lower() != STRUCTURED else {}
        return [Arrival(door=door, body=body, attributes=attributes, content_type=content_type, tenants=tenants)]
    wrong = None
    try:
        events = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        wrong = Undecodable(f"not a JSON array of CloudEvents: {error}", code="not_a_batch", field="body")
    else:
        if len(events) > MOST_EVENTS:
            text = f"a batch has at most {MOST_EVENTS} events, this one has {len(events)}"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_events", text, field="body", value=len(events))
    if wrong is not None:
        receipt = await desk.run(
            desk.hub.intake.keep, Arrival(door=door, body=body, content_type=content_type, tenants=tenants), key.tenant, wrong
        )
        raise Problem(
            HTTPStatus.BAD_REQUEST, wrong.code, wrong.message, field=wrong.field, extra={"dead_letter": receipt.dead_letter}
        )
    return [Arrival(door=door, body=bytes(event), content_type=STRUCTURED, tenants=tenants) for event in events]


def _attributes(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Attributes of binary mode: `ce-` headers, percent-decoded (CloudEvents HTTP binding, 3.1.3). Raises Problem for one twice."""
    found: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        if not name.startswith("ce-") and name != "traceparent":
            continue
        name = name.removeprefix("ce-")
        if name in found:
            raise Problem(HTTPStatus.BAD_REQUEST, "repeated_header", f"header ce-{name} comes twice", field=name[:60])
        found[name] = unquote(raw_value.decode("latin-1"))
    return found


def _check_operator(arrival: Arrival, key: DoorKey) -> None:
    """Raises Problem 403 for an operator's word from another key. What cannot be read is for the intake to refuse."""
    type_: object = arrival.attributes.get("type", "")
    if arrival.content_type.partition(";")[0].strip().lower() == STRUCTURED:
        try:
            event = msgspec.json.decode(arrival.body, type=dict[str, msgspec.Raw])
            type_ = msgspec.json.decode(event.get("type", msgspec.Raw(b'""')))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
    if isinstance(type_, str) and name_of(type_) in OPERATORS and not key.may("operator"):
        text = f"{type_} wants a key of scope operator, this one is for {key.scope}"
        raise Problem(HTTPStatus.FORBIDDEN, "forbidden_type", text, field="type", value=type_)


async def _one(desk: Desk, receipt: Receipt, wait_s: float) -> Response[bytes]:
    status, told = await _told(desk, receipt, wait_s)
    return answer_json(status, told, PROBLEM if status >= HTTPStatus.BAD_REQUEST else "application/json")


async def _told(desk: Desk, receipt: Receipt, wait_s: float) -> tuple[int, dict[str, Any]]:
    """Status and answer for one receipt. A repeated message gets the stored first answer, whether it waits or not."""
    base = {"id": receipt.id, "taken": receipt.taken.value, "message": receipt.message, "warnings": receipt.warnings}
    if receipt.taken is Taken.DEAD:
        status = status_of(receipt.code)
        return status, _refusal(status, receipt)
    if receipt.taken is Taken.CONFLICT:
        return HTTPStatus.CONFLICT, _refusal(HTTPStatus.CONFLICT, receipt)
    rows = await desk.outcomes(receipt.message, wait_s) if wait_s or receipt.taken is Taken.DUPLICATE else None
    if rows is None:
        return HTTPStatus.ACCEPTED, base
    if not rows:
        results = await desk.run(_results, desk, UUID(receipt.message).bytes)
        if "queued" in results:
            return HTTPStatus.ACCEPTED, {**base, "results": results}
        return HTTPStatus.OK, {**base, "results": results, "outcomes": []}
    return HTTPStatus.OK, {**base, "outcomes": [cloudevents.event(row) for row in rows]}


def _refusal(status: int, receipt: Receipt) -> dict[str, Any]:
    extra = {"dead_letter": receipt.dead_letter} if receipt.dead_letter else {}
    return body_of(
        status, receipt.code, receipt.reason, field=receipt.field, value=receipt.value, id=receipt.id, taken=receipt.taken.value,
        warnings=receipt.warnings, **extra,
    )  # fmt: skip


def _results(desk: Desk, message: bytes) -> list[str]:
    """stale, queued, ...: how the decisions about a message ended that led to nothing."""
    return [row["result"] for row in desk.hub.reading.fates(message)]


@get("/messages", responses=described.FOUND, tags=["messages"], summary="What became of a message")
async def get_message(
    request: Request[Any, Any, Any],
    source: Annotated[str, QueryParameter(min_length=1, max_length=200, description="the `source` it was sent with")],
    id_: Annotated[str, QueryParameter(name="id", min_length=1, max_length=64, description="the `id` it was sent with")],
) -> Response[bytes]:
    """Every decision about a message and the outcomes it led to; 404 when nobody sent it for this key's tenant."""
    desk = desk_of(request)
    key = await caller(request, desk, "messages", "read")
    told = await desk.run(_became, desk, key.tenant, source, id_)
    if told is None:
        text = f"no message {id_!r} of {source!r} is known: nothing was taken under that identity"
        raise Problem(HTTPStatus.NOT_FOUND, "unknown_message", text, field="id", value=id_)
    return answer_json(HTTPStatus.OK, told)


def _became(desk: Desk, tenant: str, source: str, id_: str) -> dict[str, Any] | None:
    message = UUID(message_id(tenant, source, id_))
    reading = desk.hub.reading
    decisions = reading.fates(message.bytes)
    if not decisions:
        waiting = reading.waiting(message.bytes)
        if waiting is None:
            return None
        about = {"type": waiting["name"], "received_at": time_of(waiting["received_at"])}
        return {"id": id_, "source": source, "message": str(message), **about, "status": "waiting", "decisions": [], "outcomes": []}
    outcomes: Sequence[OutboxRow] = reading.outcomes_of([row["seq"] for row in decisions])
    return {
        "id": id_,
        "source": source,
        "message": str(message),
        "type": decisions[0]["name"],
        "received_at": time_of(decisions[0]["received_at"]),
        "status": decisions[-1]["result"],
        "decisions": [_decision(row) for row in decisions],
        "outcomes": [cloudevents.event(row) for row in outcomes],
    }


def _decision(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "decision": row["seq"],
        "key": f"{row['kind']}:{row['key']}".replace("\x1f", "/"),
        "type": row["name"],
        "result": row["result"],
        "decided_at": time_of(row["decided_at"]),
        "judged_at": time_of(row["act"]),
        "record": msgspec.Raw(row["record"]),
    }
