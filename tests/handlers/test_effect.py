"""Effects: the table of moves, a second person's word, settling by hand, and callbacks."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from handlers import account, effect
from handlers.effect import BEGIN, DOUBT, FINAL, GIVE_UP, NEXT, moved, step
from ledger import recipes
from schemas.common import Actor, ActorKind
from schemas.effect import EffectMove, EffectState, Move, PaymentQuery, Result
from schemas.errors import Early, IllegalMove, Rejected
from schemas.folio import CaptureRecord, PartStatus, PaymentStatus, RequestStatus
from schemas.operations import ApprovalDecided, Operate
from schemas.refund import RefundManualRequired, RefundRequested
from tests.handlers.campsite import CAMP, Stay, fact, kinds, line
from tests.handlers.cancelling import GUEST, MERCHANT, OPERATOR, Leaving, before, leaving

PLANNED, SENDING, ACCEPTED, CONFIRMED, REFUSED, UNKNOWN, NEEDS_PERSON, REVERSED = EffectState


def test_x_6_every_state_and_result_is_in_the_table() -> None:
    """Each member is reached or left, each result moves something."""
    reached = {*NEXT.values(), *BEGIN.values(), *GIVE_UP.values()}
    left = {state for state, _ in NEXT} | set(BEGIN)

    assert set(EffectState) == reached | left
    assert {result for _, result in NEXT} == set(Result)
    assert set(EffectState) - {REVERSED, REFUSED} == left
    assert {CONFIRMED, REFUSED, REVERSED} == FINAL
    assert set(EffectState) == FINAL | set(DOUBT)


@pytest.mark.parametrize("result", list(Result))
@pytest.mark.parametrize("state", list(EffectState))
def test_x_6_what_is_not_listed_is_illegal(state: EffectState, result: Result) -> None:
    """No move out of a final state but a reversal; nothing is sent again but after "nothing was written"."""
    if (state, result) not in NEXT:
        with pytest.raises(IllegalMove, match=f"{result.value} from {state.value}"):
            step(state, result)
        return
    then = step(state, result)
    if state in FINAL:
        assert (state, result, then) == (CONFIRMED, Result.REVERSED, REVERSED)
    assert (then is PLANNED) == (result is Result.NOT_SENT)
    assert (then is CONFIRMED) == (result is Result.CONFIRMED)
    assert (then is REFUSED) == (result is Result.REFUSED)


@pytest.mark.parametrize(
    ("table", "state", "then"),
    [
        (BEGIN, PLANNED, SENDING),
        (GIVE_UP, UNKNOWN, NEEDS_PERSON),
        (GIVE_UP, ACCEPTED, NEEDS_PERSON),
        (GIVE_UP, PLANNED, NEEDS_PERSON),
        (DOUBT, SENDING, UNKNOWN),
    ],
)
def test_x_6_moves_without_an_answer(table: dict[EffectState, EffectState], state: EffectState, then: EffectState) -> None:
    """The mark before the call, giving up, and doubt after a crash or a restore."""
    assert then is moved(table, state)
    for final in FINAL:
        with pytest.raises(IllegalMove):
            moved(table, final)


def waiting() -> Leaving:
    """A refund of 200 asked for by the guest, above the limit."""
    stay = leaving(camp=replace(CAMP, approval_above=19_999))
    stay.leave(at=before(10))
    return stay


def test_x_27_above_a_limit_it_waits() -> None:
    """Not requested yet: a second person is asked."""
    stay = waiting()

    assert [request.needs_approval for request in stay.requests] == [True]
    assert "ApprovalRequested" in [type(one).__name__ for one in stay.said]
    assert not any(isinstance(one, RefundRequested) for one in stay.said)


def test_x_27_at_the_limit_it_does_not() -> None:
    """Above means above."""
    stay = leaving(camp=replace(CAMP, approval_above=20_000))
    stay.leave(at=before(10))

    assert [request.needs_approval for request in stay.requests] == [False]


def test_x_27_granted() -> None:
    """It may be sent, once."""
    stay = waiting()
    subject = stay.requests[0].effect
    out = stay.operate("approval.grant", subject, reason="called the guest")

    assert ApprovalDecided(subject=subject, by="operator:o-1", reason="called the guest") == out.facts[0]
    assert (EffectMove(effect=subject, move=Move.APPROVE, reason="called the guest"),) == out.moves
    assert fact(out, RefundRequested).effect == subject
    with pytest.raises(Rejected) as why:
        stay.operate("approval.grant", subject)
    assert why.value.code == "approval_not_needed"


@pytest.mark.parametrize("name", ["approval.grant", "approval.deny"])
def test_x_27_not_what_a_restored_store_has_put_in_doubt(name: str) -> None:
    """Whether it was sent after the backup is asked of the provider first, and then a person settles it."""
    stay = waiting()
    subject = stay.requests[0].effect
    stay.reply("unknown", message="this store was moved here")

    with pytest.raises(Rejected) as why:
        stay.operate(name, subject)

    assert why.value.code == "approval_not_needed"
    assert [move.move for move in stay.settle(subject, "refused").moves] == [Move.REFUSE]


def test_x_27_denied_stays_owed_by_hand() -> None:
    """Withdrawn: never sent; the money is not forgotten."""
    stay = waiting()
    out = stay.operate("approval.deny", stay.requests[0].effect, reason="looks odd")

    assert [move.move for move in out.moves] == [Move.WITHDRAW]
    assert fact(out, RefundManualRequired).reason == "denied by operator:o-1: looks odd"
    assert [part.status for part in stay.parts()] == [PartStatus.MANUAL]
    assert stay.reply("refused").facts == ()
    stay.by_hand(20_000, refund=stay.folio.refunds[0].refund)
    assert RequestStatus.REFUNDED is stay.folio.requests[0].status


@pytest.mark.parametrize(
    ("asked_by", "actor"), [(GUEST, GUEST), (GUEST, {"kind": "system", "id": "x"}), (GUEST, {"kind": "channel", "id": "demo"})]
)
def test_x_27_not_by_an_outsider(asked_by: dict[str, str], actor: dict[str, str]) -> None:
    """Only who acts for the house."""
    stay = waiting()
    with pytest.raises(Rejected) as why:
        stay.operate("approval.grant", stay.requests[0].effect, actor=actor)
    assert why.value.code == "approval_required"


@pytest.mark.parametrize("name", ["approval.grant", "approval.deny"])
def test_s4_46_not_by_the_same_person(name: str) -> None:
    """Who gave the goodwill does not approve it; another one does."""
    stay = leaving(camp=replace(CAMP, override_above=0))
    stay.ask(at=before(0))
    stay.confirm(actor=MERCHANT, override={"amount": 5_000, "reason": "r"})
    with pytest.raises(Rejected) as why:
        stay.operate(name, stay.requests[0].effect, actor=MERCHANT)
    assert (why.value.code, why.value.field) == ("approval_required", "actor")
    assert "ApprovalDecided" in kinds(stay.operate(name, stay.requests[0].effect, actor=OPERATOR))


@pytest.mark.parametrize("name", ["approval.grant", "approval.deny"])
@pytest.mark.parametrize(("kind", "id_"), [("operator", "BOB"), ("platform", " bob "), ("merchant", "Bob"), ("operator", "bob")])
def test_x_27_not_by_the_same_person_under_another_hat(name: str, kind: str, id_: str) -> None:
    """A second person differs by id: not by kind, letters' case or blanks. The id is all that follows the first colon."""
    stay = leaving(camp=replace(CAMP, override_above=0))
    stay.ask(at=before(0))
    stay.confirm(actor={"kind": "merchant", "id": "bob"}, override={"amount": 5_000, "reason": "r"})
    subject = stay.requests[0].effect
    with pytest.raises(Rejected) as why:
        stay.operate(name, subject, actor={"kind": kind, "id": id_})
    assert (why.value.code, why.value.rule, why.value.field) == ("approval_required", "X-27", "actor")
    assert "ApprovalDecided" in kinds(stay.operate(name, subject, actor={"kind": kind, "id": "x:bob"}))


@pytest.mark.parametrize("name", ["approval.grant", "approval.deny"])
def test_unknown_effect(name: str) -> None:
    """Named wrongly."""
    with pytest.raises(Rejected) as why:
        leaving().operate(name, "effect-x")
    assert why.value.code == "unknown_effect"


@pytest.mark.parametrize(
    ("result", "move", "told", "status"),
    [
        ("confirmed", Move.CONFIRM, ["RefundExecuted"], PartStatus.EXECUTED),
        ("refused", Move.REFUSE, ["RefundRefusedByProvider", "RefundManualRequired"], PartStatus.REFUSED),
    ],
)
@pytest.mark.parametrize("state", ["unknown", "needs_person"])
def test_x_6_settled_by_a_person(state: str, result: str, move: Move, told: list[str], status: PartStatus) -> None:
    """As a reply would; the reply that follows changes nothing."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.reply("unknown")
    stay.reply(state)
    out = stay.settle(stay.requests[0].effect, result, record="301/2")

    assert (told, [status]) == (kinds(out), [part.status for part in stay.parts()])
    assert (EffectMove(effect=stay.requests[0].effect, move=move, reason="seen", record="301/2"),) == out.moves
    assert (stay.reply(result).facts, stay.reply(result).entries) == ((), ())


@pytest.mark.parametrize("result", ["confirmed", "refused"])
@pytest.mark.parametrize(
    ("named", "owner"),
    [
        ("301/0", "payment P1 itself"),
        ("0", "payment P1 itself"),
        ("301/1", "refund"),
        ("1", "refund"),
        ("301/2", "a refund that others made"),
        ("301/4", "a capture of payment P1"),
    ],
)
def test_x_1_x_15_a_record_that_is_something_elses_settles_nothing(named: str, owner: str, result: str) -> None:
    """The first refund is record 1, the house's is 2, a capture 4: the second refund is none of these."""
    stay = leaving(20_000, line("1", 5_000), line("2", 5_000), line("3", 10_000), service_fee=0)
    stay.leave("1", request="R1", at=before(10))
    stay.reply("confirmed", record="301/1")
    stay.foreign(2_000, record="301/2")
    stay.leave("2", request="R2")
    stay.reply("unknown")
    stay.reply("needs_person")
    stay.state = account.replace_payment(
        stay.folio, replace(stay.payment(), captures=(CaptureRecord(record="301/4", minor=20_000),))
    )
    with pytest.raises(Rejected) as why:
        stay.settle(stay.requests[-1].effect, result, record=named)

    assert (why.value.code, why.value.field, why.value.value) == ("record_taken", "provider_record", named)
    assert why.value.message.startswith(f"record {named} is ")
    assert owner in why.value.message
    assert stay.settle(stay.requests[-1].effect, result, record="3").moves[0].record == "301/3"


def test_x_17_a_capture_that_the_provider_has_shown_is_settled_by_its_record() -> None:
    """Its money may be counted already, as a capture of others; it is not counted twice."""
    stay = leaving(0, service_fee=0)
    stay.card(20_000, name="payment.authorised")
    stay.leave(at=before(3))
    stay.reply("unknown")
    capture = CaptureRecord(record="301/1", minor=10_000)
    known = replace(stay.payment(), status=PaymentStatus.CAPTURED, captured=10_000, captures=(capture,))
    stay.state = account.replace_payment(stay.folio, known)
    stay.entries += recipes.captured(stay.folio, known, 10_000)
    stay.settle(stay.requests[0].effect, "confirmed", record="301/1")

    assert (stay.payment().captured, stay.owes()) == (10_000, 0)


def test_x_6_withdrawn_too_late() -> None:
    """Ours was on its way when a foreign refund overtook it, and came to nothing certain: told, and settled by a person."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.foreign(20_000)
    told = stay.reply("needs_person", message="two records fit")
    out = stay.settle(stay.requests[0].effect, "refused")

    assert kinds(told) == ["EffectNeedsPerson"]
    assert (kinds(out), [move.move for move in out.moves], stay.owes()) == ([], [Move.REFUSE], 0)


@pytest.mark.parametrize(
    ("state", "actor", "code"),
    [("accepted", OPERATOR, "effect_not_open"), ("unknown", GUEST, "not_allowed"), ("confirmed", OPERATOR, "unknown_effect")],
)
def test_x_15_what_cannot_be_settled(state: str, actor: dict[str, str], code: str) -> None:
    """Only unknown ones, by the house."""
    stay = leaving()
    stay.leave(at=before(10))
    stay.reply(state)
    with pytest.raises(Rejected) as why:
        stay.settle(stay.requests[0].effect, "confirmed", actor=actor)
    assert why.value.code == code


def test_x_17_a_capture_is_settled_too() -> None:
    """Unknown capture of 105, seen at the provider: collected."""
    stay = leaving(0)
    stay.card(20_500, name="payment.authorised")
    stay.leave(at=before(3))
    stay.reply("unknown")
    out = stay.settle(stay.requests[0].effect, "confirmed")

    assert kinds(out) == ["PaymentCaptured", "PaymentVoided", "BalanceChanged"]
    assert stay.owes() == 0


@pytest.mark.parametrize(
    ("named", "payment", "reference"),
    [
        pytest.param({"provider_reference": "301"}, "P1", "301", id="by the provider's id"),
        pytest.param({"order": "B1-1"}, "P1", "301", id="by our order"),
        pytest.param({"provider_reference": "999", "order": "B1-1"}, "", "999", id="another payment of the order"),
        pytest.param({"provider_reference": "999"}, "", "999", id="unknown: asked all the same"),
    ],
)
def test_x_6_a_callback_only_causes_a_query(named: dict[str, str], payment: str, reference: str) -> None:
    """Nothing is settled, whatever it says; what is not known yet is remembered, to be asked about when it is."""
    stay = leaving()
    state = stay.folio
    out = stay.notified(**named, status="8")

    order = named.get("order", "B1-1" if payment else "")
    assert (
        PaymentQuery(provider="ogone", merchant="azur", reference=reference, order=order, folio="B-1", payment=payment),
    ) == out.queries
    assert (out.facts, out.entries) == ((), ())
    early = () if payment else tuple(named.values())
    assert (msgspec.structs.replace(stay.folio, notified=()), stay.folio.notified) == (state, early)
    again = stay.notified(**named, status="8")
    assert (again.queries, again.state, stay.folio.notified) == (out.queries, None, early)


@pytest.mark.parametrize("whose", [{"merchant": "vert"}, {"provider": "other"}])
@pytest.mark.parametrize("named", [{"provider_reference": "301"}, {"order": "B1-1"}])
def test_x_6_a_number_of_another_account_is_none_of_ours(whose: dict[str, str], named: dict[str, str]) -> None:
    """Each provider and each merchant counts for itself."""
    (query,) = leaving().notified(**whose, **named).queries

    assert (query.payment, query.reference, query.order) == ("", named.get("provider_reference", ""), named.get("order", ""))


def test_x_6_a_callback_that_names_nothing() -> None:
    """Refused."""
    with pytest.raises(Rejected) as why:
        leaving().notified(status="8")
    assert why.value.code == "unknown_payment"


def test_x_2_operations_on_an_unknown_booking_wait() -> None:
    """Parked."""
    message = Operate(actor=Actor(kind=ActorKind.OPERATOR), folio="B-1", subject="e")
    with pytest.raises(Early):
        effect.decide_approval(message, Stay().facts("approval.grant"))


def test_x_15_an_effect_that_nobody_knows_is_refused() -> None:
    """It names no booking that could still come: nothing would ever end the wait."""
    message = Operate(actor=Actor(kind=ActorKind.OPERATOR), subject="e")
    with pytest.raises(Rejected) as why:
        effect.decide_approval(message, Stay().facts("approval.grant"))

    assert (why.value.code, why.value.rule) == ("unknown_effect", "X-15")


def test_the_documented_table_is_the_table() -> None:
    """docs/rules/effect.md, row by row."""
    text = (Path(__file__).parents[2] / "docs/rules/effect.md").read_text()
    rows = [tuple(cell.strip() for cell in row.split("|")[1:4]) for row in text.splitlines() if row.startswith("| ")]
    told = [row for row in rows if row[0] in set(EffectState) and row[1] in set(Result)]

    assert told == [(state, result, then) for (state, result), then in NEXT.items()]
