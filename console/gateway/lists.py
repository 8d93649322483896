"""GET /balance-requests and GET /vouchers: what a merchant looks after, by queue, a page at a time, and what he charges an answered
request by, for one tenant's key."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, ParamSpec, TypeVar

import structlog
from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from console.gateway import described
from console.gateway.callers import caller
from console.gateway.messages import answer_json, desk_of
from console.gateway.problems import Problem
from engine import balances, vouchers
from engine.collectable import Collectable, collectable
from engine.pages import MOST, BadAfter, Page
from engine.settled import Settled, check_property
from engine.store.reading import Reading
from schemas.balance_request import BalanceStatus
from schemas.errors import HubError, Retryable
from schemas.voucher import VoucherStatus

After = Annotated[str, QueryParameter(max_length=1000, description="`next` of the last answer; empty: from the beginning")]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="at most so many")]
Property = Annotated[str, QueryParameter(name="property", max_length=64, description="only of this property")]
P = ParamSpec("P")
T = TypeVar("T")
_NOTHING_TO_CHARGE: Final = {"unknown_request": HTTPStatus.NOT_FOUND, "wrong_queue": HTTPStatus.CONFLICT}
log = structlog.get_logger(__name__)


@get("/balance-requests", responses=described.BALANCE_REQUESTS, tags=["lists"], summary="Balance requests by queue")
async def get_balance_requests(
    request: Request[Any, Any, Any],
    queue: Annotated[BalanceStatus | None, QueryParameter(description="left out: the three that are live")] = None,
    overdue: Annotated[bool | None, QueryParameter(description="only those whose deadline is over, or only others")] = None,
    suspended: Annotated[
        bool | None, QueryParameter(description="only those of which nothing is asked for now, or only others")
    ] = None,
    property_: Property = "",
    after: After = "",
    limit: Limit = 100,
) -> Response[bytes]:
    """Those of the key's tenant, the earliest deadline first (S1-12). Ask again with `next` until it is empty; a page may hold fewer than
    `limit`, or none, before that. What moves meanwhile may be met twice or passed over."""
    desk = desk_of(request)
    key = await caller(request, desk, "read")
    wanted = balances.Wanted(queue=queue, overdue=overdue, suspended=suspended, property=property_)
    hub = desk.hub
    _check_property(hub.settled, key.tenant, property_)
    found = await desk.run(
        paged, balances.page, hub.reading, hub.settled, hub.clock.now(), key.tenant, wanted, after=after, limit=limit
    )
    return answer_json(HTTPStatus.OK, {"balance_requests": found.entries, "next": found.next})


@get(
    "/balance-requests/{balance_request:str}/payment",
    responses=described.COLLECTABLE,
    tags=["lists"],
    summary="What a merchant charges an answered balance request by",
)
async def get_balance_payment(request: Request[Any, Any, Any], balance_request: FromPath[str]) -> Response[bytes]:
    """ "Get Payment" (S1-21, S1-28): the live attempt with its token and mandate, for keys of operators alone; never a card number. Who
    has fetched it is logged."""
    desk = desk_of(request)
    key = await caller(request, desk, "operator")
    found = await desk.run(_collectable, desk.hub.reading, key.tenant, balance_request)
    log.info("balance_payment_fetched", key=key.id, tenant=key.tenant, folio=found.folio, request=found.request)
    answer = answer_json(HTTPStatus.OK, found)
    answer.headers["cache-control"] = "no-store"
    return answer


def _collectable(reading: Reading, tenant: str, request: str) -> Collectable:
    try:
        return collectable(reading, tenant, request)
    except Retryable:
        raise
    except HubError as wrong:
        raise Problem(_NOTHING_TO_CHARGE[wrong.code], wrong.code, wrong.message, field=wrong.field, value=wrong.value) from wrong


@get("/vouchers", responses=described.VOUCHERS, tags=["lists"], summary="Vouchers, for the merchant's control")
async def get_vouchers(
    request: Request[Any, Any, Any],
    status: Annotated[VoucherStatus | None, QueryParameter(description="what a booking says of it")] = None,
    to_check: Annotated[bool, QueryParameter(description="only those that wait for the merchant's check")] = False,
    flagged: Annotated[bool | None, QueryParameter(description="only those with a warning, or only others")] = None,
    property_: Property = "",
    after: After = "",
    limit: Limit = 100,
) -> Response[bytes]:
    """Those of the key's tenant by number, on each booking that has them, and those that are on none yet (S0-18). Ask again with `next`
    until it is empty."""
    desk = desk_of(request)
    key = await caller(request, desk, "read")
    wanted = vouchers.Wanted(status=status, to_check=to_check, flagged=flagged, property=property_)
    _check_property(desk.hub.settled, key.tenant, property_)
    found = await desk.run(paged, vouchers.page, desk.hub.reading, key.tenant, wanted, after=after, limit=limit)
    return answer_json(HTTPStatus.OK, {"vouchers": found.entries, "next": found.next})


def _check_property(settled: Settled, tenant: str, property_: str) -> None:
    """X-12. Raises Problem `unknown_property`."""
    try:
        check_property(settled, tenant, property_)
    except HubError as wrong:
        raise Problem(HTTPStatus.NOT_FOUND, wrong.code, wrong.message, field=wrong.field, value=wrong.value) from wrong


def paged(page: Callable[P, Page[T]], *args: P.args, **kwargs: P.kwargs) -> Page[T]:
    """A page of a list. Raises Problem `bad_after`."""
    try:
        return page(*args, **kwargs)
    except BadAfter as bad:
        raise Problem(HTTPStatus.BAD_REQUEST, bad.code, bad.message, field=bad.field, value=bad.value) from None
