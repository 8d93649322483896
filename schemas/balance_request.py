"""A balance request as its folio keeps it, with the guest's attempts to pay. What is said of it is `schemas.balance`.

Amounts are minor units of the folio's currency, days are local days of the property.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import msgspec

from schemas.payment import Initiation, Tender, Through


class BalanceStatus(StrEnum):
    """S1-12: the three queues, and the two ends."""

    PENDING = "pending"
    SENT_NO_REPLY = "sent_no_reply"
    SENT_REPLIED = "sent_replied"
    PAID = "paid"
    CANCELLED = "cancelled"


class AttemptState(StrEnum):
    """One try to pay a balance: CHOSEN is open; RELEASED: the balance was settled or dropped without it; REPLACED: the guest chose
    anew."""

    CHOSEN = "chosen"
    COLLECTED = "collected"
    FAILED = "failed"
    RELEASED = "released"
    REPLACED = "replaced"


class BalanceAttempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How the guest chose to pay `amount`, and what came of it (S1-27). `through`: by which way he gave a
    card; `token` stands for it (S1-28). `payment` is what brought the money, `reminded`: the merchant was asked (S1-45)."""

    number: int
    method: Tender
    amount: int
    at: datetime
    initiation: Initiation = Initiation.UNKNOWN
    through: Through | None = None
    token: str = ""
    mandate: str = ""
    mandate_version: str = ""
    state: AttemptState = AttemptState.CHOSEN
    reason: str = ""
    payment: str = ""
    reminded: bool = False


class BalanceRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One demand for what remains to be paid. `planned` is arrival less due days, `deadline` what is told of it: later by a suspension,
    or by a change that came too late for it; `send_on` the day of the mail.

    `fixed_from`, `fixed_to`: an operator asks for what is collected between these sums (S1-17), of one accommodation's share where each
    has a request. `left`: what earlier requests left open on purpose, `own_left` of that share. `wake_at`: when the mail goes. `link`: the
    live one, 0 if none; `links`, `notices`: how many there were; `asked`: amount and deadline of the last. `policy`: the property's
    settings that were applied to it again (S1-11), empty: the folio's.
    """

    request: str
    status: BalanceStatus
    amount: int
    planned: date
    deadline: date
    send_on: date
    accommodation: str = ""
    policy: str = ""
    fixed_from: int = 0
    fixed_to: int | None = None
    clamped: bool = False
    left: int = 0
    own_left: int = 0
    suspended_until: date | None = None
    by_property: bool = False  # suspended by what operators said of its property or type, which may end sooner
    due_on_site: bool = False
    overdue_since: date | None = None
    wake_at: datetime | None = None
    sent_at: datetime | None = None
    link: int = 0
    links: int = 0
    notices: int = 0
    asked: tuple[int, date] | None = None
    attempts: tuple[BalanceAttempt, ...] = ()
    reason: str = ""  # why it was cancelled
