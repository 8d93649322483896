"""The steps at which a hub can die, by name: its write transactions, and its calls of a provider. Each is a crash point twice, before
and after.

What the effects runner does is named by what it did to an effect (`disk` reads it off the rows), everything else by the engine's
function that asked for the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.effect import EffectState

STEPS: Final[Mapping[str, str]] = {
    "SqliteLanes.append": "append",
    "SqliteLanes.chunk": "chunk",
    "SqliteLanes.claim": "claim lanes",
    "SqliteLanes.release": "release lanes",
    "SqliteLanes.try_alone": "try alone",
    "SqliteLanes.drop_slices": "drop identities",
    "Shelf.keep_configuration": "configuration",
    "Shelf.keep_policies": "policies",
    "Shelf.destroy_keys": "destroy keys",
    "Hub._new_generation": "new generation",
    "Reading.published": "published",
    "Switches.set": "payout switch",
    "KeyRows.add": "door key",
    "KeyRows.revoke": "door key revoked",
    "Database.probe": "probe",
}
"""Transactions that are no effect's own: every effect of the world is at hand."""
HOUSEKEEPING: Final = frozenset({"SqliteLanes.drop_slices", "Shelf.destroy_keys"})
"""These count also when they find nothing to do; any other transaction that changes nothing is no step."""
GENERAL: Final = (*STEPS.values(), "note beside")

OF_EFFECTS: Final = ("mark", "answer", "put off", "doubt", "claim to ask", "learn", "late answer")
"""What a transaction does to one effect, which is at hand."""
OF_PAYMENTS: Final = ("claim payment", "payment learned", "payment again")
"""What it does to a payment that a callback made the hub ask about: the payment's effects are at hand."""
CALLS: Final = ("look", "send", "ask", "ask payment")
"""Calls of a provider: before a request is sent, the request, about one in doubt, about a payment. The effect, or the payment's
effects, are at hand."""

UNCOUNTED: Final[Mapping[str, str]] = {
    "late look": "what was looked at on the way to a send that others have taken up meanwhile is kept as evidence and moves nothing",
    "mail mark": "of a notice, in worlds of all families: no request is at hand",
    "hand in": "a mail to its server, in worlds of all families: no request is at hand",
    "mail answer": "what a mail server said, or that it was silent, in worlds of all families: no request is at hand",
}
"""Steps at which luck may have a hub die, and that no world aims at."""

OF_NOTICES: Final[Mapping[str, str]] = {"sending": "mail mark"}
"""What a transaction makes of a notice, by the state that it leaves it in; of any other: "mail answer"."""

NAMES: Final = (*GENERAL, *OF_EFFECTS, *OF_PAYMENTS, *CALLS)
POINTS: Final = tuple(
    f"{when} {name}" for name in NAMES for when in ("before", "after") if (when, name) != ("after", "note beside")
)
STATES: Final = tuple(state.value for state in EffectState)
NOT_PLAYED: Final[Mapping[str, str]] = {
    "Shelf.keep_master_mark": "once, when a store on a file is made: a world's master key is given to it",
    "Database._migrate": "once, when a store is made, before there is a hub: worlds start from the image of an empty store",
}
"""Write transactions of the engine that no world takes."""
