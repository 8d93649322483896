"""A real mail server for tests (aiosmtpd), that does as it is told: takes, refuses, defers, dies, falls silent, is away."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ssl import SSLContext
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

HANGS_S = 3600.0


class _Scripted(SMTP):
    """Speaks SMTP, but for one turn that the script says."""

    async def smtp_DATA(self, arg: str) -> None:
        if self.event_handler.turn == "dies before DATA":
            self.event_handler.played()
            self.transport.abort()
            return
        if self.event_handler.turn == "hangs before DATA":
            self.event_handler.played()
            self.event_handler.hanging.set()
            await asyncio.sleep(HANGS_S)
        await super().smtp_DATA(arg)


class _Handler:
    """What happens to each mail; `script` are turns, the last of which goes on for ever. Empty: every mail is taken."""

    def __init__(self, *script: str) -> None:
        self.script = deque(script)
        self.taken: list[bytes] = []
        self.recipients: list[str] = []
        self.hanging = threading.Event()

    @property
    def turn(self) -> str:
        return self.script[0] if self.script else "takes"

    def played(self) -> None:
        if self.script:
            self.script.popleft()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if self.turn[:3].isdigit() and not self.turn.endswith("at the end"):
            said = self.turn
            self.played()
            return said
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        turn = self.turn
        self.played()
        if turn.endswith("at the end"):
            return turn.removesuffix(" at the end")
        self.taken.append(bytes(envelope.original_content or b""))
        self.recipients += envelope.rcpt_tos
        if turn == "dies after the dot":
            assert server.transport is not None
            server.transport.abort()
        elif turn == "hangs after the dot":
            self.hanging.set()
            await asyncio.sleep(HANGS_S)
        return "250 2.0.0 taken"


class MailServer:
    """Listens on a port of its own between `start` and `stop`, which may be called again: away, and back."""

    def __init__(self, *script: str, tls: SSLContext | None = None, whole: bool = False, password: str = "") -> None:
        """`tls`: by STARTTLS, or from the first byte (`whole`); `password`: that everybody has to know."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.handler = _Handler(*script)
        self._tls, self._whole, self._password = tls, whole, password
        self._controller: Controller | None = None

    def start(self) -> None:
        """Returns when it listens."""
        known = self._password

        class Own(Controller):
            def factory(self) -> SMTP:
                return _Scripted(self.handler, **self.SMTP_kwargs)

        more: dict[str, Any] = {}
        if self._whole:
            more = {"ssl_context": self._tls}
        elif self._tls is not None:
            more = {"tls_context": self._tls, "require_starttls": True}
        if known:
            more |= {
                "authenticator": lambda *said: AuthResult(success=said[4].password == known.encode(), handled=False),
                "auth_required": True,
                "auth_require_tls": not self._whole and self._tls is not None,
            }
        self._controller = Own(self.handler, hostname="127.0.0.1", port=self.port, ready_timeout=20.0, **more)
        self._controller.start()

    def stop(self) -> None:
        """Away: nobody listens there."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def mails(self) -> list[EmailMessage]:
        """All that were taken whole, also those of which nobody was told."""
        found = [message_from_bytes(data, policy=default) for data in self.handler.taken]
        return [mail for mail in found if isinstance(mail, EmailMessage)]
