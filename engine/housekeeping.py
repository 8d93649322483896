"""What grows old: identities beyond their days (X-1), keys of dead letters beyond theirs, and copies of keys that were destroyed."""

from __future__ import annotations

import threading
from typing import Final

import structlog

from engine.clock import instant
from engine.hub import Hub
from engine.letters import DEAD_LETTERS
from engine.store.contract import StoreAway

EVERY_S: Final = 3600.0
_DAY_US: Final = 24 * 3600 * 1_000_000
_AGAIN_S: Final = 5.0
_PAUSE_S: Final = 0.02  # between two pieces of what is dropped: others write meanwhile

log = structlog.get_logger(__name__)


class Housekeeping:
    """Runs in one thread until `stop`: once at the start, then every hour."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._stopping = threading.Event()

    def run(self) -> None:
        wait_s = 1.0
        while not self._stopping.wait(wait_s):
            try:
                self.once()
                wait_s = EVERY_S
            except StoreAway as away:
                log.warning("store_away", during="housekeeping", reason=away.message)
                wait_s = _AGAIN_S

    def stop(self) -> None:
        """`run` returns at once."""
        self._stopping.set()

    def once(self) -> None:
        """Everything that is due now."""
        settings, now = self._hub.configuration.hub, self._hub.clock.now()
        self._hub.store.drop_slices(now - settings.inbox_days * _DAY_US, lambda: not self._stopping.wait(_PAUSE_S))
        oldest = instant(now - settings.dead_letter_days * _DAY_US)
        destroyed = self._hub.shelf.destroy_keys(DEAD_LETTERS, f"{DEAD_LETTERS}{oldest:%Y-%m}")
        for tenant, subject in destroyed:
            self._hub.vault.forget(tenant, subject)
        if destroyed:
            log.info("dead_letter_keys_destroyed", months=len(destroyed))
            self._hub.shred()
