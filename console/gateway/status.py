"""/health, /ready, /metrics: whether the process lives, whether it can take and decide, and what it counts. No key is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from console.gateway.desk import Desk
from console.gateway.measured import measure
from console.gateway.messages import answer_json, desk_of
from schemas.errors import HubError

_PATIENCE_S: Final = 2.0


@get("/health", tags=["status"], summary="Alive")
async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@get("/ready", tags=["status"], summary="Able to take and decide messages")
async def ready(request: Request[Any, Any, Any]) -> Response[bytes]:
    """200 when the store can be written, every thread runs, and a process of several has what its roles need; 503 with what is missing."""
    desk = desk_of(request)
    problems: dict[str, str] = {"lanes": "not started"} if desk.serving is None else desk.serving.problems()
    found = await asyncio.gather(_within(desk, _store), _within(desk, _roles))
    for part in found:
        problems |= part
    broker = desk.serving.broker_connected() if desk.serving is not None else None
    told: dict[str, Any] = {"status": "not ready" if problems else "ready", "problems": problems}
    if broker is not None:
        told["broker"] = "connected" if broker else "away: outcomes and messages wait"
    return answer_json(HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK, told)


async def _within(desk: Desk, look: Callable[[Desk], dict[str, str]]) -> dict[str, str]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await desk.run(look, desk)
    except TimeoutError:
        return {"store": "does not answer"}


def _store(desk: Desk) -> dict[str, str]:
    try:
        desk.hub.database.probe()
    except HubError as away:
        return {"store": away.code}
    return {}


def _roles(desk: Desk) -> dict[str, str]:
    return {} if desk.serving is None else desk.serving.unready()


@get("/metrics", media_type="text/plain", tags=["status"], summary="Prometheus metrics")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Counters of this process, and what stands in the store at this moment."""
    desk = desk_of(request)
    await desk.run(measure, desk)
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
