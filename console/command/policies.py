"""`foliohub policies check`: is a configuration folder one that the hub would take?

Once the folder reads well, merchants' addresses are held against their keys' environment, as `run` does before it serves (X-27).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.loader import address_variable, load
from config.problems import ConfigError, Problem
from config.reading import TomlFile
from config.settings import Configuration
from console.command.failing import Exit
from console.command.options import Config, Json
from console.command.showing import print_json, table
from engine.connectors import wrong_endpoints

app = typer.Typer(no_args_is_help=True, help="Tenants, properties and terms as they are configured.")


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="Configuration folder; else --config, else the shipped one.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Every mistake in a configuration folder, with file and line. Exit 0 when there is none, 1 otherwise, 2 for no such folder."""
    try:
        found = load(folder or config)
        if problems := _wrong_endpoints(found) + _wrong_texts(found):
            raise ConfigError(problems)
    except ConfigError as wrong:
        if any(problem.code == "missing_file" for problem in wrong.problems):
            raise
        if as_json:
            print_json({"valid": False, "problems": wrong.problems})
        else:
            print("\n".join(map(str, wrong.problems)))
        raise typer.Exit(Exit.FOUND) from None
    terms = [
        {"name": one.name, "version": one.version, "from": str(one.valid_from or ""), "to": str(one.valid_to or "")}
        for one in found.terms
    ]
    if as_json:
        print_json({"valid": True, "version": found.version, "tenants": sorted(found.tenants), "properties": sorted(found.properties),
                    "terms": terms})  # fmt: skip
        return
    table(("terms", "version", "offered from", "to"), [tuple(one.values()) for one in terms])
    counts = f"{len(found.tenants)} tenants, {len(found.properties)} properties, {len(terms)} versions of terms"
    print(f"valid: {counts}; configuration {found.version}")


def _wrong_texts(found: Configuration) -> list[Problem]:
    """Texts that could not be written, at their lines."""
    if not found.texts:
        return []
    from connectors.mail.rendering import wrongs  # slow to import, and every other command does without it

    problems = []
    for one in wrongs(found.texts):
        file = TomlFile(one.file, [])
        file.parse(found.folder / one.file)
        line, message, code, value = one.mistake
        at = _line_of(file, file.line((one.language.value, one.part)), line)
        problems.append(Problem(file=one.file, line=at, key=f"{one.language}.{one.part}", message=message, value=value, code=code))
    return problems


def _line_of(file: TomlFile, key: int, line: int) -> int:
    """The line of the file in which the `line`-th of a text stands, whose key is in line `key`; one in three quotes may begin below it."""
    begins = file.text.splitlines()[key - 1].rstrip()
    return key + line - (0 if begins.endswith(('"""', "'''")) and begins.count(begins[-1]) == 3 else 1)


def _wrong_endpoints(found: Configuration) -> list[Problem]:
    """At the merchant's base_url, or at the environment variable that stands in for it."""
    file = TomlFile("hub.toml", [])
    file.parse(found.folder / file.name)
    places = {one["merchant"]: (n, one.get("base_url")) for n, one in enumerate(file.table.get("merchants", ()))}
    for name, refused in wrong_endpoints(found).items():
        n, written = places[name]
        if written == found.merchants[name].base_url:
            file.problem(("merchants", n, "base_url"), refused.message, value=refused.value or "", code=refused.code)
        else:
            file.problems.append(Problem(file=address_variable(name), line=0, message=refused.message, code=refused.code))
    return file.problems
