"""The notices of a live hub: each of a few threads takes one at a time, hands it in, and stores what came of it."""

from __future__ import annotations

import threading
from typing import Final

import structlog

from connectors.mail.codes import Delivery
from engine.hub import Hub
from engine.notices import NoticeRunner
from engine.store.contract import StoreAway
from engine.store.notices import Notice
from schemas.notice import NoticeState

TICK_S: Final = 1.0

log = structlog.get_logger(__name__)


class Carrier:
    """Runs in one thread until `stop`; `run` never raises for what a server or a notice does."""

    def __init__(self, hub: Hub, runner: NoticeRunner) -> None:
        self._hub, self._runner = hub, runner
        self._stopping = False
        self._left: tuple[Notice, Delivery] | None = None  # handed in, and not stored yet
        self.wake = threading.Event()

    def run(self) -> None:
        """One notice after the other, and a wait when none is due."""
        away = False
        while not self._stopping or self._left is not None:
            self.wake.clear()
            try:
                wait_s = self._one()
                away = False
            except StoreAway as error:
                if not away:
                    log.warning("store_away", during="notices", reason=error.message)
                if self._stopping:  # what the server said is lost with us: the notice is in doubt when the lease is over
                    return
                away, wait_s = True, TICK_S
            if wait_s:
                self.wake.wait(wait_s)

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping = True
        self.wake.set()

    def _one(self) -> float:
        """Take one as far as it goes; after how many seconds to look again. Raises StoreAway."""
        if self._left is None:
            taken = self._runner.take()
            if taken is None:
                return self._until_due()
            if taken.state == NoticeState.SENDING:
                self._left = taken, self._runner.hand_in(taken)
        if self._left is not None:
            self._runner.settle(*self._left)
            self._left = None
        self._hub.wake.set()
        return 0.0

    def _until_due(self) -> float:
        """A tick at most: what other processes store may be told late."""
        self._runner.count()
        due = self._runner.next_due()
        return TICK_S if due is None else min(TICK_S, max(0.005, (due - self._hub.clock.now()) / 1_000_000))


def carriers(hub: Hub) -> list[Carrier]:
    """As many as the mail server is to have connections; none where notices wait."""
    return [] if hub.notices is None else [Carrier(hub, hub.notices) for _ in range(hub.notices.connections)]
