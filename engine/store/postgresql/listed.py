"""The lists of balance requests and vouchers on PostgreSQL, inside a lane transaction."""

from __future__ import annotations

from engine.store.chunk_write import ChunkWrite
from engine.store.postgresql.columns import given, insert
from engine.store.postgresql.link import Link


def write_listed(link: Link, chunk: ChunkWrite) -> None:
    """What the states of this chunk have there from now on."""
    if chunk.unlisted:
        link.raw.execute(
            f"DELETE FROM listed USING {given('tenant, folio, kind, item', 'tttt')} WHERE listed.tenant = given.tenant"
            " AND listed.folio = given.folio AND listed.kind = given.kind AND listed.item = given.item",
            [list(column) for column in zip(*sorted(chunk.unlisted), strict=True)],
        )
    insert(
        link, "listed", chunk.listed,
        "ON CONFLICT (tenant, folio, kind, item) DO UPDATE SET property = excluded.property, queue = excluded.queue,"
        " marks = excluded.marks, rank = excluded.rank",
        order="tenant, folio, kind, item",
    )  # fmt: skip
