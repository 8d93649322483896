"""The house of a world in which all families live together: when it begins, what its properties ask for, who is written to."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from config.settings import Configuration, Mail, MailProperty
from schemas.accounting import VatTreatment
from schemas.cancellation import Cause
from schemas.payment import Tender
from schemas.policy import BalancePolicy, OverpaidRule, PenaltyVat, WithinTender
from schemas.voucher import ValueRule, VoucherScope

BEGINS: Final = (
    datetime(2026, 5, 1, 8, tzinfo=UTC),
    datetime(2026, 8, 20, 8, tzinfo=UTC),  # an hour too much on 25 October, in the south an hour too little on 27 September
    datetime(2027, 1, 15, 8, tzinfo=UTC),  # an hour too little on 28 March
    datetime(2027, 12, 28, 8, tzinfo=UTC),  # a 29 February, and 26 March
)
ZONES: Final = ("America/Martinique", "Pacific/Auckland", "America/Los_Angeles")
FAR: Final = "camp-far"
METHODS: Final = (Tender.CARD, Tender.BANK_TRANSFER, Tender.CHEQUE)
KNOBS: Final[Sequence[tuple[str, Sequence[Any]]]] = (
    ("overpaid", (OverpaidRule.CREDIT, OverpaidRule.REFUND)),
    ("within_tender", tuple(WithinTender)),
    ("split_thresholds", ({}, {"outdoor": 30_000})),
    ("fee_refundable_on", ((Cause.OWNER,), (), (Cause.OWNER, Cause.FORCE_MAJEURE))),
    ("quote_minutes", (30, 5)),
    ("tranche_floor_on_move", (True, False)),
    ("refund_due_days", (14, 1)),
    ("second_tenders", ((Tender.CARD,), (), METHODS)),
    ("enforce_known_vouchers", (False, False, True)),
    ("voucher_reminder_hours", (24, 1)),
    ("top_up_hours", (48, 0, 300)),
    ("authorisation_days", (7, 2)),
    ("voucher_hold_days", (30, 3)),
    ("voucher_value_rule", (ValueRule.COLLECTED, ValueRule.COLLECTED, ValueRule.REFUNDABLE_NOW, ValueRule.PERCENT_OF_COLLECTED)),
    ("voucher_value_percent", (Fraction(1), Fraction(1, 2), Fraction(6, 5))),
    ("voucher_months", (18, 1, 0)),
    ("voucher_consent", (False, False, True)),
    ("refund_on_expiry", (False, True)),
    ("voucher_scope", tuple(VoucherScope)),
    ("penalty_vat", (PenaltyVat(), PenaltyVat(kept_deposit=VatTreatment.TAXABLE, price_kept=VatTreatment.OUT_OF_SCOPE))),
)
"""What a property may have settled, by key: each is drawn with each version of its policy."""


class House:
    """Drawn once of a seed, and again in part with each version of its policy: bookings keep the version that they were made under."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"house {seed}")
        self.begins = self._chance.choice(BEGINS)
        self.asks: dict[str, BalancePolicy] = {}  # by version of a property's policy
        self._zone = self._chance.choice(ZONES)
        self._mail = Mail(
            host="mail.example", from_="folios@camp.example", deadline_s=self._chance.choice((20.0, 60.0)),
            properties=tuple(
                MailProperty(property=name, name=f"Camping {name}", merchant=f"desk@{name}.example") for name in ("camp-azur", FAR)
            ),
        )  # fmt: skip

    def change_of_clocks(self, property_: str) -> int | None:
        """In how many days the clocks of a property change next; None where they never do."""
        zone = ZoneInfo(self._zone if property_ == FAR else "Europe/Paris")
        offsets = [(self.begins + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(130)]
        return next((day for day in range(1, 130) if offsets[day] != offsets[day - 1]), None)

    def leap_day(self) -> int | None:
        """In how many days it is a 29 February; None where the season has none."""
        days = (self.begins.date() + timedelta(days=day) for day in range(130))
        return next((number for number, day in enumerate(days) if (day.month, day.day) == (2, 29)), None)

    def settled(self, configuration: Configuration, version: int) -> Configuration:
        """The same house with a property more, which asks for balances in both of them."""
        near, away = self._balance(), self._balance()
        drawn = {key: self._chance.choice(values) for key, values in KNOBS}
        camp = replace(configuration.properties["camp-azur"], payment_methods=METHODS, balance=near, **drawn)
        far = replace(
            camp, property=FAR, version=f"{FAR}/{version}", zone=self._zone, areas=(), balance=away, max_vouchers=2
        )  # fmt: skip
        self.asks |= {camp.version: near, far.version: away}
        return replace(configuration, properties={"camp-azur": camp, FAR: far}, mail=self._mail)

    def _balance(self) -> BalancePolicy:
        chance = self._chance
        return BalancePolicy(
            due_days=chance.choice((0, 7, 14, 14, 30)),
            methods=chance.choice((METHODS, METHODS[:1], METHODS[1:])),
            due_days_by_type=chance.choice(({}, {"chalet": 30}, {"chalet": 21, "tent": 3})),
            due_days_by_accommodation=chance.choice(({}, {"pitch-12": 7})),
            notice_days=chance.choice((10, 10, 5, 0)),
            send_time=chance.choice(
                (time(9), time(9), time(2, 30), time(18))
            ),  # half past two is left out, or there twice, once a year
            suspend_moves_deadline=chance.random() < 0.8,
            auto_cancel_overdue=chance.random() < 0.15,
            collection_days=chance.choice((5, 1)),
            grace_days=chance.choice((3, 0)),
            per_accommodation=chance.random() < 0.15,
            reapply=chance.random() < 0.3,
        )
