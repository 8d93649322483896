"""One mail to one server by SMTP: a connection each, one deadline over all of it, and what can be said of the mail afterwards.

SMTP has no idempotency key. Until the last dot was written nobody has the mail; from then on only the server's reply tells.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from typing import Final, Literal, NamedTuple

from connectors.mail.codes import Delivery, Result, numbers, of_greeting, of_reply

_DOTS: Final = re.compile(rb"(?m)^\.")
_END: Final = b".\r\n"
GO_ON: Final = 354


class SmtpServer(NamedTuple):
    """Where mail is handed in. `ca`: whom to believe, empty: whom the system believes. `deadline_s`: for one mail as a whole."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = ""
    ca: str = ""
    deadline_s: float = 60.0


class SmtpClient:
    """Thread-safe: every mail has a connection of its own."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._tls = None if server.security == "none" else ssl.create_default_context(cafile=server.ca or None)

    def send(self, sender: str, recipient: str, letter: bytes) -> Delivery:
        """Hand in one letter. Never raises for what a server does: after the last dot silence is unknown, before it nobody has it."""
        talk = _Talk(self._server, self._tls)
        watch = threading.Timer(self._server.deadline_s, talk.cut)
        watch.daemon = True
        watch.start()
        try:
            return talk.hand_in(sender, recipient, letter)
        except (smtplib.SMTPException, OSError, ValueError) as gone:  # ValueError: words that are no SMTP
            if talk.dotted:
                return Delivery(Result.UNKNOWN, "unknown", type(gone).__name__)
            return Delivery(Result.NOT_SENT, "away", type(gone).__name__)
        finally:
            watch.cancel()
            talk.close()


class _Talk:
    """One connection."""

    def __init__(self, server: SmtpServer, tls: ssl.SSLContext | None) -> None:
        self._server, self._context = server, tls
        if server.security == "tls":
            assert tls is not None
            self._smtp: smtplib.SMTP = smtplib.SMTP_SSL(timeout=server.deadline_s, context=tls)
        else:
            self._smtp = smtplib.SMTP(timeout=server.deadline_s)
        self._smtp._host = server.host  # type: ignore[attr-defined]  # whose name the certificate has to bear
        self.dotted = False
        self._over = False

    def hand_in(self, sender: str, recipient: str, letter: bytes) -> Delivery:
        refused = self._greeted()
        if refused is not None:
            return refused
        for say, whom in ((self._smtp.mail, sender), (self._smtp.rcpt, recipient)):
            code, words = say(whom)
            if code // 100 != 2:
                return of_reply(code, words)
        code, words = self._smtp.docmd("DATA")
        if code != GO_ON:
            return Delivery(Result.NOT_SENT, "away", numbers(code, words)) if code // 100 == 2 else of_reply(code, words)
        self._smtp.send(_DOTS.sub(b"..", letter if letter.endswith(b"\r\n") else letter + b"\r\n"))
        self.dotted = True  # what fails from here on may have been heard
        self._smtp.send(_END)
        return of_reply(*self._smtp.getreply(), after_data=True)

    def _greeted(self) -> Delivery | None:
        """Connected, encrypted and known there; else why not."""
        server, smtp = self._server, self._smtp
        code, words = smtp.connect(server.host, server.port)
        if self._over:  # a name that took long to find: others have the mail in doubt by now
            raise TimeoutError
        if code != 220:
            return of_greeting(code, words)
        code, words = smtp.ehlo()
        if code == 250 and server.security == "starttls":
            if not smtp.has_extn("starttls"):
                return Delivery(Result.NOT_SENT, "server_refuses_us", "no STARTTLS")
            code, words = smtp.starttls(context=self._context)
            if code == 220:
                code, words = smtp.ehlo()
        if code // 100 != 2:
            return of_greeting(code, words)
        if server.username:
            try:
                smtp.login(server.username, server.password)
            except smtplib.SMTPAuthenticationError as wrong:
                return of_greeting(wrong.smtp_code, wrong.smtp_error if isinstance(wrong.smtp_error, bytes) else b"")
        return None

    def cut(self) -> None:
        """The time is over: whoever waits for the server does so no more, and nothing begins."""
        self._over = True
        held = self._smtp.sock
        if held is not None:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def close(self) -> None:
        try:
            if self._smtp.sock is not None:
                self._smtp.sock.settimeout(1.0)
                self._smtp.docmd("QUIT")
        except (smtplib.SMTPException, OSError):
            pass
        self._smtp.close()
