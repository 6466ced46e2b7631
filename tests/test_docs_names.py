"""What the pages name in code is there."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import qkdpost as qp
from test_layout import ORDER, SOURCE

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
FOLDERS = ("src/", "tests/", "docs/", "examples/", "benchmarks/")


def found(path: str) -> bool:
    """Whether a dotted path leads to a module, or to something in one."""
    names = path.split(".")
    for cut in range(len(names), 0, -1):
        try:
            value: object = import_module(".".join(names[:cut]))
        except ModuleNotFoundError:
            continue
        for name in names[cut:]:
            if not hasattr(value, name):
                return False
            value = getattr(value, name)
        return True
    return False


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_names_of_the_library_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path in set(re.findall(r"\bqkdpost(?:\.\w+)+", text)):
        assert found(path), f"{page.name} names {path}"
    for name in set(re.findall(r"\bqp\.(\w+)", text)):
        assert hasattr(qp, name), f"{page.name} names qp.{name}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_modules_and_folders_of_rooms_exist(page: Path) -> None:
    rooms = "|".join(ORDER)
    for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
        if re.fullmatch(rf"({rooms})(\.\w+)+", code):
            assert found(f"qkdpost.{code}") or found(code), f"{page.name} names {code}"
        elif re.fullmatch(rf"({rooms})/[\w/]*(\.py)?", code):
            assert (SOURCE / code).exists(), f"{page.name} names {code}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
        for word in code.split():
            if word.startswith(FOLDERS) and "<" not in word and "_build" not in word:
                assert (ROOT / word).exists(), f"{page.name} names {word}"
