"""A NUL in a text is found wherever it stands, and nowhere else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nul import nul_path

PLACES = [
    pytest.param({"a": "\x00"}, "a", id="a text"),
    pytest.param({"lines": [{"x": 1}, {"accommodation": "p\x00"}]}, "lines[1].accommodation", id="deep"),
    pytest.param({"a": {"b\x00": 1}}, "a", id="a name"),
    pytest.param({"\x00": 1}, "", id="a name at the top"),
    pytest.param({"a": "\\u0000", "b": "u0000"}, None, id="written out"),
    pytest.param({"a": ["\\\x00"]}, "a[0]", id="behind a backslash"),
    pytest.param({"a": 0, "b": None, "c": "\x01"}, None, id="nothing"),
]


@pytest.mark.parametrize(("value", "path"), PLACES)
def test_where_it_stands(value: Any, path: str | None) -> None:
    assert nul_path(msgspec.json.encode(value)) == path


@given(st.recursive(st.text("\x00\\u0a"), lambda one: st.lists(one) | st.dictionaries(st.text("\x00\\u0a"), one)))
def test_none_is_missed(value: Any) -> None:
    """Found exactly when there is one."""

    def holds(one: Any) -> bool:
        if isinstance(one, dict):
            return any("\x00" in name or holds(inner) for name, inner in one.items())
        return any(map(holds, one)) if isinstance(one, list) else "\x00" in one

    assert (nul_path(msgspec.json.encode(value)) is not None) == holds(value)
