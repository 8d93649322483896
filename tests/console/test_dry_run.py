"""`foliohub dry-run` as a process: the same input gives the same bytes, and every end has its exit status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.loader import SHIPPED

SCENARIOS = Path(__file__).parents[1] / "scenarios"
COMMAND = [sys.executable, "-c", "from console.command.main import main; main()", "dry-run"]
V19 = SCENARIOS / "terms" / "v19_s4_9_penalties_service_by_service.jsonl"
PARKED = SCENARIOS / "payments" / "x_2_alarm_of_what_waits.jsonl"
SILENT = {
    "rules": [
        {"when": {"operation": ["RFD"], "call": 2}, "answer": "silence", "callbacks": {"repeat": 2, "delay_s": 7}},
        {"when": {"operation": ["RFD", "RFS"], "call": 3}, "status": "81", "then": [{"after_s": 90, "status": "8"}]},
        {"when": {"operation": ["RFD"], "call": 5}, "answer": "broken", "back_office": [{"after_s": 1}]},
    ]
}


def foliohub(*arguments: object, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, in a bare environment."""
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], input=stdin, env=bare, capture_output=True, timeout=120, check=False, cwd=SCENARIOS
    )


def crowd(guests: int) -> bytes:
    """Bookings of many guests at the same instants, payments before bookings, quotes that end, refunds that fail, a card number."""
    events = []

    def say(number: int, type_: str, time: str, **data: object) -> None:
        event = {"specversion": "1.0", "id": f"{type_}-{number}-{time}", "source": "pms.thais", "tenant": "azur", "time": time}
        actor = {"actor": {"kind": "guest" if type_.startswith("cancel") else "system", "id": "Zoé"}}
        events.append({**event, "type": f"foliohub.{type_}.v1", "data": {**actor, "folio": f"Séjour {number}", **data}})

    for n in range(guests):
        paid = {"payment": "P1", "amount": 20_500, "currency": "EUR", "provider": "ogone", "merchant": "azur", "order": f"O{n}"}
        say(n, "payment.received", "2026-05-01T08:00:00Z", **paid, provider_reference=f"40{n}")
        line = {"line": "1", "trade": "outdoor", "price": 20_000, "arrival": "2026-07-24", "terms": "outdoor/flexible"}
        guest = {"person": f"p{n}", "name": "Zoé Exemple"}
        more = {"commission_rate": "100/7 %", "property": "camp-azur", "currency": "EUR", "service_fee": 500, "guest": guest}
        say(n, "booking.confirmed", "2026-05-01T08:00:01Z", **more, lines=[line], card="4111111111111111" if n == 3 else "")
    for time, type_ in (("2026-07-21T10:00:00Z", "cancellation.request"), ("2026-07-21T10:05:00.25Z", "cancellation.confirm")):
        for n in range(guests):
            if type_ == "cancellation.request" or n % 4:
                say(n, type_, time, request="R1")
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file of messages and a script of the provider."""
    folder = tmp_path_factory.mktemp("play")
    (folder / "day.jsonl").write_bytes(crowd(12))
    (folder / "script.json").write_text(json.dumps(SILENT))
    return folder / "day.jsonl", folder / "script.json"


def everything(play: tuple[Path, Path], *more: object, **environment: str) -> bytes:
    """Every line that a play can print."""
    day, script = play
    ran = foliohub(
        "--explain", "--ledger", "--until", "2026-08-30T00:00:00Z", "--provider-script", script, *more, day, **environment
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


@pytest.fixture(scope="module")
def bytes_of_it(play: tuple[Path, Path]) -> bytes:
    """What every run must print."""
    shown = everything(play)
    assert shown.count(b'"type":"foliohub.refund.unknown.v1"') >= 1
    assert shown.count(b'"type":"foliohub.refund.executed.v1"') >= 6
    assert shown.count(b'"type":"foliohub.guarantee.scrubbed.v1"') == 1
    assert b"4111111111111111" not in shown
    assert b"Exemple" not in shown
    return shown


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PYTHONHASHSEED": "0"}, id="hash seed 0"),
        pytest.param({"PYTHONHASHSEED": "4242", "TZ": "Pacific/Kiritimati"}, id="another hash seed, fourteen hours ahead"),
        pytest.param({"TZ": "America/St_Johns", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}, id="plain ASCII locale"),
        pytest.param({"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "PYTHONOPTIMIZE": "1"}, id="Turkish, without assertions"),
    ],
)
def test_same_bytes_in_every_environment(play: tuple[Path, Path], bytes_of_it: bytes, environment: dict[str, str]) -> None:
    assert everything(play, **environment) == bytes_of_it


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_same_bytes_in_every_chunk_size(play: tuple[Path, Path], bytes_of_it: bytes, chunk: int, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    hub = (folder / "hub.toml").read_text()
    (folder / "hub.toml").write_text(f"{hub}\n[hub]\nchunk = {chunk}\n")

    assert everything(play, "--config", folder) == bytes_of_it


def test_files_in_order_and_standard_input(play: tuple[Path, Path], tmp_path: Path) -> None:
    """One file, its two halves, and a pipe: the same."""
    lines = play[0].read_bytes().splitlines(keepends=True)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_bytes(b"".join(lines[:20]))
    second.write_bytes(b"".join(lines[20:]))

    whole = foliohub(play[0])
    assert whole.returncode == 0
    assert foliohub(first, "-", stdin=second.read_bytes()).stdout == whole.stdout


def test_shape_of_what_is_printed() -> None:
    """Outcomes as they would be published; records and balances in shapes of their own, in this order."""
    ran = foliohub("--explain", "--ledger", V19)
    shown = [json.loads(line) for line in ran.stdout.splitlines()]

    outcomes = [line for line in shown if "topic" in line]
    assert list(outcomes[0]) == [
        "topic", "key", "specversion", "id", "source", "type", "time", "tenant", "subject", "datacontenttype", "correlationid",
        "causationid", "data",
    ]  # fmt: skip
    assert [next(iter(line)) for line in shown if "topic" not in line and "ledger" not in line] == ["decision"] * 4
    assert [list(line) for line in shown[-6:]] == [["ledger"]] * 6
    quoted = next(line for line in outcomes if line["type"] == "foliohub.cancellation.quoted.v1")
    assert {name: quoted["data"][name] for name in ("penalty", "refund", "claim", "kept")} == {
        "penalty": 14_000, "refund": 6_000, "claim": 0, "kept": 14_500,
    }  # fmt: skip
    decision = next(line["decision"] for line in shown if line.get("decision", {}).get("name") == "cancellation.request")
    assert decision["outcomes"] == [line["id"] for line in outcomes if line["causationid"] == decision["message"]]
    assert sum(line["ledger"]["balance"] for line in shown if "ledger" in line) == 0


def test_what_is_left_over_is_said_and_is_exit_1() -> None:
    ran = foliohub(PARKED)

    assert ran.returncode == 1
    assert b"parked: payment.received 1: waits for booking" in ran.stderr
    assert ran.stdout.count(b"\n") == 1


def test_what_cannot_be_read_is_exit_2_and_what_came_before_it_is_printed(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(V19.read_bytes().splitlines(keepends=True)[0] + b'\n{"time": 7}\n')

    ran = foliohub(bad)

    assert ran.returncode == 2
    assert b"bad.jsonl:3: `time` is not an instant with offset" in ran.stderr
    assert b"booking.accepted" in ran.stdout
    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["nowhere.jsonl"], b"nowhere.jsonl: No such file", id="no such file"),
        pytest.param(["terms"], b"terms: Is a directory", id="a folder"),
        pytest.param([V19, "--until", "tomorrow"], b"'tomorrow' is not an instant", id="until"),
        pytest.param([V19, "--config", "nowhere"], b"hub.toml", id="no configuration"),
        pytest.param([V19, "--provider-script", V19], b"v19_s4_9_penalties_service_by_service.jsonl", id="a script that is none"),
        pytest.param([], b"Missing argument", id="nothing"),
    ],
)
def test_wrong_arguments_are_exit_2(arguments: list[object], said: bytes) -> None:
    ran = foliohub(*arguments)

    assert ran.returncode == 2
    assert said in ran.stderr
    assert ran.stdout == b""


def test_s4_3_terms_have_exactly_three_tranches(tmp_path: Path) -> None:
    """A folder with two tranches is refused with file and line."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    terms = folder / "policies" / "cancellation" / "outdoor" / "flexible.toml"
    terms.write_text(terms.read_text().replace('  { from_notice = 1, refund = "50 %" },\n', ""))

    ran = foliohub("--config", folder, V19)

    assert ran.returncode == 2
    assert b"policies/cancellation/outdoor/flexible.toml:3" in ran.stderr
