"""What the pages show runs, the Python of each page from top to bottom in one namespace; and their tables are whole."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
FENCE = re.compile(r"^```python\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
CODE, CELL = re.compile(r"`[^`]*`"), re.compile(r"(?<!\\)\|")
OF_THEIR_OWN = {
    "campaigns.md",
    "continuous_variables.md",
    "extending.md",
    "network.md",
    "own_data.md",
    "pulse_numbers.md",
}
"""Pages whose tests also look at what is printed."""
SLOW = {"gallery.md", "planning.md"}
PAGES = [
    pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in SLOW else [])
    for page in sorted(DOCS.glob("*.md"))
    if page.name not in OF_THEIR_OWN and "```python\n" in page.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # what a page writes stays there
    names: dict[str, object] = {"__name__": "page"}
    for block in FENCE.findall(page.read_text(encoding="utf-8")):
        if ">>> " in block:
            example = doctest.DocTestParser().get_doctest(block, names, page.name, str(page), 0)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            assert not runner.run(example, clear_globs=False).failed, page.name
            names.update(example.globs)
        else:
            exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_rows_of_tables_have_as_many_cells_as_their_heads(page: Path) -> None:
    cells = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        found = len(CELL.findall(CODE.sub("", line))) if line.startswith("|") else 0
        assert not found or found == (cells or found), f"{page.name}, line {number}: {line}"
        cells = found
