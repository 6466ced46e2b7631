"""help() teaches: every public name is explained with an example that runs, members and constants are listed."""

from __future__ import annotations

import doctest
import enum
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import qkdpost as qp
from support.certificates import Certificates

ROOMS = [
    "campaigns",
    "estimation",
    "network",
    "planning",
    "plotting",
    "security",
    "sifting",
    "simulation",
    "storage",
    "transport",
]


def names_of(module: ModuleType, path: str) -> Iterator[tuple[str, Any]]:
    """Every public name of a room and of the modules that are public in it, with what it stands for."""
    for name in module.__all__:
        value = getattr(module, name)
        if not inspect.ismodule(value):
            yield f"{path}{name}", value
        elif hasattr(value, "__all__") and path:
            yield from names_of(value, f"{path}{name}.")


PUBLIC = dict(names_of(qp, "")) | {
    name: value for room in ROOMS for name, value in names_of(getattr(qp, room), f"{room}.")
}
EXPLAINED = {
    name: value for name, value in PUBLIC.items() if inspect.isclass(value) or inspect.isfunction(value)
}  # fmt: skip
MODULES = [qp, *(getattr(qp, room) for room in ROOMS)]


def text_of(value: Any) -> str:
    return inspect.getdoc(value) or ""


@pytest.mark.parametrize("room", ROOMS)
def test_completion_shows_public_names_alone(room: str) -> None:
    module = getattr(qp, room)
    assert dir(module) == sorted(module.__all__)
    for name in module.__all__:
        inner = getattr(module, name)
        if inspect.ismodule(inner) and hasattr(inner, "__all__"):
            assert dir(inner) == sorted(inner.__all__), name


@pytest.mark.parametrize("name", EXPLAINED)
def test_every_public_name_has_an_example(name: str) -> None:
    assert ">>> " in text_of(EXPLAINED[name])


EXAMPLES = list({id(value): (name, value) for name, value in EXPLAINED.items()}.values())


@pytest.fixture(scope="module")
def certified_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what an operator of two key managers has: certificates and authorities."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates = Certificates(folder)
    for name in ("north", "south"):
        certificates.key_manager(name)
    return folder


@pytest.mark.parametrize(("name", "value"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_every_example_runs(name: str, value: Any, certified_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods too: whatever `doctest` finds below a public name."""
    if name.startswith("plotting."):
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(certified_folder)
    module = importlib.import_module(value.__module__)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failures: list[str] = []
    for test in doctest.DocTestFinder().find(value, value.__name__, module=module):
        runner = doctest.DocTestRunner(optionflags=flags)
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("name", [name for name, value in EXPLAINED.items() if isinstance(value, enum.EnumMeta)])
def test_help_lists_every_member(name: str) -> None:
    listed = [line.strip().split(":")[0] for line in text_of(EXPLAINED[name]).splitlines() if ": " in line]
    members = list(EXPLAINED[name].__members__)
    assert [word for word in listed if word in members] == members


@pytest.mark.parametrize("name", [name for name in qp.__all__ if isinstance(getattr(qp, name), int | str)])
def test_constants_are_explained_with_the_package(name: str) -> None:
    assert f"\n{name}: " in text_of(qp)


@pytest.mark.parametrize("function", [qp.reconcile, qp.distill, qp.toeplitz_hash])
def test_help_says_what_is_returned(function: Any) -> None:
    assert "Return" in text_of(function)
