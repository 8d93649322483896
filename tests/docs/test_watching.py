"""The dashboard and the alert rules speak of metrics and labels that the hub has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

import engine.roles
import engine.transport.amqp.metrics
import engine.transport.kafka.metrics

FOLDER = Path(__file__).parents[2] / "docs" / "operating"
_METRIC = re.compile(r"(foliohub_[a-z_]+)(?:\{([a-z_]+)=)?")
_BY = re.compile(r"by \(([a-z, ]+)\) \(.*?(foliohub_[a-z_]+)")


def expressions() -> list[str]:
    """Every expression of both files."""
    board = json.loads((FOLDER / "dashboard.json").read_text())
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return shown + re.findall(r"^ +expr: (.*)$", (FOLDER / "alerts.yaml").read_text(), re.MULTILINE)


def metrics() -> dict[str, tuple[str, ...]]:
    """The labels of every metric that some process of the hub has, by the name under which it is scraped."""
    assert engine.roles
    assert engine.transport.amqp.metrics
    assert engine.transport.kafka.metrics
    import console.gateway.app  # noqa: F401  (its counters)

    found: dict[str, tuple[str, ...]] = {}
    for name, collector in REGISTRY._names_to_collectors.items():
        found[name] = (*getattr(collector, "_labelnames", ()), *(("le",) if name.endswith("_bucket") else ()))
    return found


@pytest.mark.parametrize("expression", expressions())
def test_a_metric_that_there_is(expression: str) -> None:
    known = metrics()
    named = _METRIC.findall(expression)
    assert named
    for name, label in named:
        assert name in known, name
        assert not label or label in known[name], (name, label)
    for labels, name in _BY.findall(expression):
        given = {label.strip() for label in labels.split(",")} - {"instance"}
        assert given <= set(known[name]), (name, given, known[name])
