"""A collector of traces as operators have one: OTLP over HTTP, protobuf, on loopback. What it was sent is kept."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse


class Seen(NamedTuple):
    """One span: ids in hexadecimal, `parent` "" for none, instants in nanoseconds, `of` the attributes of the process."""

    name: str
    trace: str
    span: str
    parent: str
    kind: int
    began: int
    ended: int
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    of: dict[str, Any]


class Collector:
    """Listens from `with` on; `url` is what a hub is told."""

    def __init__(self) -> None:
        self.bytes: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.bytes))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def spans(self, trace: str = "") -> list[Seen]:
        """All, or those of a trace."""
        found = [span for body in list(self.bytes) for span in _spans(body)]
        return [span for span in found if trace in ("", span.trace)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(kept: list[bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            right = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
            if right:
                kept.append(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if right else 404)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Handler


def _spans(body: bytes) -> Sequence[Seen]:
    told = ExportTraceServiceRequest.FromString(body)
    return [
        Seen(
            span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.kind, span.start_time_unix_nano,
            span.end_time_unix_nano, _attributes(span.attributes), tuple((one.trace_id.hex(), one.span_id.hex()) for one in span.links),
            _attributes(process.resource.attributes),
        )
        for process in told.resource_spans
        for scope in process.scope_spans
        for span in scope.spans
    ]  # fmt: skip


def _attributes(given: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in given}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind or "string_value")
