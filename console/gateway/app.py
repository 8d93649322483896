"""The HTTP face as one application: every door, how it fails, and what OpenAPI says of it. The server stands in `server`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog
from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Message, Scope
from prometheus_client import Counter

from console.gateway import channels, folios, journal, lists, messages, problems, providers, status
from console.gateway.desk import Desk
from engine.connectors import ogone_accounts
from engine.hub import Hub
from engine.serving import Serving
from schemas.errors import HubError, Retryable

log = structlog.get_logger(__name__)
answered = Counter("foliohub_http_answers_total", "Answers of the HTTP face", ("route", "status"))

HANDLERS = (
    messages.post_messages,
    messages.get_message,
    folios.get_folio,
    folios.get_outcomes,
    lists.get_balance_requests,
    lists.get_balance_payment,
    lists.get_vouchers,
    journal.get_journal,
    channels.post_ota,
    providers.get_callback,
    providers.post_callback,
    status.health,
    status.ready,
    status.metrics,
)


def create_app(hub: Hub, serving: Serving | None = None) -> Litestar:
    """The application on a hub. Raises HubError when a merchant's secrets are missing."""
    desk = Desk(hub, serving)
    return Litestar(
        route_handlers=HANDLERS,
        state=State({"desk": desk, "accounts": ogone_accounts(hub.configuration)}),
        exception_handlers={
            problems.Problem: problems.on_problem,
            Retryable: problems.on_retryable,
            HTTPException: problems.on_http,
            HubError: problems.on_defect,
            Exception: problems.on_defect,
        },
        openapi_config=OpenAPIConfig(
            title="Foliohub",
            version=_version(),
            description="Messages in, outcomes out; the doors of channels and payment providers.",
            path="/schema",
            render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        ),
        before_send=[_count],
        on_startup=[desk.begin],
        on_shutdown=[desk.end],
        request_max_body_size=None,  # every door counts for itself: see `bodies`
        logging_config=None,
    )


async def _count(message: Message, scope: Scope) -> None:
    if message["type"] == "http.response.start":
        route: Any = scope.get("path_template") or "none"
        answered.labels(str(route), str(message["status"])).inc()


def _version() -> str:
    try:
        return version("foliohub")
    except PackageNotFoundError:
        return "0"
