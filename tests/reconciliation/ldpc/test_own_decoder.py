"""A decoder of another origin, registered by name, in `reconcile` and in a session."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import qkdpost as qp
from qkdpost.reconciliation.channel import BinarySymmetric, Channel, LogLikelihoods, UnsupportedChannel
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code
from qkdpost.reconciliation.ldpc.decoders import DECODERS, Decoded
from support.link import Pair, bb84_records, small_link

ITERATIONS = 40


def _phi(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -ln(tanh(x / 2)), which is its own inverse."""
    result: NDArray[np.float64] = -np.log(np.tanh(np.clip(x, 1e-9, 40.0) / 2))
    return result


class FloodingSumProduct:
    """Sum-product on all checks at once, in numpy; it takes a binary symmetric channel and no other."""

    def compile(self, code: QuasiCyclicCode) -> CompiledSumProduct:
        return CompiledSumProduct(code)


class CompiledSumProduct:
    def __init__(self, code: QuasiCyclicCode) -> None:
        index = np.arange(code.size)
        edges = code.edges.astype(np.int64)
        self.bits = (edges[:, 1:2] * code.size + (index + edges[:, 2:]) % code.size).ravel()
        checks = (edges[:, :1] * code.size + index).ravel()
        order = np.argsort(checks, kind="stable")
        self.checks, self.bits = checks[order], self.bits[order]
        self.starts = np.searchsorted(self.checks, np.arange(code.syndrome_bits))
        self.frame_bits = code.frame_bits
        self.frames_seen = 0

    def decode(self, syndromes: NDArray[np.uint64], channel: Channel) -> Decoded:
        if not isinstance(channel, BinarySymmetric):
            raise UnsupportedChannel(f"sum-product takes BinarySymmetric; found {type(channel).__name__}")
        prior = np.full(self.frame_bits, np.log((1e6 - channel.error_rate_ppm) / channel.error_rate_ppm))
        for mask, value in ((channel.known, 100.0), (channel.unknown, 0.0)):
            if mask is not None:
                prior[np.asarray(mask, dtype=np.bool_)] = value
        found = [self._decode(np.unpackbits(row.view(np.uint8), bitorder="little"), prior) for row in syndromes]
        patterns = np.array([pattern for pattern, _ in found], dtype=np.uint8).reshape(len(found), self.frame_bits)
        self.frames_seen += len(found)
        return Decoded(
            words=np.packbits(patterns, axis=1, bitorder="little").view("<u8").astype(np.uint64),
            converged=np.array([done for _, done in found], dtype=np.bool_),
            iterations=np.full(len(found), ITERATIONS, dtype=np.int32),
        )

    def _decode(self, syndrome: NDArray[np.uint8], prior: NDArray[np.float64]) -> tuple[NDArray[np.bool_], bool]:
        to_check = prior[self.bits]
        pattern = prior < 0
        for _ in range(ITERATIONS):
            loss = _phi(np.abs(to_check))
            signs = np.add.reduceat((to_check < 0).astype(np.int64), self.starts) + syndrome
            negative = (signs[self.checks] + (to_check < 0)) % 2 == 1
            others = _phi(np.add.reduceat(loss, self.starts)[self.checks] - loss)
            to_bit = np.where(negative, -others, others)
            total = prior + np.bincount(self.bits, weights=to_bit, minlength=self.frame_bits)
            to_check, pattern = total[self.bits] - to_bit, total < 0
            if np.array_equal(np.add.reduceat(pattern[self.bits].astype(np.int64), self.starts) % 2, syndrome):
                return pattern, True
        return pattern, False


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[CompiledSumProduct]:
    made: list[CompiledSumProduct] = []

    class Recorded(FloodingSumProduct):
        def compile(self, code: QuasiCyclicCode) -> CompiledSumProduct:
            made.append(super().compile(code))
            return made[-1]

    monkeypatch.setitem(DECODERS, "own", Recorded())
    return made


def test_it_corrects_in_one_process(compiled: list[CompiledSumProduct]) -> None:
    rng = np.random.default_rng(1)
    reference = rng.integers(0, 2, 30_000, dtype=np.uint8)
    noisy = reference ^ (rng.random(reference.size) < 0.02)
    done = qp.reconcile(reference, noisy, method="ldpc", qber=0.02, frame_bits=1 << 14, decoder="own", fallback="drop")
    assert sum(decoder.frames_seen for decoder in compiled) >= done.frames
    assert done.found_frames > 0
    assert done.residual_frames == done.failed_frames


def test_it_corrects_in_a_session(compiled: list[CompiledSumProduct]) -> None:
    pair = Pair(small_link(correction=qp.Ldpc(frame_bits=1 << 14, decoder="own")))
    pair.submit(*bb84_records(60_000, qber=0.01, test_fraction=0.2))
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert sum(decoder.frames_seen for decoder in compiled) > 0


def test_it_says_which_channel_it_cannot_take() -> None:
    code = load_code("qc110-0064")
    values = np.zeros((1, code.frame_bits), dtype=np.float32)
    syndromes = np.zeros((1, code.syndrome_bits // 64), dtype=np.uint64)
    with pytest.raises(UnsupportedChannel, match="found LogLikelihoods"):
        FloodingSumProduct().compile(code).decode(syndromes, LogLikelihoods(values=values))
