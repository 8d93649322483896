"""Calls to providers, what came of them, and what a batch of either is about."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from connectors.psp.contract import PaymentConnector
from engine.effect_batch import About, Item, payment_of
from engine.store.effects import Effect
from schemas.effect import EffectState, Reply


class Act(StrEnum):
    """What a provider is called for: `LOOK` before a request is sent, `ASK` about one in doubt or a payment, `SEND`."""

    LOOK = "look"
    ASK = "ask"
    SEND = "send"


class Call(NamedTuple):
    """One call to a provider, ready to be made. It is ours until `until` (microseconds): nothing is written after that."""

    act: Act
    item: Item
    connector: PaymentConnector
    until: int


class Answer(NamedTuple):
    """What came of a call; `began` when it was made (microseconds): a history may be no younger than that. `doubted`: the store has
    refused the number in it."""

    call: Call
    reply: Reply
    began: int
    doubted: bool = False


def planned(item: Item) -> bool:
    return isinstance(item, Effect) and item.state == EffectState.PLANNED


def claims(owned: Sequence[tuple[Item, PaymentConnector | None]]) -> About:
    """A request that is planned has nothing to be claimed: to look is free, the mark is what counts."""
    return About([item for item, connector in owned if connector is None or not planned(item)])


def about(answers: Sequence[Answer]) -> About:
    """What answers may move: the records that they show may be known under another number of the payment than they were asked for."""
    items = [answer.call.item for answer in answers]
    shown = {
        (answer.call.item.merchant, record.reference)
        for answer in answers
        for record in (*answer.reply.records, answer.reply.record)
        if record is not None
    }
    asked = {payment_of(answer.call.item) for answer in answers if answer.call.act is not Act.SEND}
    return About(items, shown | {payment_of(item) for item in items}, asked)


def doubted(answer: Answer) -> Answer | None:
    """The store refuses the number of an answer: the history tells."""
    return answer._replace(doubted=True) if answer.call.act is Act.SEND and not answer.doubted else None
