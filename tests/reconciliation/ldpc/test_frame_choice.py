"""Into which frames a block may be cut, and that no block takes more verdicts than are reckoned with beforehand."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.ldpc.codes import frame_bits_of, frame_lengths
from qkdpost.reconciliation.ldpc.conversation import ldpc_corrector, ldpc_reference
from qkdpost.reconciliation.ldpc.disclosure import FAILURE_WIDTHS
from qkdpost.reconciliation.ldpc.frame_choice import (
    MAX_BLIND_ROUNDS,
    frame_size,
    most_frames,
    most_verdict_bits,
    offered_codes,
    requests_for,
)
from qkdpost.reconciliation.ldpc.plan import LdpcPlan, NoSuitableCode, plan_ldpc

LINKS = st.fixed_dictionaries(
    {"frame_bits": st.sampled_from(frame_lengths()), "blind_rounds": st.integers(0, MAX_BLIND_ROUNDS)}
)
"""What a link asks for."""
BLOCKS = st.fixed_dictionaries(
    {
        "error_rate_ppm": st.integers(0, 5690).map(lambda tenths: min(499_999, int(10 ** (tenths / 1000)))),
        "uncertainty_permille": st.integers(0, 500),
        "first_failures_permille": st.sampled_from(sorted(FAILURE_WIDTHS)),
        "decoder": st.sampled_from(["fast", "accurate"]),
    }
)
"""What a block turns out to have."""
SIZES = st.floats(0.0, 24.0).map(lambda exponent: int(2.0**exponent))


def _planned(block_bits: int, link: dict[str, int], found: dict[str, int | str]) -> LdpcPlan | None:
    try:
        return plan_ldpc(block_bits, **link, **found)  # type: ignore[arg-type]
    except NoSuitableCode:
        return None


@given(SIZES, st.floats(1.0, 8.0), LINKS, BLOCKS)
@settings(max_examples=120)
def test_no_plan_takes_more_verdicts_than_a_block_of_its_size_or_a_longer_one_is_reckoned_with(
    block_bits: int, longer: float, link: dict[str, int], found: dict[str, int | str]
) -> None:
    plan = _planned(block_bits, link, found)
    if plan is not None:
        assert plan.frames <= most_frames(block_bits, plan.frame_bits)
        assert plan.frames * (1 + plan.requests) <= most_verdict_bits(block_bits, **link)
    assert most_verdict_bits(block_bits, **link) <= most_verdict_bits(int(block_bits * longer), **link)


@given(st.integers(1, 40_000), st.integers(0, 4), st.floats(0.002, 0.1), st.floats(0.3, 3.0), st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_no_conversation_takes_more_however_wrong_the_estimate(
    block_bits: int, blind_rounds: int, estimate: float, factor: float, seed: int
) -> None:
    link = {"frame_bits": 1 << 14, "blind_rounds": blind_rounds}
    plan = plan_ldpc(block_bits, error_rate_ppm=int(1e6 * estimate), **link)
    generator = np.random.default_rng(seed)
    reference = generator.integers(0, 2, block_bits, dtype=np.uint8)
    errors = (generator.random(block_bits) < estimate * factor).astype(np.uint8)
    ours, theirs = drive(
        ldpc_reference(Bits.from_array(reference), plan=plan, seed=bytes(32), random_source=secrets.token_bytes),
        ldpc_corrector(Bits.from_array(reference ^ errors), plan=plan, seed=bytes(32)),
    )
    assert ours.verdict_bits == theirs.verdict_bits <= most_verdict_bits(block_bits, **link)


@pytest.mark.parametrize("frame_bits", frame_lengths())
@pytest.mark.parametrize("blind_rounds", [0, 3, 16])
def test_what_is_reckoned_with_is_not_far_from_what_whole_frames_take(frame_bits: int, blind_rounds: int) -> None:
    """It is set aside of every block's key: three verdicts for one at most, of frames as long as low rates have."""
    block_bits = 2**25
    longest = min(frame_bits, 2**16)
    whole = block_bits // longest * (1 + requests_for(blind_rounds))
    assert whole < most_verdict_bits(block_bits, frame_bits=frame_bits, blind_rounds=blind_rounds) < 3 * whole


def test_frames_are_shorter_where_a_block_fills_none() -> None:
    assert [frame_size(bits, 2**20) for bits in (1, 43_690, 43_691, 174_763, 699_051)] == [
        2**14, 2**14, 2**16, 2**18, 2**20,
    ]  # fmt: skip
    assert frame_size(2**30, 2**16) == 2**16
    with pytest.raises(InputError, match="frame_bits of LDPC must be one of"):
        frame_size(1000, 1000)


@pytest.mark.parametrize("size", frame_lengths())
def test_every_length_has_codes_and_none_is_longer(size: int) -> None:
    lengths = {frame_bits_of(name) for name in offered_codes(size)}
    assert size in lengths
    assert max(lengths) == size
