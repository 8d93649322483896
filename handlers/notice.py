"""Notices: what is decided is written to guests and merchants, what becomes of a notice (S0-34, S1-41, X-14).

A notice follows a fact, never a wish. Who it goes to by name, and what it says, is found when it is sent: neither is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from handlers.frozen import property_policy, zone_of
from handlers.notice_said import variables
from handlers.notice_table import BY_FACT, BY_KIND, Notice
from handlers.outcome import Facts, Outcome, Step, merge
from schemas.common import Fact
from schemas.envelope import derived, uuid_bytes, uuid_text
from schemas.errors import Early, Rejected
from schemas.folio import Folio, FolioNotice
from schemas.notice import (
    Audience,
    Language,
    NoticeBounced,
    NoticeCarried,
    NoticeFailed,
    NoticeKind,
    NoticeRequest,
    NoticeRequested,
    NoticeSent,
    NoticeState,
)
from schemas.policy import PropertyPolicy

_NOTICES: Final = uuid_bytes("0f5b3a52-6d1e-5c9b-8d43-6e6f74696365")
_LANGUAGES: Final = {language.value: language for language in Language}


NEXT: Final[Mapping[tuple[NoticeState, NoticeState], NoticeState]] = {
    (NoticeState.PLANNED, NoticeState.SENT): NoticeState.SENT,
    (NoticeState.PLANNED, NoticeState.FAILED): NoticeState.FAILED,
    (NoticeState.PLANNED, NoticeState.UNKNOWN): NoticeState.UNKNOWN,
    (NoticeState.PLANNED, NoticeState.BOUNCED): NoticeState.BOUNCED,
    (NoticeState.SENT, NoticeState.BOUNCED): NoticeState.BOUNCED,
    (NoticeState.UNKNOWN, NoticeState.BOUNCED): NoticeState.BOUNCED,
}
"""From where it stands, and what is told, to where it stands then; what is not listed changes nothing."""


def noticed(outcome: Outcome, facts: Facts) -> Outcome:
    """What was decided, with the notices that its facts lead to: X-14, on what is confirmed; S1-41, once per booking, kind and attempt.

    Nothing where the property's frozen policy names no such kind. A fact of this decision that a notice is about comes before it.
    """
    folio = outcome.state if isinstance(outcome.state, Folio) else facts.folio
    if folio is None or not outcome.facts:
        return outcome
    policy = property_policy(facts, folio)
    if not policy.notices:
        return outcome
    zone = zone_of(policy, facts.tenant)
    today = facts.act.astimezone(zone).date()
    for fact in outcome.facts:
        for notice in BY_FACT.get(type(fact), ()):
            if notice.kind in policy.notices and (notice.when is None or notice.when(fact, folio)):
                outcome, folio = _planned(outcome, folio, notice, fact, policy, zone, today)
    return outcome


def _planned(
    outcome: Outcome, folio: Folio, notice: Notice, fact: Fact, policy: PropertyPolicy, zone: ZoneInfo, today: date
) -> tuple[Outcome, Folio]:
    occasion = occasion_of(fact, notice)
    if any(known.kind is notice.kind and known.occasion == occasion for known in folio.notices):
        return outcome, folio
    said = variables(fact, folio, zone, today)
    told = planned(folio, notice, occasion, said, policy, Step("X-14", ""))
    assert isinstance(told.state, Folio)
    return replace(merge(outcome, told), policy_version=outcome.policy_version or folio.policy), told.state


def occasion_of(fact: Fact, notice: Notice) -> str:
    """S1-41: what tells this fact from the next of its kind; two that differ in a field never look the same."""
    *first, last = [str(getattr(fact, name)) for name in notice.occasion] or [""]
    return "/".join([*[text.replace("%", "%25").replace("/", "%2F") for text in first], last])


def planned(
    folio: Folio, notice: Notice, occasion: str, said: dict[str, Any], policy: PropertyPolicy, why: Step
) -> Outcome:  # fmt: skip
    """The next notice of a kind in this folio: kept there, told, and requested. `why` gets the words of the step."""
    kind, audience = notice.kind, notice.audience
    attempt = sum([known.kind is kind for known in folio.notices]) + 1
    kept = FolioNotice(notice=notice_id(folio, kind, attempt), kind=kind, attempt=attempt, occasion=occasion)
    language = language_of(folio, policy, audience)
    request = NoticeRequest(
        notice=kept.notice,
        kind=kind,
        audience=audience,
        attempt=attempt,
        language=language,
        property=folio.property,
        variables=said,
    )
    text = f"{why.text}{kind} ({attempt}) to the {audience} in {language}"
    return Outcome(
        state=replace(folio, notices=(*folio.notices, kept)),
        facts=(NoticeRequested(notice=kept.notice, kind=kind, audience=audience, attempt=attempt, language=language),),
        notices=(request,),
        trace=(Step(why.rule, text),),
        policy_version=folio.policy,
    )


def notice_id(folio: Folio, kind: NoticeKind, attempt: int) -> str:
    """S1-41: a notice is what it is about: the same booking, kind and attempt are the same notice wherever it is decided."""
    return uuid_text(derived(_NOTICES, "\x1f".join((folio.tenant, folio.folio, kind, str(attempt)))))


def language_of(folio: Folio, policy: PropertyPolicy, audience: Audience) -> Language:
    """S0-34: a guest's own language, else the first of the property's that we can write, else English; a merchant's is the property's."""
    spoken = (folio.language,) if audience is Audience.GUEST else ()
    return _first_written((*spoken, *policy.languages))


@lru_cache(maxsize=4096)  # every notice asks, in the few ways that a property's guests speak
def _first_written(names: tuple[str, ...]) -> Language:
    words = [name.replace("_", "-").partition("-")[0].lower() for name in names]
    return next((_LANGUAGES[word] for word in words if word in _LANGUAGES), Language.EN)


def decide_carried(message: NoticeCarried, facts: Facts) -> Outcome:
    """What a notice came to, as the sender tells it. Raises KeyError for one of another folio: a defect."""
    folio = facts.folio
    known = _known(folio, message.notice) if folio is not None else None
    if folio is None or known is None:
        raise KeyError(f"{facts.key} has no notice {message.notice}")
    return _told(folio, known, message.state, message.code, message.reason, "S1-41")


def decide_bounced(message: NoticeBounced, facts: Facts) -> Outcome:
    """`notice.bounced` (S1-40): the notice has failed after all; nothing else of the booking changes. A second bounce is nothing new.

    Raises Early for an unknown booking, Rejected `unknown_notice` for a notice that was never written.
    """
    if facts.folio is None and message.folio:
        raise Early("the booking of this notice is not here", waits_for="booking")
    folio, known = known_notice(message.notice, facts, "S1-40")
    return _told(folio, known, NoticeState.BOUNCED, "bounced", message.code, "S1-40")


def known_notice(notice: str, facts: Facts, rule: str) -> tuple[Folio, FolioNotice]:
    """The notice that a message from outside names. Raises Rejected `unknown_notice`."""
    folio = facts.folio
    known = _known(folio, notice) if folio is not None else None
    if folio is None or known is None:
        text = f"no notice {notice!r} was written here: send the id of its header X-Foliohub-Notice"
        raise Rejected(text, code="unknown_notice", rule=rule, field="notice", value=notice)
    return folio, known


def _known(folio: Folio, notice: str) -> FolioNotice | None:
    return next((known for known in folio.notices if known.notice == notice), None)


def _told(folio: Folio, known: FolioNotice, state: NoticeState, code: str, reason: str, rule: str) -> Outcome:
    then = NEXT.get((known.state, state))
    said = f"{known.kind} ({known.attempt}) was {known.state}, is {state} {code} {reason}".rstrip()
    if then is None:
        return Outcome(trace=(Step("X-1", f"{said}: nothing new"),), policy_version=folio.policy)
    notices = tuple(replace(one, state=then) if one is known else one for one in folio.notices)
    audience = BY_KIND[known.kind].audience
    told: Fact
    if then is NoticeState.SENT:
        told = NoticeSent(notice=known.notice, kind=known.kind, audience=audience, attempt=known.attempt)
    else:
        told = NoticeFailed(
            notice=known.notice, kind=known.kind, audience=audience, attempt=known.attempt, code=code, reason=reason
        )  # fmt: skip
    return Outcome(state=replace(folio, notices=notices), facts=(told,), trace=(Step(rule, said),), policy_version=folio.policy)
