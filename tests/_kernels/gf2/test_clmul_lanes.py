from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost._kernels.gf2 import clmul_lanes as lanes
from qkdpost._kernels.gf2 import clmul_lowering as code
from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.jit.processor import CLMUL_PATHS, clmul_path, processor_features
from reference.polynomials import integer_of, product
from support.hashing_digest import digest

DIGEST_SCRIPT = Path(__file__).resolve().parents[2] / "support" / "hashing_digest.py"

Words = NDArray[np.uint64]


@kernel
def every_operation(a: Words, b: Words, output: Words) -> None:
    x = lanes.load(a, 0)
    y = lanes.load(b, 0)
    lanes.store(output, 0, lanes.multiply_low(x, y))
    lanes.store(output, 8, lanes.multiply_low_high(x, y))
    lanes.store(output, 16, lanes.multiply_high_low(x, y))
    lanes.store(output, 24, lanes.multiply_high(x, y))
    lanes.store(output, 32, lanes.raise_low(x))
    lanes.store(output, 40, lanes.lower_high(x))
    lanes.store(output, 48, lanes.swap_words(x))
    lanes.store(output, 56, lanes.even_lanes(x, y))
    lanes.store(output, 64, lanes.odd_lanes(x, y))
    lanes.store(output, 72, lanes.interleave_low(x, y))
    lanes.store(output, 80, lanes.interleave_high(x, y))
    lanes.store(output, 88, lanes.low_halves(x, y))
    lanes.store(output, 96, lanes.high_halves(x, y))
    lanes.store(output, 104, lanes.low_words(x, y))
    lanes.store(output, 112, lanes.high_words(x, y))
    lanes.store(output, 120, lanes.previous_words(x))
    lanes.store(output, 128, lanes.last_to_first(x))
    lanes.store(output, 136, lanes.xor(x, y))
    lanes.store(output, 144, lanes.and_(x, y))
    lanes.store(output, 152, lanes.shift_up(x, 13))
    lanes.store(output, 160, lanes.shift_down(x, 63))
    lanes.store(output, 168, lanes.broadcast_lane(a, 6))
    lanes.store(output, 176, lanes.broadcast(a[3], b[4]))
    lanes.store(output, 184, lanes.previous_eight(x))
    lanes.store(output, 192, lanes.last_of_eight(x))
    lanes.store(output, 200, lanes.upper_to_lower(x))
    lanes.store(output, 208, lanes.lower_to_upper(x))


OPERATIONS = 27


def vectors(count: int) -> list[tuple[Words, Words]]:
    generator = np.random.default_rng(1)
    drawn = [tuple(generator.integers(0, 2**64, 8, dtype=np.uint64) for _ in range(2)) for _ in range(count)]
    full = np.full(8, 2**64 - 1, dtype=np.uint64)
    return [(full, full), (np.zeros(8, np.uint64), full), *[(pair[0], pair[1]) for pair in drawn]]


@pytest.mark.parametrize(("first_word", "second_word"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_products_equal_those_of_integers(first_word: int, second_word: int) -> None:
    for a, b in vectors(20):
        output = np.zeros(8 * OPERATIONS, dtype=np.uint64)
        every_operation(a, b, output)
        start = 16 * first_word + 8 * second_word
        for lane in range(4):
            expected = product(int(a[2 * lane + first_word]), int(b[2 * lane + second_word]))
            assert integer_of(output[start + 2 * lane : start + 2 * lane + 2]) == expected


def test_compiled_operations_equal_the_functions_as_written() -> None:
    written = {name: getattr(getattr(lanes, name), "__wrapped__", getattr(lanes, name)) for name in lanes.__all__}
    for a, b in vectors(5):
        output = np.zeros(8 * OPERATIONS, dtype=np.uint64)
        every_operation(a, b, output)
        two = ["even_lanes", "odd_lanes", "interleave_low", "interleave_high", "low_halves", "high_halves"]
        two += ["low_words", "high_words"]
        expected = [written[name](a, b) for name in ("multiply_low", "multiply_low_high")]
        expected += [written[name](a, b) for name in ("multiply_high_low", "multiply_high")]
        expected += [written[name](a) for name in ("raise_low", "lower_high", "swap_words")]
        expected += [written[name](a, b) for name in two]
        expected += [written[name](a) for name in ("previous_words", "last_to_first")]
        expected += [written["xor"](a, b), written["and_"](a, b)]
        expected += [written["shift_up"](a, 13), written["shift_down"](a, 63)]
        expected += [written["broadcast_lane"](a, 6), written["broadcast"](a[3], b[4])]
        moves = ("previous_eight", "last_of_eight", "upper_to_lower", "lower_to_upper")
        expected += [written[name](a) for name in moves]
        assert (output == np.concatenate(expected)).all()


def test_shuffles_undo_each_other() -> None:
    (a, b), zero = vectors(1)[-1], np.zeros(8, np.uint64)
    even, odd = code.picked(code.EVEN_LANES, a, b), code.picked(code.ODD_LANES, a, b)
    assert (code.picked(code.INTERLEAVE_LOW, even, odd) == a).all()
    assert (code.picked(code.INTERLEAVE_HIGH, even, odd) == b).all()
    low, high = code.picked(code.LOW_WORDS, a, b), code.picked(code.HIGH_WORDS, a, b)
    assert (code.picked(code.LOW_WORDS, low, high) == a).all()
    assert (code.picked(code.HIGH_WORDS, low, high) == b).all()
    assert (code.picked(code.RAISE_LOW, a, zero)[1::2] == a[0::2]).all()


def available_paths() -> list[str]:
    return [path for path, needed in CLMUL_PATHS.items() if needed <= processor_features()]


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}, reason="nothing is compiled")
@pytest.mark.parametrize("path", CLMUL_PATHS)
def test_every_path_of_this_processor_gives_the_same_bits(path: str) -> None:
    environment = {**os.environ, "QKDPOST_CLMUL": path}
    command = [sys.executable, str(DIGEST_SCRIPT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if path not in available_paths():
        assert done.returncode
        assert "lacks" in done.stderr
        return
    assert done.stdout.split() == [path, digest()], done.stderr


def test_uncompiled_kernels_give_the_same_bits() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-W", "error", str(DIGEST_SCRIPT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout.split() == ["portable", digest()], done.stderr


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}, reason="nothing is compiled")
def test_the_best_path_is_chosen() -> None:
    if not os.environ.get("QKDPOST_CLMUL"):
        assert clmul_path() == available_paths()[0]


def assembly(path: str, triple: str, features: str) -> str:
    """Return the assembly of one product on `path` for another machine."""
    from llvmlite import binding, ir

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = ir.Module()
    module.triple = triple
    vector = ir.VectorType(ir.IntType(64), 8)
    pointer = vector.as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer] * 3), "product")
    builder = ir.IRBuilder(function.append_basic_block())
    a, b, output = function.args
    result = code.emit_product(builder, path, builder.load(a), builder.load(b), 1, 0)
    builder.store(result, output)
    builder.ret_void()
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    machine = binding.Target.from_triple(triple).create_target_machine(features=features, opt=2)
    return str(machine.emit_assembly(parsed))


def test_the_arm_path_compiles_for_its_target() -> None:
    text = assembly("pmull", "aarch64-unknown-linux-gnu", "+neon,+aes")
    assert text.count("pmull") == 4


@pytest.mark.parametrize(
    ("path", "features", "count"),
    [
        ("vpclmul512", "+avx512f,+avx512vl,+vpclmulqdq", 1),
        ("vpclmul256", "+avx2,+vpclmulqdq", 2),
        ("pclmul", "+pclmul", 4),
    ],
)
def test_the_x86_paths_compile_to_one_instruction_a_register(path: str, features: str, count: int) -> None:
    assert assembly(path, "x86_64-unknown-linux-gnu", features).count("pclmul") == count
