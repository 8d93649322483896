"""Bad input of vouchers, balances and notices: each a typed refusal with code, field and value, or an effect that is tried again; kept and
shown by the gateway and by a dry run; the state is untouched. Configuration is refused at the start."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from config.loader import load
from config.problems import ConfigError
from config.settings import Configuration
from console.command.failing import Exit
from engine.dry_run import DryRun, read
from engine.store import listing
from engine.store.rows import Key
from schemas.envelope import name_of
from schemas.payment import Tender
from schemas.policy import BalancePolicy
from tests.config.folders import CAMP, CAMP_FILE, folder
from tests.config.mistakes import ASKS
from tests.console.command.conftest import foliohub
from tests.console.gateway.world import World, world
from tests.engine.test_notices import DAY, HOUR, Office
from tests.scenarios.play import FOLDERS

OWN = "notices/camp/refund_executed.toml"
METHODS = (Tender.CARD, Tender.CHEQUE)
GUEST, MERCHANT, OPERATOR, SYSTEM = ({"kind": kind, "id": "x"} for kind in ("guest", "merchant", "operator", "system"))


def settled() -> Configuration:
    """The vouchers' folder, whose campsite asks for its balances too."""
    known = load(FOLDERS / "vouchers", {})
    camp = msgspec.structs.replace(
        known.properties["camp-azur"], version="camp-azur/asks", payment_methods=METHODS,
        balance=BalancePolicy(due_days=14, methods=METHODS),
    )  # fmt: skip
    return msgspec.structs.replace(known, properties={**known.properties, "camp-azur": camp})


class Refused(NamedTuple):
    """`before` is said first; what is said last is refused with this code, field and value."""

    said: tuple[str, dict[str, Any]]
    name: str
    code: str
    field: str
    value: str
    before: tuple[tuple[str, dict[str, Any]], ...] = ()


def ask(**more: Any) -> tuple[str, dict[str, Any]]:
    return "cancellation.request", {"actor": GUEST, "request": "R1", "confirm": True, **more}


def balance(action: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return f"balance.{action}", {"actor": OPERATOR, **more}


SEND = balance("send_now")
CHOOSE = balance("choose_method", actor=GUEST, method="cheque")
CANCEL = ("booking.cancel_with_voucher", {"actor": MERCHANT})
REFUSED = {
    "a voucher above the stay": Refused(
        ("voucher.enter", {"actor": GUEST, "number": "MER-1", "amount": 20_001}), "voucher.refused", "amount_above_total", "amount", "20001"
    ),
    "a voucher of nothing": Refused(
        ("voucher.enter", {"actor": GUEST, "number": "M", "amount": 0}), "voucher.refused", "value_out_of_range", "amount", "0"
    ),
    "two vouchers above the stay": Refused(
        ("voucher.enter", {"actor": GUEST, "number": "MER-2", "amount": 1}), "voucher.refused", "too_many_vouchers", "number", "MER-2",
        before=(("voucher.enter", {"actor": GUEST, "number": "MER-1", "amount": 14_000}),),
    ),
    "an amount above what is owed": Refused(
        balance("set_amount", amount=14_001), "balance.refused", "amount_above_balance", "amount", "14001"
    ),
    "a suspension until the arrival": Refused(
        balance("suspend", until="2026-07-24"), "balance.refused", "suspension_past_arrival", "until", "2026-07-24"
    ),
    "a suspension past it": Refused(
        balance("suspend", until="2026-08-24"), "balance.refused", "suspension_past_arrival", "until", "2026-08-24"
    ),
    "a suspension until today": Refused(
        balance("suspend", until="2026-05-01"), "balance.refused", "suspension_in_the_past", "until", "2026-05-01"
    ),
    "cancelled with a voucher after a plain cancellation": Refused(
        CANCEL, "booking.refused", "already_cancelled", "folio", "FOLIO", before=(ask(),)
    ),
    "a plain cancellation after one with a voucher": Refused(
        ask(), "cancellation.refused", "already_cancelled", "request", "R1", before=(CANCEL,)
    ),
    "a method that is not offered": Refused(
        balance("choose_method", actor=GUEST, method="cash"), "balance.refused", "method_not_offered", "method", "cash", before=(SEND,)
    ),
    "a method that is none": Refused(
        balance("choose_method", actor=GUEST, method="shells"), "balance.refused", "method_not_offered", "method", "shells", before=(SEND,)
    ),
    "less than nothing": Refused(balance("set_amount", amount=-1), "balance.refused", "amount_negative", "amount", "-1"),
    "chosen before the mail": Refused(CHOOSE, "balance.refused", "wrong_queue", "request", "pending"),
    "sent again before the mail": Refused(balance("resend"), "balance.refused", "wrong_queue", "request", "pending"),
    "sent now when it was sent": Refused(SEND, "balance.refused", "wrong_queue", "request", "sent_no_reply", before=(SEND,)),
    "an amount when it was sent": Refused(
        balance("set_amount", amount=1), "balance.refused", "wrong_queue", "request", "sent_no_reply", before=(SEND,)
    ),
    "cancelled when it was answered": Refused(
        balance("cancel"), "balance.refused", "wrong_queue", "request", "sent_replied", before=(SEND, CHOOSE)
    ),
    "collected without an answer": Refused(
        balance("report_collected", actor=MERCHANT), "balance.refused", "wrong_queue", "request", "sent_no_reply", before=(SEND,)
    ),
    "failed without an answer": Refused(
        balance("report_disfunction", actor=MERCHANT), "balance.refused", "wrong_queue", "request", "sent_no_reply", before=(SEND,)
    ),
    "made anew while one is live": Refused(balance("recreate"), "balance.refused", "wrong_queue", "request", "pending"),
    "a proof that is none": Refused(
        ask(cause="force_majeure", proof="I am ill"), "cancellation.refused", "proof_not_a_reference", "proof", ""
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("refused"), settled=settled()) as made:
        yield made


def said(id_: str, name: str, folio: str, data: dict[str, Any]) -> dict[str, Any]:
    type_ = f"foliohub.{name}.v1"
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "pms.thais",
        "type": type_,
        "tenant": "azur",
        "data": {"folio": folio, **data},
    }


def messages(folio: str, case: Refused) -> list[dict[str, Any]]:
    """A stay of 200, its deposit of 60 paid, and what is said of it."""
    nights = {"arrival": "2026-07-24", "departure": "2026-07-31"}
    line = {"line": "1", "trade": "outdoor", "price": 20_000, "terms": "outdoor/thirty", **nights}
    stay = {"actor": SYSTEM, "property": "camp-azur", "currency": "EUR", "payment_plan": "split", "lines": [line]}
    paid = {"actor": SYSTEM, "payment": "P1", "amount": 6_000, "currency": "EUR", "provider": "ogone", "merchant": "azur",
            "provider_reference": f"30{folio}"}  # fmt: skip
    every = (("booking.confirmed", stay), ("payment.received", paid), *case.before, case.said)
    return [said(f"{folio}-{n}", name, folio, data) for n, (name, data) in enumerate(every)]


def settle(hub: World, folio: str) -> None:
    """Until its refunds are made and it has heard of them."""
    waits = "SELECT count(*) AS n FROM effect WHERE folio = ? AND state <> 'confirmed'"
    unheard = "SELECT count(*) AS n FROM internal WHERE key = ? AND decision = 0"
    ends = time.monotonic() + 20
    while any(hub.hub.reading.rows(statement, (folio,))[0]["n"] for statement in (waits, unheard)):
        assert time.monotonic() < ends, folio
        time.sleep(0.02)


def folio_state(hub: World, folio: str) -> bytes:
    row = hub.hub.reading.state(Key("azur", "folio", folio))
    assert row is not None
    body: bytes = row["body"]
    return body


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_is_typed_kept_and_shown(hub: World, what: str) -> None:
    """Over HTTP: in the answer, in what is read again of the message, and in the outcomes; nothing of the folio has moved."""
    case, folio = REFUSED[what], f"F{list(REFUSED).index(what)}"
    *before, last = messages(folio, case)
    for one in before:
        told = hub.send(one, key="operator").json()
        assert not [outcome["data"] for outcome in told["outcomes"] if outcome["type"].endswith(".refused.v1")], told
    settle(hub, folio)
    stood = folio_state(hub, folio)
    answered = hub.send(last, key="operator").json()
    (refused,) = [outcome for outcome in answered["outcomes"] if name_of(outcome["type"]) == case.name]
    told = refused["data"]

    assert (told["code"], told["field"], told["value"]) == (case.code, case.field, case.value.replace("FOLIO", folio))
    assert told["rules"]
    assert told["message"]
    assert folio_state(hub, folio) == stood
    again = hub.get(f"/messages?source=pms.thais&id={last['id']}").json()
    assert [one["data"]["code"] for one in again["outcomes"]] == [case.code]
    assert again["decisions"][0]["result"] == "refused"


@pytest.mark.parametrize("what", REFUSED)
def test_a_dry_run_shows_the_same(what: str) -> None:
    """As a line of what is published."""
    case = REFUSED[what]
    run = DryRun(settled(), None)
    lines: list[bytes] = []
    every = [{**one, "time": "2026-05-01T08:00:00Z"} for one in messages("F", case)]
    for line in read("case", BytesIO(b"\n".join(json.dumps(one).encode() for one in every))):
        lines += run.play(line)
    run.close()
    shown = [msgspec.json.decode(line) for line in lines]

    assert [
        (name_of(one["type"]), one["data"]["code"], one["data"]["field"]) for one in shown if one["type"].endswith(".refused.v1")
    ] == [(case.name, case.code, case.field)]


@pytest.mark.parametrize(
    ("name", "data", "field", "value"),
    [
        pytest.param("voucher.enter", {"actor": GUEST, "number": "M", "amount": "ten"}, "amount", "ten", id="an amount in words"),
        pytest.param("balance.suspend", {"actor": OPERATOR, "until": "soon"}, "until", "soon", id="a day that is none"),
    ],
)
def test_what_is_no_message_is_kept_with_field_and_value(
    hub: World, name: str, data: dict[str, Any], field: str, value: str
) -> None:
    """Refused at the door, and a dead letter."""
    got = hub.send(said(f"bad-{field}-{value}", name, "F0", data), key="operator")

    assert got.status_code == 400
    problem = got.json()
    assert (problem["code"], problem["field"], problem["value"]) == ("undecodable", field, value)
    assert hub.dead_letter(problem["dead_letter"])["field"] == field


@pytest.mark.parametrize(
    ("text", "code", "key", "value"),
    [
        pytest.param(ASKS + 'due_days = -1\nmethods = ["card"]\n', "bad_configuration", "balance.due_days", "-1", id="negative due days"),
        pytest.param(
            ASKS + 'due_days = 1\nmethods = ["card", "cash"]\n', "method_not_configured", "balance.methods[1]", "cash",
            id="a payment method that is not configured",
        ),
        pytest.param(CAMP.replace("Europe/Paris", "Europe/Atlantis"), "unknown_zone", "zone", "Europe/Atlantis", id="an unknown zone"),
    ],
)  # fmt: skip
def test_a_configuration_is_refused_at_the_start(tmp_path: Path, text: str, code: str, key: str, value: str) -> None:
    """With file, line, key and value."""
    with pytest.raises(ConfigError) as refused:
        load(folder(tmp_path, {CAMP_FILE: text}), {})

    assert (code, key, value) in [(one.code, one.key, one.value) for one in refused.value.problems]
    assert all(one.line for one in refused.value.problems if one.file == CAMP_FILE)


IT = '[it]\nsubject = "s"\ntext = '
WRONG = {
    "negative due days": (CAMP_FILE, ASKS + 'due_days = -1\nmethods = ["card"]\n', ":7: balance.due_days: must be at least 0, it is -1"),
    "a method that is not configured": (CAMP_FILE, ASKS + 'due_days = 1\nmethods = ["cash"]\n', ":8: balance.methods[0]: 'cash' is not"),
    "an unknown zone": (CAMP_FILE, CAMP.replace("Europe/Paris", "Europe/Atlantis"), ":4: zone: 'Europe/Atlantis' is not a zone"),
    "no zone": (CAMP_FILE, CAMP.replace('zone = "Europe/Paris"\n', ""), ": zone: is missing"),
    "a property that cannot be read": (CAMP_FILE, CAMP + "languages = 1.5\n", ":5: languages: expected `array`"),
    "a template that misses a variable": (OWN, IT + '"{{ guest_name }}"\n', ":3: it.text: names 'guest_name', which nobody says"),
    "no template": (OWN, IT + '"{% if %}"\n', ":3: it.text: is no template"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_hub_does_not_start_and_says_why(tmp_path: Path, what: str) -> None:
    """By `foliohub run`, and by `foliohub policies check`: one line with file, line, key and value, and nothing that follows from it."""
    file, text, line = WRONG[what]
    wrong = folder(tmp_path / "wrong", {file: text, "sha_in": "x"})
    secrets = {"AZUR_PASSWORD": "x", "AZUR_OUT": "x", "AZUR_OUT_NEW": "x"}
    started = foliohub("run", "--port", 0, "--config", wrong, "--store", tmp_path / "hub.sqlite", env=secrets)
    checked = foliohub("policies", "check", wrong)

    assert (started.exit_code, checked.exit_code) == (Exit.WRONG, Exit.FOUND), started.output
    (said,) = [one for one in started.stderr.splitlines() if one.startswith("foliohub: ")]
    assert f"{file}{line}" in said
    assert [f"{file}{line}" in one for one in checked.stdout.splitlines()] == [True]


def test_a_mail_server_that_is_away_for_a_day_is_tried_again() -> None:
    """Its code is kept and shown meanwhile, the folio goes on; then the mail is sent once."""
    office = Office(away=True)
    try:
        office.books()
        stood = office.box.folio()
        assert office.box.pass_time(DAY) == []
        (waiting,) = listing.notices(office.box.hub.reading)
        assert (waiting["state"], waiting["code"], waiting["folio"]) == ("planned", "away", "B-1")
        assert waiting["tries"] > 5
        assert office.box.folio() == stood

        office.server.start()
        assert [name for name, _ in office.box.pass_time(6 * HOUR)] == ["notice.sent"]
        assert len(office.server.mails()) == 1
    finally:
        office.server.stop()
        office.box.hub.close()
