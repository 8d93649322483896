"""Worlds whose guests pay with vouchers: whatever dies, is repeated or comes late, no value is lost, spent twice or turned into cash."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from tests.simulation.playing import Played, play

pytestmark = pytest.mark.timeout(900)
SEEDS = 40


@pytest.fixture(scope="module")
def worlds() -> Iterator[list[Played]]:
    """Each world once, and the first a second time in another process."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield list(pool.map(partial(play, with_vouchers=True), [*range(SEEDS), 0], chunksize=5))


def test_s0_21_s0_29_voucher_worlds_hold(worlds: list[Played]) -> None:
    """Each voucher's book is its account's, one code a booking, and a replay of the log agrees."""
    wrong = [one.wrong for one in worlds if one.wrong]

    assert not wrong, "\n".join(wrong)


def test_the_same_seed_gives_the_same_codes(worlds: list[Played]) -> None:
    """Luck is derived in a world: byte by byte the same."""
    assert worlds[0].digest == worlds[-1].digest


def test_they_meet_with_everything(worlds: list[Played]) -> None:
    """A simulation of nothing proves nothing."""
    met = {name for one in worlds for name, count in one.states.items() if count}

    assert {
        "voucher.issued", "voucher.registered", "voucher.held", "voucher.consumed", "voucher.released", "voucher.expired",
        "voucher.refused", "voucher.duplicate_flagged", "voucher.top_up_awaited", "booking.declined", "reminder", "escalation",
        "not_covered", "voucher_value_exceeded", "voucher_expired", "own_voucher",
    } <= met  # fmt: skip
