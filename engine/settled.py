"""What is settled at this moment: policies, tenants, senders, as decisions and doors read them; every frozen version stays known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from config.settings import Configuration, content_hash
from handlers.outcome import Policies
from schemas.errors import HubError
from schemas.policy import PropertyPolicy, SourceProfile, TenantPolicy, Terms

RULES: Final = 2
"""Which rules decide here: one more with each release that decides, tells or records anything otherwise than the one before (0021)."""


class FrozenPolicy(msgspec.Struct, frozen=True):
    """A policy version as the store keeps it for ever: its content never changes under its name."""

    version: str
    kind: str  # terms | property
    hash: str
    body: bytes


class PolicyShelf(Protocol):
    """Where frozen versions and configurations are kept."""

    def policies(self) -> Iterable[FrozenPolicy]: ...

    def keep_policies(self, rows: Iterable[FrozenPolicy]) -> None: ...

    def keep_configuration(self, hash_: str, body: bytes, at: int) -> int: ...

    def configurations(self) -> Mapping[int, bytes]: ...


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """`configuration` numbers the configuration in the store, so that each decision says under which it was taken, and by which rules.
    `merchants`: whose account each is."""

    configuration: int
    rules: int = RULES
    policies: Policies
    tenants: Mapping[str, TenantPolicy]
    sources: Mapping[str, SourceProfile]
    merchants: Mapping[str, str] = msgspec.field(default_factory=dict)


def tenant_of(settled: Settled, tenant: str) -> TenantPolicy:
    """As it is configured; one that is configured no more has bookings and a book still, and no settings but those of its properties."""
    return settled.tenants.get(tenant) or TenantPolicy(tenant=tenant, version="", zone="UTC")


def properties_of(settled: Settled, tenant: str) -> dict[str, PropertyPolicy]:
    """X-12: the tenant's own, as last settled; those that are not configured any more have bookings and a book still."""
    policies = settled.policies
    every = (*policies.frozen_properties.values(), *policies.properties.values())
    return {one.property: one for one in every if one.tenant == tenant}


def check_property(settled: Settled, tenant: str, property_: str) -> None:
    """X-12: empty is every one. Raises HubError `unknown_property` for one that is not the tenant's."""
    who_has(settled, [tenant], property_)


def who_has(settled: Settled, tenants: Sequence[str], property_: str) -> list[str]:
    """X-12: which of these tenants have the property; empty is every one, and all have it. Raises HubError `unknown_property` where none
    has it."""
    found = [tenant for tenant in tenants if not property_ or property_ in properties_of(settled, tenant)]
    if property_ and not found:
        text = f"tenant {' or '.join(map(repr, tenants))} has no property {property_!r}"
        raise HubError(text, code="unknown_property", field="property", value=property_)
    return found


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration means for decisions, as it is stored, and the rules that decide under it; 1 where none are told."""

    rules: int = 1
    tenants: dict[str, TenantPolicy]
    properties: dict[str, PropertyPolicy]
    terms: tuple[Terms, ...]


def settle(configuration: Configuration, shelf: PolicyShelf, at: int) -> Settled:
    """Take a configuration into force at instant `at`, keeping each version's content.

    Raises HubError `policy_changed` when a version is known with another content: a changed policy is a new version (X-8).
    """
    wanted = [
        FrozenPolicy(policy.version, kind, content_hash(policy), _encode(policy))
        for kind, policies in (("terms", configuration.terms), ("property", tuple(configuration.properties.values())))
        for policy in policies
    ]
    known = {(row.kind, row.version): row for row in shelf.policies()}
    fresh = [row for row in wanted if (row.kind, row.version) not in known]
    _unchanged(wanted, known)
    if fresh:
        shelf.keep_policies(fresh)
        known = {(row.kind, row.version): row for row in shelf.policies()}  # another process may have been faster with one of them
        _unchanged(wanted, known)
    kept = _Kept(rules=RULES, tenants=configuration.tenants, properties=configuration.properties, terms=configuration.terms)
    number = shelf.keep_configuration(content_hash(kept), _encode(kept), at)
    settled = _settled(number, kept, list(known.values()), senders(configuration))
    merchants = {name: merchant.tenant for name, merchant in configuration.merchants.items()}
    return msgspec.structs.replace(settled, merchants=merchants)


def _unchanged(wanted: Sequence[FrozenPolicy], known: Mapping[tuple[str, str], FrozenPolicy]) -> None:
    for row in wanted:
        if known.get((row.kind, row.version), row).hash != row.hash:
            raise HubError(
                f"policy {row.version} was in force with another content: give the changed one a new version",
                code="policy_changed",
                field="version",
                value=row.version,
            )


def as_settled_before(shelf: PolicyShelf, number: int) -> Settled:
    """A configuration of the past, for verification."""
    kept = msgspec.json.decode(shelf.configurations()[number], type=_Kept, dec_hook=_read)
    return _settled(number, kept, list(shelf.policies()), {})


def senders(configuration: Configuration) -> Mapping[str, SourceProfile]:
    """Every sender's profile by its source: those listed, and the channels as senders (`ota.demo`)."""
    channels = {
        (channel.source or f"{channel.dialect}.{channel.channel}"): SourceProfile(
            source=channel.source or f"{channel.dialect}.{channel.channel}", tenant=channel.tenant, trust_time=channel.trust_time
        )
        for channel in configuration.channels.values()
    }
    return {**channels, **configuration.sources}


def _settled(number: int, kept: _Kept, rows: list[FrozenPolicy], sources: Mapping[str, SourceProfile]) -> Settled:
    terms = {row.version: msgspec.json.decode(row.body, type=Terms, dec_hook=_read) for row in rows if row.kind == "terms"}
    properties = {
        row.version: msgspec.json.decode(row.body, type=PropertyPolicy, dec_hook=_read) for row in rows if row.kind == "property"
    }
    policies = Policies(properties=kept.properties, terms=kept.terms, frozen_properties=properties, frozen_terms=terms)
    return Settled(configuration=number, rules=kept.rules, policies=policies, tenants=kept.tenants, sources=sources)


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value, enc_hook=str, order="deterministic")


def _read(kind: type, value: object) -> object:
    return kind(value)  # an exact fraction, written as 1/3
