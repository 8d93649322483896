"""PostgreSQL's own errors, and what each means for a hub: again, at once; when it is back; never so."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors

from engine.store.contract import Constraint, Contended, StoreAway
from schemas.errors import HubError

AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.DiskFull,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,  # we stood still inside a transaction: the server has undone it and hung up
    errors.TransactionTimeout,
)
_REFUSALS: Final = (
    "password authentication failed", "no password supplied", "does not exist", "no pg_hba.conf",
    "does not support SSL", "certificate verify failed", "does not match host name",
)  # fmt: skip
_CONTENDED: Final = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)


def translated(error: psycopg.Error, name: str) -> HubError:
    """PostgreSQL's own error as ours: what the store called `name` refuses, what comes back by itself, what is broken."""
    text = str(error).strip().partition("\n")[0]
    if isinstance(error, _CONTENDED):
        return Contended(f"{name}: {text}: read it again", field="store", value=name)
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        return Constraint(f"the store refused a row: {text}", value=text)
    if is_refusal(error):
        return HubError(
            f"{name}: {text}: mend [hub] store, or the password that it names", code="store_refused", field="store",
            value=name,
        )  # fmt: skip
    if isinstance(error, AWAY):
        return StoreAway(f"{name}: {text}: the hub goes on by itself when it is back", field="store", value=name)
    return HubError(f"{name}: {text}", code="store_broken", field="store", value=name)


def is_refusal(error: psycopg.Error) -> bool:
    """Whether a connection was refused for what we said, and would be again: psycopg does not tell all of these apart by type."""
    if isinstance(error, errors.InvalidPassword | errors.InvalidAuthorizationSpecification | errors.InvalidCatalogName):
        return True
    text = str(error).strip().partition("\n")[0]
    return isinstance(error, psycopg.OperationalError) and any(word in text for word in _REFUSALS)
