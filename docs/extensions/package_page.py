"""A hook of the build: the README as the package's page on an index, where links into the repository lead nowhere.

A link to a file becomes its text; once `[project.urls]` has a `Repository`, it becomes a link into that. Pictures go.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"!\[[^]]*\]\((?!https?:)[^)]*\)\n*")
LINK = re.compile(r"\[([^]]*)\]\((?!https?:|#)([^)]*)\)")


def package_page(readme: str, repository: str | None) -> str:
    """Return the README with links that hold wherever it is shown."""
    target = rf"[\1]({repository.rstrip('/')}/\2)" if repository else r"\1"
    return LINK.sub(target, PICTURE.sub("", readme))


class PackagePage(MetadataHookInterface):
    """What hatchling calls when it makes the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        page = package_page(readme, metadata.get("urls", {}).get("Repository"))
        metadata["readme"] = {"content-type": "text/markdown", "text": page}
