"""`foliohub forget`: a person's key is destroyed; what it sealed can never be read again, everything else stays exact (X-11)."""

from __future__ import annotations

from typing import Annotated

import typer

from console.command.options import By, Config, Json, Key, Reason, Store, Tenant, Url, Wait
from console.command.telling import tell


def forget(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="The person's id, as in `guest.person`; `folio:B-1` for one without.")],
    reason: Reason = "", by: By = "", tenant: Tenant = "", url: Url = "", key: Key = "", wait: Wait = 5.0,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Forget a person. There is no way back. Folios, ledger and `verify` stay as they are."""
    tell(
        "person.forget", store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json,
        subject=person, reason=reason,
    )  # fmt: skip
