"""Refunds through real HTTP to a provider in a process of its own: the live dispatcher against a bare `requests.Session` loop.

Both make the same four calls for each refund (the payment's latest level, its levels until there is no more, then the refund) with as
many threads. The loop's forms are written and signed beforehand and its answers are thrown away; the hub claims, asks, compares, marks,
sends, books and tells, and is done when the last outcome is stored. `effects_of_calls_ratio` is the same against the loop's single calls:
what a sender that never looks could do.
"""

from __future__ import annotations

import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import requests

from benchmarks.checks import Expected, whole
from benchmarks.live import decide, settled, today
from benchmarks.measured import pragmas
from benchmarks.messages import MERCHANT, REFUND, ids, message, payid
from benchmarks.processes import Provider, configuration
from benchmarks.setting import Figures, Setting
from config.settings import Configuration
from connectors.psp.ogone import codec
from connectors.psp.ogone.account import OgoneAccount
from engine.connectors import connectors_of, ogone_account
from engine.hub import Hub
from engine.serving import Serving
from schemas.effect import EffectKind, EffectOrder

CALLS = 4  # of one refund: the latest level, level 0, level 1 that is not there, the refund
WAIT_S = 120.0
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


class Side(NamedTuple):
    """Seconds for so many refunds, the provider's processor seconds among them."""

    seconds: float
    provider_s: float


def measure(setting: Setting) -> Figures:
    """`effects_ratio`: in every round the loop, the hub, and the loop again, on payments of their own."""
    ratios, hubs, loops, shares = [], [], [], []
    count = setting.refunds
    with tempfile.TemporaryDirectory(prefix="bench-", dir=setting.folder) as name:
        folder = Path(name)
        names = ids(3 * count * setting.runs, setting.seed)
        with Provider(folder, names) as provider:
            _, settings = configuration(folder, provider.base_url, setting.threads)
            for number in range(setting.runs):
                first, ours, last = (names[(3 * number + part) * count :][:count] for part in range(3))
                before = bare(provider, settings, first, setting.threads)
                hub = live(provider, settings, folder / f"hub-{number}.sqlite", ours)
                after = bare(provider, settings, last, setting.threads)
                loop_s = (before.seconds + after.seconds) / 2
                ratios.append(loop_s / hub.seconds)
                hubs.append(count / hub.seconds)
                loops.append(count / loop_s)
                shares.append((before.provider_s + after.provider_s) / 2 / loop_s)
                setting.say(
                    f"round {number + 1}: loop {loops[-1]:,.0f} refunds/s (the provider takes {shares[-1]:.0%} of a core),"
                    f" hub {hubs[-1]:,.0f}/s (it takes {hub.provider_s / hub.seconds:.0%}); {ratios[-1]:.3f}"
                )
            provider.agrees(names)
            assert provider.calls() == CALLS * len(names), (provider.calls(), len(names))
    return {
        "effects_ratio": round(statistics.median(ratios), 3),
        "effects_of_calls_ratio": round(statistics.median(ratios) / CALLS, 3),
        "effects_per_s": round(statistics.median(hubs), 1),
        "effects_bare_per_s": round(statistics.median(loops), 1),
        "effects_bare_calls_per_s": round(CALLS * statistics.median(loops)),
        "effects_provider_share": round(statistics.median(shares), 2),
        "effects_threads": setting.threads,
        "effects_refunds": count,
    }


def bare(provider: Provider, settings: Configuration, names: Sequence[str], threads: int) -> Side:
    """The loop: so many sessions, each taking the next payment."""
    account = ogone_account(settings, settings.merchants[MERCHANT], {})
    waiting: queue.SimpleQueue[list[tuple[str, bytes]]] = queue.SimpleQueue()
    for name in names:
        waiting.put(forms(name, account))
    wrong: list[str] = []

    def carry() -> None:
        with requests.Session() as session:
            session.trust_env = False
            while True:
                try:
                    calls = waiting.get_nowait()
                except queue.Empty:
                    return
                for url, form in calls:
                    answer = session.post(url, data=form, headers=_HEADERS, timeout=30)
                    if answer.status_code != 200:
                        wrong.append(answer.text[:200])
                    del answer

    carriers = [threading.Thread(target=carry, daemon=True) for _ in range(threads)]
    cpu, begun = provider.process.cpu_s(), time.perf_counter()
    for carrier in carriers:
        carrier.start()
    for carrier in carriers:
        carrier.join()
    seconds = time.perf_counter() - begun
    assert not wrong, wrong[:3]
    return Side(seconds, provider.process.cpu_s() - cpu)


def forms(name: str, account: OgoneAccount) -> list[tuple[str, bytes]]:
    """The calls of one refund, as the connector makes them, written and signed."""
    refund = EffectOrder(
        effect="bench", key="bench", kind=EffectKind.REFUND, provider="ogone", merchant=account.merchant, reference=payid(name),
        order="", minor=REFUND, currency="EUR", last=False,
    )  # fmt: skip
    asked = [codec.query_fields(payid(name), "", level, account) for level in (None, 0, 1)]
    calls = [(account.page("querydirect"), codec.form(fields, account)) for fields in asked]
    return [*calls, (account.page("maintenancedirect"), codec.form(codec.maintenance_fields(refund, account), account))]


def live(provider: Provider, settings: Configuration, path: Path, names: Sequence[str]) -> Side:
    """The hub: refunds decided and waiting in its store, timed from the start of its threads to the last outcome stored."""
    hub = Hub(settings, str(path), connectors_of(settings, {}))
    with closing(hub):
        decide(hub, (message(step, name, today()) for step in range(4) for name in names))
        serving = Serving(hub, {})
        cpu, begun = provider.process.cpu_s(), time.perf_counter()
        serving.start()
        try:
            settled(hub, len(names), WAIT_S)
            seconds = time.perf_counter() - begun
            provider_s = provider.process.cpu_s() - cpu
        finally:
            serving.stop()
        with hub.database.write() as connection:
            pragmas(connection)
        whole(hub.database, Expected.all(len(names)))
    return Side(seconds, provider_s)
