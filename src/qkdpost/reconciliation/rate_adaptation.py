"""How much to disclose: code, punctured and shortened bits from an error rate, in integers alone.

Both hosts derive the same plan from the same numbers, so no float takes part. The entropy comes
from binary logarithms by squaring of integers; efficiencies are parts in a million. A code's *waterfall* is kept in the
manifest as the efficiency at which half of the frames fail and the width of a normal law around it, as measured; a
target failure rate is a number of widths.

Puncturing p bits and shortening s bits of a frame of n leaves n - p - s bits of key and discloses m - p bits, m being
the syndrome's length (Elkouss, Martinez-Mateo and Martin, Quantum Inf. Comput. 11, 226). In blind rounds (Martinez-
Mateo, Elkouss and Martin, Quantum Inf. Comput. 12, 791) punctured bits are revealed, one bit disclosed for each. That
count is exact because no two punctured bits share a check: their columns are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.ldpc_codes import code_names, manifest
from qkdpost.reconciliation.ldpc_layout import untainted_count

__all__ = ["FAILURE_WIDTHS", "LdpcPlan", "entropy_ppm", "plan_ldpc"]

FAILURE_WIDTHS = {500: 0, 100: 1282, 10: 2326, 1: 3090}
"""Target frame failures in a thousand, and how many thousandths of the waterfall's width lie between."""

_MILLION = 1_000_000
_LOG_BITS = 40


def _log2(number: int) -> int:
    """Return log2 of a positive integer in units of 2^-40, rounded down, by repeated squaring of its mantissa."""
    exponent = number.bit_length() - 1
    mantissa = (number << 64) >> exponent
    result = exponent
    for _ in range(_LOG_BITS):
        mantissa = (mantissa * mantissa) >> 64
        above = mantissa >> 65
        mantissa >>= above
        result = 2 * result + above
    return result


@cache
def entropy_ppm(error_rate_ppm: int) -> int:
    """Return the binary entropy of an error rate, both in parts per million, rounded up; 1 to 999,999."""
    if not 1 <= error_rate_ppm < _MILLION:
        raise InputError(f"error_rate_ppm must lie in 1 ... 999999, found {error_rate_ppm}")
    whole = _log2(_MILLION)
    total = sum(part * (whole - _log2(part)) for part in (error_rate_ppm, _MILLION - error_rate_ppm))
    return int(-(-total >> _LOG_BITS))


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
        revealed_bits: punctured bits revealed in each blind round.
        error_rate_ppm: that the decoder expects, in 10^6.
    """

    code: str
    block_bits: int
    frames: int
    key_bits: int
    punctured_bits: int
    shortened_bits: int
    blind_rounds: int
    revealed_bits: int
    error_rate_ppm: int

    def __post_init__(self) -> None:
        entry = manifest()["codes"].get(self.code)
        if entry is None:
            raise ConfigurationError(f"there is no code {self.code!r}")
        parts = (self.key_bits, self.punctured_bits, self.shortened_bits, self.blind_rounds, self.revealed_bits)
        if min(parts) < 0 or sum(parts[:3]) != entry["columns"] * entry["size"] or not self.key_bits:
            raise ConfigurationError("key, punctured and shortened bits must fill the code's frame")
        if not self.frames * (self.key_bits - 1) < self.block_bits <= self.frames * self.key_bits:
            raise ConfigurationError(f"{self.block_bits} bits do not fill {self.frames} frames of {self.key_bits}")
        if self.blind_rounds * self.revealed_bits > self.punctured_bits:
            raise ConfigurationError("more bits would be revealed than are punctured")
        if self.punctured_bits > untainted_count(self.code):
            raise ConfigurationError("so many bits cannot be punctured without sharing a check")
        if not 1 <= self.error_rate_ppm < _MILLION // 2:
            raise ConfigurationError(f"error_rate_ppm must lie in 1 ... 499999, found {self.error_rate_ppm}")

    @property
    def syndrome_bits(self) -> int:
        """Bits of a frame's syndrome."""
        entry = manifest()["codes"][self.code]
        return int(entry["rows"] * entry["size"])

    @property
    def frame_bits(self) -> int:
        """Bits of a frame of the code."""
        return self.key_bits + self.punctured_bits + self.shortened_bits

    @property
    def first_leakage_bits(self) -> int:
        """Bits that the first message discloses about the block."""
        return self.frames * (self.syndrome_bits - self.punctured_bits)


def plan_ldpc(
    block_bits: int,
    *,
    error_rate_ppm: int,
    frame_bits: int = 1 << 16,
    first_failures_permille: int = 100,
    failures_permille: int = 1,
    blind_rounds: int = 3,
    uncertainty_permille: int = 30,
    least_efficiency_ppm: int = _MILLION,
    decoder: str = "fast",
) -> LdpcPlan:
    """Return the plan for a block.

    Args:
        block_bits: key bits of the block, 1 or more.
        error_rate_ppm: the estimate, errors in 10^6 bits.
        frame_bits: length of a frame, one that the family offers; a block that fills less than about two thirds of
            such a frame gets shorter ones.
        first_failures_permille: frames in a thousand that may fail before the first blind round, a key of
            `FAILURE_WIDTHS`; the more, the less is disclosed and the longer it takes. Without blind rounds of no use.
        failures_permille: frames in a thousand that may fail after the last round, a key of `FAILURE_WIDTHS`.
        blind_rounds: how many times more may be disclosed when decoding fails; 0 makes it one-way.
        uncertainty_permille: relative standard error of the estimate, in thousandths. The last round provides for
            twice that.
        least_efficiency_ppm: disclose at least this multiple of the entropy: decoding takes fewer iterations.
        decoder: whose waterfalls to plan by.

    Raises:
        InputError: an argument lies outside its range.
    """
    if block_bits < 1 or not 1 <= error_rate_ppm < _MILLION // 2:
        raise InputError(
            f"cannot plan {block_bits} bits at {error_rate_ppm} errors in 10^6; want 1 or more, below half"
        )
    if not {first_failures_permille, failures_permille} <= FAILURE_WIDTHS.keys():
        raise InputError(f"frame failures in a thousand must be one of {sorted(FAILURE_WIDTHS)}")
    if not 0 <= blind_rounds <= 16 or not 0 <= uncertainty_permille <= 500:
        raise InputError("blind_rounds must lie in 0 ... 16, uncertainty_permille in 0 ... 500")
    size = _frame_size(block_bits, frame_bits)
    worst_ppm = min(_MILLION // 2 - 1, error_rate_ppm * (1000 + 2 * uncertainty_permille) // 1000)
    last = _Need(failures_permille, entropy_ppm(worst_ppm), least_efficiency_ppm)
    first = _Need(first_failures_permille, entropy_ppm(error_rate_ppm), least_efficiency_ppm) if blind_rounds else last
    plans = []
    for name in code_names():
        if _entry(name)["columns"] * _entry(name)["size"] == size:
            plan = _plan_code(name, block_bits, error_rate_ppm, blind_rounds, first, last, decoder)
            if plan is not None:
                plans.append(plan)
    if not plans:
        raise InputError(f"no code of the family corrects {error_rate_ppm} errors in 10^6; use Cascade")
    return min(plans, key=lambda plan: (plan.first_leakage_bits, plan.code))


@dataclass(frozen=True, slots=True)
class _Need:
    """How much must be disclosed at some point of the conversation."""

    failures_permille: int
    entropy: int
    least_efficiency: int

    def per_key_bit(self, name: str, decoder: str, lost_permille: int) -> int:
        """Return it in 10^-6 bits for each key bit, for a code that loses `lost_permille` by adaptation."""
        waterfalls = _entry(name)["waterfall"]
        middle, width = map(int, waterfalls.get(decoder, waterfalls["fast"]))
        efficiency = (middle + width * FAILURE_WIDTHS[self.failures_permille] // 1000) * (1000 + lost_permille) // 1000
        return max(efficiency, self.least_efficiency) * self.entropy // _MILLION


def _plan_code(
    name: str, block_bits: int, error_rate_ppm: int, rounds: int, first: _Need, last: _Need, decoder: str
) -> LdpcPlan | None:
    """Return the plan that uses this code, or None if it discloses too little."""
    lost = 0
    plan = None
    for _ in range(2):
        needs = (first.per_key_bit(name, decoder, lost), last.per_key_bit(name, decoder, lost))
        plan = _fit(name, block_bits, error_rate_ppm, rounds, needs)
        if plan is None:
            return None
        # What puncturing and shortening cost, as measured: 12 and 6 % of their fractions.
        lost = 120 * plan.punctured_bits // plan.syndrome_bits + 60 * plan.shortened_bits // plan.frame_bits
    return plan


def _fit(name: str, block_bits: int, error_rate_ppm: int, rounds: int, needs: tuple[int, int]) -> LdpcPlan | None:
    entry = _entry(name)
    length, checks = entry["columns"] * entry["size"], entry["rows"] * entry["size"]
    first, last = min(needs), max(needs)
    if first >= _MILLION:
        return None
    # The most key bits that a frame can hold: so that all checks are enough in the end, and that all places are used.
    most = min(checks * _MILLION // last, (length - checks) * _MILLION // (_MILLION - first))
    if most < 64:
        return None
    frames = -(-block_bits // most)
    key_bits = -(-block_bits // frames)
    if block_bits <= frames * (key_bits - 1):
        return None
    punctured = min(untainted_count(name), length - key_bits, checks - -(-key_bits * first // _MILLION))
    extra = -(-key_bits * (last - first) // _MILLION)
    revealed = min(-(-extra // rounds), punctured // rounds) if rounds else 0
    return LdpcPlan(
        code=name,
        block_bits=block_bits,
        frames=frames,
        key_bits=key_bits,
        punctured_bits=punctured,
        shortened_bits=length - key_bits - punctured,
        blind_rounds=rounds if revealed else 0,
        revealed_bits=revealed,
        error_rate_ppm=error_rate_ppm,
    )


def _frame_size(block_bits: int, frame_bits: int) -> int:
    sizes = sorted({int(_entry(name)["columns"] * _entry(name)["size"]) for name in code_names()})
    if frame_bits not in sizes:
        raise InputError(f"frame_bits must be one of {sizes}, found {frame_bits}")
    fitting = [size for size in sizes if size <= frame_bits and 3 * block_bits >= 2 * size]
    return fitting[-1] if fitting else sizes[0]


def _entry(name: str) -> dict[str, Any]:
    entry: dict[str, Any] = manifest()["codes"][name]
    return entry
