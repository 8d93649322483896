"""What the AMQP doors count, for alarms and dashboards."""

from __future__ import annotations

from prometheus_client import Counter

ARRIVED = Counter("foliohub_amqp_arrived", "Messages stored and acknowledged, by what became of them", ["door", "taken"])
REDELIVERED = Counter("foliohub_amqp_redelivered", "Deliveries that the broker had made before (x-delivery-count)", ["door"])
STORE_AWAY = Counter("foliohub_amqp_store_away", "Batches kept unacknowledged because the store was away")
RECONNECTS = Counter("foliohub_amqp_reconnects", "Connections lost or consumers gone", ["side"])
PUBLISHED = Counter("foliohub_amqp_published", "Messages confirmed and routed", ["exchange"])
RETURNED = Counter("foliohub_amqp_returned", "Mandatory messages that no queue took: they stay in the outbox", ["exchange"])
REFUSED = Counter("foliohub_amqp_refused", "Messages that the broker refused or that cannot be written", ["exchange"])
