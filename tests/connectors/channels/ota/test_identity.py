"""Which messages are the same one sent again (X-1), under each identity that a profile can name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.channels.ota.codec import decode
from connectors.channels.ota.document import Item
from schemas.errors import Undecodable
from tests.connectors.channels.ota.golden import profile
from tests.connectors.channels.ota.test_codec import ROOM, UNIQUE, cancel, notif

FIRST = 'EchoToken="a" TimeStamp="2026-05-01T10:00:00Z"'
AGAIN = 'EchoToken="b" TimeStamp="2026-05-01T10:00:30Z" RetransmissionIndicator="true"'
DEARER = ROOM.replace("100.00", "110.00")
MODIFY = 'ResStatus="Modify"'


def item(data: bytes, identity: str = "unique_id", key: bytes = b"", received_at: datetime | None = None) -> Item:
    return decode(data, profile(identity=identity), key=key, received_at=received_at).items[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(notif(root=FIRST), notif(root=AGAIN), id="a booking"),
        pytest.param(notif(status=MODIFY, root=FIRST), notif(status=MODIFY, root=AGAIN), id="a modification"),
        pytest.param(cancel("Cancel", FIRST), cancel("Cancel", AGAIN), id="a cancellation"),
        pytest.param(cancel("Cancel", FIRST), cancel("Commit", AGAIN), id="both words for a cancellation"),
        pytest.param(cancel("Quote", FIRST), cancel("Quote", FIRST), id="a quote, to the byte"),
        pytest.param(
            notif(root=FIRST), notif(root=AGAIN, rest="<TPA_Extensions><Hop n='2'/></TPA_Extensions>"), id="what is not read"
        ),
    ],
)
def test_x_1_sent_again(one: bytes, other: bytes) -> None:
    """X-1: new TimeStamp, new EchoToken, the same message: same identity, same fingerprint."""
    assert item(one).id == item(other).id
    assert item(one).fingerprint == item(other).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(notif(status=MODIFY), notif(DEARER, status=MODIFY), id="two modifications"),
        pytest.param(
            notif(status=f'{MODIFY} LastModifyDateTime="2026-05-01T10:00:00Z"'),
            notif(status=f'{MODIFY} LastModifyDateTime="2026-05-03T10:00:00Z"'),
            id="a change back to what it was",
        ),
        pytest.param(notif(), notif(status=MODIFY), id="booking and modification"),
        pytest.param(notif(), cancel(), id="booking and cancellation"),
        pytest.param(cancel("Quote", FIRST), cancel("Cancel", FIRST), id="quote and cancellation"),
        pytest.param(
            cancel("Quote", FIRST), cancel("Quote", AGAIN), id="a quote asked for again, which moves nothing and is priced anew"
        ),
        pytest.param(cancel(), cancel(rest='<Segment ItinSegNbr="1"/>'), id="one room and all"),
        pytest.param(cancel(), cancel(unique='<UniqueID Type="14" ID="X2"/>'), id="two bookings"),
    ],
)
def test_x_1_another_message(one: bytes, other: bytes) -> None:
    """X-1: another act is another message."""
    assert item(one).id != item(other).id


def test_quote_then_cancel_then_cancel_again() -> None:
    """The quote does not stand for the cancellation, and the second cancellation is the first."""
    quote, first, again = (item(cancel(kind, root)).id for kind, root in (("Quote", FIRST), ("Cancel", AGAIN), ("Cancel", FIRST)))

    assert first == again
    assert quote != first


def test_quotes_without_any_mark_are_told_apart_by_when_they_came() -> None:
    """Else tomorrow's would get today's stored answer."""
    day = [datetime(2026, 5, n, tzinfo=UTC) for n in (1, 2)]

    assert item(cancel("Quote"), received_at=day[0]).id != item(cancel("Quote"), received_at=day[1]).id
    assert item(cancel("Cancel"), received_at=day[0]).id == item(cancel("Cancel"), received_at=day[1]).id


def test_by_echo_token() -> None:
    """The same token with another content is the same message with another body: an error to show, never merged."""
    first, same, other = (item(data, "echo_token") for data in (notif(root=FIRST), notif(DEARER, root=FIRST), notif(root=AGAIN)))

    assert first.id == same.id
    assert first.fingerprint != same.fingerprint
    assert first.id != other.id


def test_by_message_id() -> None:
    """SiteMinder's MESSAGE_UNIQUE_ID decides alone, whatever the action says."""
    mark = '<UniqueID Type="16" ID="{}" ID_Context="MESSAGE_UNIQUE_ID"/>'
    one, two = (mark.format(n) + UNIQUE for n in (1, 2))

    assert item(notif(unique=one, root=FIRST), "message_id").id == item(notif(unique=one, root=AGAIN), "message_id").id
    assert item(notif(unique=one), "message_id").id == item(notif(unique=one, status='ResStatus="Cancel"'), "message_id").id
    assert item(notif(unique=one), "message_id").id != item(notif(unique=two), "message_id").id
    assert item(cancel(unique=one), "message_id").reference == "X1"


@pytest.mark.parametrize("identity", ["echo_token", "message_id"])
def test_identity_that_is_not_there(identity: str) -> None:
    """A channel that is recognised by something must send it."""
    with pytest.raises(Undecodable) as refused:
        item(notif(), identity)

    assert refused.value.code == "identity_missing"


def test_fingerprints_are_keyed() -> None:
    """A guest's name cannot be guessed from a hash without the tenant's key."""
    assert item(notif(), key=b"k" * 32).fingerprint != item(notif(), key=b"l" * 32).fingerprint
    assert item(notif(), key=b"k" * 32).id != item(notif(), key=b"l" * 32).id


def test_ids_fit_ota() -> None:
    """OTA gives an id 32 characters."""
    assert all(len(item(data).id) <= 32 for data in (notif(), cancel(), cancel("Quote")))
