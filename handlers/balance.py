"""What operators do with a balance request: amount, cancel, send, send again, suspend, make anew (S1-13 to S1-20, S1-36, X-15).

An action outside its queue is refused (S1-16); the table below says which is at home where. Timers and what else an action leads to are
`handlers.balance_request`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from handlers import account
from handlers.balance_amounts import Wanted, came, fixed, wanted
from handlers.balance_dates import arrival_of
from handlers.balance_here import Here, here_of, settings_of
from handlers.balance_record import BY_HAND, LIVE, cancelled, last_of, linked, request_of, scheduled, sent, with_request
from handlers.balance_request import opened
from handlers.balance_timers import suspended, told_suspended
from handlers.cancellation_right import HOUSE, who
from handlers.entitlement import Feature, check_feature
from handlers.frozen import property_policy
from handlers.outcome import Facts, Outcome, Step
from schemas.balance import BalanceAct, BalanceRecreate, BalanceSetAmount, BalanceSuspend
from schemas.balance_request import BalanceRequest, BalanceStatus
from schemas.booking import CollectedBy
from schemas.common import Actor, ActorKind, Fact
from schemas.errors import Rejected
from schemas.folio import Folio, FolioStatus

PENDING, NO_REPLY, REPLIED, PAID, CANCELLED = BalanceStatus

QUEUES: Final[Mapping[str, frozenset[BalanceStatus]]] = {
    "balance.set_amount": frozenset({PENDING}),
    "balance.cancel": frozenset({PENDING}),
    "balance.send_now": frozenset({PENDING}),
    "balance.resend": frozenset({NO_REPLY}),
    "balance.suspend": frozenset({PENDING, NO_REPLY, REPLIED}),
    "balance.recreate": frozenset({PAID, CANCELLED}),
    "balance.choose_method": frozenset({NO_REPLY}),
    "balance.report_collected": frozenset({REPLIED}),
    "balance.report_disfunction": frozenset({REPLIED}),
}
"""S1-13, S1-14, S1-16: in which queue each action is at home."""


def decide_set_amount(message: BalanceSetAmount, facts: Facts) -> Outcome:
    """`balance.set_amount` (S1-13, S1-17): this amount is asked for, whatever the booking becomes; 0 cancels the request.

    Where each accommodation has a request, `request` says of which (S1-39); all of them ask for no more than is owed. Raises Rejected
    `amount_negative`, `amount_above_balance`, `request_missing`.
    """
    request, here = acted(message, facts)
    if message.amount < 0:
        text = "an amount is above 0; 0 cancels the request"
        raise Rejected(text, code="amount_negative", rule="S1-17", field="amount", value=message.amount)
    if not message.amount:
        return _cancelled(request, here, message.actor)
    folio = here.folio
    others = sum(known.amount for known in folio.balance_requests if known.status in LIVE and known.request != request.request)
    most = account.ordered(folio) - came(folio) - others
    if message.amount > most:
        by = ", less what other requests ask for" if others else ""
        text = f"{account.text(message.amount, folio.currency)} is above the {account.text(most, folio.currency)} that are owed{by}"
        raise Rejected(text, code="amount_above_balance", rule="S1-17", field="amount", value=message.amount)
    want = next((one for one in wanted(folio, here.policy, here.zone) if one.accommodation == request.accommodation), None)
    start, end = fixed(message.amount, folio, want)
    after = replace(request, amount=message.amount, fixed_from=start, fixed_to=end, clamped=False)
    was, now = (account.text(minor, folio.currency) for minor in (request.amount, message.amount))
    step = Step("S1-13", f"balance request {request.request}: {was} → {now}, set by {who(message.actor)}")
    return replace(_outcome(here, after, step), facts=(scheduled(after, folio),))


def decide_cancel(message: BalanceAct, facts: Facts) -> Outcome:
    """`balance.cancel` (S1-13, S1-18): nobody is asked any more; what is owed stays owed."""
    request, here = acted(message, facts)
    return _cancelled(request, here, message.actor)


def decide_send_now(message: BalanceAct, facts: Facts) -> Outcome:
    """`balance.send_now` (S1-13, S1-19): the mail goes now, a suspension ends; the deadline stays.

    Raises Rejected `stay_begun`, `voucher_check_open`.
    """
    request, here = acted(message, facts)
    _check_asks(here)
    after = linked(replace(request, suspended_until=None, due_on_site=False), here.folio, facts.act)
    step = Step(
        "S1-19", f"balance request {request.request} is sent by {who(message.actor)}; its deadline stays {request.deadline}"
    )
    return replace(_outcome(here, after, step), facts=(sent(after, here.folio, here.policy),))


def decide_resend(message: BalanceAct, facts: Facts) -> Outcome:
    """`balance.resend` (S1-14, S1-20): the mail once more, with the link that is live. Raises Rejected `stay_begun`,
    `voucher_check_open`."""
    request, here = acted(message, facts)
    _check_asks(here)
    after = replace(request, notices=request.notices + 1) if request.link else linked(request, here.folio, facts.act)
    told = sent(after, here.folio, here.policy, again=bool(request.link))
    step = Step("S1-20", f"balance request {request.request}: asked once more by {who(message.actor)}, link {after.link}")
    return replace(_outcome(here, after, step), facts=(told,))


def decide_suspend(message: BalanceSuspend, facts: Facts) -> Outcome:
    """`balance.suspend` of one booking (S0-24, S1-36); of a property or a type it is `handlers.balance_suspension`.

    Raises Rejected `feature_not_available`, `suspension_in_the_past`, `suspension_past_arrival`.
    """
    request, here = acted(message, facts)
    check_feature(Feature.SUSPEND_BALANCE_REQUEST, facts, here.zone)
    arrival = arrival_of(here.folio)
    if message.until <= here.today:
        text = f"a suspension ends on a day to come; it is {here.today} there"
        raise Rejected(text, code="suspension_in_the_past", rule="S1-36", field="until", value=message.until)
    if arrival is None or message.until >= arrival:
        text = f"the guest arrives {arrival}: suspend until an earlier day, or cancel the request"
        raise Rejected(text, code="suspension_past_arrival", rule="S1-36", field="until", value=message.until)
    after = suspended(request, message.until, here)
    dates = f"until {message.until}, deadline {request.deadline} → {after.deadline}"
    step = Step("S1-36", f"balance request {request.request} is suspended by {who(message.actor)} {dates}")
    return replace(_outcome(here, after, step), facts=(told_suspended(after),))


def decide_recreate(message: BalanceRecreate, facts: Facts) -> Outcome:
    """`balance.recreate` (S1-11, S1-18): a new request for all that is owed later; with `reapply` under the property's settings of today,
    in place of one that is pending too.

    Raises Rejected `nothing_owed`, `stay_begun`, `voucher_check_open`, `not_reapplicable`, `already_cancelled`, `collected_by_channel`.
    """
    folio = _known(facts)
    check_actor(message.actor, HOUSE)
    _check_asked_by_us(folio)
    here = _reapplied(folio, facts) if message.reapply else _here(folio, facts)
    request = _meant(message.request, folio)
    if request is not None and (last := last_of(folio, request.accommodation)) is not None and last.status in LIVE:
        request = last  # S1-20: one at a time
    queues = QUEUES[facts.name] | ({PENDING} if message.reapply else frozenset())
    if request is not None and request.status not in queues:
        raise wrong_queue(request, facts.name, queues)
    _check_asks(here)
    steps: tuple[Step, ...] = ()
    told: tuple[Fact, ...] = ()
    if request is not None and request.status in LIVE:
        ended, fact, step = cancelled(request, "reapplied", folio)
        folio, steps, told = with_request(folio, ended), (step,), (fact,)
    wants = [want for want in wanted(_unbound(folio), here.policy, here.zone) if _of(want, request)]
    want = next((one for one in wants if one.amount > 0), None)
    if want is None:
        text = f"{folio.folio} owes nothing that could be asked for later"
        raise Rejected(text, code="nothing_owed", rule="S1-33", field="request", value=message.request)
    after, more = opened(want, here, number=len(folio.balance_requests))
    made = Step("S1-18", f"balance request {after.request} is made by {who(message.actor)}")
    return Outcome(
        state=with_request(folio, after),
        facts=(*told, scheduled(after, folio)),
        trace=(*steps, made, *more),
        policy_version=settings_of(folio, here.version, facts).version,
    )


def _check_asked_by_us(folio: Folio) -> None:
    """S1-35, X-20. Raises Rejected `already_cancelled`, `collected_by_channel`."""
    if folio.status is FolioStatus.CANCELLED:
        raise Rejected(f"{folio.folio} is cancelled", code="already_cancelled", rule="S1-35", field="folio", value=folio.folio)
    if folio.collected_by is CollectedBy.CHANNEL:
        text = f"the channel collects for {folio.folio}: nothing is asked of the guest"
        raise Rejected(text, code="collected_by_channel", rule="X-20", field="folio", value=folio.folio)


def _unbound(folio: Folio) -> Folio:
    """Without what earlier requests left open: made anew, all that is owed is asked for."""
    return replace(folio, balance_requests=())


def _of(want: Wanted, request: BalanceRequest | None) -> bool:
    return request is None or want.accommodation == request.accommodation or not (want.accommodation and request.accommodation)


def _reapplied(folio: Folio, facts: Facts) -> Here:
    """S1-11: the property's settings of today. Raises Rejected `not_reapplicable` where they do not allow it."""
    current = facts.policies.properties.get(folio.property)
    if current is None or current.balance is None or not current.balance.reapply:
        text = f"the settings of {folio.property} do not apply to earlier bookings: set balance.reapply"
        raise Rejected(text, code="not_reapplicable", rule="S1-11", field="reapply", value="true")
    here = here_of(replace(folio, policy=current.version, balance_requests=()), facts)
    assert here is not None
    return Here(None, folio, here.policy, current.version, here.act, here.today, here.zone, facts)


def acted(message: BalanceAct, facts: Facts) -> tuple[BalanceRequest, Here]:
    """The request that an operator's action is about, in a queue where it is at home. Raises Rejected `unknown_folio`, `not_allowed`,
    `no_balance_request`, `unknown_request`, `wrong_queue`."""
    request, here = acted_by(message, facts, HOUSE)
    if request.status not in QUEUES[facts.name]:
        raise wrong_queue(request, facts.name, QUEUES[facts.name])
    return request, here


def acted_by(message: BalanceAct, facts: Facts, allowed: frozenset[ActorKind]) -> tuple[BalanceRequest, Here]:
    """The request that a message is about, in whatever queue it is. Raises Rejected as `acted`, but for the queue."""
    folio = _known(facts)
    check_actor(message.actor, allowed)
    request = meant(message.request, folio)
    return request, _here(folio, facts)


def meant(named: str, folio: Folio) -> BalanceRequest:
    """The request of that id; empty: the one that is live, else the last. Raises Rejected `no_balance_request`, `unknown_request`,
    `request_missing` where several are live."""
    request = _meant(named, folio)
    if request is None:
        text = f"no balance is asked of {folio.folio}"
        raise Rejected(text, code="no_balance_request", rule="S1-12", field="folio", value=folio.folio)
    return request


def _meant(named: str, folio: Folio) -> BalanceRequest | None:
    if named:
        request = request_of(folio, named)
        if request is None:
            text = f"{folio.folio} has no balance request {named!r}"
            raise Rejected(text, code="unknown_request", rule="S1-12", field="request", value=named)
        return request
    live = [known for known in folio.balance_requests if known.status in LIVE]
    if len(live) > 1:
        text = f"{folio.folio} has {len(live)} live requests: say which"
        raise Rejected(text, code="request_missing", rule="S1-39", field="request", value="")
    return live[0] if live else folio.balance_requests[-1] if folio.balance_requests else None


def about(folio: Folio) -> str:
    """The request that is meant where none is named; empty: none, or not one alone."""
    try:
        return meant("", folio).request
    except Rejected:
        return ""


def wrong_queue(request: BalanceRequest, name: str, queues: frozenset[BalanceStatus], instead: str = "") -> Rejected:
    """S1-16: not ignored. `instead`: what is to be done in its place."""
    home = ", ".join(status.value for status in BalanceStatus if status in queues)
    text = f"balance request {request.request} is {request.status.value}: {name} is for {home}{instead}"
    return Rejected(text, code="wrong_queue", rule="S1-16", field="request", value=request.status.value)


def check_actor(actor: Actor, allowed: frozenset[ActorKind]) -> None:
    """X-15. Raises Rejected `not_allowed`."""
    if actor.kind not in allowed and actor.kind is not ActorKind.SYSTEM:
        text = f"{actor.kind.value} may not do this"
        raise Rejected(text, code="not_allowed", rule="X-15", field="actor", value=actor.kind.value)


def _known(facts: Facts) -> Folio:
    if facts.folio is None:
        raise Rejected(f"folio {facts.key!r} is not known", code="unknown_folio", rule="X-2", field="folio", value=facts.key)
    return facts.folio


def _here(folio: Folio, facts: Facts) -> Here:
    here = here_of(folio, facts, folio)
    if here is None:
        text = f"{property_policy(facts, folio).version} asks for no balances"
        raise Rejected(text, code="no_balance_request", rule="S1-1", field="folio", value=folio.folio)
    return here


def _check_asks(here: Here) -> None:
    """S0-19, S1-38. Raises Rejected `stay_begun`, `voucher_check_open`."""
    if not here.mails():
        arrival = arrival_of(here.folio)
        text = f"the stay began {arrival}: no mail is sent during it or after"
        raise Rejected(text, code="stay_begun", rule="S1-38", field="folio", value=here.folio.folio)
    if not here.asks():
        text = f"{here.folio.folio} is a request until its vouchers are accepted: check them first"
        raise Rejected(text, code="voucher_check_open", rule="S0-19", field="folio", value=here.folio.folio)


def _cancelled(request: BalanceRequest, here: Here, actor: Actor) -> Outcome:
    after, told, step = cancelled(request, BY_HAND, here.folio)
    return replace(_outcome(here, after, replace(step, text=f"{step.text}, by {who(actor)}")), facts=(told,))


def _outcome(here: Here, request: BalanceRequest, step: Step) -> Outcome:
    return Outcome(state=with_request(here.folio, request), trace=(step,), policy_version=here.folio.policy)
