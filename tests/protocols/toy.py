"""A kind of QKD made of what the library offers to kinds: it is registered, and no file of the library knows it.

Alice sends real symbols, Bob measures them with noise, and the signs of *his* outcomes are the key: he is the
reference. He discloses the magnitude of each outcome, as bytes of an encoding of his own, and the syndromes of his
bits; she decodes with the log-likelihood ratios that the magnitudes and her symbols give. Only then, from symbols of
which she knows the signs, do both estimate how noisy the channel was. Nobody should use this: the bound is a toy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.bits import Bits
from qkdpost.checks import real_number
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AbortReason, CorrectionRound
from qkdpost.dialogue.program import RECEIVE, AbortBlock, Facts, NeedRecord, Program, expect
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.protocols import Protocol, ProtocolSettings
from qkdpost.reconciliation.channel import LogLikelihoods
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.payload import InvalidPayload, Rounds, expect_bits
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength
from qkdpost.security.settings import Security
from qkdpost.security.theorem import divide_secrecy, ledger_of_theorem, variable_length
from qkdpost.stages.block import Block
from qkdpost.stages.length_agreement import LENGTH_AGREEMENT
from qkdpost.stages.outcomes import CorrectedKey
from qkdpost.stages.reconciliation import exchange_rounds
from qkdpost.stages.release import RELEASE
from qkdpost.stages.stage import Stage
from qkdpost.stages.verification import VERIFICATION

CODE = "qc140-0064"
NOTHING = Bits.zeros(0)

Symbols = NDArray[np.float32]


class ToySettings(ProtocolSettings, frozen=True, kw_only=True, tag="toy"):
    """Settings of the toy kind."""

    max_noise_variance: float = 0.5
    """A block noisier than this is given up."""

    def __post_init__(self) -> None:
        real_number("max_noise_variance", self.max_noise_variance, least=0.0, most=10.0)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ToyRecord:
    """One side's symbols. Secret."""

    symbols: Symbols = field(repr=False)

    @property
    def events(self) -> int:
        """How many symbols there are."""
        return self.symbols.size

    def check_for(self, settings: object) -> None:
        """Refuse symbols that are none."""
        if self.symbols.dtype != np.float32 or not np.isfinite(self.symbols).all():
            raise InputError("symbols must be finite float32 numbers")


@dataclass(frozen=True, slots=True)
class Sent(ToyRecord):
    """What Alice sent."""


@dataclass(frozen=True, slots=True)
class Measured(ToyRecord):
    """What Bob measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyFacts(Facts):
    """A number that no report of the library knows."""

    noise_variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyTally:
    """What the bound counts."""

    key_bits: int
    noise_variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftKey:
    """The outcome of correction, with what estimation after it needs."""

    corrected: CorrectedKey
    magnitudes: Symbols = field(repr=False)
    own: Symbols = field(repr=False)


@cache
def code() -> QuasiCyclicCode:
    return load_code(CODE)


def gather(block: Block, nothing: None) -> Program[Symbols]:
    """Sift nothing: take the records."""
    parts = []
    for number in block.record_numbers:
        record: ToyRecord = yield NeedRecord(number)
        parts.append(record.symbols)
    symbols = np.concatenate(parts)
    if symbols.size < code().frame_bits:
        raise AbortBlock(AbortReason.TOO_FEW_BITS, "fewer symbols than one frame")
    return symbols[: symbols.size // code().frame_bits * code().frame_bits]


def soft_reference(outcomes: Symbols) -> Rounds[tuple[Bits, Symbols]]:
    """Disclose the magnitudes, then the syndromes of the signs."""
    bits = Bits.from_array((outcomes < 0).astype(np.uint8))
    magnitudes = np.abs(outcomes)
    yield magnitudes.astype("<f4").tobytes()
    yield syndromes_of(bits)
    return bits, magnitudes


def soft_corrector(symbols: Symbols) -> Rounds[tuple[Bits, Symbols]]:
    """Decode the reference's signs."""
    encoded = yield RECEIVE
    if not isinstance(encoded, bytes) or len(encoded) != 4 * symbols.size:
        raise InvalidPayload("expected a magnitude for every symbol")
    magnitudes = np.frombuffer(encoded, dtype="<f4").astype(np.float32)
    if not np.isfinite(magnitudes).all() or (magnitudes < 0).any():
        raise InvalidPayload("magnitudes must be finite and not negative")
    frames = symbols.size // code().frame_bits
    payload = expect_bits((yield RECEIVE), frames * code().rows * code().size, "syndrome bits")
    syndromes = payload.words.reshape(frames, -1).copy()
    values = (20.0 * magnitudes * symbols).astype(np.float32).reshape(frames, -1)
    decoded = DECODERS["accurate"].compile(code()).decode(syndromes, LogLikelihoods(values=values))
    return Bits(np.ascontiguousarray(decoded.words).ravel(), symbols.size), magnitudes


def syndromes_of(bits: Bits) -> Bits:
    shape = code()
    frames = bits.words.reshape(-1, shape.frame_bits // 64).copy()
    output = np.zeros((len(frames), shape.rows * shape.size // 64), dtype=np.uint64)
    compute_syndromes(shape.row_starts, shape.edge_bits, shape.edge_shifts, shape.size, frames, output)
    return Bits(output.ravel(), 64 * output.size)


def correction(method: Callable[[Symbols], Rounds[tuple[Bits, Symbols]]]) -> Any:
    """Return the stage's program for one duty."""

    def program(block: Block, symbols: Symbols) -> Program[SoftKey]:
        bits, magnitudes = yield from exchange_rounds(block, method(symbols))
        frames = symbols.size // code().frame_bits
        block.ledger.disclose(Cause.REFERENCE_PARITIES, frames * code().rows * code().size)
        corrected = CorrectedKey(
            key=bits, rounds=None, kept=~Bits.zeros(len(bits)), frame_charges=None, difference=None, errors_found=0
        )
        return SoftKey(corrected=corrected, magnitudes=magnitudes, own=symbols)

    return program


def say_noise(block: Block, soft: SoftKey) -> Program[CorrectedKey]:
    """Estimate after correction: the corrector knows both sides' symbols now, and says what it found."""
    signs = 1.0 - 2.0 * np.asarray(soft.corrected.key, dtype=np.float32)
    variance = float(np.mean((signs * soft.magnitudes - soft.own) ** 2))
    yield CorrectionRound(block=block.number, round=0, bits=None, data=np.float64(variance).tobytes())
    return (yield from _with_noise(block, soft, variance))


def hear_noise(block: Block, soft: SoftKey) -> Program[CorrectedKey]:
    """Take the corrector's estimate."""
    said = expect((yield RECEIVE), CorrectionRound)
    if len(said.data) != 8:
        raise RemoteProtocolError("the peer says no variance")
    return (yield from _with_noise(block, soft, float(np.frombuffer(said.data, dtype=np.float64)[0])))


def _with_noise(block: Block, soft: SoftKey, variance: float) -> Program[CorrectedKey]:
    yield ToyFacts(noise_variance=variance)
    if not 0.0 <= variance <= block.settings.max_noise_variance:  # type: ignore[attr-defined]
        raise AbortBlock(AbortReason.NO_KEY_LEFT, f"the channel is too noisy: {variance:.3g}")
    return replace(soft.corrected, rounds=ToyTally(key_bits=len(soft.corrected.key), noise_variance=variance))


def tally(settings: ToySettings, rounds: ToyTally, key_errors: tuple[int, ...] | None) -> ToyTally:
    return rounds


def bound(tally: ToyTally, disclosed: Disclosed, budget: Epsilon, settings: None) -> SecretLength:
    """Take a toy number for what an eavesdropper may know."""
    attempt, amplification = divide_secrecy(budget)
    rate = min(0.5, tally.noise_variance)
    return variable_length(
        bound="toy",
        certified_bits=tally.key_bits,
        certified_explanation="all signs",
        phase_error_rate=rate,
        phase_error_explanation="the variance of the noise, as a toy",
        disclosed=disclosed,
        ledger=ledger_of_theorem("toy", budget, attempt, amplification, "a toy"),
        amplification_epsilon=amplification,
        asymptotic_bits=float(tally.key_bits),
        key_bits=tally.key_bits,
        assumptions=("that this is a toy",),
        evidence=(("noise_variance", tally.noise_variance),),
    )


def no_settings(settings: ToySettings, security: Security) -> None:
    return None


TOY: Protocol[ToySettings, ToyTally, None] = Protocol(
    settings=ToySettings,
    alice_records=Sent,
    bob_records=Measured,
    reference="bob",
    stages=(
        Stage(name="gathering", reference=gather, corrector=gather),
        Stage(
            name="soft correction",
            reference=correction(soft_reference),
            corrector=correction(soft_corrector),
            reference_hears=frozenset({CorrectionRound}),
            corrector_hears=frozenset({CorrectionRound}),
        ),
        Stage(
            name="late estimation",
            reference=hear_noise,
            corrector=say_noise,
            reference_hears=frozenset({CorrectionRound}),
        ),
        VERIFICATION,
        LENGTH_AGREEMENT,
        RELEASE,
    ),
    tally=tally,
    bound=bound,
    bound_settings=no_settings,
)


def toy_records(frames: int = 2, *, noise: float = 0.15, seed: int = 1) -> tuple[Sent, Measured]:
    """Return records of a channel that adds noise of a standard deviation."""
    rng = np.random.default_rng(seed)
    sent = rng.normal(size=frames * code().frame_bits).astype(np.float32)
    return Sent(sent), Measured((sent + rng.normal(scale=noise, size=sent.size)).astype(np.float32))
