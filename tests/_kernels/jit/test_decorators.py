"""Kernels become numba objects at the first call of any, and are then called without a detour."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qkdpost._kernels.jit.environment import JIT_ENABLED

pytestmark = pytest.mark.skipif(not JIT_ENABLED, reason="kernels stay plain Python")


def said_by(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def test_a_caller_has_the_numba_object_after_the_first_call() -> None:
    program = """
import qkdpost.bits as bits
before = type(bits.count_ones).__name__
assert bits.Bits.from_array([1, 0, 1]).weight() == 2
print(before, type(bits.count_ones).__name__, bits.count_ones.__name__)
"""
    assert said_by(program) == "_Deferred CPUDispatcher count_ones"


def test_a_name_bound_elsewhere_still_calls_the_kernel() -> None:
    program = """
import numpy as np
from qkdpost._kernels.bits.packing import count_ones
kept = [count_ones]
words = np.array([7], dtype=np.uint64)
print(count_ones(words), kept[0](words), type(kept[0]).__name__)
"""
    assert said_by(program) == "3 3 _Deferred"
