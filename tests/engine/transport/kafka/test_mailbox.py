"""Mailboxes: nothing leaves before the store has it, nothing of a lane that is not ours comes in."""

from __future__ import annotations

import threading
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from engine.transport.kafka.mailbox import Mailboxes


class Letter(NamedTuple):
    partition: int
    offset: int
    value: bytes | None = b"{}"
    timestamp: int = 0
    key: bytes | None = b"k"
    headers: tuple[tuple[str, bytes], ...] = ()


def letters(lane: int, *offsets: int, value: bytes = b"{}") -> list[Letter]:
    return [Letter(lane, offset, value) for offset in offsets]


def places(taken: list[Letter]) -> list[tuple[int, int]]:
    return [(one.partition, one.offset) for one in taken]


def test_taken_twice_until_the_position_moves() -> None:
    """A transaction that is rolled back finds the same again; what lies before the position is gone."""
    boxes = Mailboxes()
    boxes.open((0,))
    boxes.put(0, letters(0, 5, 6, 8, 9))

    assert places(boxes.take({0: 5}, 3)) == [(0, 5), (0, 6), (0, 8)]
    assert places(boxes.take({0: 5}, 3)) == [(0, 5), (0, 6), (0, 8)]
    assert places(boxes.take({0: 7}, 3)) == [(0, 8), (0, 9)]
    assert boxes.held() == 2
    assert places(boxes.take({0: 10}, 3)) == []
    assert boxes.held() == 0


def test_a_closed_lane_takes_nothing() -> None:
    """Neither before it is ours nor after; opened again it is empty."""
    boxes = Mailboxes()
    assert not boxes.put(0, letters(0, 1))
    boxes.open((0, 1))
    assert boxes.put(0, letters(0, 1))
    assert boxes.lanes() == {0, 1}
    boxes.close((0,))
    assert not boxes.put(0, letters(0, 2))
    assert boxes.take({0: 0, 1: 0}, 10) == []
    boxes.open((0,))
    assert boxes.held() == 0


def test_full_by_count_and_by_bytes() -> None:
    """Each lane for itself, and not any more when it was emptied."""
    boxes = Mailboxes(high=3, high_bytes=1_000)
    boxes.open((0, 1))
    boxes.put(0, letters(0, 0, 1))
    assert not boxes.full(0)
    boxes.put(0, letters(0, 2))
    assert boxes.full(0)
    assert not boxes.full(1)
    boxes.put(1, letters(1, 0, value=b"x" * 1_000))
    assert boxes.full(1)

    boxes.take({0: 1, 1: 1}, 10)

    assert not boxes.full(0)
    assert not boxes.full(1)
    assert not boxes.full(7)


def test_one_lane_does_not_starve_the_others() -> None:
    """As positions move, each lane is first in its turn."""
    boxes = Mailboxes()
    boxes.open(range(3))
    for lane in range(3):
        boxes.put(lane, letters(lane, *range(100)))
    positions = dict.fromkeys(range(3), 0)
    first = []
    for _ in range(3):
        taken = boxes.take(positions, 10)
        first.append(taken[0].partition)
        positions[taken[0].partition] += 10

    assert set(first) == {0, 1, 2}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), max_size=30), st.integers(1, 7))
def test_everything_once_and_in_order(puts: list[tuple[int, int]], limit: int) -> None:
    """Whatever comes in whatever pieces: each lane gives all of it, in order, never more than the limit at once."""
    boxes = Mailboxes()
    boxes.open(range(3))
    ends = dict.fromkeys(range(3), 0)
    for lane, count in puts:
        boxes.put(lane, letters(lane, *range(ends[lane], ends[lane] + count)))
        ends[lane] += count
    positions, seen = dict.fromkeys(range(3), 0), []
    while taken := boxes.take(positions, limit):
        assert len(taken) <= limit
        for one in taken:
            assert one.offset == positions[one.partition]
            positions[one.partition] += 1
        seen += taken

    assert positions == ends
    assert boxes.held() == 0 or boxes.take(ends, 1) == []


def test_a_wake_up_is_not_lost() -> None:
    """One that came before the wait counts, one from another thread ends it, none lets it time out."""
    boxes = Mailboxes()
    boxes.wake()
    assert boxes.wait(0)
    assert not boxes.wait(0.01)
    threading.Timer(0.05, boxes.wake).start()
    assert boxes.wait(10)
