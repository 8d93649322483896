"""What a log line may hold: the error and where it was raised, never what the variables held."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from console.logs import configure


class Terminal(io.StringIO):
    """A stream that people read."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def _fails() -> None:
    card = "4111111111111111"  # noqa: F841  # what a careless renderer would print
    raise ValueError("an amount is wrong")


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
def test_a_traceback_shows_no_variables(stream: io.StringIO) -> None:
    configure(logging.INFO, stream)
    try:
        _fails()
    except ValueError:
        structlog.get_logger().exception("gateway_failed", path="/messages")

    text = stream.getvalue()
    assert "an amount is wrong" in text
    assert "_fails" in text
    assert "4111111111111111" not in text


def test_lines_are_json_where_nobody_looks() -> None:
    stream = io.StringIO()
    configure(logging.INFO, stream)
    structlog.get_logger().info("gateway_listens", address="x")
    structlog.get_logger().debug("quiet")

    (line,) = stream.getvalue().splitlines()
    assert (json.loads(line)["event"], json.loads(line)["level"]) == ("gateway_listens", "info")
