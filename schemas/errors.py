"""The three kinds of failure, and the few that the engine treats apart. Each names the field and the value, never a card number."""

from __future__ import annotations


class HubError(Exception):
    """Root of everything that is raised on purpose.

    `code` is a stable word for machines, `field` and `value` say where, the text tells a person what to do.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, field: str = "", value: object = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.value = str(value)[:200]
        if code is not None:
            self.code = code


class Rejected(HubError):
    """A rule says no: published as `<family>.refused`, state untouched, the folio goes on. `rule` is the id of that rule."""

    code = "rejected"

    def __init__(self, message: str, *, code: str | None = None, field: str = "", value: object = "", rule: str = "") -> None:
        super().__init__(message, code=code, field=field, value=value)
        self.rule = rule


class Retryable(HubError):
    """The world was away: again, with the same idempotency key."""

    code = "retryable"


class OutcomeUnknown(HubError):
    """Money may have moved: never repeat, query."""

    code = "outcome_unknown"


class Early(HubError):
    """A fact that the message needs is not here yet: it is parked under `waits_for` (X-2)."""

    code = "early"

    def __init__(self, message: str, *, waits_for: str) -> None:
        super().__init__(message, field="waits_for", value=waits_for)
        self.waits_for = waits_for


class Stale(HubError):
    """Older than what is known: recorded, nothing changes (X-2)."""

    code = "stale"


class Undecodable(HubError):
    """Not a message that we know: a dead letter with its bytes and the reason."""

    code = "undecodable"


class IllegalMove(HubError):
    """A state machine was asked for a move that its table does not list: a defect of ours."""

    code = "illegal_move"
