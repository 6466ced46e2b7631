"""What `docs/network.md` shows runs, and the face of the room is whole."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import qkdpost as qp

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "network.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_lines_that_mount_two_key_managers_give_equal_keys(capsys: pytest.CaptureFixture[str]) -> None:
    (served,) = [block for block in BLOCKS if "async def" in block]
    names: dict[str, Any] = {}
    exec(compile("\n".join(block for block in BLOCKS if block != served), "network.md", "exec"), names)
    assert "equal: True" in capsys.readouterr().out
    exec(compile(served, "network.md", "exec"), names)


def test_every_name_of_the_page_exists() -> None:
    for text in set(re.findall(r"\b(?:qp|qkdpost)\.((?:network|transport\.network)(?:\.\w+)+)", PAGE)):
        found: Any = qp
        for name in text.split("."):
            found = getattr(found, name)


def test_the_face_and_its_map_agree() -> None:
    assert set(qp.network.__all__) == set(qp.network._HOMES) | set(qp.network._ROOMS)
    assert dir(qp.network) == sorted(qp.network.__all__)
    with pytest.raises(AttributeError, match="no attribute"):
        qp.network.nothing  # noqa: B018


@pytest.mark.parametrize("name", [name for name in qp.network.__all__ if name != "Event"])
def test_every_public_name_is_explained(name: str) -> None:
    value = getattr(qp.network, name)
    assert (inspect.getdoc(value) or "").strip(), name
    for member, function in inspect.getmembers(value, inspect.isfunction):
        if inspect.isclass(value) and not member.startswith("_"):
            assert inspect.getdoc(function), f"{name}.{member}"


def fields_of(name: str) -> list[str]:
    value = getattr(qp.network, name)
    return list(getattr(value, "__struct_fields__", ())) or list(getattr(value, "__dataclass_fields__", ()))


@pytest.mark.parametrize("name", [name for name in qp.network.__all__ if fields_of(name)])
def test_help_explains_every_field(name: str) -> None:
    text = inspect.getdoc(getattr(qp.network, name)) or ""
    assert [field for field in fields_of(name) if f"\n    {field}: " not in text] == []
