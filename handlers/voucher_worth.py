"""What a voucher's own book has: its free remainder, and the warnings that it gives a booking (S0-20 to S0-23, S0-32, S0-36).

Pure arithmetic on a book; nothing is decided here. Amounts are minor units.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from handlers.outcome import Facts
from schemas.folio import Folio
from schemas.policy import PropertyPolicy, TenantPolicy
from schemas.voucher import Flag, VoucherScope
from schemas.voucher_book import HoldState, Voucher, VoucherHold
from schemas.voucher_code import mixed, ours, shaped_as_ours
from schemas.voucher_talk import VoucherAsked

SIREN = 9
"""Digits of a legal entity; a SIRET has those of the establishment after them (S0-33)."""

MOST_HOLDS = 500
"""Bookings that a voucher remembers beside those that hold it."""


def entity_of(policy: PropertyPolicy | None, tenant: TenantPolicy) -> str:
    """S0-36: the legal entity of a property: its company's SIREN, else its tenant's, else the tenant itself."""
    company = (policy.company if policy is not None else "") or tenant.company
    return "".join(company.split())[:SIREN] or tenant.tenant


def hold_of(book: Voucher, folio: str) -> VoucherHold | None:
    """The booking's part of a voucher, or None."""
    return next((hold for hold in book.holds if hold.folio == folio), None)


def with_hold(book: Voucher, hold: VoucherHold) -> Voucher:
    """The book with this hold in place of its booking's, or added last. Of more than MOST_HOLDS the oldest are forgotten that say no more
    than none would: what ended, and of a code that others made what was spent, which goes back by hand either way."""
    holds = [hold if known.folio == hold.folio else known for known in book.holds]
    holds = holds if hold in holds else [*holds, hold]
    beyond = len(holds) - MOST_HOLDS
    if beyond > 0:
        forgotten = {known.folio for known in [known for known in holds if not _matters(book, known)][:beyond]}
        holds = [known for known in holds if known.folio not in forgotten]
    return replace(book, holds=tuple(holds))


def _matters(book: Voucher, hold: VoucherHold) -> bool:
    return hold.state is HoldState.HELD or (hold.state is HoldState.CONFIRMED and book.known)


def free(book: Voucher) -> int:
    """S0-20, S0-22: what is left and no booking holds."""
    return book.left - sum(hold.held for hold in book.holds if hold.state is HoldState.HELD)


def live(book: Voucher) -> tuple[str, ...]:
    """S0-20: the bookings that the number stands on."""
    return tuple(
        [hold.folio for hold in book.holds if hold.state is HoldState.HELD or (hold.state is HoldState.CONFIRMED and hold.taken)]
    )


def over(book: Voucher, act: datetime) -> bool:
    """Whether the voucher is no longer good."""
    return book.expires_at is not None and act >= book.expires_at


def can_hold(book: Voucher, currency: str) -> int:
    """What a booking in this currency could hold now; a voucher that has expired has nothing left."""
    return max(0, free(book)) if book.currency == currency else 0


def held_at_most(book: Voucher | None, folio: Folio, facts: Facts) -> int | None:
    """S0-21: what a known voucher could hold for this booking; None where the hub knows no value."""
    if book is None or not book.known:
        return None
    return 0 if over(book, facts.act) else can_hold(book, folio.currency)


def flags(book: Voucher, asked: VoucherAsked, held: int, facts: Facts) -> tuple[Flag, ...]:
    """S0-6, S0-20 to S0-23, S0-32: the warnings for one booking, in the order of `Flag`."""
    found = {
        Flag.DUPLICATE: any(folio != asked.folio for folio in live(book)),
        Flag.CHECK_CHARACTER: not book.known and shaped_as_ours(book.key) and not ours(book.key),
        Flag.MIXED_SCRIPTS: not book.known and mixed(book.key),
    }
    if book.known:
        policy = facts.policies.properties.get(asked.property)
        other_entity = book.entity != entity_of(policy, facts.tenant)
        out = {VoucherScope.PROPERTY: book.property != asked.property, VoucherScope.ENTITY: other_entity, VoucherScope.GROUP: False}
        found |= {
            Flag.VALUE_EXCEEDED: asked.minor > held,
            Flag.EXPIRED: over(book, facts.act),
            Flag.OTHER_HOLDER: bool(book.holder and asked.person and book.holder != asked.person),
            Flag.OUT_OF_SCOPE: out[book.scope],
            Flag.OTHER_CURRENCY: book.currency != asked.currency,
            Flag.MONEY_GONE: book.money_gone > 0,
        }
    return tuple([flag for flag in Flag if found.get(flag)])
