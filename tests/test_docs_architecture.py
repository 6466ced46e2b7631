"""docs/architecture.md lists the rooms as they stand, and what the pages name and link is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qkdpost.protocols.table import PROTOCOLS
from test_layout import ORDER, SOURCE

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (.*) \|$", MAP.split("## The rooms")[1].split("## Five")[0], flags=re.MULTILINE)


def test_the_rooms_stand_in_the_order_that_the_layout_test_holds() -> None:
    assert [room for room, _ in ROWS] == ORDER


@pytest.mark.parametrize(("room", "text"), ROWS, ids=[room for room, _ in ROWS])
def test_folders_of_a_room_are_there(room: str, text: str) -> None:
    for name in re.findall(r"`([a-z_0-9]+)`", text):
        inside = (
            SOURCE / room / name,
            SOURCE / room / f"{name}.py",
            SOURCE / f"{room}.py",
            SOURCE / room / "__init__.py",
        )
        assert any(path.exists() for path in inside[:2]) or _defines(inside[2:], name), f"{room} has no {name}"


def _defines(files: tuple[Path, ...], name: str) -> bool:
    return any(path.exists() and re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")) for path in files)


def test_stages_are_those_of_every_kind_that_comes_with_the_library() -> None:
    """There are two rows of stages: for outcomes that are bits, and for those that are continuous."""
    rows = re.findall(r"^```\n(.*?)^```", MAP.split("## How a block goes")[1], flags=re.MULTILINE | re.DOTALL)
    told = [re.findall(r"^(\w+(?: \w+){0,2}) {2,}.* -> \w+$", row, flags=re.MULTILINE) for row in rows]
    assert all(told)
    for protocol in PROTOCOLS.values():
        assert [stage.name for stage in protocol.stages] in told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        linked = page if not path else (page.parent / path)
        assert linked.exists(), f"{page.name} links {target}"
        if heading:
            slugs = {
                re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-")
                for title in re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), flags=re.MULTILINE)
            }
            assert heading in slugs, f"{page.name} links {target}"
