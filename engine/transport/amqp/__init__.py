"""AMQP 0-9-1 by kombu: arrivals from RabbitMQ into the intake, outcomes from the outbox to RabbitMQ.

kombu opens the connection (URL, TLS, heartbeat); deliveries and confirms are taken from its channel directly. kombu's own Consumer
unpacks whatever a header names as compressed, and its Connection reconnects in silence without the consumer.
"""
