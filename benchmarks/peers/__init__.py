"""Whom the hub is measured beside: the same bare durable work, written by hand and with a framework."""
