"""A folder is read strictly: what is wrong is told with file, line, key and value, everything at once."""

from __future__ import annotations

from datetime import date, time
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loader import load
from config.problems import ConfigError, Problem
from config.settings import Configuration, Secret
from schemas.cancellation import Cause
from schemas.common import ActorKind
from schemas.errors import HubError
from schemas.policy import Boundary, Unit
from tests.config.folders import CAMP, CAMP_FILE, FLEXIBLE, FLEXIBLE_FILE, HUB, folder
from tests.config.mistakes import MISTAKES


def read(at: Path, files: dict[str, str | bytes] | None = None, environ: dict[str, str] | None = None) -> Configuration:
    return load(folder(at, files), environ or {})


def problems(at: Path, files: dict[str, str | bytes] | None = None, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        read(at, files, environ)
    return caught.value.problems


def test_a_small_folder(tmp_path: Path) -> None:
    """Policies with their defaults, terms named by their place."""
    settled = read(tmp_path)
    (terms,) = settled.terms

    assert (terms.name, terms.trade, terms.version) == ("outdoor/flexible", "outdoor", "outdoor/flexible/1")
    assert [(4, Fraction(1)), (1, Fraction(1, 2)), (0, Fraction(0))] == [(t.from_notice, t.refund) for t in terms.tranches]
    assert (Boundary.GUEST, Unit.DAY, time(16)) == (terms.boundary, terms.unit, terms.drop_time)
    assert settled.properties["camp"].zone == "Europe/Paris"
    assert settled.channels["demo"].source == "ota.demo"
    assert settled.tenants["azur"].late_tolerance_hours == 24
    assert settled.http.host == "127.0.0.1"
    assert settled.sources["pms.thais"].tenant == "azur"


@pytest.mark.parametrize(("file", "text", "line", "key", "says"), MISTAKES)
def test_one_mistake(tmp_path: Path, file: str, text: str | bytes, line: int, key: str, says: str) -> None:
    """Is told where it stands and as what, of tranches (S4-3, S4-4) as of all else; it does not cause a second one in its own file."""
    found = [problem for problem in problems(tmp_path, {file: text}) if problem.file == file]

    assert [(line, key)] == [(problem.line, problem.key) for problem in found]
    assert says in found[0].message
    assert str(found[0]).startswith(f"{file}:{line}: " if line else f"{file}: ")


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """In all files and in all keys, by file and line."""
    found = problems(
        tmp_path,
        {
            "hub.toml": HUB.replace("[[sources]]", "[[sources]]\ntrust = true\nrevisions = 5"),
            CAMP_FILE: CAMP + "a = 1\nsplit_cap = 3\nb = 2\n",
            FLEXIBLE_FILE: FLEXIBLE.replace("100 %", "100").replace("50 %", "50"),
        },
    )

    assert [(problem.file, problem.line, problem.key) for problem in found if problem.code != "unknown_tenant"] == [
        ("hub.toml", 6, "sources[0].trust"),
        ("hub.toml", 7, "sources[0].revisions"),
        (FLEXIBLE_FILE, 3, "tranches[0].refund"),
        (FLEXIBLE_FILE, 4, "tranches[1].refund"),
        (CAMP_FILE, 5, "a"),
        (CAMP_FILE, 6, "split_cap"),
        (CAMP_FILE, 7, "b"),
    ]


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "localtime", " ", "../../etc/passwd", "europe/paris", "CEST", "+02:00"])
def test_a_32_unknown_zone_is_refused(tmp_path: Path, zone: str) -> None:
    """A name that the time zone database has not, whatever the machine makes of it."""
    found = problems(tmp_path, {CAMP_FILE: CAMP.replace("Europe/Paris", zone)})

    assert [(problem.code, problem.line) for problem in found if problem.file == CAMP_FILE] == [("unknown_zone", 4)]


def test_a_32_no_zone_without_a_default_is_refused(tmp_path: Path) -> None:
    """A property without a zone is not guessed into one."""
    (problem,) = [p for p in problems(tmp_path, {CAMP_FILE: CAMP.replace('zone = "Europe/Paris"\n', "")}) if p.file == CAMP_FILE]

    assert (problem.code, problem.key) == ("unknown_zone", "zone")


def test_a_32_the_tenants_zone_if_it_is_set(tmp_path: Path) -> None:
    """Only then; the property's own wins."""
    hub = HUB.replace('version = "azur/1"', 'version = "azur/1"\nzone = "Pacific/Noumea"')
    settled = read(
        tmp_path,
        {
            "hub.toml": hub,
            "properties/other.toml": CAMP.replace("camp", "other").replace('zone = "Europe/Paris"\n', ""),
        },
    )

    assert {name: one.zone for name, one in settled.properties.items()} == {"camp": "Europe/Paris", "other": "Pacific/Noumea"}


def test_x_8_versions_over_time(tmp_path: Path) -> None:
    """Several versions of one name, on days that do not overlap."""
    later = FLEXIBLE.replace("flexible/1", "flexible/2").replace("from_notice = 4", "from_notice = 7")
    settled = read(
        tmp_path,
        {
            FLEXIBLE_FILE: "valid_to = 2026-12-31\n" + FLEXIBLE,
            "policies/cancellation/outdoor/flexible.2027.toml": "valid_from = 2027-01-01\n" + later,
        },
    )

    assert [(None, date(2026, 12, 31)), (date(2027, 1, 1), None)] == [(one.valid_from, one.valid_to) for one in by_version(settled)]
    assert {"outdoor/flexible"} == {one.name for one in settled.terms}


def by_version(settled: Configuration) -> list[object]:
    return sorted(settled.terms, key=lambda one: one.version)


def test_x_8_overlapping_versions_are_refused(tmp_path: Path) -> None:
    """Two answers for one day are none."""
    later = "valid_from = 2027-01-01\n" + FLEXIBLE.replace("flexible/1", "flexible/2")
    (problem,) = problems(tmp_path, {"policies/cancellation/outdoor/flexible.2027.toml": later})

    assert (problem.file, problem.line) == ("policies/cancellation/outdoor/flexible.2027.toml", 1)
    assert "overlaps with policies/cancellation/outdoor/flexible.toml" in problem.message


def test_s4_40_a_version_with_two_contents_is_refused(tmp_path: Path) -> None:
    """A version is frozen into bookings: it says one thing for ever (X-8)."""
    found = problems(
        tmp_path,
        {
            "policies/cancellation/outdoor/strict.toml": FLEXIBLE.replace("100 %", "90 %"),
            "properties/other.toml": CAMP.replace('"camp"', '"other"'),
        },
    )

    assert {("properties/other.toml", 2), ("policies/cancellation/outdoor/strict.toml", 1)} == {(p.file, p.line) for p in found}
    assert {"version_conflict"} == {problem.code for problem in found}


def test_a_property_settled_twice_is_refused(tmp_path: Path) -> None:
    """The first file is named."""
    (problem,) = problems(tmp_path, {"properties/other.toml": CAMP.replace("camp/1", "camp/2")})

    assert (problem.file, problem.line, problem.key) == ("properties/other.toml", 1, "property")
    assert "properties/camp.toml" in problem.message


def test_s4_25_who_may_cancel_adds_to_the_default(tmp_path: Path) -> None:
    """A cause that is given is replaced, the others stay."""
    policy = read(tmp_path, {CAMP_FILE: CAMP + '[who_may_cancel]\nno_show = ["merchant"]\nguest = []\n'}).properties["camp"]

    assert policy.who_may_cancel[Cause.NO_SHOW] == (ActorKind.MERCHANT,)
    assert policy.who_may_cancel[Cause.GUEST] == ()
    assert set(Cause) == set(policy.who_may_cancel)
    assert ActorKind.OPERATOR in policy.who_may_cancel[Cause.OWNER]


def test_every_knob_of_terms(tmp_path: Path) -> None:
    """A-1 to A-4, A-30, S4-13 as a file writes them."""
    text = (
        'boundary = "owner"\nunit = "hour"\ndrop_time = 14:30:00\ndeposit_basis = "refund_rate"\nrefund_base = "collected"\n'
        'second_payment_days = 3\ncommission_on_penalty = "waived"\nlabel = { fr = "Souple" }\n'
    )
    (terms,) = read(tmp_path, {FLEXIBLE_FILE: text + FLEXIBLE}).terms

    assert ("owner", "hour", time(14, 30), "refund_rate", "collected", 3, "waived", {"fr": "Souple"}) == (
        terms.boundary, terms.unit, terms.drop_time, terms.deposit_basis, terms.refund_base, terms.second_payment_days,
        terms.commission_on_penalty, terms.label,
    )  # fmt: skip


@pytest.mark.parametrize("text", ['"hunter2"', '["hunter2"]', '{ text = "hunter2" }', "{ }", '{ env = "A", file = "b" }', "5"])
@pytest.mark.parametrize("key", ["password", "sha_in", "sha_out"])
def test_secrets_in_clear_are_refused_and_not_shown(tmp_path: Path, key: str, text: str) -> None:
    """A secret names an environment variable or a file; what was written instead is not repeated."""
    hub = HUB.replace("password = {", "x = {").replace("sha_in = {", "y = {").replace("sha_out = [", "z = [")
    hub = hub.replace({"password": "x", "sha_in": "y", "sha_out": "z"}[key] + " = ", "w = ")
    found = problems(tmp_path, {"hub.toml": hub + f"{key} = {text}\n"})

    assert any(problem.key.startswith(f"merchants[0].{key}") for problem in found)
    assert "hunter2" not in "\n".join(f"{problem} {problem.value}" for problem in found)


def test_secrets_are_read_when_they_are_needed(tmp_path: Path) -> None:
    """From the environment or a file of the folder, the line end taken off."""
    settled = read(tmp_path, {"sha_in": "pass phrase é\r\n", "empty": "\n", "latin": b"\xe9", "long": "x" * 5000})
    merchant = settled.merchants["azur"]

    assert settled.secret(merchant.password, {"AZUR_PASSWORD": "pw"}) == "pw"
    assert settled.secret(merchant.sha_in, {}) == "pass phrase é"
    assert [one.env for one in merchant.sha_out] == ["AZUR_OUT_NEW", "AZUR_OUT"]
    for ref in (
        merchant.password,
        Secret(file="none"),
        Secret(file="empty"),
        Secret(file="latin"),
        Secret(file="."),
        Secret(file="long"),
    ):
        with pytest.raises(HubError) as caught:
            settled.secret(ref, {"OTHER": "x"})
        assert caught.value.code == "secret_missing"


def test_the_environment_wins(tmp_path: Path) -> None:
    """Over the file and over defaults."""
    environ = {
        "FOLIOHUB_STORE": "/tmp/x.sqlite",
        "FOLIOHUB_HTTP_HOST": "0.0.0.0",
        "FOLIOHUB_HTTP_PORT": "0",
        "FOLIOHUB_AMQP_URL": "amqp://guest:guest@127.0.0.1:5672//",
        "FOLIOHUB_MERCHANT_AZUR_BASE_URL": "http://127.0.0.1:9/ncol/test/",
    }
    settled = read(tmp_path, {"hub.toml": HUB + "[http]\nport = 1\n"}, environ)

    assert (settled.hub.store, settled.http.host, settled.http.port) == ("/tmp/x.sqlite", "0.0.0.0", 0)
    assert settled.amqp.url == environ["FOLIOHUB_AMQP_URL"]
    assert settled.merchants["azur"].base_url == environ["FOLIOHUB_MERCHANT_AZUR_BASE_URL"]


@pytest.mark.parametrize("port", ["eighty", "-1", "70000", "80.0", "٨٠"])
def test_a_wrong_port_in_the_environment(tmp_path: Path, port: str) -> None:
    """The variable is named."""
    (problem,) = [one for one in problems(tmp_path, None, {"FOLIOHUB_HTTP_PORT": port}) if one.file == "FOLIOHUB_HTTP_PORT"]

    assert port == problem.value


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there, or is no configuration."""
    for at in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match=r"hub\.toml: there is no such file") as caught:
            load(at, {})
        assert caught.value.code == "missing_file"


def test_other_files_may_lie_there(tmp_path: Path) -> None:
    """What is not TOML, and hidden folders, are not ours."""
    assert read(tmp_path).version == read(tmp_path, {"README.md": "x", ".git/config.toml": "x", "secrets/a": "x"}).version


def test_the_version_is_that_of_the_content(tmp_path: Path) -> None:
    """The same wherever the folder lies and however the file is written; another for another content."""
    first = read(tmp_path / "a").version

    assert first == read(tmp_path / "b", {CAMP_FILE: "# comment\n" + CAMP.replace(" = ", "=")}).version
    assert first != read(tmp_path / "c", {CAMP_FILE: CAMP + "split_cap = true\n"}).version
    assert first != read(tmp_path / "d", {FLEXIBLE_FILE: FLEXIBLE.replace("50 %", "33 1/3 %")}).version
    assert read(tmp_path / "e", {FLEXIBLE_FILE: FLEXIBLE.replace("50 %", "100/3 %")}).version != first


def test_many_properties(tmp_path: Path) -> None:
    """A platform has thousands."""
    files: dict[str, str | bytes] = {f"properties/p{n}.toml": CAMP.replace("camp", f"p{n}") for n in range(1000)}

    assert len(read(tmp_path, files).properties) == 1001


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Nothing but a ConfigError comes out, whatever stands in a file."""
    at = folder(tmp_path_factory.mktemp("any"), {CAMP_FILE: text.encode("utf-8", "surrogatepass")})
    with pytest.raises(ConfigError):
        load(at, {})


@pytest.mark.parametrize("hub", [HUB + "[", HUB + "[hub]\nchunk = 0\n"], ids=["no TOML", "a value out of its range"])
def test_a_broken_hub_is_the_only_problem(tmp_path: Path, hub: str) -> None:
    """What follows from it, that its tenants are not known, is not told of the other files."""
    (problem,) = problems(tmp_path, {"hub.toml": hub})

    assert problem.file == "hub.toml"


def test_problems_are_data(tmp_path: Path) -> None:
    """`policies check --json` can print them."""
    (problem,) = problems(tmp_path, {CAMP_FILE: CAMP + "a = 1\n"})[:1]
    plain = msgspec.to_builtins(problem)

    assert {"file", "line", "key", "message", "value", "code"} == set(plain)


@pytest.mark.parametrize("company", ["443265618", "443 265 618", "44326561800010"])
def test_s0_33_v23_companies_that_are_none(tmp_path: Path, company: str) -> None:
    """V23: seed 0's number is told with its reason and as it was written; nothing of it comes into force."""
    (problem,) = problems(tmp_path, {CAMP_FILE: CAMP + f'company = "{company}"\n'})

    assert (problem.key, problem.code, problem.value) == ("company", "bad_company", company)
    assert "its check digit does not fit" in problem.message


@pytest.mark.parametrize("company", ["433265618", "433 265 618", "433 265 618 00010", "73282932000074", ""])
def test_s0_33_v23_companies_that_are(tmp_path: Path, company: str) -> None:
    """V23: seed 1's number passes, as SIREN and as SIRET, however it is written."""
    settled = load(folder(tmp_path, {CAMP_FILE: CAMP + f'company = "{company}"\n'}), {})

    assert [one.company for one in settled.properties.values()] == [company]
