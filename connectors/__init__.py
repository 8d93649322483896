"""Bytes to schemas and back: payment providers, channels."""
