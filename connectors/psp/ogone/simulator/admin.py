"""The simulator's JSON door: payments as guests would make them, clicks in the back office, and the books to read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from connectors.psp.ogone.simulator.provider import Provider
from connectors.psp.ogone.simulator.script import Minor, Operation
from schemas.errors import HubError


class CreatePayment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new payment; `minor` in minor units of `currency`, SAL captured, RES authorised."""

    order: str
    minor: Minor
    currency: str = "EUR"
    operation: Literal["RES", "SAL"] = "SAL"
    pspid: str = ""
    status: str = ""
    callback: bool = True


class BackOfficeClick(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operation on a payment that nobody asked for over the wire."""

    payid: str
    minor: Minor
    operation: Operation = "RFD"
    status: str = ""


class SettleLevel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level's new status."""

    payid: str
    level: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    status: str


def serve(provider: Provider, method: str, path: str, data: bytes, now: datetime) -> tuple[int, object]:
    """HTTP status and JSON value of one call; see docs/simulator.md."""
    try:
        match method, path:
            case "GET", "/admin/health":
                return 200, {"status": "ok"}
            case "GET", "/admin/books":
                return 200, provider.shown()
            case "POST", "/admin/payments":
                new = msgspec.json.decode(data, type=CreatePayment)
                payid = provider.create(
                    new.order,
                    new.minor,
                    new.currency,
                    now,
                    operation=new.operation,
                    pspid=new.pspid,
                    status=new.status,
                    callback=new.callback,
                )
                return 201, {"payid": payid}
            case "POST", "/admin/back-office":
                click = msgspec.json.decode(data, type=BackOfficeClick)
                level = provider.back_office(click.payid, click.operation, click.minor, now, status=click.status)
                return 201, {"payid": click.payid, "level": level}
            case "POST", "/admin/settle":
                turn = msgspec.json.decode(data, type=SettleLevel)
                provider.settle(turn.payid, turn.level, turn.status, now)
                return 200, {"payid": turn.payid, "level": turn.level}
            case _:
                return 404, {"error": "not_found", "message": f"{method} {path} is not a door of the simulator"}
    except HubError as error:
        return 409, {"error": error.code, "field": error.field, "message": error.message}
    except (msgspec.DecodeError, ValueError) as error:
        return 400, {"error": "bad_request", "message": str(error)[:500]}
