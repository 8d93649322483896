"""`foliohub policies check`: is a configuration folder one that the hub would take?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.loader import load
from config.problems import ConfigError
from console.command.failing import Exit
from console.command.options import Config, Json
from console.command.showing import print_json, table

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
