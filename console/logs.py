"""How the hub's processes log: for people on a terminal, as JSON lines elsewhere.

Tracebacks never show the values of variables: these hold bodies, keys and card numbers.
"""

from __future__ import annotations

import logging
import sys
from typing import Final, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

from engine.telling import EACH_STEP

_FRAMES: Final = 30


def configure(level: int, stream: TextIO | None = None) -> None:
    """Log from `level` (as `logging.INFO`) on to `stream`, standard error by default; at `debug` each step of every message."""
    (EACH_STEP.set if level <= logging.DEBUG else EACH_STEP.clear)()
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if out.isatty()
        else [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=_FRAMES)),
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
