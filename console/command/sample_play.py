"""Plays the sample day through the real doors of a running hub: HTTP, XML, and the provider's own callbacks.

Every message has an id of its own that never changes: a day that was interrupted goes on where it stopped, and nothing counts twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from console.command import sample_day as the
from console.command.gateway_client import GatewayClient
from console.command.simulator_process import SimulatorProcess
from engine.clock import instant
from engine.hub import Hub
from engine.store import listing
from engine.store.history import History
from engine.store.rows import Key

WAIT_S: Final = 10.0
SETTLE_S: Final = 40.0


def played(hub: Hub) -> bool:
    """Whether the store holds the whole day."""
    return bool(History(hub.reading).decisions_of(Key(the.TENANT, "folio", the.UNKNOWN)))


def day_of(hub: Hub) -> date:
    """The day on which it was first played in this store; today if it never was."""
    first = History(hub.reading).decisions_of(Key(the.TENANT, "folio", the.SILENT))
    at = instant(first[0]["received_at"] if first else hub.clock.now())
    zone = ZoneInfo(hub.configuration.properties["camp-azur"].zone)
    return at.astimezone(zone).date()


class Interrupted(Exception):
    """Somebody stopped the hub in the middle of the day; the next start goes on with it."""


def play(
    hub: Hub, url: str, key: str, channel_key: str, provider: SimulatorProcess, said: Callable[[str], None], stop: threading.Event
) -> None:
    """The whole day. Raises HubError when a door does not answer as it should, Interrupted when `stop` is set."""
    day = day_of(hub)
    with GatewayClient(url, key) as door, GatewayClient(url, channel_key) as channel:

        def send(event: dict[str, Any]) -> None:
            if stop.is_set():
                raise Interrupted
            door.send(event, WAIT_S)

        def post_xml(body: bytes) -> None:
            if stop.is_set():
                raise Interrupted
            channel.post(f"/channels/{the.CHANNEL}/ota", body, "text/xml; charset=utf-8")

        said("a card payment comes before its booking; the booking comes twice")
        send(the.payment(the.SILENT, provider.pay("B2001-1", 20500), 20500))
        send(the.silent_booking(day))
        send(the.silent_booking(day))
        said("an XML channel books, modifies, asks what cancelling would give, cancels, and repeats itself")
        post_xml(the.reservation_xml(day, "Commit", "420.00", 7))
        post_xml(the.reservation_xml(day, "Modify", "360.00", 6))
        send(the.channel_payment(provider.pay("CAMP77-1", 36000), 36000))
        post_xml(the.cancel_xml("Quote"))
        post_xml(the.cancel_xml("Cancel"))
        post_xml(the.cancel_xml("Cancel"))
        said("a guest asks, then confirms; the provider takes the refund and says nothing")
        send(the.guest_asks(the.SILENT))
        send(the.guest_confirms(the.SILENT))
        said("one of two pitches is given up")
        send(the.partial_booking(day))
        send(the.payment(the.PARTIAL, provider.pay("B2004-1", 25000), 25000))
        send(the.one_line_cancelled(the.PARTIAL, "2"))
        said("somebody does not come; somebody cancels what nobody knows")
        send(the.no_show_booking(day))
        send(the.payment(the.NO_SHOW, provider.pay("B2003-1", 9000), 9000))
        send(the.no_show(the.NO_SHOW))
        send(the.stranger_cancels())
    said("waiting for the provider")
    _settled(hub, provider, stop)


def _settled(hub: Hub, provider: SimulatorProcess, stop: threading.Event) -> None:
    """Until no request is open, every callback was delivered, and what they led to is decided; at most SETTLE_S.

    The hub is asked before and after the provider: what is sent in between would bring callbacks of its own.
    """
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        if _quiet(hub) and not provider.tells_more() and _quiet(hub):
            return
        if stop.wait(0.1):
            raise Interrupted


def _quiet(hub: Hub) -> bool:
    """Nothing waits to be decided, sent or asked."""
    return not hub.store.waiting_count() and not listing.effects(hub.reading) and not listing.histories_waiting(hub.reading)
