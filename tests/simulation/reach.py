"""Which combinations of crash point, provider script and effect state no world can come to: rules, each with its reason.

A rule that is wrong is found out: a combination that it excludes and that a world has seen fails the simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from tests.simulation.scripts import NEVER_CALLED, NOT_ALLOWED, QUERIES, answered

_FINAL = frozenset({"confirmed", "refused", "reversed"})
_ASKED = frozenset({"unknown", "accepted"})
_STATES_OF: Final = {
    "look": ("the provider is looked at before what is planned is marked", {"planned"}, {"planned"}),
    "put off": ("only what is planned is put off", {"planned"}, {"planned"}),
    "mark": ("the mark makes sending of planned", {"planned"}, {"sending"}),
    "send": ("nothing is sent without its mark", {"sending"}, {"sending"}),
    "answer": (
        "an answer finds a request sending, and leaves it planned (nothing was written), in doubt, accepted or ended",
        {"sending"},
        {"planned", "unknown", "accepted", "confirmed", "refused"},
    ),
    "doubt": ("what was sending is in doubt when its sender has fallen silent", {"sending"}, {"unknown"}),
    "claim to ask": ("only what is in doubt or accepted is asked about", _ASKED, _ASKED),
    "ask": ("only what is in doubt or accepted is asked about", _ASKED, _ASKED),
    "learn": (
        "a history tells nothing of what was not sent, or is being sent",
        {"unknown", "accepted", "needs_person", *_FINAL},
        {"unknown", "accepted", "needs_person", *_FINAL},
    ),
    "late answer": (
        "an answer is late when others have gone on with a request that was sent",
        {"unknown", "accepted", "needs_person", *_FINAL},
        {"unknown", "accepted", "needs_person", *_FINAL},
    ),
}
"""By step that is one effect's own: why, and the states that a death before and after it can leave."""


class Rule(NamedTuple):
    """Combinations that cannot be, and why."""

    reason: str
    excludes: Callable[[str, str, str, str], bool]  # when, step, script, state


RULES: list[Rule] = [
    *(
        Rule(
            reason,
            lambda when, step, script, state, name=name, states=(before, after): (
                step == name and state not in states[when == "after"]
            ),
        )
        for name, (reason, before, after) in _STATES_OF.items()
    ),
    Rule(
        "a new generation puts in doubt whatever is open",
        lambda when, step, script, state: (
            (when, step) == ("after", "new generation") and state in ("planned", "sending", "accepted")
        ),
    ),
    Rule(
        "a query fails when it is made: before, and once its failure is stored, it is at nobody's hand",
        lambda when, step, script, state: (
            script in QUERIES
            and (when, step) not in {("after", "look"), ("after", "ask"), ("after", "ask payment")}
            and step not in ("put off", "learn", "payment again")
        ),
    ),
    Rule(
        "a failed query ends nothing",
        lambda when, step, script, state: (
            script in QUERIES and step == "learn" and state not in ("unknown", "accepted", "needs_person")
        ),
    ),
    Rule(
        "a query about one request is made when it is in doubt or accepted",
        lambda when, step, script, state: script in QUERIES and (when, step, state) == ("before", "learn", "needs_person"),
    ),
    Rule(
        "a request is not allowed any more when it is sent: before, it has the script that waits for it",
        lambda when, step, script, state: (
            script == NOT_ALLOWED and (state == "planned" or (when, step) in {("after", "mark"), ("before", "send")})
        ),
    ),
    Rule(
        "the answer of this script says otherwise, or nothing",
        lambda when, step, script, state: (
            (when, step) == ("after", "answer") and state in ("accepted", "confirmed", "refused") and answered(script) != state
        ),
    ),
    Rule(
        "a refusal needs no number to be one, so that its answer leaves no doubt",
        lambda when, step, script, state: (
            (when, step, state) == ("after", "answer", "unknown") and script != NOT_ALLOWED and answered(script) == "refused"
        ),
    ),
    Rule(
        "what may still be sent has the script that waits for it",
        lambda when, step, script, state: (
            script == NEVER_CALLED and (state in ("planned", "sending") or step in ("look", "put off", "mark", "send", "answer"))
        ),
    ),
]


@cache
def unreachable(point: str, script: str, state: str) -> str:
    """Why not; empty for what can be."""
    when, _, step = point.partition(" ")
    return next((rule.reason for rule in RULES if rule.excludes(when, step, script, state)), "")
