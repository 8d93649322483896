"""One cancellation, followed from the door to the outcome through three processes: by its spans, and by the lines that they logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.messages import ids
from schemas.envelope import message_id
from tests.distributed.platform import Platform
from tests.distributed.topics import made_anew
from tests.kills.forker import Forker
from tests.services.amqp_tools import wait_until
from tests.services.collector import Collector, Seen
from tests.services.kafka import Kafka

TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5  # as OTLP numbers kinds
STEPS = {"decide cancellation.confirm", "provider send", "decide reply.arrived", "publish refund.executed"}
PERSONAL = ("Camille", "camille@example.org", "Exemple")


class Story:
    """What was sent, and what was seen of it."""

    def __init__(self, platform: Platform, collector: Collector, stay: str) -> None:
        self.platform, self.collector, self.stay = platform, collector, stay

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What a process logged, as far as it is JSON."""
        text = (self.platform.folder / f"{name}.log").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, made_store: tuple[str, int], kafka: Kafka) -> Iterator[Story]:
    """A stay is booked, paid, and cancelled with half of it going back; its confirmation came with a `traceparent`."""
    from tests.services.stores import emptied

    emptied(*made_store)
    made_anew(kafka.bootstrap)
    (stay,) = ids(1, seed=11)
    with (
        Forker() as forker,
        Collector() as collector,
        Platform(tmp_path_factory.mktemp("following") / "platform", forker, made_store[0], kafka.bootstrap) as platform,
    ):
        platform.environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "FOLIOHUB_LOG": "debug",
        }  # fmt: skip
        platform.paid([stay])
        for role in ("gateway", "worker", "effects"):
            platform.start(role, role)
        platform.ready()
        for step in range(3):
            platform.send("gateway", platform.story([stay], step), wait="20s")
        (last,) = platform.story([stay], 3)
        traced = {**json.loads(last), "traceparent": f"00-{TRACE}-{SENDER}-01", "correlationid": "C-1", "causationid": "K-1"}
        platform.send("gateway", [json.dumps(traced).encode()], wait="20s")
        platform.quiet(1)
        seen = Story(platform, collector, stay)
        wait_until(lambda: {one.name for one in collector.spans(TRACE)} >= STEPS, "the last span came", 30)
        yield seen


def one(spans: list[Seen], name: str) -> Seen:
    """The only span of a name."""
    (found,) = [span for span in spans if span.name == name]
    return found


def test_one_trace_from_the_door_to_the_outcome(story: Story) -> None:
    """Across processes by the stored `traceparent` alone: the sender's span, the door's under it, everything else under the door's."""
    spans = story.collector.spans(TRACE)
    door = one(spans, "door http")
    decided, sent = one(spans, "decide cancellation.confirm"), one(spans, "provider send")
    answered, published = one(spans, "decide reply.arrived"), one(spans, "publish refund.executed")

    assert (door.parent, door.kind, door.attributes["foliohub.taken"]) == (SENDER, SERVER, "accepted")
    assert door.attributes["foliohub.message"] == message_id("azur", "pms.thais", f"3-{story.stay}")
    assert one(spans, "append").parent == door.span
    assert {span.parent for span in (decided, sent, answered, published)} == {door.span}
    assert (decided.kind, sent.kind, published.kind) == (CONSUMER, CLIENT, PRODUCER)
    assert door.began < decided.began < sent.began < sent.ended <= answered.ended <= published.ended
    assert decided.attributes["foliohub.lane"] == door.attributes["foliohub.lane"]
    assert "refund.executed" in answered.attributes["foliohub.outcomes"]
    assert sent.attributes["foliohub.result"] == "confirmed"
    assert [tuple(span.of["foliohub.roles"]) for span in (door, decided, sent, answered, published)] == [
        ("gateway",), ("worker",), ("effects",), ("worker",), ("worker",),
    ]  # fmt: skip


def test_a_transaction_names_what_it_decided(story: Story) -> None:
    """A lane transaction is a trace of its own, linked to each of its messages'."""
    decided = one(story.collector.spans(TRACE), "decide cancellation.confirm")
    chunks = [span for span in story.collector.spans() if span.name == "chunk" and (decided.trace, decided.span) in span.links]

    assert len(chunks) == 1
    assert (chunks[0].parent, chunks[0].ended) == ("", decided.ended)


def test_nothing_personal_in_spans_and_lines(story: Story) -> None:
    sent = b"".join(story.collector.bytes)
    logged = "".join((story.platform.folder / f"{name}.log").read_text() for name in ("gateway", "worker", "effects"))

    assert len(story.collector.spans()) > 20
    for word in PERSONAL:
        assert word.encode() not in sent
        assert word not in logged


def test_lines_of_three_processes_tell_the_story(story: Story) -> None:
    """By its message id at first, then by the correlation and by what each came of."""
    message = message_id("azur", "pms.thais", f"3-{story.stay}")
    (taken,) = [line for line in story.lines("gateway") if line["event"] == "taken" and line.get("message") == message]
    ours = [line for line in story.lines("worker") if line.get("correlation") == "C-1"]
    decided = [line for line in ours if line["event"] == "decided"]
    published = [line for line in ours if line["event"] == "published"]
    called = [line for line in story.lines("effects") if line.get("correlation") == "C-1" and line["event"] == "called"]

    assert (taken["correlation"], taken["causation"], taken["name"]) == ("C-1", "K-1", "cancellation.confirm")
    root = decided[0]
    assert (root["message"], root["lane"], root["result"]) == (message, taken["lane"], "decided")
    assert [line["result"] for line in called if line["act"] == "send"] == ["confirmed"]
    (reply,) = [line for line in decided if line["name"] == "reply.arrived"]
    (outcome,) = [line for line in published if line["name"] == "refund.executed"]
    assert outcome["causation"] == reply["message"]
    assert message in {line["causation"] for line in published}
    assert {line["lane"] for line in (*decided, *published, *called)} == {taken["lane"]}
