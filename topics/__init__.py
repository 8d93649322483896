"""The streams as data: topic, key, message types, partitions, retention."""
