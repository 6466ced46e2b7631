"""Level after level: the corrector's decoders, and what they make of a batch of frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.reconciliation.channel import LogLikelihoods
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.slices.codes import CODED_LEVELS
from qkdpost.reconciliation.slices.frames import put_level
from qkdpost.reconciliation.slices.messages import FirstMessage
from qkdpost.reconciliation.slices.plan import SlicePlan
from qkdpost.reconciliation.slices.soft_values import bit_values

__all__ = ["DONE", "HOPELESS", "MORE", "SliceDecoders"]

DONE, MORE, HOPELESS = 0, 1, 2
"""What became of a frame: its labels are found, the first level needs more, or more of that would not help."""


class SliceDecoders:
    """Decoders of every coded level, with their working memory; two threads must not use them at once.

    Args:
        plan: of the blocks that they are for.
        decoder: a key of `DECODERS` that takes soft values.
    """

    def __init__(self, plan: SlicePlan, decoder: str = "accurate") -> None:
        self.plan = plan
        self._compiled = tuple(DECODERS[decoder].compile(code) for code in plan.codes.codes)

    def find_labels(
        self,
        expected: NDArray[np.float32],
        first: FirstMessage,
        frames: NDArray[np.int64],
        known: NDArray[np.uint32],
        known_bits: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Find the labels of some frames; return what became of each, shape (some frames,).

        Args:
            expected: outcomes without noise, shape (all frames, reals).
            first: what the reference said; the labels found are written there.
            frames: which frames to find, increasing.
            known: positions whose lowest bit the reference has said.
            known_bits: these bits, shape (some frames, positions).
        """
        labels = first.sliced.labels
        status = np.full(frames.size, DONE, dtype=np.uint8)
        labels[frames] = 0
        for level in range(self.plan.levels):
            open_ = np.flatnonzero(status == DONE)
            if not open_.size:
                break
            chosen = frames[open_]
            values = np.stack(
                [bit_values(expected[f], labels[f], first.sliced.places[f], level, self.plan) for f in chosen]
            )
            if level == 0 and known.size:
                values[:, known] = np.where(known_bits[open_] == 0, np.float32(np.inf), np.float32(-np.inf))
            if level >= CODED_LEVELS:
                labels[chosen] |= (values < 0).astype(np.uint8) << np.uint8(level)
                continue
            decoded = self._compiled[level].decode(first.syndromes[level][chosen], LogLikelihoods(values=values))
            found = labels[chosen]
            put_level(decoded.words, level, found)
            labels[chosen] = found
            status[open_[~decoded.converged]] = MORE if level == 0 else HOPELESS
        return status
