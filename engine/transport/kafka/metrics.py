"""What the Kafka doors count, for alarms and dashboards."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

APPENDED = Counter("foliohub_kafka_appended", "Intake rows that all replicas in sync have")
PUBLISHED = Counter("foliohub_kafka_published", "Messages confirmed", ["topic"])
REFUSED = Counter("foliohub_kafka_refused", "Messages too large for Kafka: they stay in the outbox", ["topic"])
AWAY = Counter("foliohub_kafka_away", "Appends and publications that were not confirmed in time")
PRODUCERS = Counter("foliohub_kafka_producers", "Producers made: more than one a process means that one failed")
DELIVERED = Counter("foliohub_kafka_delivered", "Records put into mailboxes")
CLAIMS = Counter("foliohub_kafka_claims", "Lanes claimed")
LOST = Counter("foliohub_kafka_lost_lanes", "Lanes stopped because their position is outside the log")
STALLED = Gauge(
    "foliohub_kafka_stalled_looks",
    "Looks in a row that found records in the log and nothing that came of them; at 5 the worker ends",
)
LANES = Gauge("foliohub_kafka_lanes", "Lanes that are ours")
