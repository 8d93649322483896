"""What must hold of a platform on which all families were played: what every platform is held to, what holds of balances, vouchers and mail
in simulated worlds, and that one process comes to the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from email.message import EmailMessage

from connectors.mail.codec import NOTICE
from tests.distributed.checks import published, whole
from tests.distributed.families_once import Once, account, folios_of, words_of
from tests.distributed.families_said import Story
from tests.distributed.platform import Platform
from tests.simulation.asked import payments, requests
from tests.simulation.mails import carried
from tests.simulation.orders import book_of
from tests.simulation.vouchers import spent


def wrongs(platform: Platform, told: Sequence[Story], once: Once, mails: Sequence[EmailMessage], sent: int) -> list[str]:
    """Everything that does not hold after so many different messages; `mails`: what the mail server took."""
    folios = folios_of(platform.rows("SELECT body FROM state WHERE kind = 'folio' AND body IS NOT NULL"))
    got: defaultdict[str, list[EmailMessage]] = defaultdict(list)
    for mail in mails:
        got[str(mail[NOTICE])].append(mail)
    wrong = whole(platform, sent) + published(platform)
    for folio in folios.values():
        wrong += [f"{folio.folio}: {one}" for one in (*requests(folio), *payments(folio))]
    wrong += spent(platform.rows, list(folios.values()))
    wrong += carried(platform.rows("SELECT id, kind, state, doubts, code FROM notice"), got, list(folios.values()))
    return wrong + _equal(platform, told, once, _apart(platform))


def _apart(platform: Platform) -> set[str]:
    """Bookings with a refund that was never made, as a person said: one process knows no such doubt."""
    return {row["folio"] for row in platform.rows("SELECT folio FROM effect WHERE state = 'refused'")}


def _equal(platform: Platform, told: Sequence[Story], once: Once, apart: set[str]) -> list[str]:
    """Accounts, what was told, and the book are what one process comes to."""
    wrong = []
    folios = folios_of(platform.rows("SELECT body FROM state WHERE kind = 'folio' AND body IS NOT NULL"))
    words = words_of(platform.rows("SELECT key, name, body FROM outbox"))
    for folio in (name for story in told for name in story.folios if name not in apart):
        if folio not in folios:
            wrong.append(f"{folio} is not there")
            continue
        here, there = account(folios[folio]), account(once.folios[folio])
        wrong += [
            f"{folio}: {what} is {here[what]}, and {there[what]} of one process" for what in here if here[what] != there[what]
        ]
        more, less = words[folio] - once.words[folio], once.words[folio] - words[folio]
        if more or less:
            wrong.append(f"{folio}: told {dict(more)}, and not {dict(less)}")
    book = book_of(platform.rows("SELECT debit, credit, minor FROM transfer"))
    if not apart and book != once.book:
        wrong.append(
            f"the book: {dict(book.items() - once.book.items())}, and {dict(once.book.items() - book.items())} of one process"
        )
    return wrong
