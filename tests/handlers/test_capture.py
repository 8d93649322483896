"""What a capture or a void of authorised money came to (X-17, S4-34)."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.outcome import Outcome
from schemas.booking import BalanceChanged
from schemas.effect import EffectKind, EffectState
from schemas.errors import Stale
from schemas.folio import PaymentStatus
from schemas.operations import EffectNeedsPerson
from schemas.payment import PaymentCaptured, PaymentVoided
from tests.handlers.campsite import fact, kinds
from tests.handlers.cancelling import Leaving, before, leaving


def authorised(days: int = 3, **more: Any) -> Leaving:
    """A stay of 200 and a fee of 5, authorised and not taken, cancelled so many days before: half is kept at three."""
    stay = leaving(0, **more)
    stay.card(20_500, name="payment.authorised")
    stay.leave(at=before(days))
    return stay


def rules(out: Outcome) -> list[str]:
    return [step.rule for step in out.trace]


def book(out: Outcome) -> list[tuple[str, str, str, int]]:
    return [(one.entry, one.debit, one.credit, one.minor) for one in out.entries]


def test_taken_as_far_as_needed() -> None:
    """The rest is released, the guest owes nothing, and nobody waits for it any more."""
    stay = authorised()
    (asked,) = stay.requests
    out = stay.reply("confirmed")

    assert (asked.kind, asked.minor, asked.last) == (EffectKind.CAPTURE, 10_500, True)
    assert kinds(out) == ["PaymentCaptured", "PaymentVoided", "BalanceChanged"]
    assert (fact(out, PaymentCaptured).amount, fact(out, PaymentVoided).amount, fact(out, BalanceChanged).balance) == (
        10_500,
        10_000,
        0,
    )
    assert book(out) == [("captured", "money:ogone/azur", "guest:B-1", 10_500)]
    assert (stay.payment().status, stay.payment().captured, stay.folio.effects, rules(out)) == (
        PaymentStatus.CAPTURED, 10_500, (), ["X-17"],
    )  # fmt: skip
    with pytest.raises(Stale):
        stay.reply("confirmed")


def test_x_7_what_is_taken_and_what_is_released_is_told() -> None:
    """With the quote, to the cent."""
    stay = leaving(0)
    stay.card(20_500, name="payment.authorised")
    out = stay.leave(at=before(3))

    assert "payment P1, authorised only: 105.00 EUR taken, 100.00 EUR released" in [step.text for step in out.trace]


def test_all_of_it_leaves_nothing_to_release() -> None:
    """After the arrival everything is kept."""
    stay = authorised(days=0)
    out = stay.reply("confirmed")

    assert kinds(out) == ["PaymentCaptured", "BalanceChanged"]
    assert stay.payment().captured == 20_500


def test_released_where_nothing_is_kept() -> None:
    """A void: told with all that was authorised, and no balance changes."""
    stay = leaving(0, service_fee=0)
    stay.card(20_000, name="payment.authorised")
    stay.leave(at=before(10))
    (asked,) = stay.requests
    out = stay.reply("confirmed")

    assert asked.kind is EffectKind.VOID
    assert (kinds(out), fact(out, PaymentVoided).amount, book(out)) == (["PaymentVoided"], 20_000, [])
    assert (stay.payment().status, stay.folio.effects) == (PaymentStatus.VOIDED, ())


@pytest.mark.parametrize(
    ("nature", "waived", "claim", "entries"),
    [("arrhes", 10_500, 0, ["claim_waived"]), ("acompte", 0, 10_500, [])],
)
def test_refused_it_is_waived_or_claimed(nature: str, waived: int, claim: int, entries: list[str]) -> None:
    """S4-34: with arrhes what was not taken is given up, with an acompte it stays owed; a person is told in any case."""
    stay = authorised(deposit_nature=nature)
    out = stay.reply("refused", code="30001001", message="no")
    told = fact(out, EffectNeedsPerson)

    assert (told.effect, told.amount, told.currency) == (stay.requests[0].effect, 10_500, "EUR")
    assert ([name for name, *_ in book(out)], rules(out)) == (entries, ["X-17", "S4-34"])
    assert (stay.folio.waived, stay.folio.claim, stay.owes(), stay.folio.effects) == (waived, claim, claim, ())


def test_what_a_person_has_to_find_out_is_given_up_by_nobody() -> None:
    """Neither waived nor claimed while nobody knows."""
    stay = authorised()
    out = stay.reply("needs_person")

    assert (kinds(out), book(out), rules(out)) == (["EffectNeedsPerson"], [], ["X-17"])
    assert (stay.folio.waived, stay.folio.claim, stay.owes()) == (0, 0, 10_500)
    assert [one.state for one in stay.folio.effects] == [EffectState.NEEDS_PERSON]


def test_a_void_that_is_refused_is_owed_by_nobody() -> None:
    """Only a capture brings money."""
    stay = leaving(0, service_fee=0)
    stay.card(20_000, name="payment.authorised")
    stay.leave(at=before(10))
    out = stay.reply("refused")

    assert (kinds(out), book(out), rules(out), stay.folio.waived) == (["EffectNeedsPerson"], [], ["X-17"], 0)


@pytest.mark.parametrize("state", ["unknown", "accepted"])
def test_in_doubt_or_pending_it_is_noted(state: str) -> None:
    """Nothing is told, and it is still waited for."""
    stay = authorised()
    out = stay.reply(state)

    assert (out.facts, book(out), [one.state.value for one in stay.folio.effects]) == ((), [], [state])


def test_a_capture_that_came_back() -> None:
    """The money is gone again, and owed, and a person is told; the book is as it was before it was taken."""
    stay = authorised()
    stay.reply("confirmed")
    out = stay.reply("reversed")

    assert (kinds(out), fact(out, BalanceChanged).balance) == (
        ["EffectNeedsPerson", "BalanceChanged"], 10_500,
    )  # fmt: skip
    assert book(out) == [("capture_reversed", "guest:B-1", "money:ogone/azur", 10_500)]
    assert (stay.payment().status, stay.payment().reversed) == (PaymentStatus.REVERSED, 10_500)
    with pytest.raises(Stale):
        stay.reply("reversed")


@pytest.mark.parametrize("state", ["confirmed", "refused", "reversed", "unknown"])
def test_a_reply_that_nobody_waits_for(state: str) -> None:
    """A request of another folio, or of a payment that is not there."""
    stay = authorised()
    with pytest.raises(Stale) as why:
        stay.reply(state, stay.requests[0].__class__(**{**_fields(stay), "effect": "another", "payment": "P9"}))

    assert (why.value.field, why.value.value) == ("effect", "another")


def _fields(stay: Leaving) -> dict[str, Any]:
    return {name: getattr(stay.requests[0], name) for name in stay.requests[0].__struct_fields__}
