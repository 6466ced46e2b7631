"""Decoders of raptor-like codes: the conduct that every registered one must show, and agreement with a slow twin."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import BinarySymmetric, LogLikelihoods, UnsupportedChannel
from qkdpost.reconciliation.raptor.code import CirculantRows, RaptorCode
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS, DecodedCores, LayeredRaptorDecoder
from reference.raptor import checks_of, sum_product

LIFT, INFO = 64, 4
ROWS = 16
"""Extension rows: frames of 1536 bits, rate 1/6."""


def _rows(generator: np.random.Generator, columns: list[list[int]]) -> CirculantRows:
    return CirculantRows(
        row_starts=np.cumsum([0, *map(len, columns)]).astype(np.uint64),
        columns=np.array([column for row in columns for column in sorted(row)], dtype=np.uint64),
        shifts=generator.integers(0, LIFT, sum(map(len, columns)), dtype=np.uint64),
    )


def _code() -> RaptorCode:
    generator = np.random.default_rng(1)

    def info(count: int) -> list[int]:
        return generator.choice(INFO, count, replace=False).tolist()

    return RaptorCode(
        name="small",
        lift=LIFT,
        info_columns=INFO,
        parity_columns=INFO,
        precode=_rows(generator, [[*info(3), INFO + row, INFO + (row + 1) % INFO] for row in range(INFO)]),
        extension=_rows(generator, [info(2 + row % 2) for row in range(ROWS)]),
        increments=_rows(generator, [info(3) for _ in range(4)]),
    )


SMALL = _code()


def _syndromes(core: NDArray[np.uint8], own: NDArray[np.uint8], increments: int) -> NDArray[np.uint8]:
    def parities(rows: CirculantRows) -> NDArray[np.uint8]:
        bits = [core[:, check].sum(axis=1, dtype=np.uint8) % 2 for check in checks_of(rows, LIFT)]
        return np.array(bits, dtype=np.uint8).reshape(-1, core.shape[0]).T

    extension = parities(SMALL.extension) ^ own
    return np.concatenate([parities(SMALL.precode), extension, parities(SMALL.increments.first(increments))], axis=1)


def _pack(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _unpack(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")


class Frames:
    """Frames over a channel of a signal-to-noise ratio."""

    def __init__(self, seed: int, frames: int, snr: float, increments: int = 0) -> None:
        generator = np.random.default_rng(seed)
        bits = generator.integers(0, 2, (frames, SMALL.frame_bits(ROWS)), dtype=np.uint8)
        noise = generator.standard_normal(bits.shape)
        self.values = (2 * snr * (1.0 - 2.0 * bits) + 2 * np.sqrt(snr) * noise).astype(np.float32)
        self.core = bits[:, : SMALL.core_bits]
        self.signs = 1 - 2 * bits.astype(np.float32)
        self.syndrome_bits = _syndromes(self.core, bits[:, SMALL.core_bits :], increments)
        self.syndromes = _pack(self.syndrome_bits)
        self.increments = increments

    def decode(self, decoder: str | LayeredRaptorDecoder, chosen: slice = slice(None)) -> DecodedCores:
        """Decode these frames, or some of them."""
        found = RAPTOR_DECODERS[decoder] if isinstance(decoder, str) else decoder
        channel = LogLikelihoods(values=self.values[chosen])
        return found.compile(SMALL, ROWS).decode(self.syndromes[chosen], channel, self.increments)

    def right(self, decoded: DecodedCores) -> NDArray[np.bool_]:
        """Return which frames were found."""
        right: NDArray[np.bool_] = (_unpack(decoded.words) == self.core).all(axis=1)
        return right


@pytest.mark.parametrize("name", sorted(RAPTOR_DECODERS))
class TestConduct:
    """What any decoder, a vendor's own among them, must do."""

    @pytest.mark.parametrize("snr", [0.8, 3.0, 50.0])
    def test_frames_over_a_good_channel_are_found(self, name: str, snr: float) -> None:
        frames = Frames(1, 20, snr)
        decoded = frames.decode(name)
        assert decoded.converged.all()
        assert frames.right(decoded).all()

    def test_what_is_called_converged_has_the_syndrome(self, name: str) -> None:
        frames = Frames(2, 60, 0.34)
        decoded = frames.decode(name)
        assert 0 < decoded.converged.sum() < 60
        found = _syndromes(_unpack(decoded.words), np.zeros((60, LIFT * ROWS), np.uint8), 0)
        strong = slice(LIFT * INFO)
        assert np.array_equal(found[decoded.converged, strong], frames.syndrome_bits[decoded.converged, strong])

    @pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 33, 70])
    def test_every_number_of_frames_is_decoded_and_none_disturbs_another(self, name: str, count: int) -> None:
        frames = Frames(3, 70, 0.6)
        decoded = frames.decode(name, slice(count))
        assert decoded.words.shape == (count, SMALL.core_bits // 64)
        if count:
            alone = frames.decode(name, slice(count - 1, count))
            assert np.array_equal(alone.words[0], decoded.words[-1])
            assert alone.iterations[0] == decoded.iterations[-1]
            assert alone.converged[0] == decoded.converged[-1]

    def test_it_finds_nearly_what_sum_product_finds(self, name: str) -> None:
        frames = Frames(4, 10, 0.4)
        decoded = frames.decode(name)
        twins = [
            sum_product(SMALL, ROWS, syndrome, values, iterations=20)
            for syndrome, values in zip(frames.syndrome_bits, frames.values, strict=True)
        ]
        by_twin = np.array(
            [np.array_equal(core, wanted) for (core, _, _), wanted in zip(twins, frames.core, strict=True)]
        )
        assert 3 <= by_twin.sum() <= 9
        assert frames.right(decoded).sum() >= by_twin.sum() - 1

    def test_increments_help(self, name: str) -> None:
        found = [frames.right(frames.decode(name)).sum() for frames in (Frames(5, 60, 0.3), Frames(5, 60, 0.3, 2))]
        assert found[1] > found[0] + 30

    def test_pure_noise_is_given_up(self, name: str) -> None:
        frames = Frames(6, 3, 1e-3)
        assert not frames.decode(name).converged.any()

    def test_a_channel_that_knows_nothing_is_given_up(self, name: str) -> None:
        frames = Frames(7, 2, 1.0)
        frames.values[:] = 0
        assert not frames.decode(name).converged.any()

    def test_wrong_arguments_are_refused(self, name: str) -> None:
        frames = Frames(8, 2, 1.0)
        decoder = RAPTOR_DECODERS[name]
        compiled, channel = decoder.compile(SMALL, ROWS), LogLikelihoods(values=frames.values)
        for rows in (0, ROWS + 1):
            with pytest.raises(InputError):
                decoder.compile(SMALL, rows)
        with pytest.raises(InputError):
            compiled.decode(frames.syndromes[:, :-1], channel)
        with pytest.raises(InputError):
            compiled.decode(frames.syndromes.astype(np.int64), channel)
        with pytest.raises(InputError):
            compiled.decode(frames.syndromes[:1], channel)
        with pytest.raises(InputError):
            compiled.decode(frames.syndromes, channel, 1)
        with pytest.raises(InputError):
            compiled.decode(frames.syndromes, channel, 5)
        with pytest.raises(UnsupportedChannel, match="found BinarySymmetric"):
            compiled.decode(frames.syndromes, BinarySymmetric(error_rate_ppm=1000))
        for value in (np.inf, -np.inf):
            values = frames.values.copy()
            values[1, 700] = value
            with pytest.raises(InputError, match="must be finite"):
                compiled.decode(frames.syndromes, LogLikelihoods(values=values))

    def test_huge_ratios_are_no_harm(self, name: str) -> None:
        frames = Frames(9, 4, 3.0)
        frames.values[:, ::7] = 3e38 * frames.signs[:, ::7]
        decoded = frames.decode(name)
        assert frames.right(decoded).all()


def test_both_widths_of_registers_find_the_same() -> None:
    frames = Frames(10, 40, 0.36)
    narrow, wide = (frames.decode(LayeredRaptorDecoder(max_iterations=60, lanes=lanes)) for lanes in (16, 32))
    assert 0 < narrow.converged.sum() < 40
    assert np.array_equal(narrow.words, wide.words)
    assert np.array_equal(narrow.iterations, wide.iterations)


def test_a_compiled_decoder_forgets() -> None:
    compiled = RAPTOR_DECODERS["layered"].compile(SMALL, ROWS)
    one, other = Frames(11, 5, 0.5), Frames(12, 5, 0.5)
    fresh = one.decode("layered")
    compiled.decode(other.syndromes, LogLikelihoods(values=other.values))
    again = compiled.decode(one.syndromes, LogLikelihoods(values=one.values))
    assert np.array_equal(fresh.words, again.words)
    assert np.array_equal(fresh.iterations, again.iterations)


@pytest.mark.parametrize("changes", [{"max_iterations": 0}, {"lanes": 8}])
def test_settings_that_cannot_be_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(InputError):
        replace(LayeredRaptorDecoder(max_iterations=10), **changes)


def test_a_core_is_not_shown() -> None:
    assert "words" not in repr(Frames(13, 1, 1.0).decode("layered"))


_TINY = """
import hashlib
import sys
sys.path.insert(0, "tests")
from reconciliation.raptor.test_decoders import Frames
from qkdpost.reconciliation.raptor.decoders import LayeredRaptorDecoder
for lanes in (16, 32):
    for snr in (0.2, 1.0):
        decoded = Frames(20, 3, snr, 1).decode(LayeredRaptorDecoder(max_iterations=2, lanes=lanes))
        print(hashlib.sha256(decoded.words.tobytes()).hexdigest(), decoded.iterations.tolist())
"""


def test_interpreted_and_compiled_kernels_agree() -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-c", _TINY],
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for disabled in ("0", "1")
    ]
    assert printed[0] == printed[1] != ""
