"""What a state means for the lists of balance requests and vouchers: which rows it has there, and what a transaction changes in them.

Only a booking that is asked for a balance or has vouchers, and a voucher that is on no booking, has any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.store.listed import ListedRow, ListKind, Mark
from schemas.balance_request import BalanceRequest
from schemas.folio import Folio, State
from schemas.folio_voucher import FolioVoucher
from schemas.voucher_book import Voucher


class Changes(NamedTuple):
    """Rows to be stored, and names of those that are no more."""

    listed: list[ListedRow]
    unlisted: list[tuple[str, str, str, str]]


def changes(tenant: str, before: State | None, after: State | None) -> Changes:
    """What one aggregate's new state changes in the lists: nothing for most, which is seen without making a row."""
    if _unconcerned(before, after):
        return Changes([], [])
    was = {row.name(): row for row in rows_of(tenant, before)}
    now = {row.name(): row for row in rows_of(tenant, after)}
    return Changes([row for name, row in now.items() if was.get(name) != row], [name for name in was if name not in now])


def _unconcerned(before: State | None, after: State | None) -> bool:
    if isinstance(after, Folio):
        if not isinstance(before, Folio):
            return not after.balance_requests and not after.vouchers
        same = before.balance_requests is after.balance_requests and before.vouchers is after.vouchers
        return same and before.property == after.property
    return not isinstance(after, Voucher)


def rows_of(tenant: str, state: State | None) -> Iterator[ListedRow]:
    """S0-18, S1-12: the rows of a state."""
    if isinstance(state, Folio):
        yield from (_of_request(tenant, state, request) for request in state.balance_requests)
        yield from (_of_voucher(tenant, state, voucher) for voucher in state.vouchers)
    elif isinstance(state, Voucher) and not state.holds:
        yield ListedRow(tenant, "", ListKind.VOUCHER.value, state.key, state.property, "", "", state.key)


def _of_request(tenant: str, folio: Folio, request: BalanceRequest) -> ListedRow:
    """By its deadline."""
    said = {Mark.OVERDUE: request.overdue_since, Mark.SUSPENDED: request.suspended_until}
    marks = " ".join([mark.value for mark, since in said.items() if since is not None])
    kind, queue = ListKind.BALANCE.value, request.status.value
    return ListedRow(tenant, folio.folio, kind, request.request, folio.property, queue, marks, request.deadline.isoformat())


def _of_voucher(tenant: str, folio: Folio, voucher: FolioVoucher) -> ListedRow:
    """By its number."""
    marks = Mark.FLAGGED.value if voucher.flags else ""
    kind, queue = ListKind.VOUCHER.value, voucher.status.value
    return ListedRow(tenant, folio.folio, kind, voucher.key, folio.property, queue, marks, voucher.key)
