"""GET and POST /psp/ogone/{merchant}: a provider's callbacks. Verified on the raw bytes, stored, then acknowledged; never believed.

A callback causes the query that settles; what it says decides nothing. Who cannot sign learns nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from litestar import Request, Response, get, post
from litestar.params import FromPath
from prometheus_client import Counter

from connectors.psp.ogone import callback, form
from connectors.psp.ogone.account import OgoneAccount
from console.gateway import described
from console.gateway.bodies import read_body
from console.gateway.desk import Desk
from console.gateway.messages import desk_of
from console.gateway.problems import Problem
from engine.opening import scrubbed
from engine.transport.contract import Arrival, Taken
from schemas import registry
from schemas.common import Actor, ActorKind
from schemas.envelope import type_of
from schemas.errors import Undecodable
from schemas.payment import ProviderNotified

_NAME: Final = "provider.notified"
log = structlog.get_logger(__name__)
callbacks = Counter("foliohub_callbacks_total", "Callbacks of payment providers", ("merchant", "taken"))


@get("/psp/ogone/{merchant:str}", media_type="text/plain", tags=["providers"], summary="A callback in the query string")
async def get_callback(request: Request[Any, Any, Any], merchant: FromPath[str]) -> Response[bytes]:
    """Direct HTTP feedback by GET: everything stands in the query string."""
    return await _taken(request, merchant, bytes(request.scope["query_string"]))


@post(
    "/psp/ogone/{merchant:str}", status_code=200, media_type="text/plain", tags=["providers"], operation_class=described.Form,
    summary="A callback in a form",
)  # fmt: skip
async def post_callback(request: Request[Any, Any, Any], merchant: FromPath[str]) -> Response[bytes]:
    """The same by POST. At most 64 KiB."""
    body = await read_body(request, form.MAX_TEXT)
    return await _taken(request, merchant, body or bytes(request.scope["query_string"]))


async def _taken(request: Request[Any, Any, Any], merchant: str, raw: bytes) -> Response[bytes]:
    desk = desk_of(request)
    accounts: Mapping[str, OgoneAccount] = request.app.state["accounts"]
    account = accounts.get(merchant)
    if account is None:
        raise Problem(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")
    try:
        values = callback.verify(raw, account)
    except callback.WrongSignature as wrong:
        callbacks.labels(merchant, "wrong_signature").inc()
        log.warning("callback_refused", merchant=merchant, differs=wrong.differs, reason=wrong.reason)
        raise Problem(HTTPStatus.FORBIDDEN, "forbidden", "the sender could not be verified") from None
    except Undecodable as wrong:
        callbacks.labels(merchant, "undecodable").inc()
        log.warning("callback_undecodable", merchant=merchant, code=wrong.code, field=wrong.field)
        await _keep(desk, merchant, raw, wrong)
        raise Problem(HTTPStatus.BAD_REQUEST, wrong.code, "this is no callback that can be read", field=wrong.field) from None
    if values.scrubbed:
        scrubbed.inc()
        log.warning("callback_scrubbed", merchant=merchant, fields=values.scrubbed)
    receipt = (await desk.append([_arrival(desk, values)]))[0]
    callbacks.labels(merchant, receipt.taken.value).inc()
    if receipt.taken in (Taken.DEAD, Taken.CONFLICT):
        log.error("callback_kept", merchant=merchant, code=receipt.code, field=receipt.field, dead_letter=receipt.dead_letter)
    return Response(b"OK", media_type="text/plain")


def _arrival(desk: Desk, values: callback.CallbackValues) -> Arrival:
    """A callback has no id: its identity is a digest of what was signed, so the same one twice is the same message."""
    tenant = desk.hub.configuration.merchants[values.merchant].tenant
    message = ProviderNotified(
        actor=Actor(kind=ActorKind.SYSTEM, id="ogone"),
        provider="ogone",
        merchant=values.merchant,
        provider_reference=values.reference,
        order=values.order,
        status=values.status,
        raw=dict(values.fields),
    )
    attributes = {
        "specversion": "1.0",
        "id": values.identity,
        "source": f"psp.ogone.{values.merchant}",
        "type": type_of(_NAME),
        "tenant": tenant,
    }
    door = f"psp:ogone:{values.merchant}"
    return Arrival(door=door, body=registry.encode(message), attributes=attributes, tenants=frozenset({tenant}))


async def _keep(desk: Desk, merchant: str, raw: bytes, wrong: Undecodable) -> None:
    """Only what was signed is kept: an amount that is none. Anyone can send the rest."""
    if wrong.code == "amount_not_a_number":
        tenant = desk.hub.configuration.merchants[merchant].tenant
        letter = Arrival(
            door=f"psp:ogone:{merchant}", body=raw, content_type="application/x-www-form-urlencoded", tenants=frozenset({tenant})
        )
        await desk.run(desk.hub.intake.keep, letter, tenant, wrong)
