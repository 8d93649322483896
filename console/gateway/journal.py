"""GET /journal: one day of one tenant's book, for accountants."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter

from console.gateway import described
from console.gateway.callers import caller
from console.gateway.desk import Desk
from console.gateway.messages import answer_json, desk_of
from console.gateway.problems import Problem
from engine.journal import MOST, journal_of
from engine.journal_answer import Journal
from schemas.errors import HubError, Retryable


@get("/journal", responses=described.JOURNAL, tags=["journal"], summary="One day of the book, for accountants")
async def get_journal(
    request: Request[Any, Any, Any],
    day: Annotated[str, QueryParameter(max_length=40, description="a day of the property's zone, `2026-05-31`; must be said")] = "",
    property_: Annotated[str, QueryParameter(name="property", max_length=64, description="of this property alone")] = "",
    after: Annotated[int, QueryParameter(ge=0, le=2**62, description="`next` of the last answer; 0: from the beginning")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST, description="at most so many transfers")] = 100,
) -> Response[bytes]:
    """Transfers in the order in which they were booked, with their VAT where it is known, and with the first answer the day's sums, what is
    owed on vouchers, and receipts without a home. Ask again with `next` until it is null: an answer may hold fewer than `limit`, or none,
    before that."""
    desk = desk_of(request)
    key = await caller(request, desk, "read")
    return answer_json(HTTPStatus.OK, await desk.run(_journal, desk, key.tenant, day, property_, after, limit))


def _journal(desk: Desk, tenant: str, day: str, property_: str, after: int, limit: int) -> Journal:
    try:
        return journal_of(desk.hub.reading, desk.hub.settled, tenant, day, property_=property_, after=after, limit=limit)
    except Retryable:
        raise
    except HubError as wrong:
        status = HTTPStatus.NOT_FOUND if wrong.code == "unknown_property" else HTTPStatus.BAD_REQUEST
        raise Problem(status, wrong.code, wrong.message, field=wrong.field, value=wrong.value) from wrong
