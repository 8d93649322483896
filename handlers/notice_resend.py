"""A notice that reached nobody is written once more, because an operator says so (X-15): after an address was corrected, a mailbox
emptied, a server's refusal lifted.

It is a notice of its own, of the same occasion: the next attempt, with what the first was to say. It goes to today's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handlers.balance import check_actor
from handlers.cancellation_right import who
from handlers.frozen import local
from handlers.notice import known_notice, planned
from handlers.notice_table import BY_KIND
from handlers.outcome import Facts, Outcome, Step
from schemas.common import ActorKind
from schemas.errors import Rejected
from schemas.folio import Folio, FolioNotice
from schemas.notice import NoticeResend, NoticeState

OPERATOR: Final = frozenset({ActorKind.OPERATOR})

REFUSED: Final[Mapping[NoticeState, tuple[str, str]]] = {
    NoticeState.PLANNED: ("notice_under_way", "is still on its way"),
    NoticeState.SENT: ("notice_sent", "was taken by the mail server: tell a bounce as notice.bounced first"),
}
"""States in which nothing is written once more, by code and reason; in the others it reached nobody, or nobody knows."""


def decide_resend(message: NoticeResend, facts: Facts) -> Outcome:
    """`notice.resend` (X-15, S1-41): a new attempt with an identity of its own. What counts is how the last one of its occasion ended.

    Raises Rejected `not_allowed`, `unknown_notice`, `notice_under_way`, `notice_sent`, and `notice_outdated` for one that would say
    what is no more so (S1-20, S1-38).
    """
    check_actor(message.actor, OPERATOR)
    folio, known = known_notice(message.notice, facts, "X-15")
    last = [one for one in folio.notices if (one.kind, one.occasion) == (known.kind, known.occasion)][-1]
    if last.state in REFUSED:
        code, reason = REFUSED[last.state]
        raise Rejected(f"{last.kind} ({last.attempt}) {reason}", code=code, rule="S1-41", field="notice", value=last.notice)
    _check_stands(known, folio, facts)
    here, notice = local(facts, folio), BY_KIND[known.kind]
    why = Step("X-15", f"{who(message.actor)} wants {known.kind} ({known.attempt}), which is {known.state}, once more: ")
    return planned(folio, notice, known.occasion, dict(facts.said), here.policy, why)


def _check_stands(known: FolioNotice, folio: Folio, facts: Facts) -> None:
    stands = BY_KIND[known.kind].stands
    if stands is not None and not stands(facts.said, folio, local(facts, folio).today):
        text = f"{known.kind} ({known.attempt}) would say what is no more so: write what is so now"
        raise Rejected(text, code="notice_outdated", rule="X-14", field="notice", value=known.notice)
