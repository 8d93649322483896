"""Whole documents in, whole values out: real messages of others where their licence is open, our own for the rest."""

from __future__ import annotations

import pytest

from connectors.channels.ota.codec import decode
from schemas.errors import Rejected, Undecodable
from tests.connectors.channels.ota.golden import GOLDEN, body, cases, expected, plain, profile

CASES = cases()
REFUSED = {
    "alpinebits/free-rooms": "message_unknown",
    "alpinebits/handshake": "message_unknown",
    "concur/read": "message_unknown",
    "concur/reservation-request": "reference_missing",
}
"""Messages that are refused, and why: availability, pings and reads are no reservations; a request that names no booking of its own
could not be recognised when it comes again."""


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    """Each document gives exactly its value, or its refusal."""
    want = expected(case)
    channel = profile(**want.pop("profile", {}))
    if case in REFUSED:
        with pytest.raises((Undecodable, Rejected)) as refused:
            decode(body(case), channel)

        assert want["refused"] == {"code": refused.value.code, "field": refused.value.field, "value": refused.value.value}
        assert refused.value.code == REFUSED[case]
        return

    assert plain(decode(body(case), channel)) == want


def test_every_reservation_and_cancellation_of_others_is_read_or_listed_as_refused() -> None:
    """Nothing falls out of the table: a case is in REFUSED exactly if its golden value says so."""
    assert {case for case in CASES if "refused" in expected(case)} == set(REFUSED)


@pytest.mark.parametrize("source", ["alpinebits", "concur", "weekendesk"])
def test_licence_goes_along(source: str) -> None:
    """What others wrote lies beside its licence."""
    assert [path.stat().st_size > 1000 for path in (GOLDEN / source).glob("LICENSE-*.txt")] == [True]


@pytest.mark.parametrize("case", [case for case in CASES if case not in REFUSED])
def test_no_card_data_leaves(case: str) -> None:
    """X-22: number, expiry and holder of the sample's card are in no message and in no warning."""
    decoded = decode(body(case), profile(**expected(case).get("profile", {})))
    said = str([(item.message, item.warnings, item.id) for item in decoded.items])

    assert [secret for secret in ("4444333322221111", "1216", "4444") if secret in said] == []
