"""What a folio keeps of something that waits for a second person and is no request to a provider: those wait as effects."""

from __future__ import annotations

from datetime import datetime

import msgspec

from schemas.voucher import CancelWithVoucher, VoucherCheck


class FolioApproval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`minor` is what is put to a second person, other than `asked_by`: the goodwill of a `check`, the bonus of an `issue`, or what of
    `refund` goes back to a voucher (`payment`). Exactly one of the three is there. `told`: how often, by itself."""

    subject: str
    minor: int
    reason: str
    asked_by: str
    asked_at: datetime
    check: VoucherCheck | None = None
    issue: CancelWithVoucher | None = None
    refund: str = ""
    payment: str = ""
    told: int = 1
