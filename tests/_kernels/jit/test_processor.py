from __future__ import annotations

from collections.abc import Iterator

import pytest

from qkdpost._kernels.jit import processor
from qkdpost._kernels.jit.environment import JIT_ENABLED
from qkdpost._kernels.jit.processor import clmul_path

pytestmark = pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    clmul_path.cache_clear()
    yield
    clmul_path.cache_clear()


def lists(features: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "processor_features", lambda: frozenset(features.split()))


@pytest.mark.parametrize(
    ("features", "path"),
    [
        ("vpclmulqdq avx512f avx512vl avx2 pclmul", "vpclmul512"),
        ("vpclmulqdq avx2 pclmul", "vpclmul256"),
        ("avx2 pclmul", "pclmul"),
        ("aes crc fp-armv8 neon sha2", "pmull"),
        ("crc fp-armv8 neon", "portable"),
        ("", "portable"),
    ],
)
def test_the_best_path_of_a_processor_runs(features: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QKDPOST_CLMUL", raising=False)
    lists(features, monkeypatch)
    assert clmul_path() == path


def test_what_the_processor_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QKDPOST_CLMUL", "pmull")
    lists("crc fp-armv8 neon", monkeypatch)
    with pytest.raises(RuntimeError, match="QKDPOST_CLMUL=pmull needs aes, which this processor lacks"):
        clmul_path()


def test_where_nothing_can_be_read_of_the_processor_nothing_is_said_to_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QKDPOST_CLMUL", "pmull")
    lists("", monkeypatch)
    with pytest.raises(RuntimeError, match=r"may be there, but no feature of this processor can be read .* NUMBA_CPU_"):
        clmul_path()
