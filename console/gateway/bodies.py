"""Bodies as they come in: counted while they are read, never held beyond the limit, never waited for without end."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from litestar import Request

from console.gateway.problems import Problem

READ_S: Final = 30.0
DRAIN_BYTES: Final = 64 * 1024 * 1024  # of a body that is refused: read on and forgotten, so that its sender hears why
DRAIN_S: Final = 5.0


class TooLarge(Problem):
    """The body is beyond the door's limit."""

    def __init__(self, limit: int, field: str = "body") -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"a body has at most {limit} bytes here", field=field)


async def read_body(request: Request[Any, Any, Any], limit: int) -> bytes:
    """The whole body, at most `limit` bytes. Raises TooLarge, and Problem 408 when it takes longer than 30 s or breaks off."""
    announced = request.headers.get("content-length", "")
    too_large = announced.isdecimal() and int(announced) > limit
    if too_large and "100-continue" in request.headers.get("expect", "").lower():
        raise TooLarge(limit)  # nothing was sent yet
    chunks, size = [], 0
    try:
        async with asyncio.timeout(READ_S):
            while not too_large:
                chunk, more = await _next(request)
                size += len(chunk)
                too_large = size > limit
                chunks.append(chunk)
                if not more:
                    break
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "too_slow", f"a body has to come within {READ_S:g} s", field="body") from None
    if too_large:
        chunks.clear()
        await _drain(request, size)
        raise TooLarge(limit)
    return b"".join(chunks)


async def _next(request: Request[Any, Any, Any]) -> tuple[bytes, bool]:
    event = await request.receive()
    if event["type"] != "http.request":
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "broken_off", "the connection ended before the body", field="body")
    return event["body"], event.get("more_body", False)


async def _drain(request: Request[Any, Any, Any], size: int) -> None:
    """Read on without keeping anything: a connection closed on unread bytes loses the answer with them."""
    try:
        async with asyncio.timeout(DRAIN_S):
            more = size <= DRAIN_BYTES
            while more:
                chunk, more = await _next(request)
                size += len(chunk)
                more = more and size <= DRAIN_BYTES
    except (TimeoutError, Problem):
        return
