"""Everything that comes of every scenario, to be compared with what was kept: tests/golden/scenarios, a line an outcome or an entry.

A scenario says what it is about; this is the rest. Words for people are left out, ids too. After a change that was meant:
`python -m tests.scenarios.kept`, and a look at the difference.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.scenarios.play import HERE, Played, all_scenarios, played, scenario_of

KEPT = HERE.parent / "golden" / "scenarios"
_LEFT_OUT = frozenset({"message", "reason", "sequence", "time", "tenant"})
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def lines(result: Played) -> Iterator[str]:
    """What came of a scenario, in order: each decision's rules and entries, each outcome."""
    for decision in result.decisions:
        rules = [step["rule"] for step in decision["trace"]]
        entries = [[entry[name] for name in ("entry", "subject", "debit", "credit", "minor")] for entry in decision["entries"]]
        if rules or entries:
            yield _line([decision["name"], decision["result"], rules, *entries])
    for outcome in result.outcomes:
        yield _line({name: value for name, value in outcome.items() if name not in _LEFT_OUT and value not in (None, "", [], {})})


def _line(thing: Any) -> str:
    return _ID.sub("id", json.dumps(thing, ensure_ascii=False, separators=(",", ":")))


def kept(family: str) -> dict[str, list[str]]:
    """What was kept of a family, by scenario."""
    found: dict[str, list[str]] = defaultdict(list)
    name = ""
    for line in (KEPT / f"{family}.jsonl").read_text(encoding="utf-8").splitlines():
        if line.startswith('"'):
            name = json.loads(line)
        else:
            found[name].append(line)
    return found


def main() -> None:
    """Keep what comes of them now."""
    KEPT.mkdir(parents=True, exist_ok=True)
    families: dict[str, list[str]] = defaultdict(list)
    for path in all_scenarios():
        families[path.parent.name] += [json.dumps(path.stem), *lines(played(path, scenario_of(path)))]
    for family, told in families.items():
        (KEPT / f"{family}.jsonl").write_text("".join(f"{line}\n" for line in told), encoding="utf-8")


if __name__ == "__main__":
    main()
