"""The Ogone simulator as a process beside the hub: started with it, stopped with it, and gone when the hub is killed."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import requests

from schemas.errors import HubError

STOP_S: Final = 3.0


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class SimulatorProcess:
    """One running simulator. It ends with us: its standard input is a pipe that closes when this process does."""

    def __init__(self, port: int, folder: Path, script: dict[str, Any], callback_url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        played = folder / "ogone-script.json"
        played.write_text(json.dumps(script, indent=1), encoding="utf-8")
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False
        command = [sys.executable, "-m", "console.command", "simulator", "ogone", "--with-parent", "--port", str(port)]
        command += ["--script", str(played), "--books", str(folder / "ogone-books.sqlite"), "--callback-url", callback_url]
        self._process = subprocess.Popen(  # noqa: S603 - our own program, our own arguments
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline().startswith("http"):
            self.stop()
            raise HubError("the Ogone simulator did not start: see above", code="address_taken", field="port", value=port)

    def pay(self, order: str, minor: int) -> str:
        """A guest pays by card; the PAYID. The same order again gives the same one."""
        known = {one["order_id"]: one["payid"] for one in self._asked("GET", "/admin/books")["payments"]}
        if order in known:
            return str(known[order])
        return str(self._asked("POST", "/admin/payments", {"order": order, "minor": minor, "currency": "EUR"})["payid"])

    def tells_more(self) -> bool:
        """Whether a callback is still to be delivered."""
        return any(one["state"] == "waiting" for one in self._asked("GET", "/admin/books")["callbacks"])

    def _asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._session.request(method, self.url + path, json=body, timeout=10)
        answer.raise_for_status()
        return dict(answer.json())

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it, and wait for it."""
        self._session.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
            return
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
