"""What the simulator plays: scripts in JSON. The format is documented in docs/simulator.md; unknown fields are refused."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from connectors.psp.ogone import codes
from connectors.psp.ogone.account import LevelAmounts
from connectors.psp.ogone.simulator import position
from connectors.psp.ogone.simulator.accounts import SimulatorAccount
from schemas.errors import Rejected

MAX_SCRIPT = 1024 * 1024  # bytes
_PATH = re.compile(r" - at (?:`key` in )?`([^`]*)`$")
_LIMIT_S = 30 * 86_400

Seconds = Annotated[float, msgspec.Meta(ge=0, le=_LIMIT_S)]
Minor = Annotated[int, msgspec.Meta(gt=0, le=10**13)]
Call = Annotated[int, msgspec.Meta(ge=1)]
Operation = Literal["RES", "SAL", "SAS", "RFD", "RFS", "DEL", "DES", "REN"]


class ScriptError(Rejected):
    """A script that cannot be played; the message names the file, the place and the field."""

    code = "bad_script"


class Endpoint(StrEnum):
    """The provider's pages."""

    ORDER = "order"
    MAINTENANCE = "maintenance"
    QUERY = "query"


class Act(StrEnum):
    """When the operation enters the provider's books."""

    NOW = "now"
    NEVER = "never"
    AFTER = "after"  # `act_after_s` after the request
    AFTER_QUERY = "after_query"  # `act_after_s` after the first query about the payment that follows


class Answering(StrEnum):
    """What goes back on the wire."""

    NORMAL = "normal"
    SILENCE = "silence"  # the connection stays open, nothing comes
    BROKEN = "broken"  # XML that is none
    CUT = "cut"  # half of the announced body
    EMPTY = "empty"  # 200 without a body
    DRIP = "drip"  # a byte now and then
    RESET = "reset"  # the connection is closed unanswered
    ERROR = "error"  # HTTP 500 with a page of HTML


def _check_status(status: str) -> None:
    if status and status not in codes.STATUS:
        raise ValueError(f"status {status!r} is not one of the provider's")


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls a rule is about; what is left out matches everything. `amount` in minor units; `level` for queries:
    a PAYIDSUB, or `latest` for the query without one; `call`: the n-th matching call, `from_call` from the n-th on."""

    endpoint: Endpoint | None = None
    operation: tuple[Operation, ...] = ()
    order: str = ""
    payid: str = ""
    amount: Minor | None = None
    level: str = ""
    call: Call | None = None
    from_call: Call | None = None

    def __post_init__(self) -> None:
        if self.call is not None and self.from_call is not None:
            raise ValueError("call and from_call do not go together")
        if self.level and self.level != "latest" and not (self.level.isascii() and self.level.isdigit()):
            raise ValueError("level is a number or `latest`")
        if self.operation and self.endpoint is Endpoint.QUERY:
            raise ValueError("a query has no operation")


class Settle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A later change of the operation's status, `after_s` after it entered the books."""

    after_s: Seconds
    status: str

    def __post_init__(self) -> None:
        _check_status(self.status)


class BackOffice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody else's operation on the same payment; `amount` absent: the request's."""

    operation: Operation = "RFD"
    amount: Minor | None = None
    after_s: Seconds = 0


class Callbacks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How callbacks go out: copies of each, the wait before the first, newest first, tries and their distance."""

    send: bool = True
    repeat: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    delay_s: Seconds = 0
    reverse: bool = False
    tries: Annotated[int, msgspec.Meta(ge=1, le=5)] = 5
    retry_s: Seconds = 600


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to play. The first rule that matches a call is played; a call that none matches is answered plainly."""

    name: str = ""
    when: When = When()
    act: Act | None = None
    act_after_s: Seconds = 0
    status: str = ""
    then: tuple[Settle, ...] = ()
    answer: Answering = Answering.NORMAL
    answer_after_s: Seconds = 0
    ncerror: str = ""
    ncerrorplus: str = ""
    back_office: tuple[BackOffice, ...] = ()
    callbacks: Callbacks | None = None

    def __post_init__(self) -> None:
        _check_status(self.status)
        if self.ncerror and not (self.ncerror.isascii() and self.ncerror.isdigit()):
            raise ValueError("ncerror is a number in quotes")
        if self.act_after_s and self.act not in (Act.AFTER, Act.AFTER_QUERY):
            raise ValueError("act_after_s needs act `after` or `after_query`")
        if self.when.endpoint is Endpoint.QUERY and (self.act or self.then or self.back_office):
            raise ValueError("a query does not act: act, then and back_office are for order and maintenance")

    @property
    def acts(self) -> Act:
        """`act`, by default now, and never beside an error."""
        return self.act or (Act.NEVER if self.ncerror else Act.NOW)


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole script; the empty one plays a provider that accepts everything at once."""

    about: str = ""
    level_amounts: LevelAmounts = LevelAmounts.OPERATION
    end_of_history: Literal["50001130", "50001131", "88"] = "50001130"
    shows_level: bool = True  # whether answers carry PAYIDSUB
    statuses: dict[Operation, str] = msgspec.field(default_factory=dict)
    callbacks: Callbacks = Callbacks()
    accounts: tuple[SimulatorAccount, ...] = ()
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for status in self.statuses.values():
            _check_status(status)


def load(path: Path) -> Script:
    """A script file. Raises ScriptError naming file, line, column and field."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}", field="script", value=path) from None
    return parse(data, str(path))


def parse(data: bytes, source: str = "script") -> Script:
    """A script's bytes; `source` is the file's name in errors. Raises ScriptError."""
    if len(data) > MAX_SCRIPT:
        raise ScriptError(f"{source}: longer than {MAX_SCRIPT} bytes", field="script")
    try:
        text = data.decode("utf-8")
        value = json.loads(text)
    except UnicodeDecodeError as error:
        raise ScriptError(f"{source}: byte {error.start} is not UTF-8", field="script") from None
    except json.JSONDecodeError as error:
        raise ScriptError(f"{source}:{error.lineno}:{error.colno}: {error.msg}", field="script") from None
    except RecursionError:
        raise ScriptError(f"{source}: nested too deeply", field="script") from None
    try:
        return msgspec.convert(value, Script)
    except msgspec.ValidationError as error:
        match = _PATH.search(str(error))
        path = match[1] if match else "$"
        line, column = position.line_column(text, position.offset_of(text, path))
        reason = _PATH.sub("", str(error))
        raise ScriptError(f"{source}:{line}:{column}: {path}: {reason}", field=path) from None
