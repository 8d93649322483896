"""The same messages once more, by one hub in one process on a store in memory: what the platform's must come to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

import msgspec

from config.settings import Configuration
from connectors.mail.codes import Delivery, Result
from connectors.mail.rendering import Texts
from connectors.psp.ogone.simulator.accounts import SANDBOX
from connectors.psp.ogone.simulator.books import Books
from engine.post import Post
from engine.transport.contract import Arrival
from schemas.folio import Folio
from tests.distributed.families_said import Story, payid
from tests.engine.sandbox import Sandbox, in_memory
from tests.simulation.orders import account_of, book_of

BESIDE: Final = ("notice.", "effect.", "refund.", "provider.")
"""Families that say what others did, and when: what a mail server or a provider was asked in a doubt is not the same twice."""
_INSTANT: Final = re.compile(r'\d{4}-\d\d-\d\dT[^"]*')


class _Taking:
    """A mail server that takes everything."""

    def send(self, sender: str, recipient: str, letter: bytes) -> Delivery:
        del sender, recipient, letter
        return Delivery(Result.SENT)


class Once:
    """Every story, said by itself. `steps`: what was told of its bookings after each of its steps; the rest is what it came to."""

    def __init__(self, told: Sequence[Story], settings: Configuration, begins: str) -> None:
        post = Post(settings.mail, Texts(settings.texts), _Taking())
        box = Sandbox(store=in_memory(4), configuration=settings, post=post, begins=begins)
        with closing(box.hub):
            now_ms = box.clock.now() // 1000
            for story in told:
                add_cards(box.provider.books, story, now_ms)
            self.steps: dict[tuple[str, int], Counter[str]] = {}
            for story in told:
                for step in range(len(story.steps)):
                    box.append(*[_arrival(event) for _, event in story.events(step)])
                    box.drain()
                    self.steps[story.stay, step] = names(_outbox(box, story.folios))
            self.refused = [row["name"] for row in box.rows("SELECT name FROM outbox WHERE name LIKE '%.refused'")]
            self.folios = folios_of(box.rows("SELECT body FROM state WHERE kind = 'folio' AND body IS NOT NULL"))
            self.words = words_of(box.rows("SELECT key, name, body FROM outbox"))
            self.book = book_of(box.rows("SELECT debit, credit, minor FROM transfer"))


def _arrival(event: bytes) -> Arrival:
    attributes = msgspec.json.decode(event)
    body = msgspec.json.encode(attributes.pop("data"))
    return Arrival(door="test", body=body, attributes=attributes)


def _outbox(box: Sandbox, folios: Sequence[str]) -> list[dict[str, Any]]:
    marks = ", ".join("?" * len(folios))
    return box.rows(f"SELECT name FROM outbox WHERE key IN ({marks})", *folios)


def add_cards(books: Books, story: Story, now_ms: int) -> None:
    """What a story's cards have paid, in a provider's books."""
    for order, minor in story.cards.items():
        found = books.add_payment(SANDBOX.pspid, order, "EUR", now_ms, payid(order))
        books.add_operation(found.payid, "SAL", minor, "9", "merchant", now_ms)


def names(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How often each outcome was told that is a decision's own."""
    return Counter(row["name"] for row in rows if not row["name"].startswith(BESIDE))


def folios_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Folio]:
    """Bookings by name."""
    found = [msgspec.json.decode(bytes(row["body"]), type=Folio) for row in rows]
    return {folio.folio: folio for folio in found}


def words_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """By key, what was told of it, without its number and without instants."""
    words: dict[str, Counter[str]] = {}
    for row in rows:
        if not row["name"].startswith(BESIDE):
            body = {**msgspec.json.decode(bytes(row["body"])), "sequence": 0}
            said = _INSTANT.sub("then", msgspec.json.encode(body, order="sorted").decode())
            words.setdefault(row["key"], Counter())[f"{row['name']} {said}"] += 1
    return words


def account(folio: Folio) -> dict[str, Any]:
    """What it has come to, as text."""
    return {name: repr(found) for name, found in account_of(folio).items()}
