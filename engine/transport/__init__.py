"""How messages come and go: embedded log, AMQP."""
