"""What goes wrong at a door, as `application/problem+json` (RFC 9457): what, where, which value, and what to do.

Card numbers never stand in it: what a door refuses is scrubbed here, other errors were where they were raised.
"""

from __future__ import annotations

import re
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from schemas.cards import scrub_text
from schemas.errors import HubError, Retryable

PROBLEM: Final = "application/problem+json"
log = structlog.get_logger(__name__)

_STATUS: Final = {
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unknown_tenant": HTTPStatus.FORBIDDEN,
    "unknown_merchant": HTTPStatus.FORBIDDEN,
    "duplicate_identity": HTTPStatus.CONFLICT,
}
_MISSING: Final = re.compile(r"Missing required \w+ parameter '(?P<name>[^']+)'")
"""How the framework says that a parameter was left out; of others it names the argument, `id_` for `id`."""
_WORDS: Final = {401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Problem(HubError):
    """A request that a door refuses with this HTTP status; `extra` members join the answer."""

    def __init__(
        self, status: int, code: str, message: str, *, field: str = "", value: object = "", extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, code=code, field=field, value=value)
        self.status = status
        self.extra = extra or {}


def status_of(code: str, default: int = HTTPStatus.BAD_REQUEST) -> int:
    """The HTTP status of a refusal's code."""
    return _STATUS.get(code, default)


def body_of(status: int, code: str, message: str, *, field: str = "", value: str = "", **extra: Any) -> dict[str, Any]:
    """The members of a problem."""
    told = {"title": HTTPStatus(status).phrase, "status": status, "code": code, "field": field, "value": value, "message": message}
    return {**told, **extra}


def respond(status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> Response[bytes]:
    """A problem as an answer."""
    return Response(msgspec.json.encode(content), status_code=status, media_type=PROBLEM, headers=headers or {})


def on_problem(_request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A door said no."""
    headers = {"www-authenticate": 'Bearer realm="foliohub"'} if problem.status == HTTPStatus.UNAUTHORIZED else None
    message, value = scrub_text(problem.message)[0], scrub_text(problem.value)[0]
    told = body_of(problem.status, problem.code, message, field=problem.field, value=value, **problem.extra)
    return respond(problem.status, told, headers)


def on_retryable(_request: Request[Any, Any, Any], problem: Retryable) -> Response[bytes]:
    """The store is away: nothing was taken, send it again."""
    log.warning("door_closed", code=problem.code, reason=problem.message)
    told = body_of(503, problem.code, "the hub cannot store anything at this moment: nothing was taken, send it again")
    return respond(503, told, {"retry-after": "2"})


def on_http(request: Request[Any, Any, Any], problem: HTTPException) -> Response[bytes]:
    """What the framework refuses: no such path, no such method, parameters that do not fit."""
    status = problem.status_code
    code = _WORDS.get(status, "bad_request" if status < 500 else "internal")
    extra = problem.extra if isinstance(problem.extra, list) else []
    first = extra[0] if extra and isinstance(extra[0], dict) else {}
    message = str(first.get("message") or (problem.detail if status < 500 else "something is wrong in the hub; it is logged"))
    missing = _MISSING.match(str(problem.detail))
    field = missing["name"] if missing else str(first.get("key", "")).rstrip("_")
    value = scrub_text(", ".join(request.query_params.getall(field, [])))[0][:500]
    if words := _words_of(request, str(first.get("key", ""))):
        message = f"it is one of {', '.join(words)}"
    return respond(
        status, body_of(status, code, scrub_text(message)[0][:500], field=field, value=value), dict(problem.headers or {})
    )


def _words_of(request: Request[Any, Any, Any], argument: str) -> list[str]:
    """The words that a parameter takes, where it takes some alone."""
    handler = request.scope.get("route_handler")
    parameter = handler.parsed_fn_signature.parameters.get(argument) if handler is not None else None
    kinds = (parameter.annotation, *[one.annotation for one in parameter.inner_types]) if parameter is not None else ()
    words = [word.value for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum) for word in kind]
    return words or (["true", "false"] if bool in kinds else [])


def on_defect(request: Request[Any, Any, Any], failure: Exception) -> Response[bytes]:
    """A defect of ours: logged in full, told in one line."""
    log.error("gateway_failed", path=request.scope["path"], exc_info=failure)
    return respond(500, body_of(500, "internal", "something is wrong in the hub; it is logged"))
