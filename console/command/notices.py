"""`foliohub notices`: what guests and merchants are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from connectors.mail.codec import bounced as report
from connectors.mail.samples import SAMPLES
from console.command.beside import opened
from console.command.options import By, Config, Json, Key, Store, Tenant, Url, Wait, configured, existing_store
from console.command.showing import print_json, stamp, table, when
from console.command.telling import tell
from engine.store import listing
from handlers.notice_table import BY_KIND
from schemas.errors import HubError
from schemas.notice import Language, NoticeKind, NoticeState

MOST: Final = 10_000_000  # bytes of a report

app = typer.Typer(no_args_is_help=True, help="Notices to guests and merchants.")


@app.command("list")
def list_(
    state: Annotated[NoticeState | None, typer.Option("--state", help="Only those that stand so.")] = None,
    folio: Annotated[str, typer.Option("--folio", help="Only this folio's, final ones too.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Final ones too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 200,
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Notices, oldest first; without options those that are to be sent or came back. Nobody's address is shown.

    Exit 2 for a folio that is not known.
    """
    with opened(existing_store(store, config)) as beside:
        beside.check_folio(folio, beside.tenants(""))
        rows = listing.notices(beside.reading, state=state or "", folio=folio, every=every, limit=limit)
    if as_json:
        instants = ("created_at", "next_at", "sent_at")
        print_json([{**row, **{name: stamp(row[name]) if row[name] else "" for name in instants}} for row in rows])
        return
    shown = (
        (row["id"], row["folio"], row["kind"], row["audience"], row["language"], row["state"], row["tries"], when(row["next_at"]),
         f"{row['code']} {row['reason']}".strip())
        for row in rows
    )  # fmt: skip
    table(("id", "folio", "kind", "to", "in", "state", ">tries", "at", "why"), shown, empty="no notices")


@app.command()
def bounced(
    mail: Annotated[typer.FileBinaryRead, typer.Argument(help="A delivery report (RFC 3464) as it came; - for standard input.")],
    tenant: Tenant = "", by: By = "", url: Url = "", key: Key = "", wait: Wait = 5.0, store: Store = None, config: Config = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Say that a notice came back. Exit 2 for a mail that reports no failure of a notice, 1 when that is refused."""
    found = report(mail.read(MOST))
    if found is None:
        raise HubError("this mail reports no failure of a notice of ours", code="no_report", field="mail")
    tell(
        "notice.bounced", store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json,
        folio=found.folio, notice=found.notice, code=found.code, reason=found.reason,
    )  # fmt: skip


@app.command()
def resend(
    notice: Annotated[str, typer.Argument(help="The notice that reached nobody, by its id.")],
    tenant: Tenant = "", by: By = "", url: Url = "", key: Key = "", wait: Wait = 5.0, store: Store = None, config: Config = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Have a notice that failed or came back written once more (X-15). Exit 1 when that is refused."""
    tell(
        "notice.resend", store=store, config=config, url=url, key=key, tenant=tenant, by=by, wait=wait, as_json=as_json, notice=notice
    )  # fmt: skip


@app.command()
def preview(
    kind: Annotated[NoticeKind, typer.Argument(help="What is written about.", show_choices=True)],
    language: Annotated[Language, typer.Option("--language", help="In which language.")] = Language.EN,
    html: Annotated[bool, typer.Option("--html", help="As HTML, not as text.")] = False,
    property_: Annotated[str, typer.Option("--property", help="With this property's own text and name.")] = "",
    name: Annotated[str, typer.Option("--name", help="What the guest is called.")] = "Anna Rossi",
    folio: Annotated[str, typer.Option("--folio", help="As it was last written about this folio, from the store.")] = "",
    store: Store = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """How a notice reads, with a made-up booking or a real one. Nothing is sent. Exit 2 for a text that names what nobody says."""
    from connectors.mail.rendering import Texts  # slow to import, and every other command does without it

    configuration = configured(config)
    named = {one.property: one.name for one in configuration.mail.properties}
    variables = _said(kind, folio, store, config) if folio else SAMPLES[kind]
    chosen = property_ or str(variables["property"])
    written = Texts(configuration.texts).write(
        kind, language, BY_KIND[kind].audience, chosen, variables, name=name, property_name=named.get(chosen, "")
    )
    if as_json:
        print_json(written._asdict())
    else:
        print(written.html if html else f"{written.subject}\n\n{written.text}")


def _said(kind: NoticeKind, folio: str, store: str | None, config: Path | None) -> Mapping[str, Any]:
    with opened(existing_store(store, config)) as beside:
        found = listing.last_notice(beside.reading, folio, kind)
    if found is None:
        text = f"{folio} was never written to about {kind}: see `foliohub notices list --folio {folio}`"
        raise HubError(text, code="unknown_notice", field="folio", value=folio)
    said: dict[str, Any] = msgspec.json.decode(found["body"])
    return said
