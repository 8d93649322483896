"""One change, one process: forked from a run that has imported and collected everything, with the changed function in place of the
real one. What acts while modules are imported is tried in a process that imports them anew. Nothing on disk is touched."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from hypothesis import HealthCheck, settings

from tests.mutants.changes import Change, changed
from tests.mutants.reach import ROOMS

OPTIONS = (
    "-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:faulthandler", "--capture=no",
    "-o", "addopts=--strict-markers --import-mode=importlib", "-o", "filterwarnings=",
)  # fmt: skip


class NoSuchFunction(Exception):
    """The function that the change stands in is not there as an object: it takes a fresh import."""


class Steady:
    """A pytest plugin: generated examples are the same in every run."""

    def pytest_configure(self, config: pytest.Config) -> None:
        settings.register_profile(
            "mutants", derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
        )
        settings.load_profile("mutants")


class FirstFailure:
    """A pytest plugin: remembers the first test that failed."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.name:
            self.name = f"import of {report.nodeid}"


class Chosen:
    """A pytest plugin: keeps these tests only, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._order = {name: at for at, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid])


def in_place(root: Path, change: Change | None, items: Mapping[str, pytest.Item], names: Sequence[str]) -> str:
    """Put the change into the functions of this process and run these tests until one fails: its name, or nothing."""
    if change is not None:
        put(root / change.path, _compiled(root, change), change.outermost, str(change))
    return first_red(items, names)


def first_red(items: Mapping[str, pytest.Item], names: Sequence[str]) -> str:
    """Run these tests, as they were collected, until one fails: its name, or nothing."""
    chosen = [items[name] for name in names]
    first = FirstFailure()
    chosen[0].config.pluginmanager.register(first)
    for item, following in zip(chosen, [*chosen[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if first.name:
            break
    return first.name


def anew(root: Path, change: Change, names: Sequence[str]) -> str:
    """Import everything with the change in it and run these tests until one fails: its name, or nothing."""
    sys.meta_path.insert(0, _Changed(root, change))
    first = FirstFailure()
    files = list(dict.fromkeys(name.partition("::")[0] for name in names))
    assert is_clean(), "something of the rooms is imported already"
    code = pytest.main([*OPTIONS, "-x", *files], plugins=[Steady(), Chosen(names), first])
    return first.name or ("" if code == pytest.ExitCode.OK else f"pytest: {code!r}")


def _compiled(root: Path, change: Change) -> CodeType:
    file = root / change.path
    return compile(changed(change, file.read_text()), str(file), "exec", dont_inherit=True)


def put(path: Path, module: CodeType, line: int, about: str) -> None:
    """Every function object made from the definition at that line gets the code that the changed module has there, whoever holds it.

    Raises NoSuchFunction if there is none, or if it is not the same closure."""
    new = next((code for code in _codes(module) if code.co_firstlineno == line), None)
    file = str(path)
    found = [
        one
        for one in gc.get_objects()
        if isinstance(one, FunctionType) and one.__code__.co_filename == file and one.__code__.co_firstlineno == line
    ]
    if new is None or not found:
        raise NoSuchFunction(about)
    for one in found:
        if one.__code__.co_freevars != new.co_freevars:
            raise NoSuchFunction(f"{about}: not the same closure")
        one.__code__ = new


def _codes(code: CodeType) -> list[CodeType]:
    """The functions of a module and of its classes; not those inside functions."""
    found = []
    for one in code.co_consts:
        if isinstance(one, CodeType):
            is_class = "__module__" in one.co_names and "__qualname__" in one.co_names
            found += _codes(one) if is_class else [one]
    return found


class _Changed(importlib.abc.MetaPathFinder):
    """Finds the changed module before anybody finds the real one."""

    def __init__(self, root: Path, change: Change) -> None:
        self._file = root / change.path
        self._name = ".".join(Path(change.path).with_suffix("").parts)
        self._code = _compiled(root, change)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._file, loader=_Loader(fullname, str(self._file), self._code))


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, file: str, code: CodeType) -> None:
        super().__init__(name, file)
        self._changed = code

    def get_code(self, fullname: str) -> CodeType:
        return self._changed


def is_clean() -> bool:
    """Whether nothing of the rooms is imported yet."""
    return not any(name.partition(".")[0] in ("schemas", *ROOMS) for name in sys.modules)
