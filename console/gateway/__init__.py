"""The HTTP face: messages, channels, provider callbacks, health."""
