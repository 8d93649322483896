"""Examples of a document: commands and what they print, `…` for what is left out, `[exit N]` for a status other than 0."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
_SHELL = re.compile(r"```sh\n(.*?)```\n```\n(.*?)```", re.DOTALL)


class Example(NamedTuple):
    """A command line, what it prints (standard output, then standard error), and its exit status."""

    command: str
    printed: str
    status: int


def console_examples(path: Path) -> Iterator[Example]:
    """Every `$ …` of the console blocks, in order."""
    for block in _CONSOLE.findall(path.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            exit_ = re.search(r"^\[exit (\d+)\]\n", printed, re.MULTILINE)
            yield Example(command, printed if exit_ is None else printed[: exit_.start()], int(exit_[1]) if exit_ else 0)


def shell_examples(path: Path) -> Iterator[Example]:
    """Every `sh` block with the block of output below it."""
    for command, printed in _SHELL.findall(path.read_text(encoding="utf-8")):
        yield Example(command, printed, 0)


def check(example: Example, folder: Path, environment: Mapping[str, str]) -> None:
    """Run it in bash, and compare."""
    ran = subprocess.run(
        ["bash", "-c", example.command], cwd=folder, env=dict(environment), capture_output=True, text=True, timeout=60, check=False
    )
    got = ran.stdout + ran.stderr
    pattern = "(?s:.*?)".join(re.escape(piece) for piece in re.split("…", example.printed))

    assert ran.returncode == example.status, f"$ {example.command}\n{got}"
    assert re.fullmatch(pattern.rstrip("\\\n") + r"\s*", _tidy(got)), (
        f"$ {example.command}\nwanted:\n{example.printed}\ngot:\n{got}"
    )


def _tidy(text: str) -> str:
    """Tables end their lines with blanks."""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
