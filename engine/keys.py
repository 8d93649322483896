"""Keys of the doors: who may say what to the hub over HTTP, for which tenant.

A key is 256 random bits, printed once. The store keeps a salted BLAKE2b hash of it: a slow password hash protects guessable
secrets, and nobody guesses 256 bits. Keys read `fhk_<id>_<secret>`; the id finds the row, the secret is compared in constant time.
"""

from __future__ import annotations

import hmac
import os
import re
import threading
import time
from hashlib import blake2b
from typing import Final

import msgspec

from engine.clock import Clock, SystemClock, instant
from engine.store.contract import Store
from engine.store.keys import DoorKeyRow, KeyRows
from schemas.errors import Rejected

SCOPES: Final = ("messages", "read", "operator")
CHANNEL: Final = "channel:"
_FORM = re.compile(r"fhk_([0-9a-f]{12})_([0-9a-f]{64})")
_SEEN_S: Final = 1.0  # for how long a row is believed before it is read again: how soon a revoked key stops
_CACHED: Final = 1024
_NOBODY: Final = DoorKeyRow("", bytes(32), bytes(16), "", "", "", 0, 0)


class DoorKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a key opens: `scope` is messages, read, operator, or `channel:<name>`; instants RFC 3339."""

    id: str
    tenant: str
    scope: str
    label: str
    created_at: str
    revoked_at: str = ""

    def may(self, scope: str) -> bool:
        """Whether it opens a door of that scope: operators may everything but stand in for a channel."""
        return self.scope == scope or (self.scope == "operator" and scope in SCOPES)


class DoorKeys:
    """Adds, revokes, lists and checks the keys of one store. Thread-safe."""

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self._rows = KeyRows(store)
        self._clock = clock or SystemClock()
        self._seen: dict[str, tuple[float, DoorKeyRow]] = {}
        self._lock = threading.Lock()

    def add(self, tenant: str, scope: str, label: str = "") -> tuple[DoorKey, str]:
        """A new key and its text, which is nowhere else and never shown again. Raises Rejected `unknown_scope`."""
        channel = scope.startswith(CHANNEL) and len(scope) > len(CHANNEL)
        if scope not in SCOPES and not channel:
            text = f"scope {scope!r} is none of {', '.join(SCOPES)}, {CHANNEL}<name>"
            raise Rejected(text, code="unknown_scope", field="scope", value=scope)
        id_, secret, salt = os.urandom(6).hex(), os.urandom(32).hex(), os.urandom(16)
        row = DoorKeyRow(id_, _hash(secret, salt), salt, tenant, scope, label[:200], self._clock.now(), None)
        self._rows.add(row)
        return _shown(row), f"fhk_{id_}_{secret}"

    def revoke(self, id_: str) -> None:
        """From now on it opens nothing. Raises Rejected `unknown_key`."""
        if not self._rows.revoke(id_, self._clock.now()):
            raise Rejected(f"no key {id_!r} opens anything: see `foliohub keys list`", code="unknown_key", field="id", value=id_)
        with self._lock:
            self._seen.pop(id_, None)

    def list(self) -> tuple[DoorKey, ...]:
        """All keys, revoked ones too, oldest first."""
        return tuple(_shown(row) for row in self._rows.all())

    def check(self, text: str) -> DoorKey | None:
        """The key that this text is, None for anything else. Takes the same time whether the id is known or not."""
        match = _FORM.fullmatch(text)
        id_, secret = match.groups() if match else ("", "0" * 64)
        row = (self._row(id_) if id_ else None) or _NOBODY
        fits = hmac.compare_digest(_hash(secret, row.salt), row.hash)
        return _shown(row) if fits and row.id and row.revoked_at is None else None

    def _row(self, id_: str) -> DoorKeyRow | None:
        now = time.monotonic()
        with self._lock:
            at, row = self._seen.get(id_, (0.0, _NOBODY))
        if row.id and now - at < _SEEN_S:
            return row
        found = self._rows.key(id_)
        if found is not None:
            with self._lock:
                if len(self._seen) >= _CACHED:
                    self._seen.clear()
                self._seen[id_] = (now, found)
        return found


def _hash(secret: str, salt: bytes) -> bytes:
    return blake2b(secret.encode(), salt=salt, digest_size=32, person=b"foliohub-door").digest()


def _shown(row: DoorKeyRow) -> DoorKey:
    return DoorKey(
        id=row.id,
        tenant=row.tenant,
        scope=row.scope,
        label=row.label,
        created_at=instant(row.at).isoformat(),
        revoked_at=instant(row.revoked_at).isoformat() if row.revoked_at else "",
    )
