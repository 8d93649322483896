"""OpenTravel (OTA) XML channels: their documents to messages of `schemas/`, the hub's outcomes to their answers."""
