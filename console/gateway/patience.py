"""Connections that say nothing whole: closed after a while, so that whoever holds many open keeps nobody out. Bodies count for
themselves (see `bodies`).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 20.0


class Patient(H11Protocol):
    """uvicorn's own, but that a request's head has `head_s` seconds, however many bytes of it trickle in; and so has what a sender goes
    on sending after its answer."""

    head_s: float = HEAD_S
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """No answer is being made: the time of the next head runs, from the first byte on."""
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        if cycle is not None and not cycle.response_complete:
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(self.head_s, self.transport.close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def patient(head_s: float) -> type[Patient]:
    """The protocol with this many seconds for a head."""
    return type("Patient", (Patient,), {"head_s": head_s})
