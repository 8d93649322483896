"""Spans of one process, at a real collector; one that is away or deaf costs spans and nothing else."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator

import pytest

from engine.spans import Tracer
from engine.tracing import tracer_of
from schemas.errors import HubError
from tests.engine.sandbox import CONFIGURATION, Sandbox, arrival, booking
from tests.services.collector import Collector
from tests.services.processes import free_ports

QUEUE = 64


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as one:
        yield one


def bookings(box: Sandbox, count: int) -> float:
    """So many are taken and decided; the seconds that it took."""
    began = time.monotonic()
    box.append(*(arrival(f"S-{number}", "booking.confirmed", booking(f"B-{number}")) for number in range(count)))
    box.hub.drain()
    return time.monotonic() - began


def test_no_collector_no_spans() -> None:
    assert tracer_of(CONFIGURATION, (), {}) is None
    assert Sandbox().hub.watch.tracer is None


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names a collector without the packages for it is told which, and how to do without."""
    monkeypatch.setitem(sys.modules, "engine.spans", None)
    with pytest.raises(HubError, match=r"foliohub\[otlp\].*leave out") as refused:
        tracer_of(CONFIGURATION, (), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})

    assert (refused.value.code, refused.value.field) == ("not_installed", "endpoint")


def test_the_environment_or_the_settings_name_a_collector(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both name it without a path."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    tracers = [tracer_of(CONFIGURATION, ("worker",), {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}), Tracer(collector.url, (), {})]
    for tracer in tracers:
        assert tracer is not None
        bookings(Sandbox(tracer=tracer), 1)
        tracer.close()

    assert [span.of["service.name"] for span in collector.spans() if span.name == "door test"] == ["foliohub", "foliohub"]


def test_a_message_without_a_trace_begins_one(collector: Collector) -> None:
    """Its decision is in it; a timer's has one of its own; one that comes again has its door's span alone."""
    tracer = Tracer(collector.url, (), {})
    box = Sandbox(tracer=tracer)
    bookings(box, 1)
    bookings(box, 1)
    tracer.close()
    first, again = [span for span in collector.spans() if span.name == "door test"]

    assert (first.parent, again.parent, first.trace == again.trace) == ("", "", False)
    assert (first.attributes["foliohub.taken"], again.attributes["foliohub.taken"]) == ("accepted", "duplicate")
    (decided,) = [span for span in collector.spans(first.trace) if span.name == "decide booking.confirmed"]
    assert (decided.parent, decided.attributes["foliohub.result"]) == (first.span, "decided")
    assert [span.attributes["foliohub.result"] for span in collector.spans(again.trace) if "decide" in span.name] == ["duplicate"]


def test_a_sender_that_is_not_sampled_is_left_alone(collector: Collector) -> None:
    """Flag 00: nothing of it is sent, here or by who decides it."""
    tracer = Tracer(collector.url, (), {})
    box = Sandbox(tracer=tracer)
    one = arrival("S-1", "booking.confirmed", booking())
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    box.append(
        type(one)(door=one.door, body=one.body, attributes={**one.attributes, "traceparent": f"00-{trace}-00f067aa0ba902b7-00"})
    )
    box.hub.drain()
    tracer.close()

    assert collector.spans(trace) == []
    assert {row["traceparent"][:36] for row in box.rows("SELECT traceparent FROM outbox")} == {f"00-{trace}-"}


def test_what_cannot_be_read_has_a_span(collector: Collector) -> None:
    tracer = Tracer(collector.url, (), {})
    box = Sandbox(tracer=tracer)
    (receipt,) = box.append(arrival("S-1", "no.such.thing", {}))
    tracer.close()
    (span,) = [span for span in collector.spans() if span.name == "door test"]

    assert (span.attributes["foliohub.dead_letter"], span.attributes["foliohub.taken"]) == (receipt.dead_letter, "dead_lettered")


@pytest.mark.parametrize("deaf", [False, True], ids=["away", "deaf"])
def test_a_collector_that_is_away_slows_and_stops_nothing(deaf: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, or accepted and never answered: the hub works on, what waits is bounded, and it ends within a second or so."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(QUEUE))
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(QUEUE // 4))
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    (port,) = free_ports(1)
    with socket.socket() as silent:
        if deaf:
            silent.bind(("127.0.0.1", port))
            silent.listen()
        tracer = Tracer(f"http://127.0.0.1:{port}", (), {})
        box = Sandbox(tracer=tracer)
        bookings(box, 1)
        time.sleep(0.1)  # the sending thread is in its first vain attempt
        took_s = bookings(box, 300)
        began = time.monotonic()
        tracer.close()
        closing_s = time.monotonic() - began

    assert took_s < 5  # one attempt alone has a patience of 10 s
    assert closing_s < 1.5
    assert box.one("SELECT count(DISTINCT key) AS n FROM outbox WHERE kind = 'folio'")["n"] == 300
