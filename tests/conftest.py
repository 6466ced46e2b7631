"""Options, markers and fixtures that every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings

from qkdpost._kernels.jit.inspection import cache_state

# The first example may compile a kernel. In CI the examples are the same each time, so that a red run means a change;
# new ones are looked for wherever else the tests run.
settings.register_profile("qkdpost", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("qkdpost")

SYSTEM_SEED = 0x5E771ED
"""Of what stands for the system's generator; of no other generator, whose draws would be the same."""
UNCOMPILED_SECONDS = float(os.environ.get("QKDPOST_UNCOMPILED_SECONDS", "3"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the slow, statistical tests, whole")


def pytest_report_header() -> str | None:
    """Say why the first tests take so long, where kernels are not compiled yet."""
    cache = cache_state()
    missing = cache.kernels - cache.cached
    if not missing:
        return None
    return (
        f"kernels: {missing} of {cache.kernels} are not compiled yet; the first tests that call them wait, about a "
        "minute in all (python -m qkdpost warmup compiles them beforehand)"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: give --slow to run it")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """What the system's generator gives in this process is the same in every run, for each test and its fixtures.

    So no test fails by chance, and one that fails does so again: `secrets`, the draws of `distill`, of sessions and of
    double clicks, and numpy's generators without a seed. Where threads draw, their order may still change.
    """
    with mock.patch("random._urandom", np.random.default_rng(SYSTEM_SEED).bytes):
        return (yield)


@pytest.fixture(autouse=True)
def patience_with_uncompiled_kernels() -> Iterator[None]:
    """With NUMBA_DISABLE_JIT kernels are some thousand times slower: what takes too long is skipped, and said so."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0"):
        yield
        return

    def give_up(*_: object) -> None:
        pytest.skip(f"takes more than {UNCOMPILED_SECONDS} s uncompiled")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, UNCOMPILED_SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def data_directory() -> Path:
    """The folder of recorded QKD data; without it tests are skipped, or fail where QKDPOST_REQUIRE_DATA is set."""
    root = Path(__file__).resolve().parent.parent
    directory = Path(os.environ.get("QKDPOST_DATA", root.parent / "shared" / "data"))
    if not directory.is_dir():
        reason = f"no recorded data at {directory}; set QKDPOST_DATA"
        if os.environ.get("QKDPOST_REQUIRE_DATA", "0") not in ("", "0"):
            pytest.fail(reason)
        pytest.skip(reason)
    return directory
