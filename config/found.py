"""What a folder has given so far, and what is wrong with values of any file: zones, currencies, numbers, names of tenants."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

import msgspec

from config.problems import Problem
from config.reading import TomlFile
from config.settings import Amqp, Effects, Kafka, Mail, Merchant
from config.vouchers import MOST
from schemas.money import exponent
from schemas.notice import Language, NoticeKind, NoticeText
from schemas.policy import ChannelProfile, PropertyPolicy, SourceProfile, TenantPolicy, Terms

DAYS: Final = 3650
"""No notice and no patience is longer; a day that is reckoned from a booking's stays in the calendar."""
_MOST = {
    "quote_minutes": DAYS * 1440,
    "late_tolerance_hours": DAYS * 24,
    "parked_alarm_hours": DAYS * 24,
    "refund_due_days": DAYS,
    "due_days": DAYS,
    "notice_days": DAYS,
    "collection_days": DAYS,
    "grace_days": DAYS,
    **MOST,
}


class Found(msgspec.Struct, kw_only=True):
    """What a folder has given so far, each policy with its file. `unread`: hub.toml has a mistake and its tenants are not known;
    `unread_properties`, `unread_terms`: a file of them has one, and what it settles is not known."""

    problems: list[Problem]
    hub: TomlFile | None = None
    unread: bool = False
    unread_properties: bool = False
    unread_terms: bool = False
    tenants: tuple[TenantPolicy, ...] = ()
    sources: tuple[SourceProfile, ...] = ()
    channels: tuple[ChannelProfile, ...] = ()
    merchants: tuple[Merchant, ...] = ()
    amqp: Amqp = Amqp()
    kafka: Kafka = Kafka()
    effects: Effects = Effects()
    mail: Mail = Mail()
    texts: dict[str, dict[NoticeKind, dict[Language, NoticeText]]] = msgspec.field(default_factory=dict)
    text_files: list[tuple[TomlFile, str]] = msgspec.field(default_factory=list)
    property_files: list[tuple[TomlFile, Path]] = msgspec.field(default_factory=list)
    properties: list[tuple[TomlFile, PropertyPolicy]] = msgspec.field(default_factory=list)
    terms: list[tuple[TomlFile, Terms]] = msgspec.field(default_factory=list)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def check_zone(file: TomlFile, path: tuple[str | int, ...], zone: str) -> None:
    """A-32: an unknown zone is refused."""
    if zone not in _zones():
        file.problem(path, f"{zone!r} is not a zone of the time zone database", value=zone, code="unknown_zone")


def check_currency(file: TomlFile, path: tuple[str | int, ...], currency: str) -> None:
    """One that is known, by its digits."""
    try:
        exponent(currency)
    except ValueError as error:
        file.problem(path, str(error), value=currency, code="unknown_currency")


def check_numbers(file: TomlFile, policy: msgspec.Struct, path: tuple[str | int, ...] = ()) -> None:
    """None is negative, or more than anybody means."""
    for field in msgspec.structs.fields(policy):
        value = getattr(policy, field.name)
        least = 1 if field.name in ("quote_minutes", "answer_s", "velocity_per_hour", "max_vouchers") else 0
        if isinstance(value, int | float) and not isinstance(value, bool) and value < least:
            file.problem((*path, field.name), f"must be at least {least}, it is {value}", value=value)
        most = _MOST.get(field.name)
        if most is not None and value > most:
            file.problem((*path, field.name), f"must be at most {most}, it is {value}", value=value)


def check_tenant(file: TomlFile, path: tuple[str | int, ...], name: str, found: Found) -> None:
    """One of hub.toml's."""
    if not found.unread and name not in {one.tenant for one in found.tenants}:
        file.problem(path, f"there is no tenant {name!r} in hub.toml", value=name, code="unknown_tenant")
