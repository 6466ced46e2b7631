"""How much to disclose: code, punctured and shortened bits from an error rate, in integers alone.

Both hosts derive the same plan from the same numbers, so no float takes part; efficiencies are parts in a million. What
a frame needs disclosed follows the law of the code's waterfall (`qkdpost.reconciliation.ldpc.disclosure`), widened by
the doubt about the error rate.

Puncturing p bits and shortening s bits of a frame of n leaves n - p - s bits of key and discloses m - p bits, m being
the syndrome's length (Elkouss, Martinez-Mateo and Martin, Quantum Inf. Comput. 11, 226). In blind rounds (Martinez-
Mateo, Elkouss and Martin, Quantum Inf. Comput. 12, 791) punctured bits are revealed, one bit disclosed for each. That
count is exact because the columns of the punctured bits are independent (`qkdpost.reconciliation.ldpc.frame_layout`).

Frames that blind rounds left may have key bits revealed, twice, and as often as blind rounds were not needed for
punctured bits (`qkdpost.reconciliation.ldpc.extension`).

The plan says how much the first message discloses and how much there is to reveal; how much is revealed in each round
the corrector asks for (`qkdpost.reconciliation.ldpc.blind_rounds`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import whole_number
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.ldpc.codes import (
    frame_bits_of,
    manifest,
    puncturable_bits_of,
    syndrome_bits_of,
    well_puncturable_bits_of,
)
from qkdpost.reconciliation.ldpc.disclosure import (
    FAILURE_WIDTHS,
    FIRST_WIDTHS,
    disclosed_bits,
    needed_bits,
    waterfall_ppm,
)
from qkdpost.reconciliation.ldpc.frame_choice import (
    MAX_BLIND_ROUNDS,
    blind_rounds_for,
    frame_size,
    has_few_frames,
    most_frames,
    offered_codes,
    requests_for,
)
from qkdpost.statistics.entropy import entropy_ppm

__all__ = ["LdpcPlan", "NoSuitableCode", "plan_ldpc"]

# What follows decides how much is disclosed, never how much is charged. Chosen for efficiency and speed together by
# benchmarks/quality/ldpc_curve.py, coarsely: none is a property of the codes.
_LESS_WELL_COST_PERMILLE = 8
"""By how much more a plan counts as costing that punctures more bits than the best order of the code has."""
_VERY_FEW_CHECKS_PERMILLE = 20
"""Frames of a code of fewer checks hold so few errors that far more come oftener than the normal law says ..."""
_HEAVY_TAIL_PERMILLE = 1400
"""... so that enough for the last try lies so much farther above the middle."""
_TYPICAL_WIDTHS = 600
"""How far above the middle of the law a frame's disclosure ends on average, in thousandths of its width."""
_DOUBTS_BELOW = 1500
"""How far below the middle the first message stays for the doubt about the error rate, in thousandths of the doubt."""
_SHORTENING_COST_PERMILLE = 100
"""By how much more a plan counts as costing whose frames were all shortened: they are more and slower."""

_MAX_EXTENSION_PERMILLE = 250
"""Of a frame's key bits, how many may be revealed in the end."""

_MILLION = 1_000_000


class NoSuitableCode(InputError):
    """No shipped code corrects this error rate; another method may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LdpcPlan:
    """What both hosts agree on for one block.

    Args:
        code: name of a shipped code.
        block_bits: key bits of the block.
        frames: frames that the block is cut into.
        key_bits: key bits of a frame; the last few frames may hold one less.
        punctured_bits: bits of a frame that only the reference knows.
        shortened_bits: bits of a frame that everybody knows.
        blind_rounds: how often, at most, punctured bits of failed frames are revealed.
        error_rate_ppm: the estimate, errors in 10^6 bits.
        uncertainty_permille: its relative standard error, in thousandths.
        first_failures_permille: frames in a thousand that may fail when first tried, a key of `FAILURE_WIDTHS`.
        failures_permille: frames in a thousand that may fail when last tried, a key of `FAILURE_WIDTHS`.
    """

    code: str
    block_bits: int
    frames: int
    key_bits: int
    punctured_bits: int
    shortened_bits: int
    blind_rounds: int
    error_rate_ppm: int
    uncertainty_permille: int
    first_failures_permille: int
    failures_permille: int

    def __post_init__(self) -> None:
        if self.code not in manifest()["codes"]:
            raise ConfigurationError(f"code must be one of code_names(); found {self.code!r}")
        parts = (self.key_bits, self.punctured_bits, self.shortened_bits, self.blind_rounds)
        if min(parts) < 0 or sum(parts[:3]) != frame_bits_of(self.code) or not self.key_bits:
            raise ConfigurationError(
                f"key, punctured and shortened bits must add up to the code's {frame_bits_of(self.code)}, at least one "
                f"of key; found {self.key_bits}, {self.punctured_bits} and {self.shortened_bits}"
            )
        if not self.frames * (self.key_bits - 1) < self.block_bits <= self.frames * self.key_bits:
            raise ConfigurationError(
                f"{self.frames} frames of {self.key_bits} key bits, or of one bit less, must hold the block; found a "
                f"block of {self.block_bits} bits"
            )
        if self.punctured_bits > puncturable_bits_of(self.code):
            raise ConfigurationError(
                f"punctured_bits of code {self.code!r} must be at most {puncturable_bits_of(self.code)}, so that each "
                f"counts in full; found {self.punctured_bits}"
            )
        if not 1 <= self.error_rate_ppm < _MILLION // 2:
            raise ConfigurationError(f"error_rate_ppm must lie in 1 ... 499,999; found {self.error_rate_ppm}")
        if not {self.first_failures_permille, self.failures_permille} <= FAILURE_WIDTHS.keys():
            raise ConfigurationError(
                f"first_failures_permille and failures_permille must be among {sorted(FAILURE_WIDTHS)}; found "
                f"{self.first_failures_permille} and {self.failures_permille}"
            )

    @property
    def syndrome_bits(self) -> int:
        """Bits of a frame's syndrome."""
        return syndrome_bits_of(self.code)

    @property
    def frame_bits(self) -> int:
        """Bits of a frame of the code."""
        return self.key_bits + self.punctured_bits + self.shortened_bits

    @property
    def requests(self) -> int:
        """How often the corrector may ask for more: in blind rounds, and twice besides, if there are any."""
        return requests_for(self.blind_rounds)

    @property
    def extension_bits(self) -> int:
        """Key bits of a frame that may be revealed after the blind rounds."""
        return self.key_bits * _MAX_EXTENSION_PERMILLE // 1000 if self.blind_rounds else 0

    @property
    def first_leakage_bits(self) -> int:
        """Bits that the first message discloses about the block."""
        return self.frames * (self.syndrome_bits - self.punctured_bits)

    def frame_lengths(self) -> NDArray[np.int64]:
        """Return the key bits of each frame, as the block's bits are dealt to them in turn; shape (frames,)."""
        return (self.block_bits - np.arange(self.frames, dtype=np.int64) + self.frames - 1) // self.frames


def plan_ldpc(
    block_bits: int,
    *,
    error_rate_ppm: int,
    frame_bits: int = 1 << 16,
    first_failures_permille: int = 500,
    failures_permille: int = 1,
    blind_rounds: int = 4,
    uncertainty_permille: int = 30,
    decoder: str = "fast",
) -> LdpcPlan:
    """Return the plan for a block.

    Args:
        block_bits: key bits of the block, 1 or more.
        error_rate_ppm: the estimate, errors in 10^6 bits.
        frame_bits: length of a frame, one that the family offers; a block that fills less than about two thirds of
            such a frame gets shorter ones.
        first_failures_permille: frames in a thousand that may fail when they are first tried, a key of
            `FAILURE_WIDTHS`; the more, the less is disclosed and the longer it takes. More than is best for so many
            blind rounds do not fail at first, whatever is allowed. Without blind rounds of no use; and where a block
            has four frames or fewer as many as 900 may fail, for these are decoded in no time.
        failures_permille: frames in a thousand that may fail after the last round, a key of `FAILURE_WIDTHS` up to 500.
        blind_rounds: how many times more may be disclosed when decoding fails; twice as often where a block has four
            frames or fewer; 0 makes it one-way.
        uncertainty_permille: relative standard error of the estimate, in thousandths.
        decoder: whose waterfalls to plan by; those of "fast" for a decoder whose own were not measured.

    Raises:
        NoSuitableCode: no code corrects the error rate.
        InputError: an argument lies outside its range.
    """
    block_bits = whole_number("block_bits", block_bits, least=1)
    error_rate_ppm = whole_number("error_rate_ppm", error_rate_ppm, least=1, most=_MILLION // 2 - 1)
    blind_rounds = whole_number("blind_rounds", blind_rounds, most=MAX_BLIND_ROUNDS)
    uncertainty_permille = whole_number("uncertainty_permille", uncertainty_permille, most=500)
    first_failures_permille = _offered("first_failures_permille", first_failures_permille, 1000)
    failures_permille = _offered("failures_permille", failures_permille, 500)
    size = frame_size(block_bits, frame_bits)
    few = has_few_frames(block_bits, size)
    request = PlanRequest(
        block_bits=block_bits,
        error_rate_ppm=error_rate_ppm,
        uncertainty_permille=uncertainty_permille,
        blind_rounds=blind_rounds_for(block_bits, size, blind_rounds),
        first_failures_permille=max(FAILURE_WIDTHS) if few else first_failures_permille,
        failures_permille=failures_permille,
        decoder=decoder,
        few_frames=few,
    )
    limits = (well_puncturable_bits_of, puncturable_bits_of)
    fitted = [_fit_code(name, limit(name), request) for name in offered_codes(size) for limit in limits]
    chosen = min((fit for fit in fitted if fit is not None), key=lambda fit: (fit.cost, fit.code), default=None)
    if chosen is None:
        raise NoSuitableCode(f"no LDPC code corrects an error rate of {error_rate_ppm / 1e4:.2f} %; use Cascade")
    return _plan(chosen, request)


def _offered(name: str, failures: int, most: int) -> int:
    number = whole_number(name, failures, least=1, most=most)
    if number not in FAILURE_WIDTHS:
        raise InputError(f"{name} must be one of {sorted(FAILURE_WIDTHS)}; found {number}")
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What a plan is made for; fields as for `LdpcPlan`."""

    block_bits: int
    error_rate_ppm: int
    uncertainty_permille: int
    blind_rounds: int
    first_failures_permille: int
    failures_permille: int
    decoder: str
    few_frames: bool


@dataclass(frozen=True, slots=True)
class _Need:
    """What a code must disclose without puncturing, in 10^-6 bits for each key bit.

    `mean` is the middle of the law, `spread` its width by the waterfall, `doubt` with the doubt about the error rate, 1
    or more; the frame is to be tried first where `first` is disclosed, and last where `last` is.
    """

    mean: int
    spread: int
    doubt: int
    first: int
    last: int

    def expected(self, lowest: int, highest: int) -> int:
        """Return what is disclosed on average if the first message cannot disclose less than `lowest`.

        What a frame needs beyond `highest` is made up for by key bits, each of which lowers it by `mean` alone.
        """
        beyond = self._excess(self.mean - highest) * _MILLION // self.mean if self.mean else 0
        return self.mean + _TYPICAL_WIDTHS * self.spread // 1000 + self._excess(lowest - self.mean) + beyond

    def _excess(self, distance: int) -> int:
        """Return the mean of what exceeds 0 of a normal law about `distance`.

        Of a normal law of width s, E max(0, x) = s (phi(t) + t Phi(t)) where t = mean / s, here s (t + 1.8)^2 / 8.
        """
        above = max(0, 10 * distance + 18 * self.doubt)
        return max(distance, above * above // (800 * self.doubt)) if above else 0


@dataclass(frozen=True, slots=True)
class _Fit:
    """A code, how it cuts the block, and the bits that the whole will cost."""

    cost: int
    code: str
    frames: int
    key_bits: int
    punctured_bits: int


def _needs(name: str, key_bits: int, request: PlanRequest) -> _Need:
    """Return how much must be disclosed typically, first and last."""
    middle, width = waterfall_ppm(name, request.decoder, key_bits)
    rate, doubt = request.error_rate_ppm, request.uncertainty_permille
    entropy = entropy_ppm(rate)
    mean, spread = entropy * middle // _MILLION, entropy * width // _MILLION
    by_doubt = (entropy_ppm(min(_MILLION // 2, rate + rate * doubt // 1000)) - entropy) * middle // _MILLION
    both = max(1, isqrt(spread * spread + by_doubt * by_doubt))
    last = FAILURE_WIDTHS[request.failures_permille] * both // 1000
    if not request.blind_rounds:
        return _Need(mean, spread, both, mean + last, mean + last)
    # With great doubt the last level would lie so high that the first, which only puncturing can lower, overshoots.
    last = min(last, max(7 * both // 4, 2 * mean // 3 - 5 * both // 6))
    if request.few_frames:
        last = min(last, max(both, mean // 2 - both // 2))
    if 1000 * syndrome_bits_of(name) < _VERY_FEW_CHECKS_PERMILLE * frame_bits_of(name):
        last = last * _HEAVY_TAIL_PERMILLE // 1000
    widths = max(FIRST_WIDTHS[request.blind_rounds], FAILURE_WIDTHS[request.first_failures_permille])
    first = mean - _DOUBTS_BELOW * by_doubt // 1000 + widths * spread // 1000
    return _Need(mean, spread, both, min(first, mean + last), mean + last)


def _fit_code(name: str, max_punctured: int, request: PlanRequest) -> _Fit | None:
    """Return how the block is cut for this code, or None if the code discloses too little."""
    length, checks = frame_bits_of(name), syndrome_bits_of(name)
    if not request.blind_rounds:
        max_punctured = min(max_punctured, checks // 4)
    key_bits = min(request.block_bits, length - checks)
    for _ in range(2):
        need = _needs(name, key_bits, request)
        most = _max_key_bits(need, length, checks, max_punctured)
        frames = -(-request.block_bits // most) if most else 0
        key_bits = -(-request.block_bits // frames) if frames else 0
        if key_bits < 1 or request.block_bits <= frames * (key_bits - 1):
            return None
    if frames > most_frames(request.block_bits, length):
        return None
    first = disclosed_bits(-(-key_bits * need.first // _MILLION), checks)
    punctured = max(0, min(max_punctured, length - key_bits, checks - first))
    lowest = needed_bits(checks - punctured, checks) * _MILLION // key_bits
    highest = checks * _MILLION // key_bits
    expected = need.expected(lowest, highest) if request.blind_rounds else lowest
    cost = frames * disclosed_bits(-(-key_bits * expected // _MILLION), checks)
    if punctured > well_puncturable_bits_of(name):
        cost += cost * _LESS_WELL_COST_PERMILLE // 1000
    cost += cost * (length - key_bits - punctured) * _SHORTENING_COST_PERMILLE // (1000 * length)
    return _Fit(cost, name, frames, key_bits, punctured)


def _max_key_bits(need: _Need, length: int, checks: int, max_punctured: int) -> int:
    """Return the most key bits of a frame: all checks are enough in the end, and all places are used."""
    if need.last >= _MILLION or need.first < 1:
        return 0
    unshortened = max((length - checks) * _MILLION // (_MILLION - need.first), length - max_punctured)
    return min(checks * _MILLION // need.last, unshortened)


def _plan(fit: _Fit, request: PlanRequest) -> LdpcPlan:
    return LdpcPlan(
        code=fit.code,
        block_bits=request.block_bits,
        frames=fit.frames,
        key_bits=fit.key_bits,
        punctured_bits=fit.punctured_bits,
        shortened_bits=frame_bits_of(fit.code) - fit.key_bits - fit.punctured_bits,
        blind_rounds=request.blind_rounds,
        error_rate_ppm=request.error_rate_ppm,
        uncertainty_permille=request.uncertainty_permille,
        first_failures_permille=request.first_failures_permille,
        failures_permille=request.failures_permille,
    )
