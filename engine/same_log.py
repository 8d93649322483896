"""One store, one log: its positions mean nothing in another topic, and nothing at all in another cluster."""

from __future__ import annotations

from engine.store.postgresql.database import Database
from schemas.errors import HubError
from topics.catalogue import INTAKE


def hold_to_cluster(database: Database, cluster: str, bootstrap: str) -> None:
    """The first cluster that a hub on this store has met is its cluster. Raises HubError `cluster_changed`."""
    known = database.remember("cluster", cluster)
    if known != cluster:
        raise HubError(
            f"[kafka] bootstrap = {bootstrap} is Kafka cluster {cluster}, and the log of {database.name} is in cluster {known}: name the"
            " brokers of that one, or a store of this one's own in [hub] store; a store does not move to another cluster",
            code="cluster_changed", field="bootstrap", value=bootstrap,
        )  # fmt: skip


def hold_to_log(database: Database, log_id: str) -> None:
    """The first log that a hub on this store has met is its log: a topic by its own id, or (empty) the store itself. Raises HubError
    `log_changed`."""
    known = database.remember("log", log_id)
    if known != log_id:
        raise HubError(
            f"topic {INTAKE.name} is not the log that this store was filled from ({known or 'its own'}), and its positions mean nothing"
            f" in {log_id or 'the store itself'}: put the old one back, or begin with an empty store",
            code="log_changed", field="topic", value=INTAKE.name,
        )  # fmt: skip
