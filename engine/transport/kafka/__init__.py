"""Kafka as the way in and the way out of a hub on many machines: appends and outcomes by our own producer, lanes by Faust.

Kafka carries; the store decides. Nothing here reads Kafka's committed offsets, and nothing is acknowledged by Faust.
"""
