"""Pages that stand outside of `docs`, where code hosts look for them, are pages of the site too.

Such a page of the site is a comment, `<!-- ../SECURITY.md -->`, in whose place the file is read. Links in all pages
are those that work in the repository; here they are turned to the page of the site where there is one, and one whose
text is the name of a file gets the title of its page.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent.parent
COMMENT = re.compile(r"\A<!-- (\S+) -->\n\Z")
LINK = re.compile(r"\[([^]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]+)?\)")


def outside_pages() -> dict[Path, str]:
    """Return the files that are read in the place of pages, and the names of these."""
    found = ((page, COMMENT.match(page.read_text(encoding="utf-8"))) for page in sorted(DOCS.glob("*.md")))
    return {(DOCS / match[1]).resolve(): page.name for page, match in found if match}


def turn_links(text: str, home: Path, pages: dict[Path, str]) -> str:
    """Return a page of which every link to a file holds in `docs`; `home` is the folder that it was written in."""

    def turned(link: re.Match[str]) -> str:
        words, path, heading = link.groups(default="")
        target = (home / path).resolve()
        place = pages.get(target) or os.path.relpath(target, DOCS).replace(os.sep, "/")
        untitled = words == path and place.endswith((".md", ".rst")) and "/" not in place
        return f"[{'' if untitled else words}]({place}{heading})"

    return LINK.sub(turned, text)


def read(app: Sphinx, name: str, source: list[str]) -> None:
    path = Path(app.env.doc2path(name))
    if path.suffix != ".md" or path.parent != DOCS:
        return
    if found := COMMENT.match(source[0]):
        path = (DOCS / found[1]).resolve()
        app.env.note_dependency(path)
        source[0] = path.read_text(encoding="utf-8")
    source[0] = turn_links(source[0], path.parent, outside_pages())


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
