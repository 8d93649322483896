"""/health, /ready, /metrics: whether the process lives, whether it can take and decide, and what it counts. No key is wanted."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from console.gateway.desk import Desk
from console.gateway.messages import answer_json, desk_of
from engine.store.listing import effects_open
from schemas.errors import HubError

_PATIENCE_S: Final = 2.0
waiting = Gauge("foliohub_messages_waiting", "Messages that were taken and are not decided yet")
unpublished = Gauge("foliohub_outcomes_unpublished", "Outcomes that the broker has yet to confirm")
unsettled = Gauge("foliohub_unsettled", "What is not as it should end", ("what",))
effects = Gauge("foliohub_effects", "Requests to providers that are not final, by state", ("state",))


@get("/health", tags=["status"], summary="Alive")
async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@get("/ready", tags=["status"], summary="Able to take and decide messages")
async def ready(request: Request[Any, Any, Any]) -> Response[bytes]:
    """200 when the store can be written and every thread runs; 503 with what is missing."""
    desk = desk_of(request)
    problems: dict[str, str] = {"lanes": "not started"} if desk.serving is None else desk.serving.problems()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await desk.run(desk.hub.database.probe)
    except (TimeoutError, HubError) as away:
        problems["store"] = getattr(away, "code", "does not answer")
    broker = desk.serving.broker_connected() if desk.serving is not None else None
    told: dict[str, Any] = {"status": "not ready" if problems else "ready", "problems": problems}
    if broker is not None:
        told["broker"] = "connected" if broker else "away: outcomes and messages wait"
    return answer_json(HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK, told)


@get("/metrics", media_type="text/plain", tags=["status"], summary="Prometheus metrics")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Counters of this process, and what stands in the store at this moment."""
    desk = desk_of(request)
    await desk.run(_measure, desk)
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})


def _measure(desk: Desk) -> None:
    reading = desk.hub.reading
    waiting.set(desk.hub.store.waiting_count())
    unpublished.set(reading.unpublished_count())
    for what, count in reading.unsettled().items():
        unsettled.labels(what).set(count)
    effects.clear()
    for state, count in effects_open(reading).items():
        effects.labels(state).set(count)
