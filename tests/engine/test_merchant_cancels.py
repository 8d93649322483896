"""S0-25: a merchant cancels a booking, by messages; all of it comes back to the guest (S4-44), or what the terms give."""

from __future__ import annotations

import pytest

from tests.engine.sandbox import Sandbox


@pytest.mark.parametrize(
    ("cause", "actor", "refund"),
    [("owner", "merchant", 20_000), ("guest", "merchant", None), ("guest", "guest", 10_000), ("owner", "guest", None)],
)
def test_s0_25_s4_25_a_merchant_cancels_a_booking(cause: str, actor: str, refund: int | None) -> None:
    """For his own reasons, and not in the guest's name; None: refused."""
    box = Sandbox(begins="2026-07-21T08:00:00+00:00")  # half is kept of a guest who cancels
    box.paid("B-1", order="O-1")
    asked = {"folio": "B-1", "request": "R1", "cause": cause, "confirm": True}
    told = dict(box.say("cancellation.request", asked, actor=actor))

    assert told.get("refund.decided", {}).get("amount") == refund
    assert told.get("cancellation.refused", {}).get("code", "") == ("not_cancellable_by_requester" if refund is None else "")
    assert (box.folio().status.value == "cancelled") is (refund is not None)
