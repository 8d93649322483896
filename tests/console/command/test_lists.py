"""`foliohub balances`, `foliohub vouchers` and `foliohub folios` as people and programs call them, on both engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.command.failing import Exit
from engine.standing import standing
from engine.store.opening import open_store
from schemas.voucher import VoucherStatus
from tests.console.command.conftest import foliohub
from tests.engine.sandbox import Sandbox
from tests.engine.test_lists import asking, enter, owes


def play(address: str) -> Sandbox:
    """B-1 is suspended, B-2 is asked."""
    made = asking(store=open_store(address))
    for folio in ("B-1", "B-2"):
        owes(made, folio)
    made.say("balance.suspend", {"folio": "B-1", "until": "2026-07-20"}, actor="operator")
    made.say("balance.send_now", {"folio": "B-2"}, actor="operator")
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a stopped hub."""
    address: str = str(tmp_path / "hub.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    play(address).hub.close()
    return address


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, a file, for who changes nothing."""
    address = str(tmp_path_factory.mktemp("lists") / "hub.sqlite")
    play(address).hub.close()
    return address


def ran(*arguments: object, status: Exit = Exit.DONE) -> str:
    told = foliohub(*arguments)
    assert told.exit_code == status, told.output
    assert "Traceback" not in told.output
    return told.stdout if status is Exit.DONE else told.stdout + told.stderr


def read(*arguments: object) -> Any:
    return json.loads(ran(*arguments, "--json"))


def test_s1_12_balances_by_queue(store: str) -> None:
    """The same entries as the door's."""
    found = read("balances", "list", "--store", store, "--queue", "sent_no_reply")
    assert [(one["folio"], one["queue"], one["amount"], one["link"]) for one in found] == [("B-2", "sent_no_reply", 10_000, 1)]
    assert [one["folio"] for one in read("balances", "list", "--store", store)] == ["B-2", "B-1"], "the earliest deadline first"
    assert [one["folio"] for one in read("balances", "list", "--store", store, "--limit", 1)] == ["B-2"]
    assert [one["folio"] for one in read("balances", "list", "--store", store, "--overdue")] == []
    assert read("balances", "list", "--store", store, "--queue", "paid") == []
    assert read("balances", "list", "--store", store, "--property", "camp-azur") == read("balances", "list", "--store", store)
    shown = ran("balances", "list", "--store", store)
    assert "100.00 EUR" in shown
    assert "2026-07-10" in shown
    assert "no such balance requests" in ran("balances", "list", "--store", store, "--queue", "cancelled")
    assert "is not one of" in ran("balances", "list", "--store", store, "--queue", "late", status=Exit.WRONG)


def test_s1_21_s1_28_what_a_merchant_charges_an_answered_request_by(tmp_path: Path) -> None:
    """The token whole, for who has the store before him; typed errors where there is nothing to charge."""
    made = play(str(tmp_path / "hub.sqlite"))
    card = {"folio": "B-2", "method": "card", "through": "phone", "token": "tok_card_4f1a"}
    made.say("balance.choose_method", card, actor="merchant")
    made.hub.close()
    at = ("--store", tmp_path / "hub.sqlite")
    ids = {one["folio"]: one["request"] for one in read("balances", "list", *at)}
    found = read("balances", "payment", ids["B-2"], *at)
    shown = ran("balances", "payment", ids["B-2"], *at)

    assert found == {
        "request": ids["B-2"], "folio": "B-2", "attempt": 1, "amount": 10_000, "currency": "EUR", "method": "card", "initiation": "moto",
        "through": "phone", "token": "tok_card_4f1a", "mandate": "", "mandate_version": "",
    }  # fmt: skip
    for said in (
        "folio B-2, attempt 1",
        "charge 100.00 EUR by card moto",
        "card given by phone",
        "token tok_card_4f1a",
        "mandate none",
    ):
        assert said in shown
    assert "wrong_queue" in ran("balances", "payment", ids["B-1"], *at, status=Exit.WRONG)
    assert "unknown_request" in ran("balances", "payment", "B-2", *at, status=Exit.WRONG)
    assert "unknown_tenant" in ran("balances", "payment", ids["B-2"], *at, "--tenant", "dunes", status=Exit.WRONG)


def test_s4_22_a_folio_as_the_door_tells_it(store: str) -> None:
    """To the field, but for the instant of looking; and in lines for people."""
    found = read("folios", "show", "B-2", "--store", store)
    assert (found["sums"]["ordered"], found["sums"]["collected"], found["recoverable"]["total"]) == (20_000, 10_000, 10_000)
    (request,) = found["balance_requests"]
    assert (request["queue"], request["live"], request["deadline"]) == ("sent_no_reply", True, "2026-07-10")
    shown = ran("folios", "show", "B-2", "--store", store)
    for said in ("ordered 200.00 EUR − collected 100.00 EUR = balance 100.00 EUR", "could be given back now: 100.00 EUR", "P-B-2",
                 "sent_no_reply, 100.00 EUR by the end of 2026-07-10"):  # fmt: skip
        assert said in shown
    assert "unknown_folio" in ran("folios", "show", "B-9", "--store", store, status=Exit.WRONG)
    assert "unknown_tenant" in ran("folios", "show", "B-2", "--store", store, "--tenant", "dunes", status=Exit.WRONG)


def test_the_command_and_the_door_say_the_same(tmp_path: Path) -> None:
    """One function gives both."""
    made = play(str(tmp_path / "hub.sqlite"))
    door = json.loads(msgspec.json.encode(standing(made.hub, "azur", "B-1")))
    made.hub.close()
    command = read("folios", "show", "B-1", "--store", tmp_path / "hub.sqlite")

    moment = ("if_cancelled_now", "balance_requests")  # these depend on when one looks
    assert {name: value for name, value in command.items() if name not in moment} == {
        name: value for name, value in door.items() if name not in moment
    }


@pytest.mark.parametrize(
    ("asked", "code", "named"),
    [
        (("balances", "list", "--tenant", "dunes"), "unknown_tenant", "'dunes'"),
        (("balances", "list", "--property", "other"), "unknown_property", "'other'"),
        (("balances", "list", "--tenant", "azur", "--property", "other"), "unknown_property", "'other'"),
        (("vouchers", "list", "--tenant", "dunes"), "unknown_tenant", "'dunes'"),
        (("vouchers", "list", "--property", "other"), "unknown_property", "'other'"),
        (("journal", "--day", "2026-05-01", "--tenant", "dunes"), "unknown_tenant", "'dunes'"),
        (("journal", "--day", "2026-05-01", "--property", "other"), "unknown_property", "'other'"),
        (("folios", "show", "B-1", "--tenant", "dunes"), "unknown_tenant", "'dunes'"),
        (("explain", "B-1", "--tenant", "dunes"), "unknown_tenant", "'dunes'"),
        (("dead-letters", "list", "--tenant", "dunes"), "unknown_tenant", "'dunes'"),
        (("ledger", "balance", "--tenant", "dunes"), "unknown_tenant", "'dunes'"),
        (("ledger", "balance", "--folio", "B-9"), "unknown_folio", "'B-9'"),
        (("effects", "list", "--folio", "B-9"), "unknown_folio", "'B-9'"),
        (("notices", "list", "--folio", "B-9"), "unknown_folio", "'B-9'"),
        (("effects", "list", "--state", "lost"), "--state", "'lost'"),
        (("notices", "list", "--state", "lost"), "--state", "'lost'"),
    ],
)  # fmt: skip
def test_x_12_what_is_not_there_is_refused(read_only: str, asked: tuple[str, ...], code: str, named: str) -> None:
    """By its name: an empty list is one of something that is there."""
    told = ran(*asked, "--store", read_only, status=Exit.WRONG)
    assert code in told
    assert named in told


@pytest.mark.parametrize(
    "asked",
    [
        ("balances", "list", "--queue={}"), ("balances", "list", "--property={}"), ("balances", "list", "--tenant={}"),
        ("balances", "list", "--limit={}"), ("balances", "payment", "--", "{}"), ("vouchers", "list", "--status={}"),
        ("journal", "--day={}"), ("journal", "--day=2026-05-01", "--property={}"), ("folios", "show", "--", "{}"),
        ("explain", "--", "{}"), ("effects", "list", "--folio={}"), ("ledger", "balance", "--", "{}"),
    ],
    ids=" ".join,
)  # fmt: skip
@settings(max_examples=10)
@given(text=st.text(st.characters(exclude_categories=()), max_size=30) | st.integers().map(str) | st.dates().map(str))
def test_any_text_is_answered(read_only: str, asked: tuple[str, ...], text: str) -> None:
    """With what was found, or one line that says what is wrong; bytes that are no text too."""
    told = foliohub(*[one.replace("{}", text) for one in asked], env={"FOLIOHUB_STORE": read_only})

    assert told.exit_code in (Exit.DONE, Exit.FOUND, Exit.WRONG), told.output
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception


def test_s0_18_vouchers(tmp_path: Path) -> None:
    """Number by number, what waits, what is flagged."""
    made = Sandbox(store=str(tmp_path / "hub.sqlite"))
    enter(made, "B-1", "MER-1", 2_000)
    enter(made, "B-2", "MER-1", 3_000)
    made.hub.close()
    at = ("--store", tmp_path / "hub.sqlite")

    assert [(one["number"], one["folio"]) for one in read("vouchers", "list", *at)] == [("MER-1", "B-1"), ("MER-1", "B-2")]
    assert [one["folio"] for one in read("vouchers", "list", *at, "--flagged")] == ["B-2"]
    assert len(read("vouchers", "list", *at, "--to-check")) == 2
    assert read("vouchers", "list", *at, "--status", VoucherStatus.REFUSED.value) == []
    assert "30.00 EUR" in ran("vouchers", "list", *at)
    assert "is not one of" in ran("vouchers", "list", *at, "--status", "spent", status=Exit.WRONG)
