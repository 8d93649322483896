"""The connector against the shipped simulator over real HTTP: the contract of every payment connector, in three habits."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.psp.contract import PaymentConnector
from connectors.psp.ogone.account import LevelAmounts
from connectors.psp.ogone.client import OgoneConnector
from connectors.psp.ogone.signature import Algorithm, Charset, Scheme
from connectors.psp.ogone.simulator.accounts import SANDBOX, SimulatorAccount, merchant_account
from connectors.psp.ogone.simulator.script import Script
from connectors.psp.ogone.simulator.server import Simulator
from tests.contracts.payment_connector import Part, PaymentConnectorContract

FOR_REFUNDS = {"endpoint": "maintenance"}
RULES: dict[Part, dict[str, Any]] = {
    Part.ACCEPTS: {"when": FOR_REFUNDS},
    Part.PENDING: {"when": FOR_REFUNDS, "status": "81"},
    Part.UNCERTAIN: {"when": FOR_REFUNDS, "status": "82"},
    Part.REFUSES: {"when": FOR_REFUNDS, "ncerror": "50001218"},
    Part.ACTS_SILENT: {"when": FOR_REFUNDS, "answer": "silence"},
    Part.SILENT: {"when": FOR_REFUNDS, "act": "never", "answer": "silence"},
    Part.SLOW: {"when": FOR_REFUNDS, "answer_after_s": 3},
    Part.DRIPS: {"when": FOR_REFUNDS, "answer": "drip"},
    Part.BROKEN: {"when": FOR_REFUNDS, "answer": "broken"},
    Part.CUT: {"when": FOR_REFUNDS, "answer": "cut"},
    Part.RESET: {"when": FOR_REFUNDS, "answer": "reset"},
    Part.EMPTY: {"when": FOR_REFUNDS, "answer": "empty"},
    Part.ERROR: {"when": FOR_REFUNDS, "answer": "error"},
    Part.QUERY_FAILS: {"when": {"endpoint": "query"}, "status": "88"},
    Part.QUERY_FAILS_LATER: {"when": {"endpoint": "query", "level": "1"}, "status": "88"},
}


class TestOgone(PaymentConnectorContract):
    """The provider's usual habits."""

    secrets = (SANDBOX.pswd, *SANDBOX.sha_in, SANDBOX.sha_out)
    script: dict[str, Any] = {}  # noqa: RUF012  # read only; subclasses give their own
    sandbox: SimulatorAccount = SANDBOX
    amounts = LevelAmounts.OPERATION
    simulator: Simulator
    payid: str

    @pytest.fixture(autouse=True)
    def _stopped(self) -> Iterator[None]:
        yield
        if hasattr(self, "simulator"):
            self.simulator.stop()

    def connector(self, part: Part) -> PaymentConnector:
        script = msgspec.convert({**self.script, "level_amounts": self.amounts.value, "rules": [RULES[part]]}, Script)
        self.simulator = Simulator(script, accounts=[self.sandbox]).start()
        self.payid = self.simulator.provider.create("B1001-1", 20000, "EUR", self.simulator.clock())
        account = merchant_account(self.sandbox, "azur", self.simulator.base_url)
        return OgoneConnector(msgspec.structs.replace(account, level_amounts=self.amounts))

    def unreachable(self) -> PaymentConnector:
        self.payid = "3000000001"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        return OgoneConnector(merchant_account(self.sandbox, "azur", f"http://127.0.0.1:{port}/ncol/test/"))

    def reference(self) -> str:
        return self.payid

    def requests_seen(self) -> int:
        return sum(r["endpoint"] == "maintenance" for r in self.simulator.provider.books.requests())


class TestOgoneOtherHabits(TestOgone):
    """Cumulated amounts, the end of a history told by status 88, UTF-8 and SHA-256."""

    amounts = LevelAmounts.CUMULATED
    script = {"end_of_history": "88"}  # noqa: RUF012  # read only
    sandbox = msgspec.structs.replace(SANDBOX, charset=Charset.UTF8, algorithm=Algorithm.SHA256)


class TestOgoneOldAccount(TestOgone):
    """The fixed-order signature of accounts before May 2010."""

    sandbox = msgspec.structs.replace(SANDBOX, scheme=Scheme.MAIN, algorithm=Algorithm.SHA1)
