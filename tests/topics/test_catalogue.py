"""The catalogue is the single list: every message has one stream, and every stream can be made."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from schemas.registry import IN, INTERNAL, OUT
from topics.catalogue import INTAKE, TOPICS, topic, topic_of


def test_every_outcome_is_on_exactly_one_topic() -> None:
    """None is forgotten, none is published twice."""
    assert Counter(list(OUT)) == Counter(name for one in TOPICS for name in one.gives)


def test_every_input_comes_by_the_intake() -> None:
    """All that concerns one folio goes through one topic, so that it keeps its order."""
    assert tuple(IN) == INTAKE.takes
    assert [one for one in TOPICS if one.takes] == [INTAKE]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("booking.confirmed", "foliohub.intake.v1"),
        ("booking.accepted", "foliohub.booking.v1"),
        ("receipt.unapplied", "foliohub.payment.v1"),
        ("folio.blocked", "foliohub.folio.v1"),
        ("force_majeure.declared", "foliohub.cancellation.v1"),
        ("cancellation.refused", "foliohub.cancellation.v1"),
        ("refund.decided", "foliohub.refund.v1"),
        ("stock.released", "foliohub.stock.v1"),
        ("commission.credit_note_requested", "foliohub.commission.v1"),
        ("payout.alarm", "foliohub.ops.v1"),
        ("effect.needs_person", "foliohub.ops.v1"),
    ],
)
def test_topic_of(name: str, expected: str) -> None:
    """Families are published in the area that their readers know."""
    assert expected == topic_of(name)


@pytest.mark.parametrize("name", [*INTERNAL, "nothing.known", ""])
def test_what_is_on_no_topic(name: str) -> None:
    """What aggregates tell one another never leaves the store."""
    with pytest.raises(KeyError):
        topic_of(name)


def test_topics_can_be_made() -> None:
    """Names with dots only, partitions that allow to grow, two weeks at least, dead letters on a topic of the list."""
    names = [one.name for one in TOPICS]
    assert len(names) == len(set(names))
    for one in TOPICS:
        assert re.fullmatch(r"foliohub(\.[a-z]+)+\.v1", one.name)
        assert one.retention_days >= 14
        assert not one.dead_letters or topic(one.dead_letters) in TOPICS
        assert one.partitions >= 24 or not (one.takes or one.gives)
