"""What a booking was frozen with (S4-40, X-8): the property's policy, each line's terms, the zone that dates are read in."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from handlers.outcome import Facts
from schemas.booking import LineKind
from schemas.errors import Rejected
from schemas.folio import Folio, FolioLine
from schemas.policy import PropertyPolicy, TenantPolicy, Terms

WITH_TERMS = frozenset({LineKind.STAY, LineKind.SERVICE})
"""Lines that penalty and deposit count; tourist tax and insurance stand outside (X-23)."""


class Local(NamedTuple):
    """X-9: an act as a property dates it: its frozen policy, its zone, and the day there."""

    act: datetime
    zone: ZoneInfo
    today: date
    policy: PropertyPolicy


def property_policy(facts: Facts, folio: Folio) -> PropertyPolicy:
    """The property's policy as frozen with this folio. Raises KeyError if that version was lost: a defect."""
    return property_version(facts, folio.property, folio.policy)


def property_version(facts: Facts, name: str, version: str) -> PropertyPolicy:
    """That version of a property's policy. Raises KeyError if it was lost: a defect."""
    current = facts.policies.properties.get(name)
    if current is not None and current.version == version:
        return current
    return facts.policies.frozen_properties[version]


def local(facts: Facts, folio: Folio) -> Local:
    """The act at the folio's property."""
    policy = property_policy(facts, folio)
    zone = zone_of(policy, facts.tenant)
    return Local(facts.act, zone, facts.act.astimezone(zone).date(), policy)


def terms_of(facts: Facts, line: FolioLine) -> Terms | None:
    """The line's frozen terms; None for lines that have none (X-23). Raises KeyError if that version was lost: a defect."""
    return terms_version(facts, line.policy) if line.kind in WITH_TERMS else None


def terms_version(facts: Facts, version: str) -> Terms:
    """The terms of that version, offered now or only frozen. Raises KeyError if it was lost: a defect."""
    frozen = facts.policies.frozen_terms.get(version)
    if frozen is not None:
        return frozen
    for terms in facts.policies.terms:
        if terms.version == version:
            return terms
    raise KeyError(f"terms {version} are frozen in a booking and not in the store")


def zone_of(policy: PropertyPolicy, tenant: TenantPolicy) -> ZoneInfo:
    """A-32: the property's zone; the tenant's only where it was set on purpose. Raises Rejected `unknown_zone` without one."""
    name = policy.zone or tenant.zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as why:
        raise Rejected(
            f"property {policy.property!r} has no time zone that exists ({name!r}): set its zone, or the tenant's",
            code="unknown_zone",
            rule="A-32",
            field="zone",
            value=name,
        ) from why
