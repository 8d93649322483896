"""What became of the changes, as it is printed: progress, every survivor with its place, shares by room."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from tests.mutants.checked import Checker
from tests.mutants.session import Tried, Verdict

_EVERY = 25
BY_TYPES = "mypy"
_SEEN = (Verdict.KILLED, Verdict.TIMED_OUT)


class Book:
    """Takes them as they end and tells how it goes."""

    def __init__(self, count: int, *, verbose: bool) -> None:
        self._count, self._verbose = count, verbose
        self.all: list[Tried] = []

    def note(self, tried: Tried) -> None:
        """One more."""
        self.all.append(tried)
        if self._verbose:
            print(f"{tried.verdict.value:12}{tried.seconds:6.1f} s  {tried.about}  {tried.killer}", flush=True)
        elif not len(self.all) % _EVERY or len(self.all) == self._count:
            counts = Counter(one.verdict.value for one in self.all if one.change is not None)
            print(f"{len(self.all)} of {self._count}: {_listed(counts)}", flush=True)

    def ask(self, checker: Checker) -> None:
        """What no test saw is shown to the type checker."""
        unseen = [at for at, one in enumerate(self.all) if one.change is not None and one.verdict not in _SEEN]
        if not unseen:
            return
        print(f"asking mypy about {len(unseen)} that no test saw", flush=True)
        if not checker.works():
            print("mypy refuses the code as it stands, and is not asked", flush=True)
            return
        for at in unseen:
            change = self.all[at].change
            if change is not None and checker.refuses(change):
                self.all[at] = self.all[at]._replace(verdict=Verdict.KILLED, killer=BY_TYPES)
        found = sum(one.killer == BY_TYPES for one in self.all)
        print(f"{found} of the {len(unseen)} that no test saw are refused by mypy", flush=True)


def summary(all_: Sequence[Tried], lasted_s: float) -> str:
    """Everything worth reading, the shares last."""
    lines = []
    for verdict in (Verdict.SURVIVED, Verdict.NOT_COVERED, Verdict.TIMED_OUT):
        found = sorted((one for one in all_ if one.verdict is verdict and one.change is not None), key=_place)
        if found:
            lines += ["", f"{verdict.value}:", *(f"  {one.about}" for one in found)]
    for one in failed_controls(all_):
        lines += ["", f"{one.about}: {one.killer or one.verdict.value}. A test that fails without a change proves nothing."]
    lines += ["", f"{len(all_)} tried in {lasted_s:.0f} s, {sum(one.change is None for one in all_)} of them unchanged code"]
    by_types = Counter(one.change.room for one in all_ if one.change is not None and one.killer == BY_TYPES)
    for room, counts in _by_room(all_).items():
        types = f" ({by_types[room]} by {BY_TYPES} alone)" if by_types[room] else ""
        lines.append(f"{room:9} {shares(all_)[room]:5.1f} % seen: {_listed(counts)}{types}")
    return "\n".join(lines)


def shares(all_: Sequence[Tried]) -> dict[str, float]:
    """By room: per cent of the changes that a test saw. What no test reaches was not seen."""
    return {room: 100 * sum(counts[one.value] for one in _SEEN) / counts.total() for room, counts in _by_room(all_).items()}


def failed_controls(all_: Sequence[Tried]) -> list[Tried]:
    """Unchanged code that the tests refused all the same."""
    return [one for one in all_ if one.change is None and one.verdict is not Verdict.SURVIVED]


def _by_room(all_: Sequence[Tried]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in all_:
        if one.change is not None:
            counts[one.change.room][one.verdict.value] += 1
    return dict(sorted(counts.items()))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[verdict.value]} {verdict.value}" for verdict in Verdict if counts[verdict.value])


def _place(tried: Tried) -> tuple[str, int]:
    assert tried.change is not None
    return tried.change.path, tried.change.line
