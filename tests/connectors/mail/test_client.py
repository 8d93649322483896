"""One mail to a real server: what can be said of it afterwards, encrypted or not, by password or not."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.mail.client import SmtpClient, SmtpServer
from connectors.mail.codes import Delivery, Result
from tests.services.mail import MailServer

LETTER = b"Subject: x\r\n\r\n.a line that begins with a dot\r\n..and one with two\r\n"


@pytest.fixture
def server() -> Iterator[Callable[..., MailServer]]:
    """Starts them."""
    made: list[MailServer] = []

    def start(*script: str, **more: Any) -> MailServer:
        made.append(MailServer(*script, **more))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """For localhost, signed by itself: the file that vouches for it, and the server's side."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


def send(port: int, host: str = "127.0.0.1", **more: Any) -> Delivery:
    settled = {"security": "none", "deadline_s": 15.0, **more}
    return SmtpClient(SmtpServer(host, port, **settled)).send("folios@camp.example", "zoe@example.org", LETTER)


def test_a_mail_is_taken_as_it_is(server: Callable[..., MailServer]) -> None:
    """Lines that begin with a dot too."""
    there = server()

    assert send(there.port) == Delivery(Result.SENT, "", "250 2.0.0")
    assert there.handler.taken == [LETTER]
    assert there.handler.recipients == ["zoe@example.org"]


@pytest.mark.parametrize(
    ("turn", "said", "taken"),
    [
        pytest.param("550 5.1.1 <zoe@example.org>", Delivery(Result.REFUSED, "refused_by_server", "550 5.1.1"), 0, id="refused"),
        pytest.param("451 4.7.1 later", Delivery(Result.NOT_SENT, "deferred", "451 4.7.1"), 0, id="deferred"),
        pytest.param("552 5.3.4 big at the end", Delivery(Result.REFUSED, "refused_by_server", "552 5.3.4"), 0, id="refused at the end"),
        pytest.param("dies before DATA", Delivery(Result.NOT_SENT, "away", "SMTPServerDisconnected"), 0, id="dies before DATA"),
        pytest.param("dies after the dot", Delivery(Result.UNKNOWN, "unknown", "SMTPServerDisconnected"), 1, id="dies after the dot"),
    ],
)  # fmt: skip
def test_what_is_said_of_it(server: Callable[..., MailServer], turn: str, said: Delivery, taken: int) -> None:
    """Before the last dot nobody has it; after it only the server's word counts."""
    there = server(turn)

    assert said == send(there.port)
    assert len(there.handler.taken) == taken


@pytest.mark.parametrize(
    ("turn", "result"), [("hangs before DATA", Result.NOT_SENT), ("hangs after the dot", Result.UNKNOWN)]
)  # fmt: skip
def test_one_deadline_over_all_of_it(server: Callable[..., MailServer], turn: str, result: Result) -> None:
    """Whatever a server does meanwhile."""
    there = server(turn)
    began = time.monotonic()

    assert result is send(there.port, deadline_s=0.5).result
    assert time.monotonic() - began < 3


def test_a_server_that_only_drips(server: Callable[..., MailServer]) -> None:
    """A byte now and then is no answer: the deadline is not one of each byte."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def drip() -> None:
            there, _ = listening.accept()
            with there:
                for _ in range(100):
                    try:
                        there.sendall(b"2")
                    except OSError:
                        return
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        assert send(port, deadline_s=0.6).result is Result.NOT_SENT
        assert time.monotonic() - began < 4


def test_a_name_that_takes_too_long_to_find(server: Callable[..., MailServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is handed in after the deadline: somebody else may have the mail by then."""
    there, find = server(), socket.getaddrinfo

    def slowly(*asked: Any, **more: Any) -> Any:
        time.sleep(0.6)
        return find(*asked, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    assert send(there.port, deadline_s=0.3).result is Result.NOT_SENT
    assert not there.handler.taken


def test_nobody_is_there() -> None:
    """Nor a name."""
    assert send(1) == Delivery(Result.NOT_SENT, "away", "ConnectionRefusedError")
    assert send(25, host="no-such-host.invalid") == Delivery(Result.NOT_SENT, "away", "gaierror")


@pytest.mark.parametrize(("whole", "security"), [(False, "starttls"), (True, "tls")])
def test_encrypted_and_by_password(
    server: Callable[..., MailServer], certificate: tuple[Path, ssl.SSLContext], whole: bool, security: str
) -> None:
    """To whom the certificate names, who knows us; to nobody else."""
    ca, context = certificate
    there = server(tls=context, whole=whole, password="geheim")
    known = {"security": security, "ca": str(ca), "username": "folios", "password": "geheim"}

    assert send(there.port, host="localhost", **known).result is Result.SENT
    refused = send(there.port, host="localhost", **{**known, "password": "falsch"})
    assert (refused.result, refused.code, refused.reason[:3]) == (Result.NOT_SENT, "server_refuses_us", "535")
    stranger = send(there.port, **known)
    assert stranger == Delivery(Result.NOT_SENT, "away", "SSLCertVerificationError")
    unvouched = send(there.port, host="localhost", **{**known, "ca": ""})
    assert unvouched == Delivery(Result.NOT_SENT, "away", "SSLCertVerificationError")
    assert len(there.handler.taken) == 1


def test_no_password_and_no_mail_in_clear_where_encryption_is_wanted(server: Callable[..., MailServer]) -> None:
    """A server that does not offer it gets nothing."""
    there = server()

    assert send(there.port, security="starttls") == Delivery(Result.NOT_SENT, "server_refuses_us", "no STARTTLS")
    assert not there.handler.taken
