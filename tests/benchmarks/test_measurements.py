"""Every measurement runs, on a small scale, and prints a whole object of figures; docs/performance.md names each of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import MEASUREMENTS, main

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
WANTED = {
    "embedded": {"embedded_ratio", "hub_per_s", "loop_per_s", "rows_per_input", "bytes_per_input", "loop_rows_per_input"},
    "effects": {"effects_ratio"},
    "poison": {"poison_ratio"},
    "mixed": {"mixed_day_ratio", "mixed_day_plain_ratio", "balances_on_ratio", "notices_on_ratio"},
    "ota": {"ota_ratio"},
    "latency": {"latency_p50_ms", "latency_p99_ms"},
    "start": {"start_gb", "start_cold_s", "start_stop_s"},
    "store": {"store_ratio", "store_peer_ratio", "postgres_loop_per_s", "peer_per_s"},
    "distributed": {"kafka_ratio", "peer_ratio", "workers_ratio", "latency_p50_ms", "latency_p99_ms", "handover_s"},
    "growth": {"growth_sqlite_ratio", "growth_postgresql_ratio", "growth_sqlite_random_ratio"},
    "sizes": {"stored_bytes_per_message", "index_bytes_per_message"},
    "soak": {"peak_mb", "peak_growth_ratio", "throughput_end_ratio", "soak_messages"},
}


def run(*words: str) -> str:
    """What the command prints. A process of its own: it takes the alarm and the log of the process that it runs in."""
    command = [sys.executable, "-m", "benchmarks", *words]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_one_alone(name: str, tmp_path: Path) -> None:
    """`--only`: its figures, all above nothing, each described, and no trace of it on the disk."""
    printed = run("--small", "--only", name, "--folder", str(tmp_path)).splitlines()

    found: dict[str, float] = json.loads(printed[-1])
    assert printed[1].startswith(f"{name}: ")
    assert found.keys() >= WANTED[name]
    assert {figure for figure in found if not found[figure] > 0} <= {"soak_refunds_behind"}
    assert {figure for figure in found if f"`{figure}`" not in DOC} == set()
    assert list(tmp_path.iterdir()) == []


def test_what_is_described_is_measured() -> None:
    """The page's table and the objects of all measurements have the same figures: nothing is promised that is not printed."""
    table = "".join(line.split("|")[1] for line in DOC.splitlines() if line.startswith("| `"))
    sources = "".join((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8") for name in MEASUREMENTS)

    assert set(re.findall(r"`([a-z0-9_]+)`", table)) == set(re.findall(r'^ {8}"([a-z0-9_]+)": ', sources, re.MULTILINE))


def test_an_unknown_measurement_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--only", "embedded,speed"])

    assert "speed: choose from embedded, effects" in capsys.readouterr().err


def test_the_profile(tmp_path: Path) -> None:
    """Tables by room, by function with its lines, and by what was under way."""
    printed = run("--small", "--profile", "--folder", str(tmp_path))

    assert re.search(r"^400 inputs in [0-9.]+ s under the sampler", printed, re.MULTILINE)
    shares = [float(share) for share in re.findall(r"^\| +[0-9.]+ \| +([0-9.]+) \| engine[^|]* \|$", printed, re.MULTILINE)]
    assert sum(shares) > 20
    assert re.search(r"^\| +[0-9.]+ \| +[0-9.]+ \| engine/store/sqlite/\w+\.py \w+[^|]*\| [0-9]+: [0-9.]+ %", printed, re.MULTILINE)
    assert re.search(r"^\| +[0-9.]+ \| +[0-9.]+ \| engine/hub\.py Hub\.drain \|$", printed, re.MULTILINE)
