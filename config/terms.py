"""What single keys of terms cannot show: tranches that fall, the name that the file's place says, one version of a name a day."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from config.found import DAYS
from config.reading import TomlFile
from schemas.money import FULL_RATE, ZERO_RATE, rate_text
from schemas.policy import Terms, Unit


def check(file: TomlFile, terms: Terms) -> None:
    """S4-3, S4-4: three tranches, the notice falls and the rates do not rise."""
    trade, _, level = file.name.removeprefix("policies/cancellation/").partition("/")
    expected = f"{trade}/{level.split('.')[0]}"
    if terms.name != expected:
        file.problem(("name",), f"the place of the file says {expected!r}", value=terms.name)
    if terms.trade != trade:
        file.problem(("trade",), f"the place of the file says {trade!r}", value=terms.trade)
    first, second, last = terms.tranches
    if first.from_notice <= second.from_notice:
        file.problem(("tranches", 1, "from_notice"), f"must be below {first.from_notice}: the longest notice stands first")
    most = DAYS * (24 if terms.unit is Unit.HOUR else 1)
    if first.from_notice > most:
        file.problem(("tranches", 0, "from_notice"), f"must be at most {most}", value=first.from_notice)
    if second.from_notice < 0:
        file.problem(("tranches", 1, "from_notice"), "must be at least 0", value=second.from_notice)
    for n, tranche in enumerate(terms.tranches):
        if not ZERO_RATE <= tranche.refund <= FULL_RATE:
            file.problem(("tranches", n, "refund"), "must be from 0 % to 100 %", value=rate_text(tranche.refund))
    for n, (before, after) in enumerate([(first, second), (second, last)], 1):
        if after.refund > before.refund:
            text = f"{rate_text(after.refund)} is more than the {rate_text(before.refund)} of an earlier cancellation"
            file.problem(("tranches", n, "refund"), text, value=rate_text(after.refund))
    if terms.valid_from and terms.valid_to and terms.valid_to < terms.valid_from:
        file.problem(("valid_to",), "is before valid_from", value=terms.valid_to)
    if terms.second_payment_days is not None and terms.second_payment_days < 0:
        file.problem(("second_payment_days",), "must be at least 0", value=terms.second_payment_days)
    if terms.second_payment_days is not None and terms.second_payment_days > DAYS:
        file.problem(("second_payment_days",), f"must be at most {DAYS}", value=terms.second_payment_days)


def check_overlap(terms: list[tuple[TomlFile, Terms]]) -> None:
    """X-8: on one day, one version of a name is offered."""
    names: dict[str, list[tuple[TomlFile, Terms]]] = {}
    for file, one in terms:
        names.setdefault(one.name, []).append((file, one))
    for versions in names.values():
        ordered = sorted(versions, key=lambda pair: (pair[1].valid_from or date.min, pair[0].name))
        for (before, earlier), (file, later) in pairwise(ordered):
            if (earlier.valid_to or date.max) >= (later.valid_from or date.min):
                text = f"overlaps with {before.name}: give that one a valid_to before {later.valid_from or 'this one'}"
                file.problem(("valid_from",), text, value=later.valid_from or "")
