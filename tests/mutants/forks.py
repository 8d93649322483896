"""Runs jobs in processes of their own, some at a time, each with a time limit: what a child says, how it ended, how long it took."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from tests.mutants.quiet import waited_s

_MEMORY = 3 << 30
_SURVIVED, _KILLED, _BROKEN = 0, 1, 9
_LONGEST_WORD = 4_000
_T = TypeVar("_T")


class End(StrEnum):
    """How a child ended."""

    SAID = "said"  # something
    SILENT = "silent"
    DIED = "died"
    TIMED_OUT = "timed out"
    BROKEN = "broken"  # by a fault of the tool


class Job(NamedTuple, Generic[_T]):
    """What is done in the child, about what, and how long it may take, the waiting for a processor apart."""

    about: _T
    work: Callable[[], str]
    limit_s: float


class Done(NamedTuple, Generic[_T]):
    """What became of a job: `word` is what its work returned."""

    about: _T
    end: End
    word: str
    seconds: float


class _Running(NamedTuple, Generic[_T]):
    job: Job[_T]
    pid: int
    pipe: int
    folder: str
    began: float


def run(jobs: Iterable[Job[_T]], at_once: int) -> Iterator[Done[_T]]:
    """Each job in a child, as they end. Whoever stops listening ends those that run."""
    waiting, running = iter(jobs), []
    try:
        while True:
            while len(running) < at_once and (job := next(waiting, None)) is not None:
                running.append(_start(job))
            if not running:
                return
            select.select([one.pipe for one in running], [], [], 0.05)
            for one in list(running):
                done = _look(one)
                if done is not None:
                    running.remove(one)
                    yield done
    finally:
        for one in running:
            _close(one)
            os.close(one.pipe)


def _start(job: Job[_T]) -> _Running[_T]:
    folder = tempfile.mkdtemp(prefix="mutant-")
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(job, writing, folder)
    os.close(writing)
    return _Running(job, pid, reading, folder, time.monotonic())


def _child(job: Job[_T], writing: int, folder: str) -> None:
    code = _BROKEN
    try:
        os.setsid()
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder  # temporary folders of its own
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        word = job.work()
        code = _KILLED if word else _SURVIVED
    except BaseException:
        word = traceback.format_exc()[-_LONGEST_WORD:]
    with contextlib.suppress(OSError):
        os.write(writing, word.encode()[:_LONGEST_WORD])
    os._exit(code)


def _look(one: _Running[_T]) -> Done[_T] | None:
    ended = os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    lasted = time.monotonic() - one.began - waited_s(one.pid)
    if ended is None and lasted < one.job.limit_s:
        return None
    status = _close(one)
    if ended is None:
        end = End.TIMED_OUT
    elif os.WIFSIGNALED(status):
        end = End.DIED
    else:
        end = {_SURVIVED: End.SILENT, _KILLED: End.SAID, _BROKEN: End.BROKEN}.get(os.WEXITSTATUS(status), End.DIED)
    os.set_blocking(one.pipe, False)
    try:
        word = os.read(one.pipe, _LONGEST_WORD).decode(errors="replace")
    except BlockingIOError:
        word = ""
    os.close(one.pipe)
    return Done(one.job.about, end, word, lasted)


def _close(one: _Running[_T]) -> int:
    """End the child and whatever it has started, while its number is still its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(one.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(one.pid, signal.SIGKILL)
    _, status = os.waitpid(one.pid, 0)
    shutil.rmtree(one.folder, ignore_errors=True)
    return status
