"""Whether spans are made, and for whom: off unless the settings or the environment name a collector. What is off costs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from config.settings import Configuration
from schemas.errors import HubError

if TYPE_CHECKING:
    from engine.spans import Tracer

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def tracer_of(configuration: Configuration, roles: Iterable[str], environ: Mapping[str, str] = os.environ) -> Tracer | None:
    """The tracer of this process; None when no collector is named. Raises HubError `not_installed`."""
    endpoint = configuration.tracing.endpoint
    if not endpoint and not any(environ.get(name) for name in ENDPOINTS):
        return None
    try:
        from engine.spans import Tracer
    except ImportError as missing:
        raise HubError(
            f"traces need the extra packages of foliohub[otlp]: {missing}; install them, or leave out [tracing] endpoint and"
            f" {ENDPOINTS[1]}",
            code="not_installed", field="endpoint", value=endpoint,
        ) from None  # fmt: skip
    return Tracer(endpoint, roles, environ)
