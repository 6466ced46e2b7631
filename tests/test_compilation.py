from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qkdpost._kernels.jit.decorators import registered_kernels
from qkdpost._kernels.jit.environment import JIT_ENABLED
from qkdpost._kernels.jit.processor import CLMUL_PATHS
from qkdpost.amplification import modified_toeplitz_hash, toeplitz_hash
from qkdpost.bits import Bits, concatenate
from qkdpost.compilation import processor_path, warmup
from qkdpost.errors import InputError
from qkdpost.keys.authentication import PolynomialHasher
from qkdpost.verification import frame_tags, hash_tag

REPORT = """
from qkdpost.compilation import warmup
from qkdpost._kernels.jit.decorators import registered_kernels
warmup()
kernels = registered_kernels()
compiled = [kernel for kernel in kernels if kernel.signatures or kernel.callee().nopython_signatures]
print(len(kernels), [kernel.__name__ for kernel in kernels if kernel not in compiled])
"""


@pytest.mark.slow
@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_every_kernel_is_compiled_from_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", REPORT], env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    count, without = done.stdout.split(" ", 1)
    assert int(count) > 50, done.stderr
    assert without.strip() == "[]"


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_hashing_compiles_nothing_after_warmup() -> None:
    warmup()
    before = {kernel: list(kernel.signatures) for kernel in registered_kernels()}
    generator = np.random.default_rng(0)
    bits = Bits.from_array(generator.integers(0, 2, 100_000, dtype=np.uint8))
    seed = Bits.from_array(generator.integers(0, 2, 149_999, dtype=np.uint8))
    toeplitz_hash(bits, seed, 50_000)
    toeplitz_hash(np.asarray(bits[:100]), np.asarray(seed[:149]), 50)
    modified_toeplitz_hash(bits, seed[:99_999], 40_000)
    frame_tags(bits, 3000, bytes(32), 70)
    hash_tag(bits, bytes(32), 50)
    hasher = PolynomialHasher(bytes(16))
    hasher.update(bytes(100_000))
    hasher.digest()
    concatenate([bits.select(bits), bits.take(np.arange(10))]).weight()
    assert {kernel: list(kernel.signatures) for kernel in registered_kernels()} == before


def test_progress_counts_the_modules_of_kernels() -> None:
    told: list[tuple[str, int, int | None]] = []
    warmup(progress=lambda *said: told.append(said))
    count = told[0][2]
    assert count is not None
    assert count > 20
    assert told == [("compiling kernels", done, count) for done in range(count + 1)]


def test_a_progress_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="progress must be True, False or a function"):
        warmup(progress="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("processes", [0, 65, 1.5, "2", True])
def test_a_number_of_processes_that_is_none_is_refused(processes: Any) -> None:
    with pytest.raises(InputError, match="processes must be an integer in 1"):
        warmup(processes=processes)


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_several_processes_warm_up_together() -> None:
    told: list[tuple[str, int, int | None]] = []
    warmup(progress=lambda *said: told.append(said), processes=2)
    assert [done for _, done, _ in told] == list(range(len(told)))
    assert told[-1][1] == told[-1][2]


def path_with(**environment: str) -> subprocess.CompletedProcess[str]:
    """Ask for the path in a new process, which has these environment variables."""
    command = [sys.executable, "-c", "import qkdpost; print(qkdpost.processor_path())"]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_the_path_is_seen_and_set() -> None:
    assert path_with(QKDPOST_CLMUL="").stdout.strip() in CLMUL_PATHS
    assert path_with(QKDPOST_CLMUL="portable").stdout.strip() == "portable"
    assert processor_path.__doc__ is not None
    assert [path for path in CLMUL_PATHS if f"`{path}`" not in processor_path.__doc__] == []


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_a_path_that_the_processor_lacks_is_refused() -> None:
    features = {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse4.2"}
    refused = path_with(QKDPOST_CLMUL="pclmul", **features)
    assert refused.returncode
    assert "QKDPOST_CLMUL=pclmul needs pclmul" in refused.stderr
    assert path_with(QKDPOST_CLMUL="", **features).stdout.strip() == "portable"
