"""What the senders of a world of all families said, once more on SQLite and on PostgreSQL, where another hub takes over now and then: the
same accounts, the same book, the same mails, each once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from config.settings import Configuration
from connectors.mail.codes import Delivery, Result
from connectors.mail.rendering import Texts
from connectors.psp.accepting import AcceptingConnector
from engine.hub import Hub
from engine.luck import derived
from engine.post import Post
from engine.transport.contract import Arrival
from engine.verify import verify
from tests.engine.sandbox import MASTER, Sandbox, in_memory
from tests.services.stores import Stores
from tests.simulation.world import World

LANES = 4
SEASON_S = 200 * 86_400


class Taking:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send(self, sender: str, recipient: str, letter: bytes) -> Delivery:
        del sender, recipient
        self.taken.append(letter.decode("ascii").partition("X-Foliohub-Notice: ")[2].partition("\r\n")[0])
        return Delivery(Result.SENT)


def said(world: World) -> list[tuple[int, Arrival]]:
    """Every message that the world's doors took, repeats too, with the instant; but for a slip whose door died before it said so."""
    rows = world.rows("SELECT source, id, received_at FROM intake ORDER BY seq")
    known = [(row["received_at"], world.accepted.get((row["source"], row["id"]))) for row in rows]
    return [(at, found[0]) for at, found in known if found is not None]


def played(
    messages: list[tuple[int, Arrival]], world: World, settings: Configuration, store: Any, *, over: int
) -> tuple[Sandbox, Taking]:
    """All of it by a hub on this store; after each `over` messages another one takes over."""
    mails = Taking()
    post = Post(settings.mail, Texts(settings.texts), mails)
    box = Sandbox(store=store, configuration=settings, post=post, begins=world.begins.isoformat())
    box.connectors = {"azur": AcceptingConnector("azur")}
    box.hub = _opened(box)
    for number, (at, arrival) in enumerate(messages, 1):
        box.pass_time(max(0, at - box.clock.now()) / 1_000_000)
        box.append(arrival)
        box.drain()
        if over and number % over == 0:
            box.hub = _opened(box)
    box.pass_time(SEASON_S)
    return box, mails


def _opened(box: Sandbox) -> Hub:
    """A hub on a sandbox's store; codes are the world's."""
    return Hub(
        box.configuration, box.database, box.connectors, clock=box.clock, master=MASTER, luck=derived, post=box.post
    )  # fmt: skip


def stands(box: Sandbox) -> dict[str, Any]:
    """What is the same, whatever the store: states, transfers, what was told of whom in which order, notices."""
    book: Counter[tuple[str, str]] = Counter()
    for row in box.rows("SELECT debit, credit, minor FROM transfer"):
        book[row["debit"], row["credit"]] += row["minor"]
    told: dict[str, list[str]] = {}
    for row in box.rows("SELECT kind, key, name FROM outbox ORDER BY kind, key, sequence"):
        told.setdefault(f"{row['kind']} {row['key']}", []).append(row["name"])
    states = box.rows("SELECT kind, key, body FROM state WHERE body IS NOT NULL ORDER BY kind, key")
    return {
        "states": {f"{row['kind']} {row['key']}": msgspec.json.decode(bytes(row["body"])) for row in states},
        "book": dict(book),
        "told": told,
        "notices": {row["id"]: row["state"] for row in box.rows("SELECT id, state FROM notice")},
    }


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_x_1_x_2_s1_41_both_stores_come_to_the_same(seed: int, postgres_stores: Stores) -> None:
    """One hub on the one, a hub after the other on the other."""
    world = World(seed, families=True)
    settings = world.configuration
    world.run()
    messages = said(world)
    one, first = played(messages, world, settings, in_memory(LANES), over=0)
    other, second = played(messages, world, settings, postgres_stores.lend(LANES), over=7)

    here, there = stands(one), stands(other)
    assert here["notices"]
    for what, found in here.items():
        assert there[what] == found, what
    assert Counter(first.taken) == Counter(second.taken)
    assert set(Counter(second.taken).values()) == {1}
    assert verify(other.database).agrees
    postgres_stores.back()
