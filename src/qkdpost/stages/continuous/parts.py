"""Long contents in parts: said one after another, heard in the same order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.messages import DisclosedSymbols, QuadratureChoices
from qkdpost.dialogue.program import RECEIVE, Program, expect, peer_bits
from qkdpost.dialogue.quadrature_messages import PART_BYTES
from qkdpost.errors import RemoteProtocolError
from qkdpost.stages.block import Block

__all__ = ["hear_choices", "hear_symbols", "say_choices", "say_symbols", "slices"]

CHOICES_OF_A_PART = 8 * PART_BYTES
SYMBOLS_OF_A_PART = PART_BYTES // 8


def slices(total: int, most: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, begin and end of each part of `total` things, of which none holds more than `most`."""
    for part, begin in enumerate(range(0, total, most)):
        yield part, begin, min(begin + most, total)


def say_choices(block: Block, choices: Bits) -> Program[None]:
    """Say which quadrature was measured for every symbol."""
    for part, begin, end in slices(len(choices), CHOICES_OF_A_PART):
        yield QuadratureChoices(block=block.number, part=part, choices=choices[begin:end].to_bytes())


def hear_choices(symbols: int) -> Program[Bits]:
    """Hear which quadrature was measured for each of `symbols`."""
    heard = []
    for part, begin, end in slices(symbols, CHOICES_OF_A_PART):
        message = expect((yield RECEIVE), QuadratureChoices)
        _check_part(message.part, part)
        heard.append(peer_bits(message.choices, end - begin, "quadratures"))
    return concatenate(heard)


def say_symbols(block: Block, symbols: NDArray[np.float32]) -> Program[None]:
    """Disclose symbols, shape (n, 2)."""
    for part, begin, end in slices(len(symbols), SYMBOLS_OF_A_PART):
        yield DisclosedSymbols(
            block=block.number, part=part, symbols=symbols[begin:end].astype("<f4", copy=False).tobytes()
        )


def hear_symbols(count: int, largest: float) -> Program[NDArray[np.float32]]:
    """Hear `count` symbols, float32 of shape (count, 2).

    Args:
        count: how many.
        largest: no quadrature of a symbol can be further from zero.

    Raises:
        RemoteProtocolError: there are others, or one that cannot be.
    """
    heard = []
    for part, begin, end in slices(count, SYMBOLS_OF_A_PART):
        message = expect((yield RECEIVE), DisclosedSymbols)
        _check_part(message.part, part)
        if len(message.symbols) != 8 * (end - begin):
            raise RemoteProtocolError(
                f"{end - begin} symbols take {8 * (end - begin)} bytes; the peer sent {len(message.symbols)}"
            )
        symbols = np.frombuffer(message.symbols, dtype="<f4").astype(np.float32).reshape(-1, 2)
        if not (np.abs(symbols) <= largest).all():  # which NaN is not
            raise RemoteProtocolError(f"symbols disclosed by the peer must lie within {largest:.3g}; one does not")
        heard.append(symbols)
    return np.concatenate(heard)


def _check_part(found: int, expected: int) -> None:
    if found != expected:
        raise RemoteProtocolError(f"expected part {expected}; the peer sent part {found}")
