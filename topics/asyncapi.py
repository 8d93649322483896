"""The AsyncAPI 3.0 document of the hub's topics, generated from the catalogue and the structs of the messages."""

from __future__ import annotations

from typing import Any

from schemas.describe import components
from schemas.envelope import Envelope, type_of
from schemas.registry import IN, OUT
from topics.catalogue import TOPICS, Topic

DAY_MS = 86_400_000


def asyncapi(version: str = "1") -> dict[str, Any]:
    """The document. `version` is that of the description."""
    schemas = components([*IN.values(), *OUT.values()], "#/components/schemas/{name}")
    schemas["CloudEventHeaders"] = _headers()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Foliohub",
            "version": version,
            "description": "Messages to and from the hub: CloudEvents 1.0 in binary mode, the attributes as headers "
            "(`ce_*` on Kafka, `cloudEvents:*` on AMQP), the body the JSON of the message alone.",
        },
        "defaultContentType": "application/json",
        "channels": {_key(topic): _channel(topic) for topic in TOPICS},
        "operations": {_key(topic): _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {
                **{name: _message(name, kind.__name__) for name, kind in (*IN.items(), *OUT.items())},
                "dead_letter": {"name": "dead_letter", "title": "bytes as they came", "contentType": "application/octet-stream"},
            },
            "schemas": schemas,
        },
    }


def _key(topic: Topic) -> str:
    return topic.name.removeprefix("foliohub.").removesuffix(".v1")


def _names(topic: Topic) -> tuple[str, ...]:
    return (*topic.takes, *topic.gives) or ("dead_letter",)


def _channel(topic: Topic) -> dict[str, Any]:
    policy = ["compact", "delete"] if topic.compacted else ["delete"]
    return {
        "address": topic.name,
        "description": f"{topic.about} Key: {topic.key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names(topic)},
        "x-retention-class": topic.retention_class,
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": policy, "retention.ms": topic.retention_days * DAY_MS},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": "receive" if topic.takes else "send",
        "channel": {"$ref": f"#/channels/{_key(topic)}"},
        "messages": [{"$ref": f"#/channels/{_key(topic)}/messages/{name}"} for name in _names(topic)],
    }


def _message(name: str, struct: str) -> dict[str, Any]:
    return {
        "name": type_of(name),
        "title": name,
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": {"$ref": f"#/components/schemas/{struct}"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _headers() -> dict[str, Any]:
    """The envelope as Kafka headers; what is spelled otherwise elsewhere says the description of the document."""
    own = components([Envelope], "#/components/schemas/{name}")["Envelope"]
    plain = {"traceparent"}
    named = {
        name if name in plain else f"ce_{name}": schema for name, schema in own["properties"].items() if name != "datacontenttype"
    }
    return {
        "type": "object",
        "description": own["description"],
        "properties": {**named, "content-type": {"type": "string", "const": "application/json"}},
        "required": [f"ce_{name}" for name in own["required"]],
    }
