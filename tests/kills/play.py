"""Plays a plan on stages: arm, load, strike, start again, until everything is done; then what every book says."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.kills.checks import Sums, listen, wrongs
from tests.kills.folios import Stay, say
from tests.kills.forker import Forker
from tests.kills.plan import RANDOM, Act, Blow, Signal
from tests.kills.stage import OPEN, Stage
from tests.services.amqp_tools import wait_until

STANDS_S = 15.0
DONE_S = 60.0


class Struck(msgspec.Struct, kw_only=True):
    """One blow and what became of it: what stood in the store at that moment, and after everything was done."""

    act: str
    blow: Blow
    reached: bool
    found: dict[str, int] = msgspec.field(default_factory=dict)
    in_flight: bool = False
    again_s: float = 0.0  # until it answered again
    done_s: float = 0.0  # until everything of its act was done
    refunds: int = 0
    by_person: int = 0
    sums: Sums | None = None
    wrong: list[str] = msgspec.field(default_factory=list)


def play(folder: Path, forker: Forker, acts: Sequence[Act], amqp: str) -> list[Struck]:
    """Some acts on a stage of their own, one after the other; at last the unchanged hub on what they left."""
    struck: list[Struck] = []
    heard: list[dict[str, Any]] = []
    stays: list[Stay] = []
    luck = random.Random(folder.name)
    with Stage(folder, forker, amqp) as stage:
        stage.start()
        stage.ready()
        for number, act in enumerate(acts, 1):
            played = _Act(stage, f"{stage.name}.{number}", luck)
            try:
                for blow, prices in zip(act.blows, act.prices, strict=True):
                    played.strike(blow, prices)
                stays += played.stays
                struck += played.end(stays, heard)
            except AssertionError as failed:
                raise AssertionError(f"{stage.name}.{number} {act.blows}: {failed}\n{stage.log()}") from failed
        stage.stop()
        stage.start(plain=True)
        stage.ready()
        struck[-1].wrong = wrongs(stage, stays, [*heard, *listen(stage)])[0]
        if struck[-1].wrong:
            return struck
        assert "agrees" in stage.foliohub("verify")
        assert "true" in stage.foliohub("ledger", "check")
    return struck


class _Act:
    """One act on a stage."""

    def __init__(self, stage: Stage, name: str, luck: random.Random) -> None:
        self._stage, self._name, self._luck = stage, name, luck
        self.stays: list[Stay] = []
        self._struck: list[Struck] = []

    def strike(self, blow: Blow, prices: Sequence[tuple[int, ...]]) -> None:
        """New folios, the point, the signal. Afterwards the hub is dead or goes on."""
        stage = self._stage
        if stage.pid is None and blow.at_start and blow.point != RANDOM:
            stage.start(blow.point, blow.nth)
        else:
            self._run()
            assert stage.control is not None
            if blow.point != RANDOM:
                stage.control.arm(blow.point, blow.nth)
        known = len(stage.rows("SELECT 1 FROM intake"))
        self._load(prices)
        assert stage.control is not None
        if blow.point == RANDOM:
            wait_until(lambda: len(stage.rows("SELECT 1 FROM intake")) > known, "the first of it is stored")
            time.sleep(self._luck.uniform(0, 0.8))
        reached = blow.point == RANDOM or stage.control.stands(STANDS_S)
        done = Struck(act=self._name, blow=blow, reached=reached)
        self._struck.append(done)
        if blow.signal is not Signal.KILL:
            stage.signal(signal.SIGSTOP)
        else:
            stage.signal(signal.SIGKILL)
            stage.gone()
        self._look(done)
        if blow.signal is Signal.KILL:
            return
        time.sleep(blow.rest_s)
        if blow.signal is Signal.STOP_KILL:
            stage.signal(signal.SIGKILL)
            stage.gone()
            return
        stage.control.go()
        stage.signal(signal.SIGCONT)

    def end(self, stays: list[Stay], heard: list[dict[str, Any]]) -> list[Struck]:
        """Started again until everything is done; people look at what waits for them; then every book is read."""
        stage, begun = self._stage, time.monotonic()
        self._run()
        again_s = time.monotonic() - begun
        for stay in self.stays:
            stay.join(DONE_S)
        self._quiet()
        by_person = settle_by_hand(self._stage)
        self._quiet()
        done_s = time.monotonic() - begun
        if stage.amqp:
            heard += listen(stage)
        wrong, sums = wrongs(stage, stays, heard)
        for one in self._struck:
            one.again_s, one.done_s, one.by_person, one.sums, one.wrong = again_s, done_s, by_person, sums, wrong
            one.refunds = sum(stay.refunds for stay in self.stays)
        return self._struck

    def _run(self) -> None:
        if self._stage.pid is None:
            self._stage.start()
        self._stage.ready()

    def _load(self, prices: Sequence[tuple[int, ...]]) -> None:
        first = len(self.stays)
        for number, amounts in enumerate(prices, first):
            over = "amqp" if self._stage.amqp and number % 2 else "http"
            self.stays.append(Stay(self._stage, f"{self._name}.{number}", amounts, over=over))
        for stay in self.stays[first:]:
            stay.start()

    def _look(self, done: Struck) -> None:
        """What a dead or stopped hub has left."""
        mine = f"{self._name}.%"
        with self._stage.image() as image:
            stored = image.execute("SELECT count(*) FROM intake WHERE id LIKE ?", (mine,)).fetchone()[0]
            done.found = dict(
                image.execute("SELECT state, count(*) FROM effect WHERE folio LIKE ? GROUP BY state", (mine,)).fetchall()
            )
            left = image.execute(f"SELECT count(*) FROM effect WHERE folio LIKE ? AND {OPEN}", (mine,)).fetchone()[0]
        ended = sum(done.found.values()) - left
        done.in_flight = stored > 0 and ended < sum(stay.refunds for stay in self.stays)

    def _quiet(self) -> None:
        """Everything was decided, sent, asked, told and published."""
        stage = self._stage
        sql = f"""SELECT (SELECT count(*) FROM intake JOIN lane USING (lane) WHERE intake.offset >= lane.next_offset)
            + (SELECT count(*) FROM internal WHERE decision = 0) + (SELECT count(*) FROM effect WHERE {OPEN})
            + (SELECT count(*) FROM payment_query) + (SELECT count(*) FROM outbox WHERE published = 0) AS open"""
        coming = """SELECT (SELECT count(*) FROM callbacks WHERE state = 'waiting')
            + (SELECT count(*) FROM planned WHERE due_ms IS NOT NULL) AS open"""

        def done() -> bool:
            return not any(rows[0]["open"] for rows in (stage.rows(sql), stage.provider_rows(coming), stage.rows(sql)))

        wait_until(done, f"{self._name} is done", DONE_S)


def settle_by_hand(stage: Stage) -> int:
    """Somebody looks at the provider's page for each request that waits for a person, and says what is there; how many there were."""
    waiting = stage.rows("SELECT * FROM effect WHERE state = 'needs_person'")
    for effect in waiting:
        records = stage.rows("SELECT level FROM provider_record WHERE reference = ? AND owner LIKE 'effect:%'", effect["reference"])
        owned = {row["level"] for row in records}
        sql = "SELECT * FROM operations WHERE payid = ? AND minor = ? AND operation IN ('RFD', 'RFS') AND status = '8'"
        made = stage.provider_rows(sql, effect["reference"], effect["minor"])
        shown = [row for row in made if str(row["level"]) not in owned]
        told = {"subject": effect["id"], "result": "confirmed" if shown else "refused", "reason": "seen at the provider"}
        told |= {"provider_record": f"{effect['reference']}/{shown[0]['level']}"} if shown else {}
        say(stage, effect["id"], "effect.settle", told)
    return len(waiting)
