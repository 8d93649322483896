"""GET /folios/{id} and GET /outcomes: how an account stands, and the stream of what was decided, for one tenant's key."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from console.gateway import described
from console.gateway.callers import caller
from console.gateway.desk import Desk
from console.gateway.messages import answer_json, desk_of
from console.gateway.problems import Problem
from engine import cloudevents
from engine.standing import standing

_FOLIOS: Final = "/folios/"


@get("/folios/{folio:path}", responses=described.FOLIO, tags=["folios"], summary="How a folio stands")
async def get_folio(request: Request[Any, Any, Any], folio: FromPath[str]) -> Response[bytes]:
    """Sums in minor units, what moved, what could be given back now, what is asked for, what cancelling now would give, state without
    personal data, and outcomes."""
    desk = desk_of(request)
    key = await caller(request, desk, "read")
    name = _named(request, folio)
    told = await desk.run(standing, desk.hub, key.tenant, name)
    if told is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown_folio", "no folio of that id is known", field="folio", value=name)
    return answer_json(HTTPStatus.OK, told)


def _named(request: Request[Any, Any, Any], folio: str) -> str:
    """The id as it was sent, with its slashes: the router puts one before a path, and drops those that are doubled or last."""
    sent = unquote_to_bytes(request.scope["raw_path"]).decode(errors="replace")
    return sent.removeprefix(_FOLIOS) if sent.startswith(_FOLIOS) else folio.removeprefix("/")


@get("/outcomes", responses=described.FOUND, tags=["outcomes"], summary="Outcomes as a stream")
async def get_outcomes(
    request: Request[Any, Any, Any],
    after: Annotated[int, QueryParameter(ge=0, le=2**62, description="`next` of the last answer; 0: from the beginning")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000, description="at most so many")] = 100,
) -> Response[bytes]:
    """Every outcome of the key's tenant in the order of the decisions; ask again with `next`, which stands still at the end, and only
    there: an answer may hold fewer than `limit`, or none, before it."""
    desk = desk_of(request)
    key = await caller(request, desk, "read")
    return answer_json(HTTPStatus.OK, await desk.run(_outcomes, desk, key.tenant, after, limit))


def _outcomes(desk: Desk, tenant: str, after: int, limit: int) -> dict[str, Any]:
    rows, next_ = desk.hub.reading.stream_of(tenant, after, limit)
    events = [{**cloudevents.event(row), "position": row.seq} for row in rows]
    return {"outcomes": events, "next": next_}
