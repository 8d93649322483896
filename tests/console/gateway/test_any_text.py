"""Any text and any bytes where a reader asks for something: an answer, or a problem that names what was asked; never a defect of ours."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.console.gateway.test_lists import GUEST, owes, say, settled
from tests.console.gateway.world import World, world

DAY = "/journal?property=camp-azur&day=2026-05-01"
DOORS = {
    "day": ("/journal?property=camp-azur&day={}",),
    "after": (f"{DAY}&after={{}}", "/balance-requests?after={}", "/vouchers?after={}", "/outcomes?after={}"),
    "limit": (f"{DAY}&limit={{}}", "/balance-requests?limit={}", "/vouchers?limit={}", "/outcomes?limit={}"),
    "property": ("/journal?day=2026-05-01&property={}", "/balance-requests?property={}", "/vouchers?property={}"),
    "queue": ("/balance-requests?queue={}",),
    "overdue": ("/balance-requests?overdue={}",),
    "suspended": ("/balance-requests?suspended={}",),
    "status": ("/vouchers?status={}",),
    "to_check": ("/vouchers?to_check={}",),
    "flagged": ("/vouchers?flagged={}",),
    "id": ("/messages?source=pms.thais&id={}",),
    "source or id": ("/messages?id=L-1&source={}",),
    "folio": ("/folios/x{}",),
    "request": ("/balance-requests/x{}/payment",),
}
"""Doors by the field that a text is written into."""


def cursor(*place: object) -> str:
    """What looks like the end of a page."""
    return urlsafe_b64encode(json.dumps(place, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")).decode()


SOME = st.text(max_size=20)
TEXTS = st.one_of(
    st.text(max_size=80),
    st.binary(max_size=40),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.datetimes().map(str),
    st.builds(cursor, st.dates().map(str) | SOME, SOME, SOME),
    st.builds(cursor, st.integers() | st.none() | SOME, SOME),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A booking that owes, with a voucher to be checked, in each kind of store."""
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    store = server.database() if server is not None else ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLIOHUB_MASTER_KEY", "5f" * 32)
        with world(tmp_path_factory.mktemp("texts"), settled=settled(), store=store) as made:
            owes(made, "L-1", "azur")
            say(made, "V", "voucher.enter", "azur", actor=GUEST, folio="L-1", number="CODE-1", amount=1_000)
            yield made
    if server is not None:
        server.drop(store)


@pytest.mark.parametrize("field", DOORS)
@given(text=TEXTS)
def test_any_text_is_answered(hub: World, field: str, text: str | bytes) -> None:
    """A problem has its code, what to do, and the field that the text was written into."""
    for door in DOORS[field]:
        got = hub.get(door.format(quote(text, safe="")), "operator")
        told = got.json()

        assert got.status_code in (200, 400, 404), (door, text, told)
        if got.status_code != 200:
            assert got.headers["content-type"] == "application/problem+json"
            assert told["code"]
            assert told["message"]
            elsewhere = "?" not in door and b"/" in (text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
            assert told["field"] in field.split(" or ") or (elsewhere and told["code"] == "not_found"), (door, text, told)


@pytest.mark.parametrize(
    ("door", "place"),
    [
        pytest.param("/balance-requests", ("2026-99-99", "L-1", "x"), id="a day that there is not"),
        pytest.param("/balance-requests", ("2026-W28-5", "L-1", "x"), id="a day in other words"),
        pytest.param("/balance-requests", ("20260710", "L-1", "x"), id="a day without dashes"),
        pytest.param("/balance-requests", ("CODE-1", "L-1", "CODE-1"), id="one of vouchers"),
        pytest.param("/balance-requests", ("2026-07-10", "L\x00", "x"), id="NUL in a folio"),
        pytest.param("/balance-requests", ("2026-07-10", "L-1", "x", "y"), id="of four parts"),
        pytest.param("/balance-requests", (1, "L-1", "x"), id="a number for a day"),
        pytest.param("/vouchers", ("2026-07-10", "L-1", "x"), id="one of balance requests"),
        pytest.param("/vouchers", ("C\x00", "L-1", "C\x00"), id="NUL in a number"),
    ],
)  # fmt: skip
def test_a_cursor_that_no_answer_gave(hub: World, door: str, place: tuple[object, ...]) -> None:
    """Refused with field and value, where it was taken for the end of a page."""
    after = cursor(*place)
    got = hub.get(f"{door}?after={after}")

    told = got.json()
    assert (got.status_code, told["code"], told["field"], told["value"]) == (400, "bad_after", "after", after)


def test_a_position_of_another_day(hub: World) -> None:
    """The end of a page is one of the day that was asked for, and a transfer that there is."""
    (first,) = hub.get(f"{DAY}&limit=1").json()["transfers"]

    assert hub.get(f"{DAY}&after={first['seq']}").status_code == 200
    for query in (f"{DAY}&after={first['seq'] + 999}", f"/journal?property=camp-azur&day=2026-05-02&after={first['seq']}"):
        told = hub.get(query).json()
        assert (told["code"], told["field"]) == ("unknown_position", "after")
