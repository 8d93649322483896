"""`[mail]`, the kinds that a property wants written, and its own texts: what is read, and every mistake by file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.loader import load
from config.problems import ConfigError
from config.settings import Mail
from schemas.notice import Language, NoticeKind
from tests.config.folders import CAMP, CAMP_FILE, HUB, folder

MAIL = HUB + '[mail]\nhost = "smtp.example.com"\nfrom = "folios@example.com"\n'
OWN = "notices/camp/refund_executed.toml"
TEXT = '[it]\nsubject = "Rimborso"\ntext = "{{ amount|money }}"\n'


def test_what_is_read(tmp_path: Path) -> None:
    """Server, senders, kinds, texts; without them nothing is sent, wanted or overridden."""
    plain = load(folder(tmp_path / "plain"), {})
    assert (plain.mail, plain.texts, plain.properties["camp"].notices) == (Mail(), {}, ())

    wanted = CAMP + 'notices = ["refund_executed", "notice_failed"]\n'
    more = MAIL + 'properties = [{ property = "camp", name = "Camp", merchant = "desk@camp.example" }]\n'
    full = load(folder(tmp_path / "full", {"hub.toml": more, CAMP_FILE: wanted, OWN: TEXT}), {})
    assert full.mail.from_ == "folios@example.com"
    assert full.mail.properties[0].merchant == "desk@camp.example"
    assert full.properties["camp"].notices == (NoticeKind.REFUND_EXECUTED, NoticeKind.NOTICE_FAILED)
    assert full.texts["camp"][NoticeKind.REFUND_EXECUTED][Language.IT].subject == "Rimborso"
    files = {"hub.toml": more, CAMP_FILE: wanted, OWN: TEXT.replace("Rimborso", "Il rimborso")}
    assert load(folder(tmp_path / "full", files), {}).version != full.version


@pytest.mark.parametrize(
    ("file", "text", "key", "says"),
    [
        pytest.param("hub.toml", HUB + '[mail]\nhost = "h"\n', "mail.from", "is missing", id="nobody's mail"),
        pytest.param("hub.toml", MAIL + 'username = "u"\n', "mail.password", "is missing", id="a name without password"),
        pytest.param("hub.toml", MAIL + 'password = { env = "P" }\n', "mail.username", "is missing", id="nobody's password"),
        pytest.param("hub.toml", MAIL + 'password = "geheim"\n', "mail.password", "must be a table", id="a password in clear"),
        pytest.param(
            "hub.toml", MAIL + 'security = "none"\nusername = "u"\npassword = { env = "P" }\n', "mail.security", "in clear",
            id="a password sent in clear",
        ),
        pytest.param("hub.toml", MAIL + 'security = "ssl"\n', "mail.security", "invalid enum value 'ssl'", id="no such security"),
        pytest.param("hub.toml", MAIL.replace("folios@", "folios "), "mail.from", "it is", id="no address"),
        pytest.param("hub.toml", MAIL + "give_up_hours = 0\n", "mail.give_up_hours", "it is 0", id="no patience"),
        pytest.param("hub.toml", MAIL + "retry_after_s = []\n", "mail.retry_after_s", "of length >= 1", id="no second try"),
        pytest.param(
            "hub.toml", MAIL + 'properties = [{ property = "dunes" }]\n', "mail.properties[0].property", "no such property",
            id="a property that is not there",
        ),
        pytest.param(
            "hub.toml", MAIL + 'properties = [{ property = "camp" }, { property = "camp" }]\n', "mail.properties[1].property",
            "given twice", id="a property twice",
        ),
        pytest.param(CAMP_FILE, CAMP + 'notices = ["refund"]\n', "notices[0]", "invalid enum value 'refund'", id="no such kind"),
        pytest.param("notices/camp/refund.toml", TEXT, "", "is no notice's name: booking_confirmed", id="a text of no kind"),
        pytest.param("notices/dunes/refund_executed.toml", TEXT, "", "there is no property 'dunes'", id="a text of nobody"),
        pytest.param(OWN, TEXT.replace("[it]", "[pl]"), "pl", "unknown key", id="a language that nobody writes"),
        pytest.param(OWN, TEXT.replace("text", "body"), "it.body", "unknown key", id="a part that no text has"),
        pytest.param("notices/refund_executed.toml", TEXT, "", "is not read by anything", id="a text of no property"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, file: str, text: str, key: str, says: str) -> None:
    """Each is told with its file and key."""
    with pytest.raises(ConfigError) as wrong:
        load(folder(tmp_path, {file: text}), {})

    assert any(problem.file == file and problem.key == key and says in problem.message for problem in wrong.value.problems), (
        wrong.value.problems
    )
