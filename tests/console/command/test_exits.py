"""Exit statuses and what is said: one line on standard error with code, place and what to do; never a traceback."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import typer
from typer.testing import CliRunner, Result

from config.loader import SHIPPED
from console.command.failing import Exit, HubGroup, exit_of, line_of
from engine.store.contract import Fenced, StoreAway, StoreTaken
from engine.store.sqlite.database import Database
from schemas.errors import HubError, Rejected, Retryable
from schemas.registry import IN, OUT
from tests.console.command.conftest import foliohub
from tests.engine.store.test_decided import DECIDED

ROOT = Path(__file__).parents[3]


def said(ran: Result) -> str:
    assert "Traceback" not in ran.output
    return ran.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreTaken("x"), Exit.AWAY), (StoreAway("x"), Exit.AWAY), (Fenced("x"), Exit.AWAY), (Retryable("x"), Exit.AWAY),
        (HubError("x", code="store_broken"), Exit.AWAY), (HubError("x", code="address_taken"), Exit.AWAY),
        (HubError("x"), Exit.WRONG), (Rejected("x"), Exit.WRONG), (HubError("x", code="policy_changed"), Exit.WRONG),
    ],
)  # fmt: skip
def test_each_failure_has_its_status(error: HubError, status: Exit) -> None:
    assert exit_of(error) is status


def test_a_failure_is_one_line() -> None:
    """Code, text, and the place where the text does not say it."""
    assert (
        line_of(HubError("no such key", code="unknown_key", field="id", value="k7")) == "foliohub: unknown_key: no such key (id=k7)"
    )
    assert line_of(HubError("no key 'k7'", code="unknown_key", field="id", value="k7")) == "foliohub: unknown_key: no key 'k7'"


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify",), ("ledger", "check"), ("ledger", "balance"), ("effects", "list"), ("approvals", "list"), ("payouts", "status"),
        ("payouts", "stop"), ("dead-letters", "list"), ("explain", "A"), ("keys", "list"), ("forget", "p"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_without_a_store_every_command_says_so(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """And makes none."""
    ran = foliohub(*arguments, "--store", tmp_path / "none.sqlite")

    assert ran.exit_code == Exit.AWAY
    assert said(ran).startswith("foliohub: no_store: there is no store at")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("this is a letter to my aunt, and no database at all" * 100)
    ran = foliohub("verify", "--store", tmp_path / "x.sqlite")

    assert ran.exit_code == Exit.AWAY
    assert said(ran).startswith("foliohub: store_broken:")


def test_what_other_rules_decided_is_no_fault(tmp_path: Path) -> None:
    """It is named, with the number of those rules, and `verify` agrees."""
    shutil.copy(DECIDED / "1" / "vouchers.sqlite", tmp_path)
    Database(str(tmp_path / "vouchers.sqlite")).close()
    ran = foliohub("verify", "--store", tmp_path / "vouchers.sqlite")
    told = json.loads(foliohub("verify", "--json", "--store", tmp_path / "vouchers.sqlite").stdout)

    assert ran.exit_code == 0
    assert "rules 1" in ran.stdout
    assert "\nagrees: " in ran.stdout
    assert (told["agrees"], told["differences"], told["otherwise"]) == (True, [], len(told["parted"]))
    assert told["parted"][0]["rules"] == 1


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("ledger",), ("explain",), ("effects", "settle", "x"), ("effects", "settle", "x", "maybe", "--reason", "r"),
     ("send", "x", "--wait", "soon"), ("run", "--port", "70000")],
    ids=" ".join,
)  # fmt: skip
def test_bad_usage(arguments: tuple[str, ...]) -> None:
    assert foliohub(*arguments).exit_code == Exit.WRONG


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [('{"a":1}\nnonsense\n', "-:2: not a JSON object"), ("[1]", "-:1: not a JSON object"), ("\x00", "-:1: not a JSON object")],
)
def test_what_cannot_be_read_is_not_sent(stdin: str, reason: str) -> None:
    """Named by file and line, before anything is sent: nobody listens there."""
    ran = foliohub("send", "-", "--url", "http://127.0.0.1:9", stdin=stdin)

    assert ran.exit_code == Exit.WRONG
    assert reason in said(ran)


def test_a_file_that_is_not_there() -> None:
    ran = foliohub("send", "nowhere.json")

    assert ran.exit_code == Exit.WRONG
    assert said(ran) == "foliohub: unreadable: nowhere.json: No such file or directory\n"


def test_nobody_listens() -> None:
    ran = foliohub("send", "-", "--url", "http://127.0.0.1:9", stdin='{"id": "1"}')

    assert ran.exit_code == Exit.AWAY
    assert said(ran).startswith("foliohub: gateway_away: no gateway answers at http://127.0.0.1:9")


def test_policies_check_names_every_mistake(tmp_path: Path) -> None:
    """File and line; the shipped ones are right; a folder that is none is bad input."""
    good = foliohub("policies", "check", "--json")
    assert good.exit_code == 0
    assert len(json.loads(good.stdout)["terms"]) == 15

    text = (SHIPPED / "hub.toml").read_text()
    (tmp_path / "hub.toml").write_text(text.replace('currency = "EUR"', 'currency = "EUR"\ncolour = "blue"'))
    bad = foliohub("policies", "check", tmp_path)
    assert bad.exit_code == Exit.FOUND
    assert "hub.toml:8: " in bad.stdout
    told = json.loads(foliohub("policies", "check", tmp_path, "--json").stdout)
    assert told["valid"] is False
    assert any(one["key"].endswith("colour") for one in told["problems"])
    assert foliohub("policies", "check", tmp_path / "none").exit_code == Exit.WRONG


def test_x_27_policies_check_holds_addresses_against_keys(tmp_path: Path) -> None:
    """What `run` refuses: live keys at a test endpoint, by line, or by the variable that brought the address."""
    shutil.copytree(SHIPPED, tmp_path / "live")
    text = (SHIPPED / "hub.toml").read_text().replace('environment = "test"', 'environment = "live"')
    (tmp_path / "live" / "hub.toml").write_text(text)
    line = text.splitlines().index('base_url = "http://127.0.0.1:8481/ncol/test/"') + 1
    bad = foliohub("policies", "check", tmp_path / "live")
    assert bad.exit_code == Exit.FOUND
    assert bad.stdout == f"hub.toml:{line}: merchants[0].base_url: live keys do not meet a loopback address\n"
    (told,) = json.loads(foliohub("policies", "check", tmp_path / "live", "--json").stdout)["problems"]
    assert (told["code"], told["line"]) == ("wrong_endpoint", line)

    elsewhere = {"FOLIOHUB_MERCHANT_AZUR_BASE_URL": "https://pay.example/ncol/prod/"}
    bad = foliohub("policies", "check", SHIPPED, env=elsewhere)
    assert bad.exit_code == Exit.FOUND
    assert bad.stdout == "FOLIOHUB_MERCHANT_AZUR_BASE_URL: test keys do not meet pay.example/ncol/prod/\n"
    assert foliohub("policies", "check", tmp_path / "live", env=elsewhere).exit_code == Exit.DONE


def test_schemas_are_schemas() -> None:
    """Each is one that a validator takes; the list has every message."""
    every = json.loads(foliohub("schemas", "--json").stdout)
    for schema in every.values():
        jsonschema.Draft202012Validator.check_schema(schema)

    assert len(every) == len(IN) + len(OUT) + 1
    assert json.loads(foliohub("schemas", "refund.decided").stdout) == every["foliohub.refund.decided.v1"]
    assert json.loads(foliohub("schemas", "foliohub.refund.decided.v1").stdout) == every["foliohub.refund.decided.v1"]
    assert foliohub("schemas", "refund.maybe").exit_code == Exit.WRONG
    assert "refund.decided" in foliohub("schemas").stdout


def test_topics() -> None:
    assert {one["name"] for one in json.loads(foliohub("topics", "list", "--json").stdout)} >= {"foliohub.intake.v1"}
    assert "foliohub.refund.v1" in foliohub("topics", "list").stdout
    document = foliohub("topics", "asyncapi").stdout
    assert json.loads(document)["asyncapi"] == "3.0.0"
    assert foliohub("topics", "asyncapi", "--json").stdout == document


def test_simulator_says_what_it_cannot_play(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text('{"rules": [{"colour": "blue"}]}')
    ran = foliohub("simulator", "ogone", "--port", "0", "--books", tmp_path / "books", "--script", tmp_path / "script.json")

    assert ran.exit_code == Exit.WRONG
    assert "colour" in said(ran)


def test_simulator_says_that_its_books_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no books")
    for books in (tmp_path / "file", tmp_path / "file" / "deeper" / "books"):
        ran = foliohub("simulator", "ogone", "--port", "0", "--books", books)

        assert ran.exit_code == Exit.WRONG
        assert "bad_books" in said(ran)


@pytest.mark.parametrize(
    "arguments",
    [
        ("folios", "show"), ("explain",), ("balances", "payment"), ("effects", "list", "--folio"), ("keys", "add", "--label"),
        ("forget", "--reason", "asked", "--by"), ("payouts", "stop", "--reason"), ("schemas",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_bytes_that_are_no_text(arguments: tuple[str, ...]) -> None:
    """Refused before a store is looked for."""
    ran = foliohub(*arguments, b"B-\xff".decode(errors="surrogateescape"))

    assert (ran.exit_code, said(ran)) == (
        Exit.WRONG,
        "foliohub: not_text: an argument or a variable is no text in UTF-8: B-\\udcff\n",
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "code"),
    [
        pytest.param(("send", "FILE", "--key", "☃"), {}, "bad_key", id="a key that is none"),
        pytest.param(
            ("send", "FILE"), {"FOLIOHUB_OPERATOR": b"\xff".decode(errors="surrogateescape")}, "not_text", id="an operator"
        ),
        pytest.param(("rules", "S4"), {"FOLIOHUB_COLUMNS": "wide"}, "bad_variable", id="columns in words"),
        pytest.param(("rules", "S4"), {"FOLIOHUB_COLUMNS": "9" * 30}, "bad_variable", id="columns without end"),
        pytest.param(("balances", "list", "--store", "postgresql://u:secret@[x"), {}, "bad_store", id="an address"),
    ],
)
def test_what_is_foreseen_of_options_and_variables(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str | None], code: str
) -> None:
    """No secret of them is told."""
    (tmp_path / "one.json").write_text('{"id": "x"}')
    ran = foliohub(*[str(tmp_path / "one.json") if one == "FILE" else one for one in arguments], env=variables)

    assert ran.exit_code == Exit.WRONG
    assert said(ran).startswith(f"foliohub: {code}: ")
    assert "secret" not in said(ran)


def test_json_without_end_is_not_sent(tmp_path: Path) -> None:
    """Nested deeper than anybody reads."""
    (tmp_path / "deep.json").write_text('{"a":' + "[" * 200_000 + "]" * 200_000 + "}")
    ran = foliohub("send", tmp_path / "deep.json")

    assert (ran.exit_code, "unreadable" in said(ran)) == (Exit.WRONG, True)


def test_whoever_reads_us_has_enough() -> None:
    """What is printed into a pipe that nobody reads any more ends well, and says nothing."""
    ran = subprocess.run(
        f'{shlex.quote(sys.executable)} -m console.command policies check --json | true; echo "${{PIPESTATUS[0]}}"',
        shell=True, executable="/bin/bash", capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("0\n", "")


def test_a_connection_that_breaks_is_no_success() -> None:
    """Whoever looks after a hub starts it again: only what breaks towards whoever reads us means that it was enough."""
    app = typer.Typer(cls=HubGroup)

    @app.command()
    def cut() -> None:
        ours, theirs = socket.socketpair()
        theirs.close()
        with ours:
            ours.send(b"x")

    @app.command()
    def other() -> None: ...

    ran = CliRunner().invoke(app, ["cut"])
    assert (ran.exit_code, ran.stdout) == (Exit.AWAY, "")
    assert said(ran) == "foliohub: connection_lost: [Errno 32] Broken pipe: try again\n"
