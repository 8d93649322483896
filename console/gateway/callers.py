"""Who asks: the key of a request, and whether it opens this door. Tenants never see one another (X-12)."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request
from prometheus_client import Counter

from console.gateway.desk import Desk
from console.gateway.problems import Problem
from engine.keys import DoorKey

log = structlog.get_logger(__name__)
refused = Counter("foliohub_http_refused_total", "Requests without a key that opens the door", ("door",))


def key_text(request: Request[Any, Any, Any], *, basic: bool = False) -> str:
    """The key that a request carries: Authorization Bearer, X-Api-Key, or the password of HTTP Basic where a door takes it."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if basic and scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return request.headers.get("x-api-key", "").strip()


async def caller(request: Request[Any, Any, Any], desk: Desk, *scopes: str) -> DoorKey:
    """The key of a request, if it opens a door of one of these scopes. Raises Problem 401 without a key, 403 with another's."""
    text = key_text(request)
    key = await desk.run(desk.keys.check, text) if text else None
    if key is None:
        refused.labels(scopes[0]).inc()
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "unauthenticated",
            "a key is wanted: Authorization: Bearer <key>, or X-Api-Key: <key>; `foliohub keys add` makes one",
        )
    if not any(key.may(scope) for scope in scopes):
        refused.labels(scopes[0]).inc()
        log.warning("key_refused", key=key.id, scope=key.scope, wanted=scopes)
        raise Problem(HTTPStatus.FORBIDDEN, "forbidden", f"this key is for {key.scope}, not for {' or '.join(scopes)}")
    return key
