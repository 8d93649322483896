"""What is counted and said of each message, in one process."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import REGISTRY

from console.logs import configure
from engine.telling import EACH_STEP
from schemas.envelope import message_id
from tests.engine.sandbox import Sandbox, arrival, booking


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """What is logged from `debug` on."""
    stream = io.StringIO()
    configure(logging.DEBUG, stream)
    yield stream
    structlog.reset_defaults()
    EACH_STEP.clear()


def lines(said: io.StringIO, event: str) -> list[dict[str, object]]:
    return [line for line in map(json.loads, said.getvalue().splitlines()) if line["event"] == event]


def test_messages_and_outcomes_are_counted_by_name() -> None:
    """For live rates: each message once, whatever it led to inside; and each transaction's time."""
    box, counted = Sandbox(), Counter[tuple[str, str]]()
    box.hub.watch.count = counted.update
    before = REGISTRY.get_sample_value("foliohub_chunk_seconds_count") or 0
    for number in range(3):
        box.say("booking.confirmed", booking(f"B-{number}", references=[f"R-{number}"]))

    assert counted["message", "booking.confirmed"] == 3
    assert counted["outcome", "booking.accepted"] == 3
    assert REGISTRY.get_sample_value("foliohub_chunk_seconds_count") == before + 3


def test_every_step_has_its_message_and_lane(said: io.StringIO) -> None:
    """What a name leads to inside is told to come of it."""
    box = Sandbox(lanes=4)
    data = booking("", references=["R-1"])
    box.append(arrival("M-1", "booking.confirmed", data))
    box.hub.drain()
    message = message_id("azur", "pms.thais", "M-1")
    (taken,) = lines(said, "taken")
    decided = lines(said, "decided")

    assert (taken["message"], taken["correlation"], taken["id"]) == (message, "M-1", "M-1")
    assert [line["result"] for line in decided][:2] == ["forwarded", "decided"]
    assert {line["correlation"] for line in decided} == {"M-1"}
    assert "causation" not in decided[0]
    assert {line["causation"] for line in decided[1:]} == {message}
    assert {line["lane"] for line in decided} == {taken["lane"]}


def test_what_cannot_be_read_is_told_with_its_letter(said: io.StringIO) -> None:
    box = Sandbox()
    (receipt,) = box.append(arrival("M-2", "no.such.thing", {}))
    (line,) = lines(said, "dead_lettered")

    assert (line["dead_letter"], line["id"], line["tenant"]) == (receipt.dead_letter, "M-2", "azur")


def test_a_program_that_says_nothing_of_its_log_is_told_nothing_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A simulation of a million messages has better things to do."""
    structlog.reset_defaults()
    Sandbox().say("booking.confirmed", booking())

    assert "decided" not in capsys.readouterr().out
