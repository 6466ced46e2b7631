"""Options, markers and fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("qkdpost", deadline=None)  # the first example may compile a kernel
settings.load_profile("qkdpost")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the slow, statistical tests, whole")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: give --slow to run it")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data_directory() -> Path:
    """The folder of recorded QKD data; in CI its absence is a failure, elsewhere a reason to skip."""
    root = Path(__file__).resolve().parent.parent
    directory = Path(os.environ.get("QKDPOST_DATA", root.parent / "shared" / "data"))
    if not directory.is_dir():
        reason = f"no recorded data at {directory}; set QKDPOST_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return directory
