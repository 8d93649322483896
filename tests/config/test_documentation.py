"""docs/configuration.md says what is: its example loads, its tables name every key with its true default."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.loader import load
from config.settings import Amqp, AmqpIntake, Effects, Http, Hub, Kafka, Mail, MailProperty, Merchant, Secret, Tracing
from schemas.policy import BalancePolicy, ChannelProfile, PenaltyVat, PropertyPolicy, SourceProfile, TenantPolicy, Terms, Tranche

DOC = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
SECTIONS: dict[str, tuple[tuple[type[msgspec.Struct], str], ...]] = {
    "## Secrets": ((Secret, ""),),
    "### `[hub]`": ((Hub, ""),),
    "### `[http]`": ((Http, ""),),
    "### `[amqp]`": ((Amqp, ""), (AmqpIntake, "intake[].")),
    "### `[kafka]`": ((Kafka, ""),),
    "### `[effects]`": ((Effects, ""),),
    "### `[tracing]`": ((Tracing, ""),),
    "### `[mail]`": ((Mail, ""), (MailProperty, "properties[].")),
    "### `[[tenants]]`": ((TenantPolicy, ""),),
    "### `[[sources]]`": ((SourceProfile, ""),),
    "### `[[channels]]`": ((ChannelProfile, ""),),
    "### `[[merchants]]`": ((Merchant, ""),),
    "## properties/*.toml": ((PropertyPolicy, ""),),
    "## properties/*.toml, `[balance]`": ((BalancePolicy, "balance."),),
    "## properties/*.toml, `[penalty_vat]`": ((PenaltyVat, "penalty_vat."),),
    "## policies/cancellation/*/*.toml": ((Terms, ""), (Tranche, "tranches[].")),
}
# Defaults that are told in words.
WORDS = {
    "port": "8480",
    "intake": "one, `foliohub.intake`",
    "source": "`ota.<channel>`",
    "encodings": "utf-8, iso-8859-1, us-ascii",
    "in_parameters": "the connector's lists",
    "out_parameters": "the connector's lists",
    "in_order": "the connector's",
    "out_order": "the connector's",
    "concurrency": "as `[effects]`",
    "per_second": "as `[effects]`",
    "who_may_cancel": "see below",
    "second_tenders": '`["card"]`',
    "voucher_value_percent": '`"100 %"`',
    "zone": "the tenant's, if it sets one",
    "name": "from the place of the file",
    "trade": "from the place of the file",
    "tranches[].from_notice": "required, not for the last",
    "penalty_vat": "as below",
    "second_payment_days": "lower limit of tranche 2",
}


def section(heading: str) -> str:
    level = heading.split(" ")[0]
    start = DOC.index(f"\n{heading}\n") + len(heading) + 2
    end = re.search(rf"^#{{1,{len(level)}}} ", DOC[start:], re.MULTILINE)
    return DOC[start : start + end.start()] if end else DOC[start:]


def rows(heading: str) -> dict[str, str]:
    """Keys of a section's table to the text of its second column."""
    result: dict[str, str] = {}
    for line in section(heading).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            result.update(dict.fromkeys(re.findall(r"`([^`]+)`", cells[0]), cells[1]))
    return result


def example() -> dict[str, str]:
    """The files of the example."""
    return dict(re.findall(r"^`([\w./-]+\.toml)`[^\n]*\n\n```toml\n(.*?)```", section("## An example"), re.MULTILINE | re.DOTALL))


def test_the_example_loads(tmp_path: Path) -> None:
    """Word for word, as a folder."""
    files = example()
    assert len(files) == 5
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    settled = load(tmp_path, {})

    assert settled.properties["les-dunes"].zone == "Europe/Paris"
    assert settled.properties["les-dunes"].split_thresholds == {"outdoor": 15000}
    assert {"outdoor/flexible/1", "outdoor/flexible/2", "outdoor/nanr/1"} == {one.version for one in settled.terms}
    assert Fraction(2, 3) in {tranche.refund for one in settled.terms for tranche in one.tranches}
    assert len(settled.merchants["dunes-web"].sha_out) == 2
    assert settled.amqp.password == Secret(env="AMQP_PASSWORD")


def shown(value: Any) -> str:
    """A default as the tables write it."""
    match value:
        case None | "":
            return "none"
        case bool():
            return str(value).lower()
        case str():
            return f'`"{value}"`'
        case int() | float():
            return f"{value:,.10g}"
        case tuple() | list() if value and all(isinstance(item, int | float) for item in value):
            return ", ".join(f"{item:.10g}" for item in value)
        case tuple() | list():
            return "`[]`" if not value else "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
        case dict():
            return "`{}`" if not value else str(value)
        case _:
            return f"`{value}`"


CASES = [
    pytest.param(heading, kind, f"{prefix}{field.encode_name}", field, id=f"{kind.__name__}.{field.encode_name}")
    for heading, kinds in SECTIONS.items()
    for kind, prefix in kinds
    for field in msgspec.structs.fields(kind)
]


@pytest.mark.parametrize(("heading", "kind", "key", "field"), CASES)
def test_every_key_is_documented_with_its_default(
    heading: str, kind: type[msgspec.Struct], key: str, field: msgspec.structs.FieldInfo
) -> None:
    """Each field of each struct, in the table of its section."""
    table = rows(heading)
    assert key in table
    if heading == "## Secrets":
        return
    default = table[key]
    if key in WORDS and default == WORDS[key]:
        return
    if field.required:
        assert default == "required"
        return
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    assert default in (shown(value), '`""`' if value == "" else shown(value))


def test_no_key_is_documented_that_is_not_there() -> None:
    """A table names only what the loader reads."""
    for heading, kinds in SECTIONS.items():
        known = {f"{prefix}{field.encode_name}" for kind, prefix in kinds for field in msgspec.structs.fields(kind)}
        assert set(rows(heading)) <= known, heading


@pytest.mark.parametrize(
    "rule",
    ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-7", "A-17", "A-30", "A-32", "X-16", "X-18", "X-25", "X-27", "S4-13", "S4-15", "S4-16",
     "S4-25", "S4-31", "A-8", "A-9", "A-10", "A-11", "A-12", "A-13", "S1-6", "S1-11", "S1-39", "S1-43", "S4-38", "S4-44", "S4-45", "S4-46",
     "A-14", "A-15", "A-16"],
)  # fmt: skip
def test_every_reading_is_named(rule: str) -> None:
    """Whoever looks for a rule finds its knob, or that it has none."""
    assert re.search(rf"{rule}\b", DOC)


def test_not_yet_read_is_true(tmp_path: Path) -> None:
    """Knobs of later families are refused as unknown: no struct has them."""
    later = set(rows("## Not yet read"))
    known = {field.encode_name for kinds in SECTIONS.values() for kind, _ in kinds for field in msgspec.structs.fields(kind)}
    assert len(later) >= 5
    assert not later & known
