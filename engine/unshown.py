"""What nobody is shown whole: a provider's name for a card, and the guest's consent to charge it (S1-28).

Who has them can charge the card: the merchant fetches them by a door of its own (`engine.collectable`).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schemas.voucher_code import masked

_NAMES: Final = frozenset({"token", "payment_token", "mandate"})


def guarded(value: Any) -> Any:
    """S1-28: a copy of structs or decoded JSON, as JSON members, in which each token and mandate, wherever it stands, is shown by its end
    (`…4f1a`), a short one by nothing of it."""
    return _guarded(msgspec.to_builtins(value))


def _guarded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shown(inner) if name in _NAMES else _guarded(inner) for name, inner in value.items()}
    return [_guarded(inner) for inner in value] if isinstance(value, list | tuple) else value


def _shown(value: Any) -> Any:
    """What is no text in its place is a sender's mistake, and not told either."""
    return masked(value if isinstance(value, str) else "") if value else value
