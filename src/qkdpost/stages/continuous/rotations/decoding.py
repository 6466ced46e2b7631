"""The frames of a batch at the corrector, from what it heard to what it decodes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.reconciliation.channel import LogLikelihoods
from qkdpost.reconciliation.raptor.decoders import CompiledRaptorDecoder
from qkdpost.reconciliation.raptor.plan import FramePlan
from qkdpost.reconciliation.raptor.syndromes import complete_frames
from qkdpost.single_use import SingleUse

__all__ = ["BatchDecoder"]

Words = NDArray[np.uint64]


@dataclass(slots=True)
class BatchDecoder(SingleUse):
    """What is known of the frames of a batch, a row for each. Secret.

    Args:
        plan: of the frames.
        decoder: made ready for their code.
        likelihoods: ratios of each frame's bits; float32, shape (frames, frame bits).
        base: base syndromes, shape (frames, syndrome words).
        increments: by step, those of the frames that had one, by row.
        cores: as decoded last, shape (frames, core words).
    """

    plan: FramePlan
    decoder: CompiledRaptorDecoder
    likelihoods: NDArray[np.float32] = field(repr=False)
    base: Words = field(repr=False)
    increments: dict[int, dict[int, Words]] = field(default_factory=dict, repr=False)
    cores: Words = field(default_factory=lambda: np.zeros((0, 0), dtype=np.uint64), repr=False)

    @classmethod
    def of(cls, plan: FramePlan, frames: int, decoder: CompiledRaptorDecoder) -> BatchDecoder:
        """Return one for so many frames of which nothing is known yet."""
        return cls(
            plan=plan,
            decoder=decoder,
            likelihoods=np.zeros((frames, plan.frame_bits), dtype=np.float32),
            base=np.zeros((frames, plan.syndrome_bits // 64), dtype=np.uint64),
            cores=np.zeros((frames, plan.core_bits // 64), dtype=np.uint64),
        )

    def add(self, row: int, step: int, words: Words) -> None:
        """Take one more part of the syndrome of a frame."""
        self.increments.setdefault(step, {})[row] = words

    def decode(self, rows: NDArray[np.int64], step: int) -> NDArray[np.bool_]:
        """Decode frames that have had `step` increments; return which of them are well."""
        parts = [self.base[rows]]
        parts += [np.stack([self.increments[earlier][row] for row in rows]) for earlier in range(1, step + 1)]
        values = self.likelihoods if rows.size == len(self.likelihoods) else self.likelihoods[rows]
        decoded = self.decoder.decode(np.concatenate(parts, axis=1), LogLikelihoods(values=values), step)
        self.cores[rows] = decoded.words
        return np.asarray(decoded.converged, dtype=np.bool_)

    def all_bits(self, rows: NDArray[np.int64]) -> Words:
        """Return all bits of frames that are well, in their rows; the other rows are 0."""
        frames = np.zeros((len(self.base), self.plan.frame_bits // 64), dtype=np.uint64)
        if rows.size:
            frames[rows] = complete_frames(self.plan, self.cores[rows], self.base[rows])
        return frames
