"""OgoneConnector: sends one maintenance order, reads one payment's whole history. It decides nothing and repeats nothing.

DirectLink has no idempotency key, so that `Can.KEYS` is not declared: whoever calls must send an order once, and query after
a silence. `NOT_SENT` is said only where nothing of the request was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from connectors.psp.contract import Can, Deadline
from connectors.psp.ogone import codec, codes, evidence
from connectors.psp.ogone.account import OgoneAccount, guard_endpoint
from connectors.psp.ogone.codec import NcResponse
from connectors.psp.ogone.wire import HttpWire, NotConnected, Silent, Wire
from schemas.effect import EffectOrder, ProviderRecord, RecordKind, Reply, Result
from schemas.errors import Undecodable

MAX_LEVELS = 200
_END = frozenset({"50001130", "50001131"})


class _Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One call: the answer, or why there is none."""

    request: str
    text: str = ""
    answer: NcResponse | None = None
    result: Result = Result.UNKNOWN
    code: str = ""


class OgoneConnector:
    """One merchant's account. Thread-safe: it holds nothing that changes. `wire` is how bytes travel (tests, in-process
    simulation give their own)."""

    name = "ogone"
    can = Can.REFUND | Can.PARTIAL_REFUND | Can.CAPTURE | Can.VOID | Can.QUERY

    def __init__(self, account: OgoneAccount, wire: Wire | None = None) -> None:
        guard_endpoint(account.environment, account.base_url)
        self.account = account
        self.merchant = account.merchant
        self._wire = wire or HttpWire()

    def send(self, order: EffectOrder, deadline: Deadline) -> Reply:
        """Asks for one operation, once, before `deadline` is over.

        Raises Rejected for an order that cannot be written (amount, merchant, reference): nothing was sent, and sending it
        again cannot help. What the world does never raises; see `schemas.effect.Result`.
        """
        fields = codec.maintenance_fields(order, self.account)
        call = self._exchange("maintenancedirect", fields, deadline)
        if call.answer is None:
            return Reply(result=call.result, code=call.code, request=call.request, answer=call.text)
        reply = codec.maintenance_reply(call.answer, order, self.account)
        message = evidence.without_cards(reply.message)
        return msgspec.structs.replace(reply, request=call.request, answer=call.text, message=message)

    def query(self, reference: str, order: str, deadline: Deadline) -> Reply:
        """The whole history of one payment, oldest first, each level with its own amount.

        CONFIRMED: the history was read to its end. UNKNOWN: it was not, and `records` is empty; `code` says why. The latest
        level is asked first and must be found again at the end of the levels, so that a query that fails half-way is never
        taken for a shorter history.
        """
        calls: list[_Exchange] = []

        def ask(level: int | None) -> _Exchange:
            fields = codec.query_fields(reference, order, level, self.account)
            if deadline.left_s() <= 0:
                request = evidence.request_text(self.account.page("querydirect"), fields)
                return _Exchange(request=request, code="deadline")
            call = self._exchange("querydirect", fields, deadline)
            calls.append(call)
            return call

        code, records = self._history(ask, reference)
        shown = codec.own_amounts(records, self.account.level_amounts)
        return Reply(
            result=Result.UNKNOWN if code else Result.CONFIRMED,
            code=code,
            records=() if code else shown,
            request="\n\n".join(call.request for call in calls)[: evidence.KEPT],
            answer="\n\n".join(call.text for call in calls)[: 4 * evidence.KEPT],
        )

    def _history(self, ask: Callable[[int | None], _Exchange], reference: str) -> tuple[str, tuple[ProviderRecord, ...]]:
        """Levels 0, 1, 2 ... up to the first that does not exist; a code where the history is not known whole."""
        first = ask(None)
        latest = first.answer
        if latest is None:
            return first.code or "silence", ()
        if _failed(latest) or latest.reference not in ("", reference or latest.reference):
            return _why(latest), ()
        records: list[ProviderRecord] = []
        for level in range(MAX_LEVELS):
            call = ask(level)
            if call.answer is None:
                return call.code or "silence", ()
            if _absent(call.answer, level):
                if level == 0:
                    continue
                break
            if _failed(call.answer) or call.answer.reference not in ("", latest.reference or reference):
                return _why(call.answer), ()
            records.append(codec.record_of(call.answer, level=str(level)))
        else:
            return "too_many_levels", ()
        newest = codec.record_of(latest, level="0")
        if not records and newest.level == "0" and (codec.record_of(latest, level="").level or _is_the_order(newest)):
            records = [newest]
        if not _whole(records, newest, latest):
            return "history_incomplete", ()
        return "", tuple(msgspec.structs.replace(r, reference=r.reference or reference) for r in records)

    def _exchange(self, stem: str, fields: Mapping[str, str], deadline: Deadline) -> _Exchange:
        url = self.account.page(stem)
        request = evidence.request_text(url, fields)
        try:
            got = self._wire.post(url, codec.form(fields, self.account), deadline=deadline, cap=codec.MAX_BODY)
        except NotConnected as error:
            return _Exchange(request=request, result=Result.NOT_SENT, code=error.code, text=f"[{error}]")
        except Silent as error:
            return _Exchange(request=request, code="silence", text=f"[{error}]")
        secrets = (self.account.pswd, self.account.sha_in, *self.account.sha_out)
        text = evidence.answer_text(got.body.decode("utf-8", "replace"), secrets)
        if got.status != 200:
            return _Exchange(request=request, code=f"http_{got.status}", text=text)
        if got.cut:
            return _Exchange(request=request, code="answer_too_long", text=text)
        try:
            answer = codec.parse_response(got.body, got.content_type)
        except Undecodable as error:
            return _Exchange(request=request, code="unreadable", text=f"[{error.message}]\n{text}")
        return _Exchange(request=request, answer=answer, text=text)


def _is_the_order(record: ProviderRecord) -> bool:
    """Whether an answer without a level can only be of the order itself: what was done to it later has a level that must be seen."""
    return record.kind in (RecordKind.AUTHORISATION, RecordKind.CAPTURE) and record.result is Result.CONFIRMED


def _failed(answer: NcResponse) -> bool:
    """Whether a query's answer speaks of the call and not of the payment: STATUS 0 and 88 do."""
    return answer.status in ("", "0", "88") or codes.trouble(answer.ncerror) is not codes.Trouble.NONE


def _why(answer: NcResponse) -> str:
    """One word for a query that told nothing."""
    if answer.ncerror not in ("", "0"):
        return answer.ncerror
    return f"status_{answer.status or 'missing'}" if _failed(answer) else "another_payment"


def _absent(answer: NcResponse, level: int) -> bool:
    """Whether a level does not exist: said so, or status 88, or another level answered in its place. Whether it is the end
    is checked against the latest level."""
    if answer.ncerror in _END or answer.status == "88":
        return True
    return answer.level not in ("", str(level))


def _whole(records: list[ProviderRecord], newest: ProviderRecord, latest: NcResponse) -> bool:
    """Whether the levels reach the one that was the latest when the query began, without a gap after the first."""
    if not records:
        return False
    numbers = [int(r.level) for r in records if r.level.isascii() and r.level.isdigit()]
    if len(numbers) != len(records) or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return False
    if latest.level:
        return latest.level.isascii() and latest.level.isdigit() and numbers[-1] >= int(latest.level)
    last = records[-1]
    return (newest.status, newest.minor) == (last.status, last.minor)
