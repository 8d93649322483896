"""Accounts: the guard between test and live, and secrets that never show."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.psp.ogone.account import LIVE_BASE_URL, TEST_BASE_URL, Environment
from schemas.errors import Rejected
from tests.connectors.psp.ogone.golden import account

TEST, LIVE = Environment.TEST, Environment.LIVE


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (TEST, TEST_BASE_URL), (LIVE, LIVE_BASE_URL), (TEST, "https://secure.ogone.com/ncol/test/"),
        (TEST, "http://127.0.0.1:8080/ncol/test/"), (TEST, "http://localhost:1/x"), (TEST, "http://[::1]:80/ncol/test/"),
        (LIVE, "https://payments.epdq.co.uk/ncol/prod"), (TEST, "https://mdepayments.epdq.co.uk/ncol/test"),
    ],
)  # fmt: skip
def test_keys_meet_their_world(environment: Environment, url: str) -> None:
    """Test keys test endpoints or loopback, live keys live ones; also at resellers (X-27)."""
    assert account(environment=environment, base_url=url).page("querydirect").endswith("/querydirect.asp")


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (TEST, LIVE_BASE_URL), (LIVE, TEST_BASE_URL), (LIVE, "http://127.0.0.1:8080/ncol/prod/"),
        (TEST, "http://ogone.test.v-psp.com/ncol/test/"), (LIVE, "https://ogone.test.v-psp.com/ncol/prod/"),
        (TEST, "https://example.org/"), (LIVE, "https://example.org/"), (TEST, "https://x.org/ncol/test/ncol/prod/"),
        (TEST, "https://127.0.0.1.example.org/"), (LIVE, "https://u:p@secure.ogone.com/ncol/prod/"), (TEST, ""),
        (LIVE, "https://secure.ogone.com/ncol/prod/?to=https://x/ncol/test/"), (TEST, "file:///ncol/test/"),
    ],
)  # fmt: skip
def test_keys_never_meet_the_other_world(environment: Environment, url: str) -> None:
    """Anything that is not clearly the right world is refused (X-27)."""
    with pytest.raises(Rejected) as caught:
        account(environment=environment, base_url=url)

    assert caught.value.field == "base_url"


@pytest.mark.parametrize(
    "changes",
    [{"sha_in": ""}, {"sha_out": ()}, {"sha_out": ("",)}, {"pswd": ""}, {"sha_in": "Łódź"}, {"wire_digits": {"EUR": 9}}],
)
def test_accounts_that_cannot_work(changes: dict[str, Any]) -> None:
    """Empty or unwritable secrets protect nothing."""
    with pytest.raises(Rejected) as caught:
        account(**changes)

    assert caught.value.field == next(iter(changes))


def test_secrets_do_not_show() -> None:
    """Neither in repr nor in str nor in rich."""
    own = account()

    for text in (repr(own), str(own), f"{own}", repr([own]), str(own.__rich_repr__())):
        assert "golden" not in text
        assert "azurAPI" not in text
