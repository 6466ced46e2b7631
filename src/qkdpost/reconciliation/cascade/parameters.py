"""The parameter sets of Cascade that the literature names: block sizes of each pass.

Both hosts derive the same integers: the error rate comes as whole parts per million and no float takes part.
Sets after Martinez-Mateo, Pacher, Peev, Ciurana and Martin, "Demystifying the information reconciliation protocol
Cascade", Quantum Inf. Comput. 15, 453 (2015), arXiv 1407.3257, Tables 1 and 3; and two of our own, for long frames.

How many rounds a frame takes is given by the second pass. Its blocks are even or odd; an odd one shows one error, which
turns a block of the first pass, which shows another, and so on: a walk, each step of which takes the rounds of two
searches. With blocks of a few errors many short walks go on at once; with blocks of a dozen errors there are few, and
they are long. Long frames want small blocks: what is left over after two passes does not grow with the frame, and
later passes, of one parity each, find it, but for a share that each of them halves: of frames of 10,000 bits at 3 %
about one in 10,000 keeps an error.

In our own sets a search ends sooner: in a range that is short for the error rate an error is mostly alone, and the
parities of a Hamming code tell its place at once (`qkdpost._kernels.cascade.locating`), as many of them as halving the
range would ask one after another. In an eighth of a block of the first pass this costs nothing; the more errors are
found, the longer ranges may be. "balanced" takes half of the rounds so that it took by halving alone, for 0.1 to 0.4 %
more disclosed; "few-rounds", with shorter blocks, 25 to 60.

A block takes the rounds of its slowest frame. Its last walks are few: to cut their ranges in more parts than two costs
few parities, and a search takes a round for every two to five halvings. So late frames hurry
(`CascadeParameters.hurry_from`). The number of parts in all is bounded, for the sake of frames that are late because
the error rate is higher than its estimate, and have many ranges left: these are halved. Where less than a hundred
errors tell the rate, a frame counts as late the later, the fewer they are: of frames of which three compared errors
told too low a rate, those that hurried disclosed a quarter more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from qkdpost._kernels.cascade.locating import LONGEST
from qkdpost.checks import whole_number, whole_numbers
from qkdpost.errors import ConfigurationError

__all__ = ["NEVER", "PARAMETER_SETS", "CascadeParameters", "parameters_for"]

Rows: TypeAlias = tuple[tuple[int, int, int], ...]
"""From an error rate in parts per million on: k1, k2."""

_MILLION = 1_000_000
_MAX_FRAME_BITS = 1 << 20
_MAX_PASSES = 63
_KNOWN_WELL_PERMILLE = 100
NEVER = 1 << 40
"""A round that no frame reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeParameters:
    """The block sizes of each pass, for frames of `frame_bits`.

    The first pass takes the bits in their own order. A later pass whose blocks hold half of a frame or more divides
    each frame in two by a random subset; any other later pass divides it by a random permutation.

    Attributes:
        name: what the set is called; one of `PARAMETER_SETS`, or a name of your own.
        frame_bits: the length of the frames that the sizes are meant for, 1 to 2^20.
        block_bits: block size of each pass, in bits; 1 to 63 passes, each size at least 1.
        hurry_from: the round, counted from 0, from which a frame that still searches hurries: it asks at once where the
            error is in ranges of up to half of a block of the first pass, after `hurry_doubles` rounds of a whole one,
            and twice that many later of two, but of no more than 64 places. From then on it may cut the ranges that it
            searches into 4 parts in all at once, later 8, 16 and 32, each into the same power of two of them, and
            halves them where that gives less than 4 each. So the slowest frames take fewer rounds, and disclose more in
            them. None: never.
        hurry_doubles: after how many rounds a frame that hurries may search ranges twice as long at once, then make
            twice as many parts; 1 to 2^40.
        early_places: ranges of up to so many places, 0 to 64, are asked at once where their error is before frames
            hurry; 0: they are halved.
    """

    name: str
    frame_bits: int
    block_bits: tuple[int, ...]
    hurry_from: int | None = None
    hurry_doubles: int = 10
    early_places: int = 0

    def __post_init__(self) -> None:
        frame_bits = _frame_bits(self.frame_bits)
        block_bits = whole_numbers("block_bits", self.block_bits, least=1, error=ConfigurationError)
        if not 1 <= len(block_bits) <= _MAX_PASSES:
            raise ConfigurationError(
                f"block_bits must name the sizes of 1 to {_MAX_PASSES} passes; found {len(block_bits)}"
            )
        object.__setattr__(self, "frame_bits", frame_bits)
        object.__setattr__(self, "block_bits", block_bits)
        doubles = whole_number("hurry_doubles", self.hurry_doubles, least=1, most=NEVER, error=ConfigurationError)
        object.__setattr__(self, "hurry_doubles", doubles)
        early = whole_number("early_places", self.early_places, most=LONGEST, error=ConfigurationError)
        object.__setattr__(self, "early_places", early)
        if self.hurry_from is not None:
            first = whole_number("hurry_from", self.hurry_from, most=NEVER, error=ConfigurationError)
            object.__setattr__(self, "hurry_from", first)

    def for_length(self, length: int) -> tuple[int, ...]:
        """Return the block sizes for a frame of `length` bits, which may be shorter than `frame_bits`.

        No size is above `length`; a later size of half of either length or more is half of `length`. A frame of one
        bit needs the first pass only.
        """
        if length == 1:
            return (1,)
        half = (length + 1) // 2
        later = (half if 2 * size >= min(self.frame_bits, length) else size for size in self.block_bits[1:])
        return (min(self.block_bits[0], length), *later)


def parameters_for(name: str, qber_ppm: int, frame_bits: int, *, uncertainty_permille: int = 0) -> CascadeParameters:
    """Return the named set for an estimated error rate and a frame length.

    Args:
        name: one of `PARAMETER_SETS`.
        qber_ppm: estimated error rate of the bits in parts per million, 0 to 500,000. Rates below 10 count as 10.
        frame_bits: length of a frame in bits, 1 to 2^20.
        uncertainty_permille: relative standard error of the rate in thousandths, 0 to 1,000. Beyond 100, which is that
            of a hundred errors, frames hurry later, by the fourth power of how much higher than then the rate may be,
            by two standard errors; and before that no error is located.

    Raises:
        ConfigurationError: an unknown name, or a number out of its range.
    """
    if name not in PARAMETER_SETS:
        raise ConfigurationError(f"parameters of Cascade must be one of {', '.join(PARAMETER_SETS)}; found {name!r}")
    qber_ppm = whole_number("qber_ppm", qber_ppm, most=_MILLION // 2, error=ConfigurationError)
    frame_bits = _frame_bits(frame_bits)
    uncertainty = whole_number("uncertainty_permille", uncertainty_permille, most=1_000, error=ConfigurationError)
    sizes = PARAMETER_SETS[name](max(qber_ppm, 10), frame_bits)
    clamped = tuple(min(size, frame_bits) for size in sizes)
    own = CascadeParameters(name=name, frame_bits=frame_bits, block_bits=clamped)
    hurry = _HURRY.get(name)
    if hurry is None:
        return own
    first, doubles = hurry(max(qber_ppm, 10), clamped)
    unknown = 1_000 + 2 * max(0, uncertainty - _KNOWN_WELL_PERMILLE)
    early = min(LONGEST, clamped[0] // 8) if uncertainty <= _KNOWN_WELL_PERMILLE else 0
    return replace(own, hurry_from=first * unknown**4 // _MILLION**2, hurry_doubles=doubles, early_places=early)


def _frame_bits(frame_bits: int) -> int:
    return whole_number("frame_bits", frame_bits, least=1, most=_MAX_FRAME_BITS, error=ConfigurationError)


def _original(qber_ppm: int, frame_bits: int) -> tuple[int, ...]:
    """Four passes, k1 = ceil(0.73 / Q), doubled from pass to pass (Brassard and Salvail 1993)."""
    first = _ceiling_division(730_000, qber_ppm)
    return tuple(first << index for index in range(4))


def _yan(qber_ppm: int, frame_bits: int) -> tuple[int, ...]:
    """Ten passes, k1 = ceil(0.8 / Q), k2 = 5 k1, then halves (Yan et al. 2008)."""
    first = _ceiling_division(800_000, qber_ppm)
    return (first, 5 * first, *_halves(frame_bits, 8))


def _optimised(qber_ppm: int, frame_bits: int) -> tuple[int, ...]:
    """Sixteen passes, k1 = ceil(1 / Q), k2 = 2 k1, then halves."""
    first = _ceiling_division(_MILLION, qber_ppm)
    return (first, 2 * first, *_halves(frame_bits, 14))


def _power_of_two(qber_ppm: int, frame_bits: int) -> tuple[int, ...]:
    """Fourteen passes, k1 = 2^ceil(log2(1 / Q)), k2 = 4 k1, then halves."""
    first = 1
    while first * qber_ppm < _MILLION:
        first *= 2
    return (first, 4 * first, *_halves(frame_bits, 12))


# Table 3: error rate in parts per million, k1, k2, for frames of 2^14 bits with k3 = 4096.
_NEAR_OPTIMAL = (
    (5_000, 256, 1024),
    (10_000, 128, 512),
    (20_000, 64, 512),
    (30_000, 32, 512),
    (40_000, 32, 256),
    (50_000, 16, 256),
    (60_000, 16, 256),
    (70_000, 16, 256),
    (80_000, 8, 256),
    (90_000, 8, 256),
    (100_000, 8, 256),
    (110_000, 8, 256),
)


def _near_optimal(qber_ppm: int, frame_bits: int) -> tuple[int, ...]:
    """Fourteen passes after Table 3: k1 and k2 by error rate, k3 a quarter of the frame, then halves.

    Between two rows the nearer in ratio holds (squared rate against the product of the rows' rates). Beyond the
    ends the formula of the paper's Table 1 holds: with a = log2(1 / Q) - 1/2, k1 = 2^ceil(a) and
    k2 = 2^ceil((a + 12) / 2). k3 is the largest power of two up to a quarter of the frame, which is the published
    4096 at 2^14 bits; k2 never exceeds it.
    """
    first, second = _by_row(qber_ppm) if 5_000 <= qber_ppm <= 110_000 else _by_formula(qber_ppm)
    third = 1 << max(0, (frame_bits // 4).bit_length() - 1)
    return (min(first, third), min(second, third), third, *_halves(frame_bits, 11))


def _by_row(qber_ppm: int) -> tuple[int, int]:
    row = 0
    while row + 1 < len(_NEAR_OPTIMAL) and qber_ppm**2 > _NEAR_OPTIMAL[row][0] * _NEAR_OPTIMAL[row + 1][0]:
        row += 1
    return _NEAR_OPTIMAL[row][1:]


def _by_formula(qber_ppm: int) -> tuple[int, int]:
    # ceil(a) is the least m with 2^m >= 1 / (Q sqrt 2), that is 2 (2^m Q)^2 >= 1; and (a + 12) / 2 <= m is
    # a <= 2 m - 12.
    def least(step: int, start: int) -> int:
        exponent = start
        while 2 * (qber_ppm << exponent) ** 2 < _MILLION**2:
            exponent += step
        return exponent

    return 1 << least(1, 0), 1 << ((least(2, 0) + 12) // 2)


# From an error rate in parts per million on: k1, k2. By measurement, of frames of 2^16: the pair with the fewest rounds
# that is no less efficient than the near-optimal set with frames of 2^14 ...
_BALANCED = (
    (2_800, 256, 1024),
    (3_800, 256, 512),
    (5_600, 128, 512),
    (7_200, 128, 256),
    (11_000, 64, 256),
    (16_000, 64, 128),
    (22_500, 32, 128),
    (43_000, 16, 128),
    (60_000, 16, 64),
    (88_000, 8, 64),
    (177_000, 4, 64),
)
# ... and the most efficient pair that takes about 40 rounds at most; about 50 where LDPC discloses more than that, and
# less than any pair that takes 40.
_FEW_ROUNDS = (
    (1_300, 512, 512),
    (1_800, 256, 512),
    (2_700, 256, 256),
    (3_500, 128, 256),
    (5_500, 128, 128),
    (7_200, 64, 256),
    (9_000, 64, 128),
    (13_500, 64, 64),
    (20_000, 32, 64),
    (28_000, 32, 32),
    (42_000, 16, 32),
    (65_000, 8, 32),
    (84_000, 8, 16),
    (135_000, 4, 16),
)


def _by_rows(rows: Rows, qber_ppm: int, frame_bits: int) -> tuple[int, ...]:
    """Blocks of the sizes of a row, then halves: one more than the frame length has binary digits."""
    return (*_from_row(rows, qber_ppm), *_halves(frame_bits, frame_bits.bit_length() + 1))


def _hurry_when_few_search(qber_ppm: int, sizes: tuple[int, ...]) -> tuple[int, int]:
    """Return the round from which a frame of the set "balanced" hurries, and its `hurry_doubles`.

    How long its walks are grows with the errors expected in a block of the first pass times those in one of the second.
    By measurement, from 0.1 to 11 %, a block then takes half of the rounds, for 0.1 to 0.4 % more disclosed.
    """
    first = max(60, 30 * sizes[0] * sizes[1] * qber_ppm**2 // _MILLION**2 - 50)
    return first, first // 4 + 5


def _hurry_soon(qber_ppm: int, sizes: tuple[int, ...]) -> tuple[int, int]:
    """Return the same of the set "few-rounds": as soon as the blocks of both passes are searched."""
    return 8, 1


def _from_row(rows: Rows, qber_ppm: int) -> tuple[int, int]:
    """Return the sizes of the last row that begins at or below an error rate; below the first, those of 1 / Q."""
    sizes = next((row[1:] for row in reversed(rows) if row[0] <= qber_ppm), None)
    if sizes is None:
        first = 1 << (_MILLION // qber_ppm).bit_length() - 1
        sizes = first, 2 * first
    return sizes


def _halves(frame_bits: int, passes: int) -> tuple[int, ...]:
    return ((frame_bits + 1) // 2,) * passes


def _ceiling_division(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


PARAMETER_SETS: dict[str, Callable[[int, int], tuple[int, ...]]] = {
    "original": _original,
    "yan": _yan,
    "optimised": _optimised,
    "power-of-two": _power_of_two,
    "near-optimal": _near_optimal,
    "balanced": partial(_by_rows, _BALANCED),
    "few-rounds": partial(_by_rows, _FEW_ROUNDS),
}
"""The named sets: each gives the block sizes for an error rate in parts per million and a frame length."""

_HURRY: dict[str, Callable[[int, tuple[int, ...]], tuple[int, int]]] = {
    "balanced": _hurry_when_few_search,
    "few-rounds": _hurry_soon,
}
