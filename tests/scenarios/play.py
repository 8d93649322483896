"""A scenario: a file of messages, and beside it a .toml that says what must come of it.

expect     outcomes that must come in this order, others between them allowed; each names fields and their values, lists whole
never      outcomes that must not come: a name, or fields like those of `expect`
count      how often an outcome must come
ledger     balances of accounts at the end, debit less credit, minor units
provider   how often the simulated provider's books show an operation (with `script`)
trace      rule and a part of the arithmetic that the decision records must show
wrong      what must be left unsettled: dead letter, blocked, parked; without it the run must end clean
config     a folder of tests/scenarios/config; without it the shipped configuration
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from config.loader import load
from config.settings import Configuration
from connectors.psp.ogone.simulator.script import Script
from engine.dry_run import DryRun, instant_of, read
from engine.hub import Hub
from schemas import registry
from schemas.envelope import name_of
from tests.scenarios.standing import standings

HERE = Path(__file__).parent
FOLDERS = HERE / "config"


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must come of a file."""

    about: str
    expect: tuple[dict[str, Any], ...] = ()
    never: tuple[str | dict[str, Any], ...] = ()
    count: dict[str, int] = {}
    ledger: dict[str, int] = {}
    provider: dict[str, int] = {}
    trace: tuple[tuple[str, str], ...] = ()
    wrong: tuple[str, ...] = ()
    until: str = ""
    config: str = ""
    script: Script | None = None


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a dry run of a file gave."""

    lines: tuple[bytes, ...]
    outcomes: tuple[dict[str, Any], ...]
    decisions: tuple[dict[str, Any], ...]
    ledger: tuple[dict[str, Any], ...]
    unsettled: tuple[str, ...]
    provider: dict[str, int]
    standing: tuple[dict[str, Any], ...]


def all_scenarios() -> list[Path]:
    """Every scenario, by its file of messages."""
    return sorted(HERE.glob("*/*.jsonl"))


def scenario_of(path: Path) -> Scenario:
    """What must come of a file of messages."""
    return msgspec.convert(tomllib.loads(path.with_suffix(".toml").read_text()), Scenario)


@cache
def configuration(name: str) -> Configuration:
    """A folder of settings, or the shipped one."""
    return load(FOLDERS / name if name else None, {})


def played(path: Path, scenario: Scenario, store: str = ":memory:", make: Callable[..., Hub] = Hub) -> Played:
    """The file through the engine, with decision records and balances."""
    run = DryRun(configuration(scenario.config), scenario.script, explain=True, store=store, make=make)
    try:
        lines: list[bytes] = []
        with path.open("rb") as stream:
            for line in read(path.name, stream):
                lines += run.play(line)
        if scenario.until:
            lines += run.pass_until(instant_of(scenario.until))
        lines += run.ledger()
        unsettled, operations = run.unsettled(), run.provider_operations()
        stands = tuple(standings(run.hub))
    finally:
        run.close()
    shown = [msgspec.json.decode(line) for line in lines]
    return Played(
        lines=tuple(lines),
        outcomes=tuple(_flat(line) for line in shown if "topic" in line),
        decisions=tuple(line["decision"] for line in shown if "decision" in line),
        ledger=tuple(line["ledger"] for line in shown if "ledger" in line),
        unsettled=tuple(unsettled),
        provider=operations,
        standing=stands,
    )


def _flat(line: dict[str, Any]) -> dict[str, Any]:
    return {"name": name_of(line["type"]), "time": line["time"], "key": line["key"], "tenant": line["tenant"], **line["data"]}


def check(path: Path) -> None:
    """Play a scenario and hold it to its expectations."""
    scenario = scenario_of(path)
    hold(scenario, played(path, scenario))


def hold(scenario: Scenario, result: Played) -> None:
    """What was played to what must come of it, and to what holds in every scenario."""
    _check_always(result)
    rest = list(result.outcomes)
    for wanted in scenario.expect:
        at = next((n for n, outcome in enumerate(rest) if fits(wanted, outcome)), None)
        if at is None:
            seen = "\n".join(str(outcome) for outcome in rest if outcome["name"] == wanted.get("name"))
            raise AssertionError(
                f"{scenario.about}\nwanted {wanted}\nof that name there came, after what was found:\n{seen or '-'}"
            )
        del rest[: at + 1]
    for unwanted in scenario.never:
        pattern = {"name": unwanted} if isinstance(unwanted, str) else unwanted
        assert not [outcome for outcome in result.outcomes if fits(pattern, outcome)], (scenario.about, pattern)
    for name, wanted_count in scenario.count.items():
        assert sum(outcome["name"] == name for outcome in result.outcomes) == wanted_count, (scenario.about, name)
    balances = {row["account"]: row["balance"] for row in result.ledger}
    assert {account: balances.get(account, 0) for account in scenario.ledger} == scenario.ledger, scenario.about
    assert {name: result.provider.get(name, 0) for name in scenario.provider} == scenario.provider, scenario.about
    steps = [(step["rule"], step["text"]) for decision in result.decisions for step in decision["trace"]]
    for rule, part in scenario.trace:
        assert any(rule == known and part in text for known, text in steps), (scenario.about, rule, part, steps)
    kinds = {text.partition(":")[0] for text in result.unsettled}
    assert kinds == set(scenario.wrong), (scenario.about, result.unsettled)


def fits(wanted: Any, found: Any) -> bool:
    """Whether `found` has everything that `wanted` names: objects may have more, lists may not."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(name in found and fits(value, found[name]) for name, value in wanted.items())
    if isinstance(wanted, list | tuple):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(fits, wanted, found))
    return bool(wanted == found)


def _check_always(result: Played) -> None:
    """X-1, X-4, X-7: sequences without gaps, books that sum to zero, rules and policy with every decided outcome, and the guest
    account of each folio, or the channel's in its place, at the balance that was last told."""
    sequences: dict[tuple[str, str], int] = {}
    told: dict[str, int] = {}
    for outcome in result.outcomes:
        key = (outcome["tenant"], outcome["key"])
        sequences[key] = sequences.get(key, 0) + 1
        assert outcome["sequence"] == sequences[key], outcome
        data = {name: value for name, value in outcome.items() if name not in ("name", "time", "key", "tenant")}
        assert outcome["rules"], outcome
        assert all(outcome["rules"]), outcome
        assert outcome["policy_version"], outcome
        assert set(data) == set(registry.OUT[outcome["name"]].__struct_fields__), outcome
        if outcome["name"] == "folio.balance_changed":
            told[outcome["folio"]] = outcome["balance"]
    sums: dict[str, int] = {}
    balances = {row["account"]: row["balance"] for row in result.ledger}
    for row in result.ledger:
        sums[row["currency"]] = sums.get(row["currency"], 0) + row["balance"]
    assert not any(sums.values()), sums
    assert {folio: balances.get(f"guest:{folio}", 0) + balances.get(f"channels:{folio}", 0) for folio in told} == told
