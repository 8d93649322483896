"""A real hub process on a real file, the provider's simulator beside it: struck at named points and at random moments, started again
until everything is done; afterwards the provider's books, the ledger and the outcomes agree to the cent. docs/kills.md tells more.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from tests.kills.forker import Forker
from tests.kills.plan import EACH, RANDOM, acts
from tests.kills.play import Struck, play
from tests.kills.points import POINTS
from tests.kills.table import table
from tests.services.rabbitmq import RabbitMQ

SEED = int(os.environ.get("KILLS_SEED", "1"))
ACTS = 8  # on one stage
AT_ONCE = 2
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def struck(rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> list[Struck]:
    """Every blow of the plan, on stages of their own, two at a time."""
    folder = tmp_path_factory.mktemp("kills")
    planned = acts(SEED)
    stages = [planned[first : first + ACTS] for first in range(0, len(planned), ACTS)]

    def series(number: int) -> Iterator[Sequence[Struck]]:
        with Forker() as forker:
            for place in range(number, len(stages), AT_ONCE):
                yield play(folder / f"kills-{place}", forker, stages[place], rabbitmq.url)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        played = threads.map(lambda number: list(series(number)), range(AT_ONCE))
        return list(chain.from_iterable(chain.from_iterable(played)))


def test_every_book_agrees_after_every_blow(struck: list[Struck], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing lost, nothing twice, to the cent; what no machine can know was asked of a person."""
    with capsys.disabled():
        print(f"\n{table(struck)}\n")

    assert [(one.act, one.blow, one.wrong) for one in struck if one.wrong] == []
    assert all(one.sums is not None and one.sums.provider > 0 for one in struck)


def test_every_point_was_struck_often_enough(struck: list[Struck]) -> None:
    """Also those that only a start or a dead sender leads to; by every signal."""
    reached = Counter(one.blow.point for one in struck if one.reached)

    assert {point: reached[point] for point in POINTS if reached[point] < EACH} == {}
    assert reached[RANDOM] >= EACH
    assert {one.blow.signal for one in struck if one.blow.point == RANDOM} == {one.blow.signal for one in struck}


def test_most_blows_fell_in_the_middle(struck: list[Struck]) -> None:
    """Of at least a hundred acts, each until everything was done; at least sixty between the first append and the last settled effect."""
    assert len(acts(SEED)) >= 100
    fell = [one for one in struck if one.reached]

    assert len(fell) >= 100
    assert sum(one.in_flight for one in fell) >= 60
