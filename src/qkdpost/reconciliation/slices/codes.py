"""The codes of each bit of a label, by length of frame.

The first bit needs most checks, the second is nearly known once the first is, and the third is known but for one real
in a hundred frames: the parity of every 64th real tells among which the wrong one is, and the decoder turns the least
reliable bit of these. (A code of one row of circulants without shifts, for decoders one like any other.) All run on
soft values, by the decoders of `qkdpost.reconciliation.ldpc.decoders`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import numpy as np

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code, manifest_digest

__all__ = ["CODED_LEVELS", "LevelCodes", "frame_lengths", "level_codes", "tables_digest"]

CODED_LEVELS = 3
"""Of a label's bits, as many from the lowest on have a syndrome. Higher ones need none."""

_TABLES = "qkdpost.reconciliation.slice_codes"
_OWN_ROWS, _OWN_COLUMNS, _OWN_SIZE = 17, 512, 512
_OWN_DIGEST = "65180e6bb1e9a5c1f81c214a556343f25fdc8f4c0793fe4daf7bbc6aa78f37cf"
_OWN_NAME = "qs017-0512"
_PARITY_SIZE = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelCodes:
    """Codes of one length, one for each coded bit.

    Args:
        frame_reals: bits of a frame of each, one for each real.
        names: what the codes are called.
        codes: one for each of `CODED_LEVELS`.
        cell_deviations: the width of a cell, in standard deviations of the noise, at which these codes are used.
    """

    frame_reals: int
    names: tuple[str, ...]
    codes: tuple[QuasiCyclicCode, ...] = field(repr=False)
    cell_deviations: float

    @property
    def syndrome_bits(self) -> tuple[int, ...]:
        """Bits of a frame's syndrome, of each level."""
        return tuple(code.syndrome_bits for code in self.codes)


_CHOSEN: dict[int, tuple[str, str, float]] = {
    1 << 14: ("qc156-0064", "qc012-0064", 2.80),
    1 << 16: ("qc156-0256", "qc020-0128", 2.78),
    1 << 18: ("qc156-1024", _OWN_NAME, 2.73),
}
"""Codes of the first two bits and the width of a cell, by the reals of a frame: as measured, see
benchmarks/quality/slices_curve.py."""


def frame_lengths() -> tuple[int, ...]:
    """Return the lengths of frames in reals for which there are codes, increasing."""
    return tuple(sorted(_CHOSEN))


@cache
def level_codes(frame_reals: int) -> LevelCodes:
    """Return the codes for frames of a length.

    Raises:
        InputError: there are none of this length.
        ConfigurationError: a table is missing or damaged.
    """
    if frame_reals not in _CHOSEN:
        raise InputError(f"frame_reals must be one of {', '.join(map(str, frame_lengths()))}; found {frame_reals}")
    first, second, width = _CHOSEN[frame_reals]
    codes = (_load(first), _load(second), _parities(frame_reals))
    names = (first, second, f"parity-{frame_reals // _PARITY_SIZE}")
    return LevelCodes(frame_reals=frame_reals, names=names, codes=codes, cell_deviations=width)


def tables_digest() -> str:
    """Return a digest of the codes and of where they are used: with the same digest both hosts have the same."""
    text = f"{manifest_digest()} {_OWN_DIGEST} {_PARITY_SIZE} {sorted(_CHOSEN.items())}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _load(name: str) -> QuasiCyclicCode:
    return _own_code() if name == _OWN_NAME else load_code(name)


@cache
def _own_code() -> QuasiCyclicCode:
    """Return the code with 17 checks for 512 bits that is not among those for discrete variables.

    It is ``lift(17, {2: 8, 3: 404, 7: 100}, 512, seed=1)`` of `qkdpost.reconciliation.ldpc_design.lifting`.
    """
    try:
        data = resources.files(_TABLES).joinpath(f"{_OWN_NAME}.bin").read_bytes()
        edges = np.frombuffer(data, dtype="<u2").astype(np.uint16).reshape(-1, 3)
        code = QuasiCyclicCode(rows=_OWN_ROWS, columns=_OWN_COLUMNS, size=_OWN_SIZE, edges=edges)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the table of code {_OWN_NAME!r} cannot be read; reinstall the library") from error
    if code.digest() != _OWN_DIGEST:
        raise ConfigurationError(f"the table of code {_OWN_NAME!r} does not match its hash; reinstall the library")
    return code


def _parities(frame_reals: int) -> QuasiCyclicCode:
    """Return the code whose check i is the parity of reals i, i + 64, i + 128, ..."""
    columns = frame_reals // _PARITY_SIZE
    edges = np.zeros((columns, 3), dtype=np.uint16)
    edges[:, 1] = np.arange(columns)
    return QuasiCyclicCode(rows=1, columns=columns, size=_PARITY_SIZE, edges=edges)
