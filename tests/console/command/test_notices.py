"""`foliohub notices` as people and programs call it: what is written, how it reads, that it came back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from console.command.failing import Exit
from tests.config.folders import CAMP, CAMP_FILE, folder
from tests.connectors.mail.test_codec import REPORT
from tests.console.command.conftest import foliohub
from tests.engine.sandbox import MASTER, Sandbox, booking
from tests.engine.test_notices import GUEST, configured

OWN = "notices/camp/refund_executed.toml"


def ran(*arguments: object, status: Exit = Exit.DONE, text: str | None = None, env: dict[str, str | None] | None = None) -> str:
    """What it printed."""
    told = foliohub(*arguments, env=env, **({} if text is None else {"input": text}))
    assert told.exit_code == status, told.output
    assert "Traceback" not in told.output
    return told.stdout if status is Exit.DONE else told.stdout + told.stderr


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Of a stopped hub without a mail server: one confirmed booking, whose notice waits."""
    box = Sandbox(store=str(tmp_path / "hub.sqlite"), configuration=configured(1))
    box.say("booking.confirmed", booking("B-7", guest=GUEST, language="it", price=12_345))
    box.hub.close()
    (tmp_path / "hub.sqlite.key").write_text(MASTER.hex())
    return tmp_path / "hub.sqlite"


def listed(store: Path, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ran("notices", "list", "--store", store, "--json", *options))
    return found


def test_how_a_notice_reads() -> None:
    """As text, as HTML, as JSON; in the language that is asked for."""
    text = ran("notices", "preview", "refund_executed", "--language", "it")
    assert "Le abbiamo rimborsato 600,00\xa0€." in text
    assert ran("notices", "preview", "refund_executed", "--language", "nl", "--html").startswith("<!DOCTYPE html>")
    told = json.loads(ran("notices", "preview", "refund_executed", "--language", "de", "--json"))
    assert (told["language"], told["subject"]) == ("de", "Ihre Erstattung von 600,00\xa0€, Buchung B-1001")
    assert "is not one of" in ran("notices", "preview", "refund", status=Exit.WRONG)
    assert "is not one of" in ran("notices", "preview", "refund_executed", "--language", "pl", status=Exit.WRONG)


def test_a_property_s_own_text(tmp_path: Path) -> None:
    """Where it has one; and one that names what nobody says is refused by `policies check` too."""
    mine = folder(tmp_path / "mine", {OWN: '[en]\nsubject = "Yours"\ntext = "{{ amount|money }} for {{ name }}"\n'})
    text = ran("notices", "preview", "refund_executed", "--config", mine, "--property", "camp", "--name", "Ada")
    assert "€600.00 for Ada" in text
    assert ran("policies", "check", mine).startswith("terms")

    wrong = folder(tmp_path / "wrong", {OWN: '[en]\nsubject = "x"\ntext = "{{ ammount|money }}"\n', CAMP_FILE: CAMP})
    said = ran("notices", "preview", "refund_executed", "--config", wrong, status=Exit.WRONG)
    assert said.startswith("foliohub: template_variable: the text of refund_executed in en names 'ammount'")
    (problem,) = json.loads(foliohub("policies", "check", wrong, "--json").stdout)["problems"]
    assert (problem["code"], problem["key"], problem["value"]) == ("template_variable", "en.text", "ammount")
    assert (problem["file"], problem["line"]) == (OWN, 3)


def test_policies_check_names_every_text_that_cannot_be_written(tmp_path: Path) -> None:
    """At its own line, in each language, all at once."""
    text = '[en]\nsubject = "{{ amount|monny }}"\ntext = """\nDear\n{{ nobody }}\n"""\n[it]\nsubject = "x"\ntext = """{% if"""\n'
    wrong = folder(tmp_path, {OWN: text})
    problems = json.loads(foliohub("policies", "check", wrong, "--json").stdout)["problems"]

    assert [(one["file"], one["line"], one["key"], one["code"]) for one in problems] == [
        (OWN, 2, "en.subject", "template_broken"),
        (OWN, 5, "en.text", "template_variable"),
        (OWN, 9, "it.text", "template_broken"),
    ]


def test_what_waits_and_how_it_would_read(store: Path) -> None:
    """Nobody's address is shown, with a real booking's own numbers."""
    (waits,) = listed(store)
    assert (waits["folio"], waits["kind"], waits["state"], waits["language"]) == ("B-7", "booking_confirmed", "planned", "it")
    assert listed(store, "--state", "sent") == []
    assert len(listed(store, "--folio", "B-7")) == len(listed(store, "--all")) == 1
    shown = ran("notices", "list", "--store", store)
    assert "B-7" in shown
    assert "zoe@" not in shown

    text = ran("notices", "preview", "booking_confirmed", "--store", store, "--folio", "B-7", "--language", "it")
    assert "123,45\xa0€" in text
    unknown = ran("notices", "preview", "refund_executed", "--store", store, "--folio", "B-7", status=Exit.WRONG)
    assert unknown.startswith("foliohub: unknown_notice: B-7 was never written to about refund_executed")


def test_s1_40_a_report_is_told_to_the_hub(store: Path, tmp_path: Path) -> None:
    """Kept durably for the next start; what is no report of ours is refused."""
    (waits,) = listed(store)
    headers = f"X-Foliohub-Notice: {waits['id']}\nX-Foliohub-Folio: B-7\n\nbody"
    report = tmp_path / "report.eml"
    report.write_text(REPORT.format(action="failed", kind="message/rfc822", headers=headers))
    assert "no hub runs on this store" in ran("notices", "bounced", report, "--store", store)

    box = Sandbox(store=str(store), configuration=configured(1))
    assert [name for name, _ in box.drain()] == ["notice.failed", "notice.requested"]
    assert b"zoe@" not in box.one("SELECT body FROM intake WHERE name = 'notice.bounced'")["body"]
    box.hub.close()
    assert {row["kind"]: (row["state"], row["code"]) for row in listed(store)} == {
        "booking_confirmed": ("bounced", "5.1.1"),
        "notice_failed": ("planned", ""),
    }
    standing = json.loads(ran("folios", "show", "B-7", "--store", store, "--json"))
    told = {one["kind"]: (one["state"], one["code"]) for one in standing["notices"]}
    assert told == {"booking_confirmed": ("bounced", "5.1.1"), "notice_failed": ("planned", "")}
    report.write_text("Subject: hello\n\nno report")
    assert ran("notices", "bounced", report, "--store", store, status=Exit.WRONG).startswith("foliohub: no_report: ")


def test_x_15_an_operator_has_a_notice_written_once_more(store: Path) -> None:
    """What is on its way is refused; what came back is written, at the next start where no hub runs."""
    (waits,) = listed(store)
    assert "no hub runs on this store" in ran("notices", "resend", waits["id"], "--store", store)
    box = Sandbox(store=str(store), configuration=configured(1))
    ((name, refused),) = box.drain()
    assert (name, refused["code"]) == ("notice.refused", "notice_under_way")
    box.say("notice.bounced", {"notice": waits["id"]}, id_="b-1")
    box.hub.close()

    ran("notices", "resend", waits["id"], "--store", store, "--by", "olga")
    box = Sandbox(store=str(store), configuration=configured(1))
    assert [name for name, _ in box.drain()] == ["notice.requested"]
    box.hub.close()
    waiting = {(row["kind"], row["attempt"], row["state"]) for row in listed(store)}
    assert waiting == {("notice_failed", 1, "planned"), ("booking_confirmed", 2, "planned")}
    assert sorted(row["kind"] for row in listed(store, "--all")) == ["booking_confirmed", "booking_confirmed", "notice_failed"]


def test_s0_34_balances_and_vouchers_read_in_every_language() -> None:
    """Means of payment and warnings as the language says them; an unknown word as it is."""
    asked = ran("notices", "preview", "balance_asked", "--language", "nl")
    assert "Mogelijke betaalmiddelen: kaart, overschrijving of cheque." in asked
    assert "uiterlijk vrijdag 10 juli 2026 betalen" in asked
    assert "la date d'expiration ou le code de sécurité n'est pas exact" in ran(
        "notices", "preview", "balance_not_collected", "--language", "fr"
    )
    assert "Il suo numero è EG6V-H4Y5-NFC4." in ran("notices", "preview", "voucher_issued", "--language", "it")
