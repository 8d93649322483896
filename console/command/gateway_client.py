"""A running hub's HTTP door, from the command's side. Nothing is sent twice by itself: who repeats a message repeats its id."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import msgspec
import requests

from console.command.beside import Said
from schemas.errors import HubError, Retryable

CONNECT_S = 5.0
ANSWER_S = 35.0


class GatewayAway(Retryable):
    """Nobody answers at that address, or the hub cannot store anything now."""

    code = "gateway_away"


class GatewayClient:
    """One session with a gateway. Raises GatewayAway, or HubError with the gateway's own code; `bad_key` for what can be none."""

    def __init__(self, url: str, key: str) -> None:
        if not (key.isascii() and key.isprintable()):
            raise HubError("a key is one word of letters, digits and `_`: fhk_…", code="bad_key", field="key")
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def __enter__(self) -> GatewayClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._session.close()

    def send(self, event: dict[str, Any], wait_s: float) -> Said:
        """One CloudEvents object; waits for its outcome so long."""
        answer = self.post(
            "/messages", msgspec.json.encode(event), "application/cloudevents+json", {"wait": f"{int(wait_s * 1000)}ms"}
        )
        told: dict[str, Any] = answer.json()
        return Said(
            message=str(told.get("message", "")),
            taken=str(told.get("taken", "")),
            hub=True,
            outcomes=told.get("outcomes"),
            reason=str(told.get("reason", "")),
        )

    def post(self, path: str, body: bytes, content_type: str, parameters: dict[str, str] | None = None) -> requests.Response:
        """One request; what is not 2xx raises."""
        return self._asked("POST", path, data=body, headers={"Content-Type": content_type}, params=parameters or {})

    def get(self, path: str, parameters: dict[str, str] | None = None) -> requests.Response:
        """One question; what is not 2xx raises."""
        return self._asked("GET", path, params=parameters or {})

    def _asked(self, method: str, path: str, **how: Any) -> requests.Response:
        try:
            answer = self._session.request(method, self._url + path, timeout=(CONNECT_S, ANSWER_S), allow_redirects=False, **how)
        except requests.RequestException as error:
            text = f"no gateway answers at {self._url} ({type(error).__name__}): is the hub running, is the address right?"
            raise GatewayAway(text, field="url", value=self._url) from None
        if answer.status_code >= 300:
            raise _problem(answer)
        return answer


def _problem(answer: requests.Response) -> HubError:
    try:
        told = dict(answer.json())
    except ValueError:
        told = {}
    text = str(told.get("message") or f"the gateway answered {answer.status_code}")
    code, field, value = (str(told.get(name, "")) for name in ("code", "field", "value"))
    if answer.status_code == 503:
        return GatewayAway(text, field=field, value=value)
    return HubError(text, code=code or "gateway_refused", field=field, value=value)
