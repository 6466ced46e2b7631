"""What is said of the project outside of its code agrees with it."""

from __future__ import annotations

import re
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import qkdpost as qp

ROOT = Path(__file__).resolve().parent.parent
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def package_page() -> Any:
    pytest.importorskip("hatchling")
    specification = spec_from_file_location("package_page", ROOT / "docs" / "extensions" / "package_page.py")
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.package_page


def test_the_citation_is_of_this_version() -> None:
    assert re.search(r"^version: (.*)$", CITATION, flags=re.MULTILINE)[1] == qp.__version__  # type: ignore[index]
    assert PROJECT["authors"][0]["name"] in CITATION
    assert f"license: {PROJECT['license']}" in CITATION


def test_the_page_of_the_package_has_no_link_that_leads_nowhere(package_page: Any) -> None:
    page = package_page(README, None)
    assert not re.findall(r"\]\((?!https?:)", page)
    assert "getting started" in page.lower()
    assert len(page) > 0.7 * len(README)


def test_links_lead_into_the_repository_once_it_has_an_address(package_page: Any) -> None:
    page = package_page("see [it](docs/bound.md#what) and ![picture](a.png)", "https://code.example/qkdpost/")
    assert page == "see [it](https://code.example/qkdpost/docs/bound.md#what) and "
