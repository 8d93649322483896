"""The tables cover what the provider publishes, and what they do not cover is UNKNOWN."""

from __future__ import annotations

import pytest

from connectors.psp.ogone import codes
from schemas.effect import EffectKind, RecordKind, Result
from tests.connectors.psp.ogone.golden import VECTORS


def test_every_published_status_is_listed() -> None:
    """Nothing published is left to chance; 88, of the query, is ours to know too."""
    assert {*VECTORS["status"], "88"} == set(codes.STATUS)


def test_every_published_error_is_listed() -> None:
    """Each number has a class."""
    assert set(VECTORS["ncerror"]) <= set(codes.NCERROR)


def test_every_class_has_a_meaning() -> None:
    """A class without one would be a crash while money moves."""
    assert set(codes.ANSWERED) == set(codes.Trouble)
    assert set(codes.KIND_OF) == set(EffectKind)


@pytest.mark.parametrize("status", [s for s in codes.STATUS if len(s) == 2 and s[0] in "56789"])
def test_second_digit(status: str) -> None:
    """1 on hold, 2 uncertain, 3 refused, whatever the first digit."""
    expected = {"1": Result.ACCEPTED, "2": Result.UNKNOWN, "3": Result.REFUSED}.get(status[1])

    assert expected in (None, codes.STATUS[status][1])


@pytest.mark.parametrize("status", ["52", "62", "72", "82", "92", "84", "85", "75", "95", "88", "", "100", "9 ", "٩"])
def test_never_a_yes_or_a_no(status: str) -> None:
    """Uncertain, disputed, handled elsewhere, unlisted."""
    assert codes.status_meaning(status)[1] is Result.UNKNOWN


@pytest.mark.parametrize("number", [n for n in codes.NCERROR if n[:1] in ("1", "2", "4")])
def test_uncertain_errors_are_unknown(number: str) -> None:
    """2xx will evolve, 4xx are technical: neither says that nothing happened."""
    assert codes.maintenance_result(EffectKind.REFUND, "0", number) is Result.UNKNOWN


@pytest.mark.parametrize("kind", list(EffectKind))
@pytest.mark.parametrize("status", list(codes.STATUS))
def test_a_yes_needs_the_right_kind(kind: EffectKind, status: str) -> None:
    """A refund is not confirmed by a capture's status."""
    result = codes.maintenance_result(kind, status, "0")
    shown = codes.STATUS[status][0]

    assert result is Result.UNKNOWN or (shown is RecordKind(kind.value) and result is codes.STATUS[status][1])
