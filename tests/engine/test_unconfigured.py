"""A merchant that nobody has configured: what concerns it rests, is looked at again after five minutes, and says why."""

from __future__ import annotations

from tests.engine.sandbox import Sandbox

REST = 300_000_000


def test_what_rests_says_why() -> None:
    """A request and a payment to ask about; no call is made, and what was in doubt keeps its reason."""
    box = Sandbox()
    payid = box.paid()
    del box.connectors["azur"]
    box.cancel()
    box.notified(payid)
    effect = box.effect()
    (wish,) = box.hub.reading.rows("SELECT due, attempts, lease_until FROM payment_query")
    evidence = box.hub.reading.rows("SELECT act, result, code, effect, merchant, reference FROM evidence")

    assert (effect["state"], effect["reason"], effect["next_at"]) == (
        "planned", "merchant azur is not configured", box.clock.now() + REST,
    )  # fmt: skip
    assert wish == {"due": box.clock.now() + REST, "attempts": 1, "lease_until": 0}
    assert evidence == [
        {"act": "query", "result": "not_sent", "code": "no_connector", "effect": "", "merchant": "azur", "reference": payid}
    ]
    assert box.hub.next_due() == box.clock.now() + REST
