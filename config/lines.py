"""On which line each key of a TOML file stands. Only for text that `tomllib` has accepted: nothing is checked here."""

from __future__ import annotations

import re
from typing import NamedTuple

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''[\s\S]*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|\n"
    r"|[ \t\r]+"
    r"|[=.,\[\]{}]"
    r"|[^\s=.,\[\]{}#\"']+",
    re.DOTALL,
)


class _Token(NamedTuple):
    text: str
    line: int


def key_lines(text: str) -> dict[Path, int]:
    """Line (from 1) of every key and array element, by its path: `("tranches", 1, "refund")`."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, toml: str) -> None:
        self.tokens: list[_Token] = []
        line = 1
        for match in _TOKEN.finditer(toml):
            text = match[0]
            if text[0] not in " \t\r#":
                self.tokens.append(_Token(text, line))
            line += text.count("\n")
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.tables: dict[Path, int] = {}  # arrays of tables: how many so far

    def read(self) -> dict[Path, int]:
        prefix: Path = ()
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.text == "\n":
                self.at += 1
            elif token.text == "[":
                prefix = self._header(token.line)
            else:
                self._pair(prefix)
        return self.lines

    def _peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else "\n"

    def _header(self, line: int) -> Path:
        self.at += 1
        array = self._peek() == "["
        self.at += array
        keys = self._keys()
        self.at += 2 if array else 1
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self.tables:
                path = (*path, self.tables[path] - 1)
        path = (*path, keys[-1])
        self.lines.setdefault(path, line)
        if array:
            self.tables[path] = self.tables.get(path, 0) + 1
            path = (*path, self.tables[path] - 1)
            self.lines[path] = line
        return path

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while self._peek() == ".":
            self.at += 1
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        token = self.tokens[self.at].text
        self.at += 1
        return token[1:-1] if token[0] in "\"'" else token

    def _pair(self, prefix: Path) -> None:
        line = self.tokens[self.at].line
        path = prefix
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self._peek()
        if opening == "{":
            self.at += 1
            while self._skip() not in ("}", ""):
                self._pair(path)
            self.at += 1
        elif opening == "[":
            self.at += 1
            n = 0
            while self._skip() not in ("]", ""):
                self.lines[(*path, n)] = self.tokens[self.at].line
                self._value((*path, n))
                n += 1
            self.at += 1
        else:
            while self._peek() not in ("\n", ",", "]", "}"):
                self.at += 1

    def _skip(self) -> str:
        while self.at < len(self.tokens) and self._peek() in (",", "\n"):
            self.at += 1
        return self._peek() if self.at < len(self.tokens) else ""
