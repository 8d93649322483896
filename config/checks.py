"""What single keys cannot show: that names exist, zones and currencies are real, tranches fall, versions are one thing each."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import msgspec

from config import mailing
from config.problems import Problem
from config.reading import TomlFile
from config.settings import Amqp, Effects, Kafka, Mail, Merchant
from config.vouchers import MOST, check_company, check_vouchers
from schemas.booking import CollectedBy, PaymentPlan
from schemas.money import FULL_RATE, ZERO_RATE, exponent, parse_rate, rate_text
from schemas.notice import Language, NoticeKind, NoticeText
from schemas.policy import ChannelProfile, PropertyPolicy, SourceProfile, TenantPolicy, Terms, Unit
from schemas.registry import OUT, family

_DAYS = 3650  # no notice and no patience is longer; a day that is reckoned from a booking's stays in the calendar
_MOST = {
    "quote_minutes": _DAYS * 1440,
    "late_tolerance_hours": _DAYS * 24,
    "parked_alarm_hours": _DAYS * 24,
    "refund_due_days": _DAYS,
    "due_days": _DAYS,
    "notice_days": _DAYS,
    "collection_days": _DAYS,
    "grace_days": _DAYS,
    **MOST,
}
DEFAULTS = PropertyPolicy(property="", version="", tenant="", zone="")
_CHOICES = {
    "dialect": ("ota",),
    "amount_reading": ("schema", "major"),
    "retry": ("stored",),
    "identity": ("unique_id", "echo_token", "message_id"),
    "payment_plan": tuple(PaymentPlan),
    "collected_by": tuple(CollectedBy),
}


class Found(msgspec.Struct, kw_only=True):
    """What a folder has given so far, each policy with its file. `unread`: hub.toml has a mistake and its tenants are not known;
    `unread_properties`, `unread_terms`: a file of them has one, and what it settles is not known."""

    problems: list[Problem]
    hub: TomlFile | None = None
    unread: bool = False
    unread_properties: bool = False
    unread_terms: bool = False
    tenants: tuple[TenantPolicy, ...] = ()
    sources: tuple[SourceProfile, ...] = ()
    channels: tuple[ChannelProfile, ...] = ()
    merchants: tuple[Merchant, ...] = ()
    amqp: Amqp = Amqp()
    kafka: Kafka = Kafka()
    effects: Effects = Effects()
    mail: Mail = Mail()
    texts: dict[str, dict[NoticeKind, dict[Language, NoticeText]]] = msgspec.field(default_factory=dict)
    text_files: list[tuple[TomlFile, str]] = msgspec.field(default_factory=list)
    property_files: list[tuple[TomlFile, Path]] = msgspec.field(default_factory=list)
    properties: list[tuple[TomlFile, PropertyPolicy]] = msgspec.field(default_factory=list)
    terms: list[tuple[TomlFile, Terms]] = msgspec.field(default_factory=list)


def check(found: Found) -> None:
    """Adds every problem to `found.problems`."""
    _check_hub(found)
    for file, policy in found.properties:
        _check_property(file, policy, found)
    for file, terms in found.terms:
        _check_terms(file, terms)
    _check_versions([(file, one.version, one) for file, one in found.properties])
    _check_versions([(file, one.version, one) for file, one in found.terms])
    _check_overlap(found.terms)
    seen: dict[str, str] = {}
    for file, policy in found.properties:
        if policy.property in seen:
            file.problem(("property",), f"is settled in {seen[policy.property]} already", value=policy.property)
        seen.setdefault(policy.property, file.name)
    mailing.check(found.hub, found.mail, None if found.unread_properties else seen, found.text_files)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def _check_zone(file: TomlFile, path: tuple[str | int, ...], zone: str) -> None:
    """A-32: an unknown zone is refused."""
    if zone not in _zones():
        file.problem(path, f"{zone!r} is not a zone of the time zone database", value=zone, code="unknown_zone")


def _check_currency(file: TomlFile, path: tuple[str | int, ...], currency: str) -> None:
    try:
        exponent(currency)
    except ValueError as error:
        file.problem(path, str(error), value=currency, code="unknown_currency")


def _not_negative(file: TomlFile, policy: msgspec.Struct, path: tuple[str | int, ...] = ()) -> None:
    for field in msgspec.structs.fields(policy):
        value = getattr(policy, field.name)
        least = 1 if field.name in ("quote_minutes", "answer_s", "velocity_per_hour", "max_vouchers") else 0
        if isinstance(value, int | float) and not isinstance(value, bool) and value < least:
            file.problem((*path, field.name), f"must be at least {least}, it is {value}", value=value)
        most = _MOST.get(field.name)
        if most is not None and value > most:
            file.problem((*path, field.name), f"must be at most {most}, it is {value}", value=value)


def _check_hub(found: Found) -> None:
    file = found.hub
    if file is None:
        return
    for kind, ids in (
        ("tenants", [one.tenant for one in found.tenants]),
        ("sources", [one.source for one in found.sources]),
        ("channels", [one.channel for one in found.channels]),
        ("merchants", [one.merchant for one in found.merchants]),
    ):
        for n, id_ in enumerate(ids):
            if not 0 < len(id_) <= 64 or id_ in ids[:n]:
                file.problem((kind, n, kind.removesuffix("s")), "is given twice, empty or longer than 64", value=id_)
    for n, tenant in enumerate(found.tenants):
        _check_currency(file, ("tenants", n, "currency"), tenant.currency)
        if tenant.zone:
            _check_zone(file, ("tenants", n, "zone"), tenant.zone)
        check_company(file, ("tenants", n, "company"), tenant.company)
        _not_negative(file, tenant, ("tenants", n))
    families = {family(name) for name in OUT}
    for n, source in enumerate(found.sources):
        _check_tenant(file, ("sources", n, "tenant"), source.tenant, found)
        for i, wanted in enumerate(source.outcomes):
            if wanted not in families:
                file.problem(("sources", n, "outcomes", i), f"no such family; known: {', '.join(sorted(families))}", value=wanted)
    for n, channel in enumerate(found.channels):
        _check_channel(file, n, channel, found)
    for n, merchant in enumerate(found.merchants):
        _check_tenant(file, ("merchants", n, "tenant"), merchant.tenant, found)
        for currency in merchant.wire_digits:
            _check_currency(file, ("merchants", n, "wire_digits", currency), currency)
        accounts = [(one.provider, one.environment, one.pspid.lower()) for one in found.merchants]
        if accounts[n] in accounts[:n]:  # its payments have one request under way at a time, and one tenant
            other = found.merchants[accounts.index(accounts[n])].merchant
            file.problem(("merchants", n, "pspid"), f"is the account of merchant {other!r} already", value=merchant.pspid)
    if found.effects.lease_s <= found.effects.deadline_s:
        file.problem(
            ("effects", "lease_s"), f"must be more than deadline_s, {found.effects.deadline_s:g}", value=found.effects.lease_s
        )
    for n, intake in enumerate(found.amqp.intake):
        for i, name in enumerate(intake.tenants):
            _check_tenant(file, ("amqp", "intake", n, "tenants", i), name, found)
    if found.amqp.url and urlsplit(found.amqp.url).password and not _from_environment(file, found.amqp.url):
        file.problem(("amqp", "url"), "has a password in it: name it with password = { env = ... } or { file = ... }")
    for key, text in _kafka_faults(found.kafka):
        file.problem(("kafka", key), text)


def _kafka_faults(kafka: Kafka) -> Iterator[tuple[str, str]]:
    """Keys of `[kafka]` that do not fit its `security`."""
    if not kafka.encrypted:
        for key in ("ca", "certificate", "key"):
            if getattr(kafka, key):
                yield key, f"is for connections that are encrypted: set security to ssl or sasl_ssl, it is {kafka.security}"
    if kafka.key and not kafka.certificate:
        yield "key", "is without its certificate"
    if not kafka.named and (kafka.username or kafka.password):
        yield "username" if kafka.username else "password", f"is said to nobody: set security to sasl_ssl, it is {kafka.security}"
    if kafka.named and not (kafka.username and kafka.password):
        yield "security", "wants username, and password = { env = ... } or { file = ... }"
    if kafka.security == "sasl_plaintext" and kafka.mechanism == "PLAIN":
        yield "mechanism", "PLAIN sends the password as it is: set security to sasl_ssl, or take SCRAM-SHA-512"


def _from_environment(file: TomlFile, url: str) -> bool:
    return ("amqp", "url") not in file.lines or url not in file.text


def _check_tenant(file: TomlFile, path: tuple[str | int, ...], name: str, found: Found) -> None:
    if not found.unread and name not in {one.tenant for one in found.tenants}:
        file.problem(path, f"there is no tenant {name!r} in hub.toml", value=name, code="unknown_tenant")


def _check_channel(file: TomlFile, n: int, channel: ChannelProfile, found: Found) -> None:
    at = ("channels", n)
    _check_tenant(file, (*at, "tenant"), channel.tenant, found)
    _not_negative(file, channel, at)
    for key, choices in _CHOICES.items():
        if getattr(channel, key) not in choices:
            file.problem((*at, key), f"must be one of {', '.join(choices)}", value=getattr(channel, key))
    if channel.commission_rate:
        try:
            parse_rate(channel.commission_rate)
        except ValueError as error:
            file.problem((*at, "commission_rate"), str(error), value=channel.commission_rate)
    if channel.currency:
        _check_currency(file, (*at, "currency"), channel.currency)
    mine = {one.property for _, one in found.properties if one.tenant == channel.tenant}
    for path, name in _named(channel.default_property, channel.properties, "property", "properties"):
        if name not in mine and not found.unread_properties:
            file.problem((*at, *path), f"tenant {channel.tenant!r} has no property {name!r}", value=name, code="unknown_property")
    known = {one.name for _, one in found.terms}
    for path, name in _named(channel.default_terms, channel.terms, "terms", "terms"):
        if name not in known and not found.unread_terms:
            file.problem((*at, *path), f"there are no terms {name!r}", value=name, code="unknown_terms")
    for i, encoding in enumerate(channel.encodings):
        try:
            codecs.lookup(encoding)
        except LookupError:
            file.problem((*at, "encodings", i), f"no encoding is called {encoding!r}", value=encoding)


def _named(default: str, by_code: Mapping[str, str], one: str, many: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a channel names things of ours, and which."""
    if default:
        yield (f"default_{one}",), default
    for code, name in by_code.items():
        yield (many, code), name


def _check_property(file: TomlFile, policy: PropertyPolicy, found: Found) -> None:
    _check_tenant(file, ("tenant",), policy.tenant, found)
    if policy.zone or "zone" in file.table:  # that it is missing was told when it was read
        _check_zone(file, ("zone",), policy.zone)
    _not_negative(file, policy)
    if not 0 < len(policy.property) <= 64:
        file.problem(("property",), "must have 1 to 64 characters", value=policy.property)
    if not policy.currencies:
        file.problem(("currencies",), "must name at least one")
    for n, currency in enumerate(policy.currencies):
        _check_currency(file, ("currencies", n), currency)
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
    _not_negative(file, balance, ("balance",))
    for table in ("due_days_by_type", "due_days_by_accommodation"):
        for name, days in getattr(balance, table).items():
            if not 0 <= days <= _DAYS:
                file.problem(("balance", table, name), f"must be from 0 to {_DAYS}, it is {days}", value=days)
    if not balance.methods:
        file.problem(("balance", "methods"), "must name at least one of payment_methods")
    for n, method in enumerate(balance.methods):
        if method not in policy.payment_methods:
            text = f"{method.value!r} is not one of payment_methods"
            file.problem(("balance", "methods", n), text, value=method.value, code="method_not_configured")


def _check_terms(file: TomlFile, terms: Terms) -> None:
    """S4-3, S4-4: three tranches, the notice falls and the rates do not rise."""
    trade, _, level = file.name.removeprefix("policies/cancellation/").partition("/")
    expected = f"{trade}/{level.split('.')[0]}"
    if terms.name != expected:
        file.problem(("name",), f"the place of the file says {expected!r}", value=terms.name)
    if terms.trade != trade:
        file.problem(("trade",), f"the place of the file says {trade!r}", value=terms.trade)
    first, second, last = terms.tranches
    if first.from_notice <= second.from_notice:
        file.problem(("tranches", 1, "from_notice"), f"must be below {first.from_notice}: the longest notice stands first")
    most = _DAYS * (24 if terms.unit is Unit.HOUR else 1)
    if first.from_notice > most:
        file.problem(("tranches", 0, "from_notice"), f"must be at most {most}", value=first.from_notice)
    if second.from_notice < 0:
        file.problem(("tranches", 1, "from_notice"), "must be at least 0", value=second.from_notice)
    for n, tranche in enumerate(terms.tranches):
        if not ZERO_RATE <= tranche.refund <= FULL_RATE:
            file.problem(("tranches", n, "refund"), "must be from 0 % to 100 %", value=rate_text(tranche.refund))
    for n, (before, after) in enumerate([(first, second), (second, last)], 1):
        if after.refund > before.refund:
            text = f"{rate_text(after.refund)} is more than the {rate_text(before.refund)} of an earlier cancellation"
            file.problem(("tranches", n, "refund"), text, value=rate_text(after.refund))
    if terms.valid_from and terms.valid_to and terms.valid_to < terms.valid_from:
        file.problem(("valid_to",), "is before valid_from", value=terms.valid_to)
    if terms.second_payment_days is not None and terms.second_payment_days < 0:
        file.problem(("second_payment_days",), "must be at least 0", value=terms.second_payment_days)
    if terms.second_payment_days is not None and terms.second_payment_days > _DAYS:
        file.problem(("second_payment_days",), f"must be at most {_DAYS}", value=terms.second_payment_days)


def _check_versions(policies: Sequence[tuple[TomlFile, str, msgspec.Struct]]) -> None:
    """S4-40, X-8: a version says one thing for ever."""
    seen: dict[str, tuple[TomlFile, msgspec.Struct]] = {}
    for file, version, policy in policies:
        if not 0 < len(version) <= 120:
            file.problem(("version",), "must have 1 to 120 characters", value=version)
        other, known = seen.setdefault(version, (file, policy))
        if other is not file and known != policy:
            file.problem(("version",), f"{version!r} has another content in {other.name}", value=version, code="version_conflict")


def _check_overlap(terms: list[tuple[TomlFile, Terms]]) -> None:
    """X-8: on one day, one version of a name is offered."""
    names: dict[str, list[tuple[TomlFile, Terms]]] = {}
    for file, one in terms:
        names.setdefault(one.name, []).append((file, one))
    for versions in names.values():
        ordered = sorted(versions, key=lambda pair: (pair[1].valid_from or date.min, pair[0].name))
        for (before, earlier), (file, later) in pairwise(ordered):
            if (earlier.valid_to or date.max) >= (later.valid_from or date.min):
                text = f"overlaps with {before.name}: give that one a valid_to before {later.valid_from or 'this one'}"
                file.problem(("valid_from",), text, value=later.valid_from or "")
