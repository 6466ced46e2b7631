"""The API reference tells every public name, once."""

from __future__ import annotations

import re
from pathlib import Path

import qkdpost as qp

PAGES = sorted((Path(__file__).resolve().parent.parent / "docs" / "api").glob("*.rst"))
TEXT = {page.stem: page.read_text(encoding="utf-8") for page in PAGES}
ROOMS = {
    name for text in TEXT.values() for name in re.findall(r"^\.\. room:: qkdpost\.(\w+)", text, flags=re.MULTILINE)
}


def test_every_name_of_the_package_has_its_page() -> None:
    told = [name for text in TEXT.values() for block in _names_blocks(text) for name in block]
    assert len(told) == len(set(told))
    modules = ROOMS | {"transport"}
    assert modules <= set(qp.__all__)
    assert set(told) | modules == {name for name in qp.__all__ if not name.startswith("__")}, "add it to docs/api"


def _names_blocks(text: str) -> list[list[str]]:
    blocks = re.findall(r"^\.\. names:: qkdpost\n\n((?:   \w+\n)+)", text, flags=re.MULTILINE)
    return [block.split() for block in blocks]


def test_every_page_is_in_the_table_of_contents() -> None:
    assert set(re.findall(r"^   (\w+)$", TEXT["index"], flags=re.MULTILINE)) == set(TEXT) - {"index"}
