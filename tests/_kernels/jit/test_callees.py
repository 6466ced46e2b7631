from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.jit.environment import JIT_ENABLED

pytestmark = pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")

CALL = """
from qkdpost._kernels.bits.runs import longest_run
import numpy as np
words = np.array([0x00F0_0000_0000_0000, 0xFF], dtype=np.uint64)
words.flags.writeable = False
print(longest_run(words, 128, np.uint64(0)))
"""
WITHOUT = "import sys; sys.modules['qkdpost._kernels.jit.{}'] = None"


@kernel
def shifted(value: int, by: int) -> int:
    return value << by


@kernel
def shifted_twice(values: np.ndarray) -> None:
    for index in range(values.size):
        values[index] = shifted(shifted(values[index], 1), 2)


@kernel
def ratio(above: int, below: int) -> int:
    return above // below


@kernel
def ratio_of_ones(below: int) -> int:
    return ratio(1, below)


def test_a_callee_is_compiled_into_its_caller_and_nowhere_else() -> None:
    values = np.arange(4)
    shifted_twice(values)
    assert values.tolist() == [0, 8, 16, 24]
    assert shifted.signatures == []
    # One for both literals, or none where the caller was found on disk.
    assert len(shifted.callee().nopython_signatures) <= 1


def test_a_callee_may_be_called_from_python_too() -> None:
    shifted_twice(np.arange(4))
    assert shifted(3, 2) == 12
    assert len(shifted.signatures) == 1


def test_an_error_in_a_callee_reaches_the_caller() -> None:
    assert ratio_of_ones(1) == 1
    with pytest.raises(ZeroDivisionError):
        ratio_of_ones(0)


def test_where_numba_moved_what_is_needed_results_are_the_same() -> None:
    printed = [
        subprocess.run([sys.executable, "-c", code + CALL], capture_output=True, text=True, check=True).stdout
        for code in ("", WITHOUT.format("callees"), WITHOUT.format("pipeline"))
    ]
    assert len(set(printed)) == 1
