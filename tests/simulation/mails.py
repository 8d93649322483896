"""The mail server of a world, which takes, refuses, defers, is away for a day or falls silent; and what must hold of what it got: one
notice per identity, as far as SMTP allows (S1-41, X-14).

A mail is handed in as it would be on the wire: everything before that is the hub's own.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from config.settings import Configuration
from connectors.mail.codec import NOTICE
from connectors.mail.codes import Delivery, Result
from connectors.mail.rendering import Texts
from engine.post import Post
from handlers.notice_table import BY_KIND, Again
from schemas.folio import Folio
from schemas.notice import NoticeKind
from tests.simulation.knobs import shipped
from tests.simulation.luck import Step
from tests.simulation.owners import SECOND

if TYPE_CHECKING:
    from tests.simulation.world import World

DAY: Final = 86_400
TAKES, LOSES_ITS_WORD, FALLS_SILENT, BREAKS_OFF, DEFERS, REFUSES = range(6)
WEIGHTS: Final[Mapping[int, int]] = {TAKES: 66, LOSES_ITS_WORD: 8, FALLS_SILENT: 6, BREAKS_OFF: 8, DEFERS: 8, REFUSES: 4}
"""What a server does with a mail, so often of a hundred: takes it and says so; takes it, and its word is lost; has all of it, does not take
it and says nothing; is gone before the last dot; 4xx; 5xx."""
BOUNCES: Final = 0.04
ENDED: Final = frozenset({"sent", "failed", "unknown", "bounced"})


@cache
def _texts() -> Texts:
    """The shipped ones, which are every world's: compiled once in a process."""
    return Texts(shipped()[0].texts)


class Mails:
    """The server, and what it has. `got`: every copy that it took, by notice."""

    def __init__(self, world: World) -> None:
        self._world, self._chance = world, random.Random(f"mails {world.seed}")
        self.got: dict[str, list[EmailMessage]] = defaultdict(list)
        self._met: Counter[str] = Counter()
        self._broken: list[str] = []
        self._away: list[tuple[int, int]] = []
        for _ in range(self._chance.choice((0, 1, 1, 2))):
            begins = self._chance.randrange(100 * DAY)
            self._away.append((begins, begins + self._chance.choice((3_600, DAY, DAY, 5 * DAY))))

    def post(self, configuration: Configuration) -> Post:
        """The hub's own way there."""
        return Post(configuration.mail, _texts(), self)

    def send(self, sender: str, recipient: str, letter: bytes) -> Delivery:
        """What a connection to it comes to."""
        world, mail = self._world, _read(letter)
        notice = str(mail[NOTICE])
        self._may(notice)
        world.luck.step("before", [Step("hand in", [])])
        now = world.seconds()
        if any(begins <= now < ends for begins, ends in self._away):
            self._met["the server is away"] += 1
            return Delivery(Result.NOT_SENT, "away", "ConnectionRefusedError")
        (turn,) = self._chance.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))
        if turn in (TAKES, LOSES_ITS_WORD):
            self.got[notice].append(mail)
            self._met["the same mail twice"] += len(self.got[notice]) == 2
            if self._chance.random() < BOUNCES:
                self._bounce(notice)
        world.luck.trace.append(f"{now} mail {notice} {turn}")
        if turn in (LOSES_ITS_WORD, FALLS_SILENT):
            world.clock.advance(world.clock.now() + int(world.configuration.mail.deadline_s * SECOND))
        world.luck.step("after", [Step("hand in", [])])
        return _SAID[turn]

    def _may(self, notice: str) -> None:
        """A mail leaves under a durable mark whose lease is not over."""
        rows = self._world.rows("SELECT state, next_at FROM notice WHERE id = ?", (notice,))
        stands = [(row["state"], row["next_at"] > self._world.clock.now()) for row in rows]
        if stands != [("sending", True)]:
            self._broken.append(f"notice {notice} is handed in while it is {stands}")

    def _bounce(self, notice: str) -> None:
        self._met["a bounce"] += 1
        later = self._world.seconds() + self._chance.choice((5, 600, 2 * DAY))
        data = {"notice": notice, "code": "5.1.1", "reason": "550 5.1.1 nobody here"}
        self._world.at(later, lambda: self._world.send(later, "mail", f"bounce-{notice}", "notice.bounced", data))

    def seen(self) -> Counter[str]:
        """What this world has met with."""
        return self._met

    def wrong(self, folios: Sequence[Folio]) -> list[str]:
        """Each notice ended, and was taken once; twice only after a silence, and only one that may be."""
        wrong = list(self._broken)
        rows = self._world.rows("SELECT id, kind, state, doubts, code FROM notice")
        wrong += carried(rows, self.got, folios)
        told = Counter((row["name"], row["notice"]) for row in self._told())
        wrong += [f"{name} of {notice} was told {count} times" for (name, notice), count in told.items() if count > 1]
        return wrong

    def _told(self) -> list[dict[str, str]]:
        return self._world.rows(
            "SELECT name, json_extract(body, '$.notice') AS notice FROM outbox WHERE name IN ('notice.requested', 'notice.sent')"
        )


def carried(rows: Sequence[Mapping[str, Any]], got: Mapping[str, Sequence[EmailMessage]], folios: Sequence[Folio]) -> list[str]:
    """S1-41: each of these notices ended, and came once; twice only after a silence, and only one that may; under one name. `got`: what a
    mail server took, by notice."""
    wrong: list[str] = []
    knows = {one.notice: one.state for folio in folios for one in folio.notices}
    for row in rows:
        id_, state, kind = row["id"], row["state"], NoticeKind(row["kind"])
        copies = got.get(id_, [])
        about = f"notice {id_} ({kind}, {state}, {row['doubts']} doubts)"
        most = 2 if BY_KIND[kind].again is Again.ONCE_MORE and row["doubts"] else 1
        if len(copies) > most:
            wrong.append(f"{about} came {len(copies)} times")
        if len({(str(copy["Message-ID"]), str(copy["To"])) for copy in copies}) > 1:
            wrong.append(f"{about} came under several names")
        if state not in ENDED:
            wrong.append(f"{about} has not ended")
        if state == "sent" and not copies:
            wrong.append(f"{about} is said to be sent, and nobody has it")
        if state == "failed" and copies and not row["doubts"]:
            wrong.append(f"{about} is said to have failed ({row['code']}), and somebody has it")
        if knows.get(id_) != state:
            wrong.append(f"{about} is {knows.get(id_)} to its folio")
    return wrong + [f"a mail of nobody's: {id_}" for id_ in got.keys() - {row["id"] for row in rows}]


def _read(letter: bytes) -> EmailMessage:
    read = BytesParser(policy=default).parsebytes(letter)
    assert isinstance(read, EmailMessage)
    return read


_SAID: Final[Mapping[int, Delivery]] = {
    TAKES: Delivery(Result.SENT, reason="250 2.0.0"),
    LOSES_ITS_WORD: Delivery(Result.UNKNOWN, "unknown", "TimeoutError"),
    FALLS_SILENT: Delivery(Result.UNKNOWN, "unknown", "TimeoutError"),
    BREAKS_OFF: Delivery(Result.NOT_SENT, "away", "SMTPServerDisconnected"),
    DEFERS: Delivery(Result.NOT_SENT, "deferred", "451 4.7.1"),
    REFUSES: Delivery(Result.REFUSED, "refused_by_server", "550 5.1.1"),
}
