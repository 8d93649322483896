"""What a provider does with a request, by name: the rules of the simulator's own scripts, and ways for a query to fail."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec

from connectors.psp.ogone.codes import maintenance_result
from connectors.psp.ogone.simulator.script import Answering, Rule
from schemas.effect import EffectKind

PLAIN: Final = "plain"
REFUNDS: Final[Mapping[str, dict[str, Any]]] = {
    PLAIN: {},
    "silent after acting": {"answer": "silence"},
    "silent without acting": {"answer": "silence", "act": "never"},
    "acts while silent": {"answer": "silence", "act": "after", "act_after_s": 240},
    "acts after a query said nothing": {"answer": "silence", "act": "after_query", "act_after_s": 60},
    "too slow": {"answer_after_s": 45},
    "broken XML after acting": {"answer": "broken"},
    "broken XML without acting": {"answer": "broken", "act": "never"},
    "cut": {"answer": "cut"},
    "reset without acting": {"answer": "reset", "act": "never"},
    "HTTP 500 after acting": {"answer": "error"},
    "81 then 8": {"status": "81", "then": [{"after_s": 7000, "status": "8"}]},
    "81 then 83": {"status": "81", "then": [{"after_s": 90000, "status": "83"}]},
    "81 for ever": {"status": "81"},
    "82 then 8": {"status": "82", "then": [{"after_s": 500, "status": "8"}]},
    "82 then 83": {"status": "82", "then": [{"after_s": 4000, "status": "83"}]},
    "82 for ever": {"status": "82"},
    "92 then 8": {"status": "92", "then": [{"after_s": 500, "status": "8"}]},
    "92 then 83": {"status": "92", "then": [{"after_s": 4000, "status": "83"}]},
    "92 for ever": {"status": "92"},
    "91 then 8": {"status": "91", "then": [{"after_s": 500, "status": "8"}]},
    "8 then 83": {"then": [{"after_s": 86400, "status": "83"}]},
    "8 then 96": {"then": [{"after_s": 200000, "status": "96"}]},
    "8 then 83, and says so": {"then": [{"after_s": 86400, "status": "83"}], "callbacks": {"send": True}},
    "8 then 96, and says so": {"then": [{"after_s": 200000, "status": "96"}], "callbacks": {"send": True}},
    "silent, 8 then 96": {"answer": "silence", "then": [{"after_s": 40, "status": "96"}]},
    "83 then 8": {"status": "83", "then": [{"after_s": 3000, "status": "8"}]},
    "refused by status": {"status": "83"},
    "refused by error": {"ncerror": "30001001"},
    "wrong original status": {"ncerror": "50001127"},
    "uncertain error after acting": {"ncerror": "20001001", "act": "now"},
    "back office during a silence without acting": {"answer": "silence", "act": "never", "back_office": [{"after_s": 2}]},
    "back office during a silence after acting": {"answer": "silence", "back_office": [{"after_s": 2}]},
    "another amount from the back office": {"answer": "silence", "back_office": [{"after_s": 2, "amount": 1234}]},
}
"""What becomes of a refund."""
CLOSINGS: Final[Mapping[str, dict[str, Any]]] = {
    "closing plain": {},
    "closing silent after acting": {"answer": "silence"},
    "closing silent without acting": {"answer": "silence", "act": "never"},
    "closing broken XML": {"answer": "broken"},
    "closing refused": {"ncerror": "30001001"},
}
"""What becomes of a capture or a void."""
QUERIES: Final = ("silent query", "failed query", "broken query", "maintenance window")
"""How a query fails."""
NEVER_CALLED: Final = "never called"
"""The script of a request that is in doubt, or was ended, without that its call ever reached the provider."""
NOT_ALLOWED: Final = "no longer allowed"
"""What the provider's own books refuse, since somebody else was there between the look and the call; its rule is played in how it says
so."""
SCRIPTS: Final = (*REFUNDS, *CLOSINGS, *QUERIES, NOT_ALLOWED, NEVER_CALLED)

PAYMENTS: Final = 19  # payments of a world at most, of which the first calls have a script each
CALLS: Final = 4
_REFUNDS = ("RFD", "RFS")
_CLOSINGS = ("SAS", "SAL", "DES", "DEL")


def rule(name: str, payid: str, call: int) -> Rule:
    """The n-th call of a payment's refunds, or of its closings, plays this."""
    of = REFUNDS if name in REFUNDS else CLOSINGS
    when = {"endpoint": "maintenance", "payid": payid, "operation": _REFUNDS if of is REFUNDS else _CLOSINGS, "call": call}
    return msgspec.convert({"name": name, "when": when, **of[name]}, Rule)


@cache
def answered(name: str) -> str:
    """Where the answer of a script leaves a request when it is heard in time; unless it leaves it in doubt, as any may that names no
    level. Empty: nothing that can be read comes, or it is no script of a call."""
    if name == NOT_ALLOWED:
        return "refused"
    if name not in REFUNDS and name not in CLOSINGS:
        return ""
    played = msgspec.convert({**REFUNDS, **CLOSINGS}[name], Rule)
    if played.answer is not Answering.NORMAL or played.answer_after_s:
        return ""
    kind, done = (EffectKind.REFUND, "8") if name in REFUNDS else (EffectKind.CAPTURE, "9")
    return maintenance_result(kind, "0" if played.ncerror else played.status or done, played.ncerror).value
