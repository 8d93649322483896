"""What single keys cannot show, in a whole folder: properties and their methods, versions that are one thing each, what is given once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from config import hub_file, mailing, terms
from config.found import DAYS, Found, check_currency, check_numbers, check_tenant, check_zone
from config.reading import TomlFile
from config.vouchers import check_company, check_vouchers
from schemas.policy import PropertyPolicy


def check(found: Found) -> None:
    """Adds every problem to `found.problems`."""
    hub_file.check(found)
    for file, policy in found.properties:
        _check_property(file, policy, found)
    for file, one in found.terms:
        terms.check(file, one)
    _check_versions([(file, one.version, one) for file, one in found.properties])
    _check_versions([(file, one.version, one) for file, one in found.terms])
    terms.check_overlap(found.terms)
    seen: dict[str, str] = {}
    for file, policy in found.properties:
        if policy.property in seen:
            file.problem(("property",), f"is settled in {seen[policy.property]} already", value=policy.property)
        seen.setdefault(policy.property, file.name)
    mailing.check(found.hub, found.mail, None if found.unread_properties else seen, found.text_files)


def _check_property(file: TomlFile, policy: PropertyPolicy, found: Found) -> None:
    check_tenant(file, ("tenant",), policy.tenant, found)
    if policy.zone or "zone" in file.table:  # that it is missing was told when it was read
        check_zone(file, ("zone",), policy.zone)
    check_numbers(file, policy)
    if not 0 < len(policy.property) <= 64:
        file.problem(("property",), "must have 1 to 64 characters", value=policy.property)
    if not policy.currencies:
        file.problem(("currencies",), "must name at least one")
    for n, currency in enumerate(policy.currencies):
        check_currency(file, ("currencies", n), currency)
    _check_methods(file, policy)
    check_company(file, ("company",), policy.company)
    check_vouchers(file, policy)
    trades = {one.trade for _, one in found.terms}
    for trade, threshold in policy.split_thresholds.items():
        if trade not in trades and not found.unread_terms:
            file.problem(("split_thresholds", trade), f"no terms are of the trade {trade!r}", value=trade)
        if threshold < 0:
            file.problem(("split_thresholds", trade), f"must be at least 0, it is {threshold}", value=threshold)


def _check_methods(file: TomlFile, policy: PropertyPolicy) -> None:
    """S1-2, S1-6, S1-32: days that are days, and methods of the property's own, at least one."""
    balance = policy.balance
    if balance is None:
        return
    check_numbers(file, balance, ("balance",))
    for table in ("due_days_by_type", "due_days_by_accommodation"):
        for name, days in getattr(balance, table).items():
            if not 0 <= days <= DAYS:
                file.problem(("balance", table, name), f"must be from 0 to {DAYS}, it is {days}", value=days)
    if not balance.methods:
        file.problem(("balance", "methods"), "must name at least one of payment_methods")
    for n, method in enumerate(balance.methods):
        if method not in policy.payment_methods:
            text = f"{method.value!r} is not one of payment_methods"
            file.problem(("balance", "methods", n), text, value=method.value, code="method_not_configured")


def _check_versions(policies: Sequence[tuple[TomlFile, str, msgspec.Struct]]) -> None:
    """S4-40, X-8: a version says one thing for ever."""
    seen: dict[str, tuple[TomlFile, msgspec.Struct]] = {}
    for file, version, policy in policies:
        if not 0 < len(version) <= 120:
            file.problem(("version",), "must have 1 to 120 characters", value=version)
        other, known = seen.setdefault(version, (file, policy))
        if other is not file and known != policy:
            file.problem(("version",), f"{version!r} has another content in {other.name}", value=version, code="version_conflict")
