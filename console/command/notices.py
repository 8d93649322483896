"""`foliohub notices`: what guests and merchants are written."""

from __future__ import annotations

from typing import Annotated

import typer

from connectors.mail.rendering import Texts
from connectors.mail.samples import SAMPLES
from console.command.options import Config, Json, configured
from console.command.showing import print_json
from handlers.notice_table import BY_KIND
from schemas.notice import Language, NoticeKind

app = typer.Typer(no_args_is_help=True, help="Notices to guests and merchants.")


@app.command()
def preview(
    kind: Annotated[NoticeKind, typer.Argument(help="What is written about.", show_choices=True)],
    language: Annotated[Language, typer.Option("--language", help="In which language.")] = Language.EN,
    html: Annotated[bool, typer.Option("--html", help="As HTML, not as text.")] = False,
    property_: Annotated[str, typer.Option("--property", help="With this property's own text and name.")] = "",
    name: Annotated[str, typer.Option("--name", help="What the guest is called.")] = "Anna Rossi",
    config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """How a notice reads, with a made-up booking. Nothing is sent. Exit 2 for a text that names what nobody says."""
    configuration = configured(config)
    named = {one.property: one.name for one in configuration.mail.properties}
    variables = SAMPLES[kind]
    chosen = property_ or str(variables["property"])
    written = Texts(configuration.texts).write(
        kind, language, BY_KIND[kind].audience, chosen, variables, name=name, property_name=named.get(chosen, "")
    )
    if as_json:
        print_json(written._asdict())
    else:
        print(written.html if html else f"{written.subject}\n\n{written.text}")
