from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import qkdpost as qp


@pytest.mark.parametrize("name", qp.__all__)
def test_every_name_is_there_and_explained(name: str) -> None:
    value = getattr(qp, name)
    if inspect.ismodule(value) or inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


def test_the_face_and_its_map_agree() -> None:
    assert set(qp.__all__) == set(qp._HOMES) | set(qp._ROOMS) | {"__version__"}
    assert dir(qp) == sorted(qp.__all__)
    with pytest.raises(AttributeError, match="no attribute"):
        qp.nothing  # noqa: B018


def test_importing_compiles_nothing_and_stays_light() -> None:
    code = "import sys, qkdpost; print(sorted(m for m in ('numba', 'scipy', 'numpy') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in qp.__all__ if inspect.isclass(getattr(qp, name))])
def test_public_methods_are_explained(name: str) -> None:
    for member, value in inspect.getmembers(getattr(qp, name)):
        if not member.startswith("_") and inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{member}"


@pytest.mark.parametrize("name", [name for name in qp.__all__ if hasattr(getattr(qp, name), "__struct_fields__")])
def test_help_on_settings_explains_every_field(name: str) -> None:
    settings = getattr(qp, name)
    text = inspect.getdoc(settings) or ""
    assert [field for field in settings.__struct_fields__ if f"\n    {field}: " not in text] == []


@pytest.mark.parametrize("room", ["", "network/", "transport/", "transport/network/", "campaigns/"])
def test_type_checkers_do_not_see_the_loader_of_names(room: str) -> None:
    source = (Path(qp.__file__).parent / room / "__init__.py").read_text(encoding="utf-8")
    assert "\n    def __getattr__(" in source
    assert "\ndef __getattr__(" not in source, "a module with __getattr__ has any name, and so no typo in one is found"
