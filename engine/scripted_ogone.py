"""The Ogone simulator inside a dry run: its books, its script and its callbacks on the run's own clock, no socket.

The books know what the messages say was paid at Ogone; what the script makes of our requests is the simulator's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from config.settings import Configuration
from connectors.psp.contract import PaymentConnector
from connectors.psp.ogone import callback, form
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.simulator.accounts import SANDBOX, SimulatorAccount, merchant_account
from connectors.psp.ogone.simulator.books import Books, Callback
from connectors.psp.ogone.simulator.inprocess import InProcessWire
from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.script import Script
from engine.clock import Clock, instant
from engine.transport.contract import Arrival
from schemas import registry
from schemas.common import Actor, ActorKind
from schemas.envelope import name_of, type_of
from schemas.errors import HubError, Rejected
from schemas.payment import Payment, ProviderNotified

OGONE: Final = "ogone"
_URL: Final = "http://127.0.0.1/ncol/test/"
_CAPTURES: Final = frozenset({"SAL", "SAS"})


class _Known(msgspec.Struct, frozen=True):
    """Whose payment a PAYID is."""

    merchant: str
    tenant: str


class ScriptedOgone(Mapping[str, PaymentConnector]):
    """Connectors by merchant, all of one simulated provider. A merchant that no account of the script is for uses the first."""

    def __init__(self, script: Script, configuration: Configuration, clock: Clock) -> None:
        told = (msgspec.structs.replace(account, callback_url=_URL) for account in script.accounts or (SANDBOX,))
        script = msgspec.structs.replace(script, accounts=tuple(told))
        self._clock, self._configuration, self._script = clock, configuration, script
        self.provider = Provider(Books(":memory:"), script)
        self._connectors: dict[str, PaymentConnector] = {}
        self._known: dict[str, _Known] = {}

    def __getitem__(self, merchant: str) -> PaymentConnector:
        if not merchant:
            raise KeyError(merchant)
        if merchant not in self._connectors:
            account = merchant_account(self._account(merchant), merchant, _URL)
            account = msgspec.structs.replace(account, level_amounts=self._script.level_amounts)
            wire = InProcessWire(self.provider, self._now)
            self._connectors[merchant] = OgoneConnector(account, wire)
        return self._connectors[merchant]

    def __iter__(self) -> Iterator[str]:
        return iter(self._connectors)

    def __len__(self) -> int:
        return len(self._connectors)

    def _now(self) -> datetime:
        return instant(self._clock.now())

    def _account(self, merchant: str) -> SimulatorAccount:
        settled = self._configuration.merchants.get(merchant)
        accounts = {account.pspid: account for account in self._script.accounts}
        return accounts.get(settled.pspid, self._script.accounts[0]) if settled else self._script.accounts[0]

    # -- what the messages say of the provider -------------------------------------------------------------------------------

    def learn(self, tenant: str, type_: str, data: bytes) -> None:
        """A payment message at Ogone is in the provider's books before the hub hears of it; what is none changes nothing."""
        name = name_of(type_)
        if name not in ("payment.authorised", "payment.received"):
            return
        try:
            paid = registry.read_data(name, data)
        except HubError:
            return  # the hub keeps it as a dead letter and says why
        if isinstance(paid, Payment) and paid.provider == OGONE and paid.merchant and paid.provider_reference:
            with contextlib.suppress(Rejected):  # what the provider would never have done stays out of its books; the hub judges it
                self._enter(tenant, paid, captured=name == "payment.received")

    def _enter(self, tenant: str, paid: Payment, *, captured: bool) -> None:
        payid, now = paid.provider_reference, self._now()
        if payid not in self._known:
            pspid = self._account(paid.merchant).pspid
            self.provider.create(
                paid.order or payid,
                paid.amount,
                paid.currency,
                now,
                operation="SAL" if captured else "RES",
                pspid=pspid,
                status=paid.status,
                callback=False,
                payid=payid,
            )
            self._known[payid] = _Known(paid.merchant, tenant)
            return
        history = self.provider.books.operations(payid)
        if not captured or history[-1].operation in _CAPTURES:
            if paid.status and paid.status != history[-1].status:
                self.provider.settle(payid, history[-1].level, paid.status, now)
            return
        self.provider.back_office(payid, "SAS", paid.amount, now, status=paid.status)

    def operations(self) -> dict[str, int]:
        """How often each operation stands in the provider's books."""
        counts: dict[str, int] = {}
        for payment in self.provider.books.payments():
            for operation in self.provider.books.operations(payment.payid):
                counts[operation.operation] = counts.get(operation.operation, 0) + 1
        return counts

    # -- what happens by itself ------------------------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        """When the provider next does something by itself, microseconds."""
        due_ms = self.provider.next_due()
        return None if due_ms is None else due_ms * 1000

    def callbacks(self) -> list[Arrival]:
        """What the provider has done by itself until now, and its callbacks that are due, verified, as the gateway would take them."""
        self.provider.advance(self._now())
        return [arrival for due in self.provider.due_callbacks(self._now()) if (arrival := self._delivered(due)) is not None]

    def _delivered(self, due: Callback) -> Arrival | None:
        self.provider.callback_tried(due, True, self._now())
        known = self._known.get(form.text(form.parameters(due.form).get("PAYID", b"")))
        connector = self[known.merchant] if known is not None else None
        if known is None or not isinstance(connector, OgoneConnector):
            return None
        values = callback.verify(due.form, connector.account)
        body = ProviderNotified(
            actor=Actor(kind=ActorKind.SYSTEM, id=OGONE),
            provider=OGONE,
            merchant=known.merchant,
            provider_reference=values.reference,
            order=values.order,
            status=values.status,
            raw=dict(values.fields),
        )
        attributes = {
            "specversion": "1.0",
            "id": values.identity[:64],
            "source": f"psp.{OGONE}.{known.merchant}",
            "type": type_of("provider.notified"),
            "tenant": known.tenant,
        }
        return Arrival(door="dry-run", body=registry.encode(body), attributes=attributes)
