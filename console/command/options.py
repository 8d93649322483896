"""Options that several commands share, and what they mean: which configuration, which store, which gateway."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from config.loader import load
from config.settings import Configuration
from engine.store.opening import is_database
from schemas.errors import HubError

Store = Annotated[
    str | None, typer.Option("--store", envvar="FOLIOHUB_STORE", help="A file, or postgresql://…; else that of the configuration.")
]
Config = Annotated[
    Path | None, typer.Option("--config", envvar="FOLIOHUB_CONFIG", help="Configuration folder; else the shipped one.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[str, typer.Option("--url", help="Go through the gateway at this address, not through the store.")]
Key = Annotated[str, typer.Option("--key", envvar="FOLIOHUB_KEY", help="The gateway's key.")]
Tenant = Annotated[str, typer.Option("--tenant", envvar="FOLIOHUB_TENANT", help="Which tenant, where there are several.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
By = Annotated[str, typer.Option("--by", envvar="FOLIOHUB_OPERATOR", help="Who acts; else the login name.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many.")]
OfProperty = Annotated[str, typer.Option("--property", help="Only of this property.")]
Wait = Annotated[float, typer.Option("--wait", min=0, max=60, help="Seconds to wait for the outcome.")]


def configured(folder: Path | None) -> Configuration:
    """The configuration of a folder, or the shipped one. Raises ConfigError."""
    return load(folder)


def store_path(store: str | None, config: Path | None) -> str:
    """Where the store is, whether or not it is there yet."""
    return store if store is not None else configured(config).hub.store


def existing_store(store: str | None, config: Path | None) -> str:
    """A store that is there: a file, or the address of a database. Raises HubError `no_store`."""
    path = store_path(store, config)
    if not is_database(path) and not Path(path).is_file():
        raise HubError(
            f"there is no store at {path}: start `foliohub run` first, or name it with --store",
            code="no_store",
            field="store",
            value=path,
        )
    return path


def login() -> str:
    """Who sits at this terminal, at most 64 characters."""
    return (os.environ.get("USER") or os.environ.get("LOGNAME") or "operator")[:64]


def given(value: Any, name: str) -> Any:
    """A value that must be there. Raises HubError `missing`."""
    if not value:
        raise HubError(f"{name} is missing", code="missing", field=name)
    return value
