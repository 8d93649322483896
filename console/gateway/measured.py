"""What stands in the store and in the log at the moment that somebody scrapes. Each process says of all what the store holds, of lanes and
rates only its own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge

from console.gateway.desk import Desk
from engine.hub import Hub
from engine.store.contract import StoreAway
from engine.store.listing import effects_open

SECOND_US = 1_000_000

store_away = Gauge("foliohub_store_away", "1: the store did not answer, and what is said of it is as old as its last answer")
waiting = Gauge("foliohub_messages_waiting", "Messages that were taken and are not decided yet")
unpublished = Gauge("foliohub_outcomes_unpublished", "Outcomes that the broker has yet to confirm")
outbox_age = Gauge(
    "foliohub_outbox_age_seconds", "Since the first outcome was decided that the broker has yet to confirm; 0: there is none"
)
unsettled = Gauge("foliohub_unsettled", "What is not as it should end", ("what",))
effects = Gauge("foliohub_effects", "Requests to providers that are not final, by state", ("state",))
effects_age = Gauge("foliohub_effects_oldest_seconds", "Since the oldest request of a state was sent, or planned", ("state",))
lane_lag = Gauge("foliohub_lane_lag", "Messages of the log that this process's lanes have yet to decide", ("lane",))
lane_internal = Gauge("foliohub_lane_internal", "Messages from inside that wait in this process's lanes", ("lane",))
live_rate = Gauge(
    "foliohub_live_rate", "Messages and outcomes of the last whole minute in this process; may have lost some", ("what", "kind")
)


def measure(desk: Desk) -> None:
    """Sets every gauge; what the store holds stays as it was while the store is away."""
    serving = desk.serving
    live_rate.clear()
    for (what, kind), count in (serving.rates() if serving is not None else {}).items():
        live_rate.labels(what, kind).set(count)
    try:
        _of_store(desk.hub)
        _of_lanes(desk)
    except StoreAway:
        store_away.set(1)
    else:
        store_away.set(0)


def _of_store(hub: Hub) -> None:
    reading, now = hub.reading, hub.clock.now()
    waiting.set(hub.store.waiting_count())
    count, since = reading.unpublished_since()
    unpublished.set(count)
    outbox_age.set((now - since) / SECOND_US if count else 0)
    for what, number in reading.unsettled().items():
        unsettled.labels(what).set(number)
    open_ = effects_open(reading)
    _set(effects, {state: number for state, (number, _) in open_.items()})
    _set(effects_age, {state: (now - since) / SECOND_US for state, (number, since) in open_.items() if number})


def _of_lanes(desk: Desk) -> None:
    ours = desk.hub.lanes.claim.epochs if desk.serving is not None else {}
    behind, inside = (desk.serving.lag(), desk.hub.reading.internal_behind()) if desk.serving is not None and ours else ({}, {})
    _set(lane_lag, {str(lane): count for lane, count in behind.items()})  # one that stands still has none
    _set(lane_internal, {str(lane): inside.get(lane, 0) for lane in ours})


def _set(gauge: Gauge, values: Mapping[str, float]) -> None:
    """These and no others."""
    gauge.clear()
    for label, value in values.items():
        gauge.labels(label).set(value)
