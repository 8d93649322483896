"""What single keys of hub.toml cannot show: names that there are, given once; accounts of one merchant; secrets that stay secret."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from config.found import Found, check_currency, check_numbers, check_tenant, check_zone
from config.reading import TomlFile
from config.settings import Kafka
from config.vouchers import check_company
from schemas.booking import CollectedBy, PaymentPlan
from schemas.money import parse_rate
from schemas.policy import ChannelProfile
from schemas.registry import OUT, family

_CHOICES = {
    "dialect": ("ota",),
    "amount_reading": ("schema", "major"),
    "retry": ("stored",),
    "identity": ("unique_id", "echo_token", "message_id"),
    "payment_plan": tuple(PaymentPlan),
    "collected_by": tuple(CollectedBy),
}


def check(found: Found) -> None:
    """Notes every mistake at its key."""
    file = found.hub
    if file is None:
        return
    _check_names(file, found)
    for n, tenant in enumerate(found.tenants):
        check_currency(file, ("tenants", n, "currency"), tenant.currency)
        if tenant.zone:
            check_zone(file, ("tenants", n, "zone"), tenant.zone)
        check_company(file, ("tenants", n, "company"), tenant.company)
        check_numbers(file, tenant, ("tenants", n))
    _check_sources(file, found)
    for n, channel in enumerate(found.channels):
        _check_channel(file, n, channel, found)
    _check_merchants(file, found)
    if found.effects.lease_s <= found.effects.deadline_s:
        text = f"must be more than deadline_s, {found.effects.deadline_s:g}"
        file.problem(("effects", "lease_s"), text, value=found.effects.lease_s)
    for n, intake in enumerate(found.amqp.intake):
        for i, name in enumerate(intake.tenants):
            check_tenant(file, ("amqp", "intake", n, "tenants", i), name, found)
    if found.amqp.url and urlsplit(found.amqp.url).password and not _from_environment(file, found.amqp.url):
        file.problem(("amqp", "url"), "has a password in it: name it with password = { env = ... } or { file = ... }")
    for key, text in _kafka_faults(found.kafka):
        file.problem(("kafka", key), text)


def _check_names(file: TomlFile, found: Found) -> None:
    for kind, ids in (
        ("tenants", [one.tenant for one in found.tenants]),
        ("sources", [one.source for one in found.sources]),
        ("channels", [one.channel for one in found.channels]),
        ("merchants", [one.merchant for one in found.merchants]),
    ):
        for n, id_ in enumerate(ids):
            if not 0 < len(id_) <= 64 or id_ in ids[:n]:
                file.problem((kind, n, kind.removesuffix("s")), "is given twice, empty or longer than 64", value=id_)


def _check_sources(file: TomlFile, found: Found) -> None:
    families = {family(name) for name in OUT}
    for n, source in enumerate(found.sources):
        check_tenant(file, ("sources", n, "tenant"), source.tenant, found)
        for i, wanted in enumerate(source.outcomes):
            if wanted not in families:
                file.problem(("sources", n, "outcomes", i), f"no such family; known: {', '.join(sorted(families))}", value=wanted)


def _check_merchants(file: TomlFile, found: Found) -> None:
    for n, merchant in enumerate(found.merchants):
        check_tenant(file, ("merchants", n, "tenant"), merchant.tenant, found)
        for currency in merchant.wire_digits:
            check_currency(file, ("merchants", n, "wire_digits", currency), currency)
        accounts = [(one.provider, one.environment, one.pspid.lower()) for one in found.merchants]
        if accounts[n] in accounts[:n]:  # its payments have one request under way at a time, and one tenant
            other = found.merchants[accounts.index(accounts[n])].merchant
            file.problem(("merchants", n, "pspid"), f"is the account of merchant {other!r} already", value=merchant.pspid)


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


def _check_channel(file: TomlFile, n: int, channel: ChannelProfile, found: Found) -> None:
    at = ("channels", n)
    check_tenant(file, (*at, "tenant"), channel.tenant, found)
    check_numbers(file, channel, at)
    for key, choices in _CHOICES.items():
        if getattr(channel, key) not in choices:
            file.problem((*at, key), f"must be one of {', '.join(choices)}", value=getattr(channel, key))
    if channel.commission_rate:
        try:
            parse_rate(channel.commission_rate)
        except ValueError as error:
            file.problem((*at, "commission_rate"), str(error), value=channel.commission_rate)
    if channel.currency:
        check_currency(file, (*at, "currency"), channel.currency)
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
