"""Both sides in one process: what is charged, and what is said of arguments that are wrong."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation import reconcile
from qkdpost.reconciliation.cascade.correction import CascadePlan
from qkdpost.reconciliation.cascade.parameters import CascadeParameters, parameters_for
from qkdpost.reconciliation.correction import Corrected
from qkdpost.reconciliation.in_process import _both_sides
from qkdpost.reconciliation.ldpc.plan import NoSuitableCode, plan_ldpc
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.threads import sharing

SEED = bytes(range(32))


@pytest.fixture(autouse=True)
def _fixed_punctured_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call draw the same punctured bits: whether a frame is found hangs on them, if seldom."""
    monkeypatch.setattr(os, "urandom", lambda count: np.random.default_rng(8).bytes(count))


def _strings(length: int, error_rate: float, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    reference = generator.integers(0, 2, length, dtype=np.uint8)
    return reference, reference ^ (generator.random(length) < error_rate).astype(np.uint8)


@pytest.mark.parametrize(("true", "estimate"), [(0.04, 0.02), (0.06, 0.02), (0.10, 0.02)])
def test_too_low_an_estimate_is_made_up_for_and_paid(true: float, estimate: float) -> None:
    """Frames that LDPC cannot correct, all 16 of 16, end correct; the price is the whole of what was said."""
    reference, noisy = _strings(1 << 18, true, 1)
    done = reconcile(reference, noisy, method="ldpc", qber=estimate, frame_bits=1 << 14, seed=SEED)
    assert done.bits == Bits.from_array(reference)
    assert done.residual_frames == 0
    assert done.corrected_bits == np.count_nonzero(reference != noisy)
    assert 1.0 < done.efficiency <= 1 / binary_entropy(true) + 0.1
    assert done.frames >= 16
    assert done.found_frames + done.failed_frames == done.frames


@pytest.mark.parametrize("true", [0.06, 0.10])
def test_frames_that_are_given_up_are_told_and_charged_whole(true: float) -> None:
    reference, noisy = _strings(1 << 18, true, 2)
    done = reconcile(
        reference, noisy, method="ldpc", qber=0.02, frame_bits=1 << 14, blind_rounds=0, fallback="drop", seed=SEED
    )
    assert done.failed_frames == done.residual_frames == done.frames
    assert done.rounds == 2
    # All bits once, and one verdict a frame; what the syndromes told of these bits is in there.
    assert done.leakage_bits == reference.size + done.frames
    assert done.efficiency > 1 / binary_entropy(true) - 0.05


@pytest.mark.parametrize("error_rate", [0.11, 0.2, 0.3, 0.4, 0.5])
def test_no_frame_is_charged_more_than_its_bits(error_rate: float) -> None:
    """Of 20,000 bits at 50 % Cascade sends 26,000 parities and more; they tell 20,000 bits at most."""
    reference, noisy = _strings(20_000, error_rate, 3)
    done = reconcile(reference, noisy, qber=error_rate, frame_bits=1 << 14, seed=SEED)
    assert done.leakage_bits <= reference.size
    assert done.leakage_bits >= min(0.99 * reference.size, reference.size * binary_entropy(error_rate))
    assert done.residual_frames == 0
    assert done.frames == 2


@pytest.mark.parametrize("length", [1, 63, 500])
def test_a_string_that_is_shorter_than_a_syndrome_is_charged_its_length(length: int) -> None:
    reference, noisy = _strings(length, 0.03, 4)
    done = reconcile(reference, noisy, method="ldpc", qber=0.03, seed=SEED)
    assert done.bits == Bits.from_array(reference)
    assert done.leakage_bits <= length + 4  # and four verdicts on the one frame at most


def test_the_frames_of_ldpc_are_its_own() -> None:
    reference, noisy = _strings(300_000, 0.02, 5)
    done = reconcile(reference, noisy, method="ldpc", qber=0.02, seed=SEED)
    assert done.frames == plan_ldpc(300_000, error_rate_ppm=20_000, first_failures_permille=300).frames
    assert (done.failed_frames, done.found_frames) == (0, done.frames)


def test_strings_that_differ_nearly_everywhere_have_the_entropy_of_their_agreement() -> None:
    reference, noisy = _strings(4000, 0.97, 6)
    done = reconcile(reference, noisy, qber=0.5, frame_bits=1000, seed=SEED)
    share = np.count_nonzero(reference == noisy) / reference.size
    assert done.efficiency == pytest.approx(done.leakage_bits / (4000 * binary_entropy(share)), rel=1e-12)


@pytest.mark.parametrize("method", ["cascade", "ldpc"])
@pytest.mark.parametrize("width", [np.int16, np.uint16, np.int32, np.int64, np.uint64])
def test_numbers_of_any_width_are_the_number_itself(method: str, width: Any) -> None:
    reference, noisy = _strings(30_000, 0.02, 7)
    plain = reconcile(reference, noisy, method=method, qber=0.02, frame_bits=1 << 14, seed=SEED)
    same = reconcile(
        reference, noisy, method=method, qber=np.float64(0.02), frame_bits=width(1 << 14),
        first_failures_permille=width(300), blind_rounds=width(4), seed=bytearray(SEED),
    )  # fmt: skip
    assert (same.bits, same.rounds, same.leakage_bits) == (plain.bits, plain.rounds, plain.leakage_bits)
    parameters = CascadeParameters(name="own", frame_bits=width(1000), block_bits=(width(20), width(40)))
    assert [type(number) for number in (parameters.frame_bits, *parameters.block_bits)] == [int] * 3
    assert parameters_for("yan", width(30_000), width(1 << 14)) == parameters_for("yan", 30_000, 1 << 14)
    assert plan_ldpc(width(30_000), error_rate_ppm=width(20_000), frame_bits=width(1 << 14)) == plan_ldpc(
        30_000, error_rate_ppm=20_000, frame_bits=1 << 14
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frame_bits", 1024.0),
        ("frame_bits", True),
        ("frame_bits", 0),
        ("frame_bits", (1 << 20) + 1),
        ("frame_bits", "1024"),
        ("method", "cascad"),
        ("method", 3),
        ("parameters", "yann"),
        ("decoder", "slow"),
        ("fallback", "stop"),
        ("qber", math.nan),
        ("qber", -0.01),
        ("qber", 0.51),
        ("qber", "0.02"),
        ("qber", np.array([0.1, 0.2])),
        ("qber", True),
        ("seed", b"short"),
        ("seed", "x" * 32),
        ("blind_rounds", 17),
        ("blind_rounds", 1.0),
        ("first_failures_permille", 0.3),
    ],
)
def test_an_error_names_the_argument(name: str, value: object) -> None:
    arguments: dict[str, Any] = {"qber": 0.02, name: value}
    with pytest.raises(InputError, match=name):
        reconcile([0, 1] * 500, [0, 1] * 500, **arguments)


def test_errors_of_ldpc_name_the_argument() -> None:
    bits = [0, 1] * 500
    for name, value in (("frame_bits", 1 << 15), ("first_failures_permille", 299)):
        arguments: dict[str, Any] = {"qber": 0.02, "method": "ldpc", name: value}
        with pytest.raises(InputError, match=name):
            reconcile(bits, bits, **arguments)
    with pytest.raises(InputError, match="block_bits"):
        reconcile([], [], method="ldpc", qber=0.02)
    with pytest.raises(NoSuitableCode, match="use Cascade"):
        reconcile(bits, bits, method="ldpc", qber=0.4)
    with pytest.raises(InputError, match=r"reference_bits and noisy_bits.*1000 and 3"):
        reconcile(bits, bits[:3], method="ldpc", qber=0.02)


@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("length", [3_000, 16_000, 23_990, 24_007, 40_001])
def test_frames_corrected_in_threads_of_their_own_are_as_together(
    length: int, waiting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole frames, a last one that is filled up, a last one that is short, and a block some of whose frames wait."""
    monkeypatch.setattr("qkdpost.threads.pieces._processors", lambda: 3)
    if waiting:
        monkeypatch.setattr("qkdpost.reconciliation.cascade.frames._BITS_IN_WORK", 20_000)
    rng = np.random.default_rng(length)
    reference = Bits.from_array(rng.integers(0, 2, length, dtype=np.uint8))
    noisy = reference ^ Bits.from_array((rng.random(length) < 0.04).astype(np.uint8))
    plan = CascadePlan(parameters=parameters_for("few-rounds", 40_000, 1_000))
    alone = _both_sides(reference, noisy, plan, bytes(32))
    with ThreadPoolExecutor(2) as executor, sharing(executor):
        shared = _both_sides(reference, noisy, plan, bytes(32))
    for one, other in zip(alone, shared, strict=True):
        for field in fields(Corrected):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name
    assert alone[0].frames == -(-length // 1_000)
