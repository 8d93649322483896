"""Why a person is needed, in the language of who reads it: decisions say it in English, in sentences of a few shapes, which are codes here.

What has no shape is shown as it was said. What a provider or a person wrote stays in their own words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_AMOUNT: Final = r"-?[\d.]+ [A-Z]{3}"
_GIVEN: Final = "given back, in part for a voucher|given back|given for a voucher"

SHAPES: Final[Mapping[str, str]] = {
    "disputed": r"wait, the payment is disputed: (?P<rest>.+)",
    "voucher_of_others": r"paid by a voucher whose value the hub does not keep: issue it again, never as money",
    "collected_elsewhere": r"collected by (?P<word>\w+): settle it there, not with the guest",
    "no_provider": r"paid by (?P<word>\w+): no provider gives it back",
    "no_reference": r"card payment without a provider's reference",
    "denied": r"denied by (?P<who>\S+?): (?P<said>.*)",
    "arrhes_double": r"arrhes returned double by the professional",
    "dispute_ended": r"the dispute has ended",
    "overtaken": r"the rest of a refund that another one overtook",
    "refused_by_provider": r"refused by the provider: (?P<said>.*)",
    "reversed_by_provider": r"reversed by the provider: (?P<said>.*)",
    "voucher_not_kept": r"voucher (?P<number>.+?): the code is not one whose value the hub keeps: issue it again",
    "voucher_over": r"voucher (?P<number>.+?): the voucher was good until (?P<day>\d{4}-\d\d-\d\d): issue its value again",
    "voucher_not_taken": r"voucher (?P<number>.+?): nothing of it was taken here",
    "after_cancellation": r"happened .+, after the booking was cancelled .+",
    "owed_again": rf"owed again: (?P<amount>{_AMOUNT}) of a cancelled booking, since payment (?P<payment>[^;]+) was taken back",
    "owed_again_given": (
        rf"owed again: (?P<amount>{_AMOUNT}) of a cancelled booking, since payment (?P<payment>.+) was taken back"
        rf"; (?P<more>{_AMOUNT}) of it had been (?:{_GIVEN})"
    ),
    "gone_twice": (
        rf"payment (?P<payment>.+) was (?:{_GIVEN}) and taken back: (?P<amount>{_AMOUNT}) more are gone than it brought"
    ),
    "uncertain_by_hand": r"record (?P<record>.+): uncertain, and a refund of as much waits for a person's hands",
    "refund_above": r"record (?P<record>.+): refund above what payment (?P<payment>.+) holds",
    "package_kept": rf"package, \w+: (?P<amount>{_AMOUNT}) were kept, and all of it is due within (?P<days>\d+) days",
    "released_elsewhere": (
        rf"(?P<amount>{_AMOUNT}) of payment (?P<payment>.+), \w+, were released elsewhere: see at the provider what stands"
    ),
    "captured_above": r"record (?P<record>.+): captured above what payment (?P<payment>.+) authorised",
    "voucher_of_cancelled": r"voucher (?P<number>.+) was taken for a booking that is cancelled: (?P<rest>.*)",
    "voucher_unused_gone": (
        rf"voucher (?P<number>.+) was not used, and (?P<amount>{_AMOUNT}) of it do not go back: "
        "the money that stood for it is not here any more"
    ),
    "withdrawn_owed": (
        rf"the (?P<word>\w+) of (?P<amount>{_AMOUNT}) of payment (?P<payment>.+) is withdrawn: the money came otherwise; "
        rf"(?P<more>{_AMOUNT}) are still owed"
    ),
    "withdrawn_held": (
        rf"the (?P<word>\w+) of (?P<amount>{_AMOUNT}) of payment (?P<payment>.+) is withdrawn: the money came otherwise; "
        rf"(?P<more>{_AMOUNT}) are not released"
    ),
    "withdrawn_too_late": r"withdrawn for a refund made elsewhere, yet \w+ at the provider",
    "other_currency": (
        rf"record (?P<record>.+): (?P<amount>{_AMOUNT}) at the provider, and the folio is in (?P<currency>[A-Z]{{3}}): not counted"
    ),
    "no_amount": r"record (?P<record>.+): the provider does not say how much, so that nothing is counted: see there",
    "more_than_owed": r"payment (?P<payment>.+): money came otherwise too, so much more than is owed",
    "captured_then_released": (
        r"payment (?P<payment>.+) was captured elsewhere and then released: see at the provider what stands"
    ),
    "request_reversed": r"(?P<word>capture|void) reversed: (?P<said>.*)",
    "request_refused": r"(?P<word>capture|void|refund) refused: (?P<said>.*)",
    "request_open": r"(?P<word>capture|void|refund) needs_person: (?P<said>.*)",
    "asked_in_vain": r"asked (?P<times>\d+) times, the provider shows nothing of it",
    "others_shown": r"asked for \d+(?: [A-Z]{3})?, the provider shows new (?P<word>\w+?)s (?P<records>.+)",
    "other_currency_there": r"the provider shows payment (?P<payment>.+) in (?P<there>[A-Z]{3}), the request is in (?P<currency>[A-Z]{3})",
    "captured_there": r"payment (?P<payment>.+) is captured at the provider, and a release would undo that",
    "more_authorised": (
        r"the provider shows \d+ authorised of payment (?P<payment>.+), and a release of \d+ would release all of it: "
        r"the rest may be another booking's"
    ),
    "shown_without_amounts": r"the provider shows records of payment (?P<payment>.+) without their amounts: (?P<records>.+)",
}
"""By code, how the decisions say it; none fits what another one does."""
_SHAPES: Final = {code: re.compile(shape) for code, shape in SHAPES.items()}


def sentence(reason: str, sentences: Mapping[str, str], write: Mapping[str, Callable[[str], str]]) -> str:
    """`reason` by the `sentences` of a language; `write`: how a language writes what a group is called for (`word`, `amount`, `day`)."""
    for code, shape in _SHAPES.items():
        found = shape.fullmatch(reason)
        if found is not None:
            said = {
                name: sentence(text, sentences, write) if name == "rest" else write.get(name, str)(text)
                for name, text in found.groupdict().items()
            }  # fmt: skip
            return sentences[code].format(**said)
    return reason
