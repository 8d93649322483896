"""What is wrong with a configuration folder: every problem with its file and line, all of them at once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.errors import HubError


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake. `line` counts from 1 (0: the file as a whole), `key` is as people write it (`channels[0].retry`)."""

    file: str
    line: int
    message: str
    key: str = ""
    value: str = ""
    code: str = "bad_configuration"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(HubError):
    """A configuration that is not used, because of `problems`; its text has one line for each."""

    code = "bad_configuration"

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__("\n".join(map(str, problems)), code=first.code, field=first.key, value=first.value)
        self.problems = tuple(problems)
