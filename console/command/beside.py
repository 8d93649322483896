"""A store opened by a command, with or without a hub running on it: what is read, what is said to the hub, what comes of it.

A word to the hub is a message like any other: durable in the intake when the command ends, decided by the hub, now or at its next
start. Through a gateway (`--url`) it takes the same way as everybody's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from console.command.failing import Exit
from console.command.showing import stamp
from engine.clock import SystemClock
from engine.cloudevents import event as outcome_event
from engine.intake import DurableIntake
from engine.keys import DoorKeys
from engine.opening import STRUCTURED
from engine.settled import Settled, as_settled_before, who_has
from engine.store.history import History
from engine.store.opening import lanes_of, open_store, runs_on
from engine.store.reading import Reading
from engine.store.rows import Key
from engine.store.shelf import Shelf
from engine.transport.contract import Arrival, Taken
from engine.vault import Vault, master_key
from schemas.envelope import type_of
from schemas.errors import HubError

POLL_S = 0.1
SOURCE = "foliohub.command"
T = TypeVar("T")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a word to the hub. `hub`: whether one runs; `outcomes`: None when there are none yet."""

    message: str
    taken: str
    hub: bool
    outcomes: list[dict[str, Any]] | None = None
    reason: str = ""

    @property
    def status(self) -> Exit:
        """FOUND for what was refused."""
        if self.taken == Taken.DEAD.value:
            return Exit.WRONG
        refused = any(outcome["type"].endswith(".refused.v1") for outcome in self.outcomes or ())
        return Exit.FOUND if refused else Exit.DONE


class Beside:
    """One open store."""

    def __init__(self, address: str) -> None:
        self.database = open_store(address, writer=False)
        self.path = self.database.name
        self.reading = Reading(self.database)
        self.shelf = Shelf(self.database)
        self.history = History(self.reading)
        self.keys = DoorKeys(self.database)
        self._clock = SystemClock()

    @cached_property
    def vault(self) -> Vault:
        """Only what is sealed needs the master key. Raises HubError `master_key_missing`."""
        return Vault(master_key(self.database.name, self.shelf), self.shelf)

    @property
    def hub(self) -> str:
        """The process of the hub that runs on this store; empty: none does."""
        return runs_on(self.database)

    def settled(self) -> Settled:
        """What the hub last had in force."""
        numbers = self.shelf.configurations()
        if not numbers:
            raise HubError(
                f"no hub has ever run on {self.path}: start `foliohub run` first", code="no_store", field="store", value=self.path
            )
        return as_settled_before(self.shelf, max(numbers))

    def now(self) -> int:
        """Microseconds since 1970."""
        return self._clock.now()

    def tenant(self, named: str) -> str:
        """The tenant meant: the one named, or the only one. Raises HubError `unknown_tenant`."""
        known = sorted(self.settled().tenants)
        if not named and len(known) == 1:
            return known[0]
        return _one_of(known, named)

    def tenants(self, named: str) -> list[str]:
        """The tenant named, or all whose hub this has ever been. Raises HubError `unknown_tenant`."""
        known = sorted(self.reading.tenants())
        return [_one_of(known, named)] if named else known

    def owner(self, named: str) -> str:
        """Whose data is meant: the tenant named, configured still or not, or the only one. Raises HubError `unknown_tenant`."""
        return self.tenants(named)[0] if named else self.tenant("")

    def check_folio(self, folio: str, tenants: Sequence[str]) -> None:
        """Empty is every one. Raises HubError `unknown_folio` for what is a folio of none of them."""
        if folio and all(self.reading.state(Key(tenant, "folio", folio)) is None for tenant in tenants):
            raise unknown_folio(folio)

    def of_tenants(self, named: str, property_: str, limit: int, of: Callable[[str, int], Iterable[T]]) -> list[T]:
        """At most `limit` of what `of` gives, for one after the other of the tenants meant, those that have the property where one is
        named. Raises HubError `unknown_tenant`, `unknown_property`."""
        found: list[T] = []
        for tenant in who_has(self.settled(), self.tenants(named), property_):
            if len(found) < limit:
                found += of(tenant, limit - len(found))
        return found

    def say(self, event: dict[str, Any], wait_s: float) -> Said:
        """Append a message, durably, and wait for its outcome if a hub runs. Raises StoreAway."""
        settled = self.settled()
        intake = DurableIntake(lanes_of(self.database), self.shelf, self.vault, lambda: settled, self._clock)
        body = msgspec.json.encode(event)
        (receipt,) = intake.append([Arrival(door="command", body=body, content_type=STRUCTURED)])
        running = bool(self.hub)
        outcomes = self._outcomes(receipt.message, wait_s if running else 0.0) if receipt.message else None
        return Said(message=receipt.message, taken=receipt.taken.value, hub=running, outcomes=outcomes, reason=receipt.reason)

    def _outcomes(self, message: str, wait_s: float) -> list[dict[str, Any]] | None:
        until = time.monotonic() + wait_s
        while True:
            rows = self.reading.answer(bytes.fromhex(message.replace("-", "")))
            if rows is not None or time.monotonic() >= until:
                return None if rows is None else [msgspec.json.decode(msgspec.json.encode(outcome_event(row))) for row in rows]
            time.sleep(POLL_S)


def unknown_folio(folio: str) -> HubError:
    """What is no folio here; it may be another name of one."""
    text = f"no folio is called {folio!r}: see `foliohub explain {folio}` for another of its names"
    return HubError(text, code="unknown_folio", field="folio", value=folio)


def _one_of(known: Sequence[str], named: str) -> str:
    if named in known:
        return named
    unknown = f"tenant {named!r} is not known here" if named else "there are several tenants here"
    text = f"{unknown}: name one of {', '.join(known)} with --tenant"
    raise HubError(text, code="unknown_tenant", field="tenant", value=named)


@contextmanager
def opened(address: str) -> Iterator[Beside]:
    """An existing store, beside whatever runs on it."""
    store = Beside(address)
    try:
        yield store
    finally:
        store.database.close()


def word(name: str, tenant: str, by: str, **data: Any) -> dict[str, Any]:
    """An operator's message, as a CloudEvents object. It says who, as every act does (X-15)."""
    said = {field: value for field, value in data.items() if value not in ("", None)}
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": SOURCE,
        "type": type_of(name),
        "tenant": tenant,
        "time": stamp(SystemClock().now()),
        "data": {"actor": {"kind": "operator", "id": by}, **said},
    }
