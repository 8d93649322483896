"""What only one of several processes does at a time: whoever has the job's lease. A process that is alone does it without one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from engine.store.contract import Fenced, StoreAway

if TYPE_CHECKING:
    from engine.roles import Member

_AGAIN_S: Final = 1.0  # between two looks at a lease

log = structlog.get_logger(__name__)


class Jobs:
    """`start` begins a thread of that name; `member` None: there is no other process."""

    def __init__(self, member: Member | None, stopping: threading.Event, start: Callable[[str, Callable[[], None]], None]) -> None:
        self._member, self._stopping, self._start = member, stopping, start

    def alone(self, job: str, run: Callable[[], None]) -> Callable[[], None]:
        """It begins when the lease is ours, and the process ends if it is lost."""
        member = self._member
        if member is None:
            return run

        def when_ours() -> None:
            while not self._stopping.is_set() and not self._held(member, job, while_away=False):
                self._stopping.wait(_AGAIN_S)
            if self._stopping.is_set():
                return
            log.info("job_ours", job=job)
            self._start(f"{job} lease", lambda: self._prolong(member, job))
            run()

        return when_ours

    def _prolong(self, member: Member, job: str) -> None:
        while not self._stopping.wait(_AGAIN_S):
            if not self._held(member, job, while_away=True):
                raise Fenced(f"the lease of {job} is another process's", field="job", value=job)
        member.leases.give_back(job, member.name)

    def _held(self, member: Member, job: str, *, while_away: bool) -> bool:
        """`while_away`: what holds while the store cannot be asked. What was ours is, since nobody else can take it either."""
        try:
            return member.leases.hold(job, member.name)
        except StoreAway as away:
            log.warning("store_away", during=job, reason=away.message)
            return while_away
