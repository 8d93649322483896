"""Where a message goes: the key that owns it, and the names by which others know its folio (design: one key, one lane, one order)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from engine.store.rows import Key
from schemas.balance import Scope
from schemas.common import Reference
from schemas.errors import Undecodable
from schemas.voucher_code import normalised

_TENANT_WIDE = frozenset({"payouts.stop", "payouts.start", "person.forget"})
BY_SUBJECT: Mapping[str, str] = {
    **dict.fromkeys(("approval.grant", "approval.deny", "effect.settle", "dead_letter.replay", "dead_letter.discard"), "subject"),
    **dict.fromkeys(("notice.bounced", "notice.resend"), "notice"),
}
"""What names an effect, a dead letter or a notice, by the field that does; the store knows whose it is."""


def approval_key(tenant: str, name: str, message: Any) -> Key | None:
    """The folio in which something waits for approval, which its name tells; None for what tells none."""
    folio = message.subject.rpartition("/")[0] if name in ("approval.grant", "approval.deny") else ""
    return Key(tenant, "folio", folio) if folio else None


_OF_PROVIDERS = ("payment.", "dispute.")
"""Families whose messages name a payment by its provider's numbers."""


@lru_cache(maxsize=16_384)
def lane_of(key: Key, lanes: int) -> int:
    """The lane of a key, computed by us and never by a broker's own partitioner."""
    if lanes == 1:
        return 0
    return int.from_bytes(blake2b("\x1f".join(key).encode(), digest_size=4).digest(), "big") % lanes


def references_of(name: str, message: Any) -> tuple[Reference, ...]:
    """Every other name of the folio that a message carries: those it lists, and those a provider's numbers stand for."""
    listed: tuple[Reference, ...] = message.references
    if not (name.startswith(_OF_PROVIDERS) or name == "provider.notified") or not (message.provider and message.merchant):
        return listed
    prefix = f"{message.provider}:{message.merchant}"
    numbers = (("pay", message.provider_reference), ("order", message.order))
    derived = tuple(Reference(namespace=f"{prefix}:{kind}", value=value) for kind, value in numbers if value)
    return (*listed, *(reference for reference in derived if reference not in listed))


def reference_key(tenant: str, reference: Reference) -> Key:
    """The aggregate of one name."""
    return Key(tenant, "reference", f"{reference.namespace}\x1f{reference.value}")


def voucher_key(tenant: str, number: str) -> Key:
    """The aggregate of one voucher, however its number is typed. Raises Undecodable for a number of blanks."""
    key = normalised(number)
    if not key:
        raise Undecodable("a voucher's number needs at least one letter or digit", field="number", value=number)
    return Key(tenant, "voucher", key)


def nobody(key: str) -> str:
    """The subject of what names no person: the folio, or the name by which it came."""
    return "folio:" + key.replace("\x1f", "=")


def key_of(tenant: str, name: str, message: Any) -> Key:
    """The key that decides a message. Raises Undecodable if it names neither a folio nor a reference, or a voucher by blanks alone."""
    if name in _TENANT_WIDE:
        return Key(tenant, "tenant", tenant)
    if name == "force_majeure.declare":
        return Key(tenant, "area", message.area)
    if name == "balance.suspend" and message.scope is not Scope.BOOKING:
        if message.property:
            return Key(tenant, "property", message.property)
        if not message.folio and not message.references:
            return Key(tenant, "tenant", tenant)
    if name == "voucher.register":
        return voucher_key(tenant, message.number)
    if message.folio:
        return Key(tenant, "folio", message.folio)
    references = message.references or references_of(name, message)
    if references:
        return reference_key(tenant, references[0])
    raise Undecodable(f"{name}: names neither a folio nor a reference: set `folio`, or `references`", field="folio")
