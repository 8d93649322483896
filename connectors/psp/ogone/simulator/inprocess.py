"""The simulated provider without HTTP, behind the connector's own wire: for dry runs and worlds that run from a seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from connectors.psp.contract import Deadline
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.wire import Answered, Lapsed, Silent


class InProcessWire:
    """Gives a provider's answers to an `OgoneConnector`, at the clock's time. What would come after the deadline is silence;
    no time passes by waiting."""

    def __init__(self, provider: Provider, clock: Callable[[], datetime]) -> None:
        self._provider = provider
        self._clock = clock

    def post(self, url: str, form: bytes, *, deadline: Deadline, cap: int) -> Answered:
        left_s = deadline.left_s()
        if left_s <= 0:
            raise Lapsed("deadline")
        page = urlsplit(url).path.rpartition("/")[2].removesuffix(".asp")
        played = self._provider.handle(page, form, self._clock())
        if played.silent or played.after_s >= left_s:
            raise Silent("silence")
        return Answered(
            status=played.http_status,
            content_type=played.content_type,
            body=played.body[:cap],
            cut=len(played.body) > cap,
        )
