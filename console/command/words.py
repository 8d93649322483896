"""`foliohub schemas` and `foliohub topics`: the vocabulary and the streams, for people and for other programs."""

from __future__ import annotations

from typing import Annotated

import typer

from console.command.options import Json
from console.command.showing import print_json, table
from schemas.describe import json_schemas
from schemas.envelope import type_of
from schemas.errors import HubError
from schemas.registry import IN, OUT
from topics.asyncapi import asyncapi as document
from topics.catalogue import TOPICS, topic_of

app = typer.Typer(no_args_is_help=True, help="The streams: what enters and what leaves.")


def schemas(
    name: Annotated[str, typer.Argument(help="A message (`booking.confirmed`) or `envelope`; all when left out.")] = "",
    as_json: Json = False,
) -> None:
    """JSON Schema (2020-12) of a message's data; without a name, the list of messages (--json: all schemas). Exit 2 for no such name."""
    every = json_schemas()
    if name:
        found = every.get(name) or every.get(type_of(name))
        if found is None:
            raise HubError(f"no message is called {name!r}: see `foliohub schemas`", code="unknown_type", field="name", value=name)
        print_json(found)
    elif as_json:
        print_json(every)
    else:
        rows = [(message, way, topic_of(message)) for way, names in (("in", IN), ("out", OUT)) for message in names]
        table(("message", "way", "topic"), rows)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Every topic with its key, its messages and how long it is kept."""
    if as_json:
        print_json(TOPICS)
        return
    rows = [(one.name, one.partitions, f"{one.retention_days} d", ", ".join(one.takes or one.gives), one.key) for one in TOPICS]
    table(("topic", ">partitions", ">kept", "messages", "key"), rows)


@app.command()
def asyncapi(as_json: Json = False) -> None:
    """The AsyncAPI 3.0 document of the topics, as JSON, with --json or without."""
    del as_json  # it is nothing else
    print_json(document())
