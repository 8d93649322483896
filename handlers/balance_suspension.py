"""`balance.suspend` of a property, or of a type of accommodation there: kept as the property's settings, read by each folio when its own
timer fires (S0-24, S1-36).

What has been put off by one looks every day whether it ended sooner (`handlers.balance_timers`).
"""

from __future__ import annotations

from msgspec.structs import replace

from handlers.balance import check_actor
from handlers.cancellation_right import HOUSE, who
from handlers.entitlement import Feature, check_feature
from handlers.frozen import zone_of
from handlers.outcome import Facts, Internal, Outcome, Step
from schemas.balance import BalanceSuspend, BalanceSuspended, Scope
from schemas.errors import Rejected
from schemas.policy import PropertyPolicy
from schemas.property_settings import PropertySettings, Suspension

MOST_SUSPENSIONS = 200
"""A property has so many types suspended at most."""


def decide_suspend(message: BalanceSuspend, facts: Facts) -> Outcome:
    """S0-24, S1-36: until local day `until`; said again, the last word counts. A day that is over ends one that stands. Of no named
    property: handed on to the one that is meant.

    Raises Rejected `not_allowed`, `unknown_folio`, `property_missing`, `unknown_property`, `unknown_zone`, `feature_not_available`,
    `type_missing`, `suspension_in_the_past`, `too_many_suspensions`.
    """
    check_actor(message.actor, HOUSE)
    if not message.property:
        return _handed_on(replace(message, property=_meant(message, facts)))
    policy = _policy(message, facts)
    zone = zone_of(policy, facts.tenant)
    check_feature(Feature.SUSPEND_BALANCE_REQUEST, facts, zone)
    if message.scope is Scope.TYPE and not message.accommodation_type:
        raise Rejected("say which type", code="type_missing", rule="S1-36", field="accommodation_type", value="")
    type_ = message.accommodation_type if message.scope is Scope.TYPE else ""
    today = facts.act.astimezone(zone).date()
    known = facts.settings or PropertySettings(property=policy.property)
    standing = [one for one in known.suspensions if one.until > today]
    others = tuple([one for one in standing if one.accommodation_type != type_])
    ends = message.until <= today
    if ends and len(others) == len(standing):
        text = f"a suspension ends on a day to come; it is {today} there, and there is none to end"
        raise Rejected(text, code="suspension_in_the_past", rule="S1-36", field="until", value=message.until)
    if len(others) >= MOST_SUSPENSIONS:
        text = f"{policy.property} has {MOST_SUSPENSIONS} suspensions: suspend the property"
        raise Rejected(text, code="too_many_suspensions", rule="S1-36", field="property", value=policy.property)
    suspensions = others if ends else (*others, Suspension(accommodation_type=type_, until=message.until))
    what = f"{policy.property} {type_}".rstrip()
    text = f"{what} asks for no balances before {message.until} ({who(message.actor)})"
    return Outcome(
        state=replace(known, suspensions=suspensions),
        facts=(
            BalanceSuspended(until=message.until, scope=message.scope.value, property=policy.property, accommodation_type=type_),
        ),
        trace=(Step("S1-36", f"{what}: the suspension ends" if ends else text),),
        policy_version=policy.version,
    )


def _meant(message: BalanceSuspend, facts: Facts) -> str:
    """The property of the folio that is named, else the tenant's only one. Raises Rejected `unknown_folio`, `property_missing`."""
    if facts.folio is not None:
        return facts.folio.property
    if message.folio:
        raise Rejected(f"folio {facts.key!r} is not known", code="unknown_folio", rule="X-2", field="folio", value=facts.key)
    own = [policy.property for policy in facts.policies.properties.values() if policy.tenant == facts.tenant.tenant]
    if len(own) != 1:
        text = f"{facts.tenant.tenant} has {len(own)} properties: say of which nothing is asked"
        raise Rejected(text, code="property_missing", rule="S1-36", field="property", value="")
    return own[0]


def _handed_on(message: BalanceSuspend) -> Outcome:
    """To the property's own key, where its suspensions are kept."""
    told = Internal(kind="property", key=message.property, name="balance.suspend", body=message)
    return Outcome(messages=(told,), trace=(Step("S1-36", f"{message.scope.value}: of {message.property}"),))


def _policy(message: BalanceSuspend, facts: Facts) -> PropertyPolicy:
    policy = facts.policies.properties.get(message.property)
    if policy is None or policy.tenant != facts.tenant.tenant:
        text = f"property {message.property!r} is not one of {facts.tenant.tenant!r}"
        raise Rejected(text, code="unknown_property", rule="X-12", field="property", value=message.property)
    return policy
