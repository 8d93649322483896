"""Everything that comes of every scenario, to be compared with what was kept: tests/golden/scenarios, a line an outcome or an entry,
and tests/golden/standing, a line for each thing that stands when it has ended.

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

GOLDEN = HERE.parent / "golden"
CAME, STANDS = "scenarios", "standing"
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


def standing_lines(result: Played) -> Iterator[str]:
    """How everything stands in the end. Ids are numbered as they come, so that one in place of another is seen."""
    numbers: dict[str, str] = {}
    for one in result.standing:
        text = json.dumps(one, ensure_ascii=False, separators=(",", ":"))
        yield _ID.sub(lambda found: numbers.setdefault(found[0], f"id-{len(numbers) + 1}"), text)


def _line(thing: Any) -> str:
    return _ID.sub("id", json.dumps(thing, ensure_ascii=False, separators=(",", ":")))


def kept(what: str, family: str) -> dict[str, list[str]]:
    """What was kept of a family, by scenario."""
    found: dict[str, list[str]] = defaultdict(list)
    name = ""
    for line in (GOLDEN / what / f"{family}.jsonl").read_text(encoding="utf-8").splitlines():
        if line.startswith('"'):
            name = json.loads(line)
        else:
            found[name].append(line)
    return found


def main() -> None:
    """Keep what comes of them now."""
    families: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in all_scenarios():
        result = played(path, scenario_of(path))
        for what, told in ((CAME, lines(result)), (STANDS, standing_lines(result))):
            families[what, path.parent.name] += [json.dumps(path.stem), *told]
    for (what, family), told in families.items():
        (GOLDEN / what).mkdir(parents=True, exist_ok=True)
        (GOLDEN / what / f"{family}.jsonl").write_text("".join(f"{line}\n" for line in told), encoding="utf-8")


if __name__ == "__main__":
    main()
