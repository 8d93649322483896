"""A folio before and after a decision, with the settings of its balance and its property's zone (S1-10, S1-11). Nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from handlers.balance_dates import arrival_of
from handlers.frozen import property_version, zone_of
from handlers.outcome import Facts
from handlers.voucher_schedule import waiting
from schemas.folio import Folio
from schemas.policy import BalancePolicy, PropertyPolicy


@dataclass(frozen=True, slots=True)
class Here:
    """A folio before and after a decision, and how its property dates the act."""

    before: Folio | None
    folio: Folio
    policy: BalancePolicy
    version: str  # empty: the settings frozen with the folio
    act: datetime
    today: date  # the act's local day
    zone: ZoneInfo
    facts: Facts

    def mails(self) -> bool:
        """S1-38: nothing is sent during or after the stay."""
        arrival = arrival_of(self.folio)
        return arrival is not None and self.today < arrival

    def asks(self) -> bool:
        """S0-19, S1-38: nor is anything asked of a booking whose vouchers the merchant has not accepted: it is a request."""
        return self.mails() and not waiting(self.folio)


def settings(folio: Folio, facts: Facts) -> tuple[BalancePolicy | None, str]:
    """S1-10, S1-11: how its balance is asked for: as frozen with the booking, or as an operator last applied again (with that version)."""
    version = folio.balance_requests[-1].policy if folio.balance_requests else ""
    return settings_of(folio, version, facts).balance, version


def settings_of(folio: Folio, version: str, facts: Facts) -> PropertyPolicy:
    """The property's policy of that version; empty: the one frozen with the folio."""
    return property_version(facts, folio.property, version or folio.policy)


def here_of(folio: Folio, facts: Facts, before: Folio | None = None) -> Here | None:
    """None: the property asks for no balances."""
    policy, version = settings(folio, facts)
    if policy is None:
        return None
    zone = zone_of(settings_of(folio, "", facts), facts.tenant)
    return Here(before, folio, policy, version, facts.act, facts.act.astimezone(zone).date(), zone, facts)
