"""Each key's line, for every way in which TOML writes keys."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.lines import Path, key_lines

TEXT = '''\
# a comment with [brackets] and = signs
title = "a # b" # [x]
dotted.key."quoted.part" = 1
text = """
one = 1
"two" = [
"""
raw = \'\'\'
three = 3\'\'\'
escaped = "a \\" = [ b"
when = 2026-07-24 10:00:00.5
float = 1.5

[table]
a = [1, 2,
  3, # three
  { x = 1, y = { z = 2 } },
]
[table.sub]
b = { c = 1 }
[[many]]
n = 1
[[many]]
n = 2
[[many.inner]]
q = 1
[many.inner.deep]
r = 1
'''

EXPECTED = {
    ("title",): 2,
    ("dotted", "key", "quoted.part"): 3,
    ("text",): 4,
    ("raw",): 8,
    ("escaped",): 10,
    ("when",): 11,
    ("float",): 12,
    ("table",): 14,
    ("table", "a"): 15,
    ("table", "a", 1): 15,
    ("table", "a", 2): 16,
    ("table", "a", 3, "x"): 17,
    ("table", "a", 3, "y", "z"): 17,
    ("table", "sub", "b", "c"): 20,
    ("many", 0): 21,
    ("many", 0, "n"): 22,
    ("many", 1): 23,
    ("many", 1, "n"): 24,
    ("many", 1, "inner", 0): 25,
    ("many", 1, "inner", 0, "q"): 26,
    ("many", 1, "inner", 0, "deep", "r"): 28,
}


@pytest.mark.parametrize("path", EXPECTED)
def test_lines(path: Path) -> None:
    """Strings, comments, dates and nested tables do not confuse it."""
    assert EXPECTED[path] == key_lines(TEXT)[path]


def paths(value: Any, path: Path = ()) -> set[Path]:
    own = {path} if path else set()
    if isinstance(value, dict):
        return own.union(*(paths(item, (*path, key)) for key, item in value.items()))
    if isinstance(value, list):
        return own.union(*(paths(item, (*path, n)) for n, item in enumerate(value)))
    return own


def test_every_path_of_the_text_has_a_line() -> None:
    """And no path is invented."""
    assert paths(tomllib.loads(TEXT)) == set(key_lines(TEXT))


words = st.text(st.sampled_from("ab_-1"), min_size=1, max_size=3)
scalars = st.one_of(
    st.integers(-5, 5).map(str),
    st.sampled_from(
        ["true", "1.5", "2026-07-24", "10:00:00", "2026-07-24T10:00:00Z", "'#['", '"a\\"]"', '"""\n[x]\n"""', "'''\n=\n'''", "0xff"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ",# c\n".join(items) + "\n]"),
        st.dictionaries(words, inner, max_size=3).map(lambda d: "{" + ", ".join(f'"{k}" = {v}' for k, v in d.items()) + "}"),
    ),
    max_leaves=8,
)
tables = st.dictionaries(words, values, max_size=4).map(lambda d: "".join(f"{k} = {v}\n" for k, v in d.items()))


@given(tables, st.lists(tables, max_size=3), tables)
def test_paths_agree_with_tomllib(top: str, many: list[str], last: str) -> None:
    """Whatever is written, the reader of lines sees the same keys as the reader of values."""
    text = top + "".join(f"[[zz]]\n{table}" for table in many) + f"[zy.zx]\n{last}"
    assert paths(tomllib.loads(text)) <= set(key_lines(text)) | {("zz",), ("zy",)}


@given(st.text(max_size=60))
def test_it_always_ends(text: str) -> None:
    """Also for text that is no TOML, although it is never asked about one."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    key_lines(text)
