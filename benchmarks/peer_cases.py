"""The steps of `benchmarks.peers`: how each is run here, by its peers, and as its floor.

A case is made when its turn comes. Peers that are not installed are left out; each is given its arguments in the form
that it asks for, made before the clock starts, and its outcome is compared with that of this library once.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

import qkdpost as qp
from qkdpost.keys.authentication import PolynomialHasher
from qkdpost.reconciliation.channel import BinarySymmetric
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code
from qkdpost.reconciliation.ldpc.decoders import DECODERS, LayeredDecoder
from qkdpost.sifting.slots.coding import decode_slots, encode_slots
from qkdpost.sifting.slots.prepared import match_prepared
from qkdpost.sifting.time_tags.clicks import merge_clicks
from qkdpost.sifting.time_tags.matching import match_events

Run = Callable[[], object]

BYTES_MOVED = "each byte that goes in or comes out is moved once"
ITERATIONS = 10
OPERATIONS_OF_AN_EDGE = 10
"""Of layered min-sum, on one byte each: take off the old message, its absolute value, the least and the second least,
the sign, which of both it gets, scaling, its sign, adding it, and limits."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A step that is ready to run: `amount` units are done by `here`; a side that does less has a scale."""

    here: Run
    floor: Run
    amount: float
    peers: dict[str, Run] = field(default_factory=dict)
    scale: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A step, what its amount counts, what its floor is, and what stands where no peer is."""

    step: str
    unit: str
    make: Callable[[], Made]
    floor: str = BYTES_MOVED
    without: str = "no peer installed"


def peer(package: str, module: str) -> tuple[str, Any] | None:
    """Return how a package is called, with its version, and a module of it; None where it is not installed."""
    try:
        return f"{package} {version(package)}", importlib.import_module(module)
    except ImportError:
        return None


def moved(count: float) -> Run:
    """Return what moves `count` bytes, half of them read and half written; a plain copy is slower at some sizes."""
    source = np.ones(max(1, int(count) // 16), dtype=np.uint64)
    return partial(np.invert, source, out=np.zeros_like(source))


def _bits(seed: int, length: int) -> qp.Bits:
    return qp.Bits.from_array(np.random.default_rng(seed).integers(0, 2, length, dtype=np.uint8))


def toeplitz(exponent: int) -> Made:
    size = 1 << exponent
    bits, seed = _bits(1, size), _bits(2, size + size // 2 - 1)
    found = np.asarray(qp.toeplitz_hash(bits, seed, size // 2))
    peers: dict[str, Run] = {}
    if (scipy := peer("scipy", "scipy.fft")) is not None:
        name, fft = scipy
        length = fft.next_fast_len(len(seed), real=True)
        floats = [np.asarray(vector, dtype=np.float64) for vector in (seed, bits)]

        def by_floats() -> NDArray[np.int64]:
            # A circular convolution as long as the seed: what wraps around falls before the window.
            product = fft.irfft(fft.rfft(floats[0], length) * fft.rfft(floats[1], length), length)
            return np.rint(product[size - 1 : size - 1 + size // 2]).astype(np.int64) & 1

        assert np.array_equal(by_floats(), found)
        peers[name] = by_floats
    if exponent <= LONGEST_OF_FLINT and (native := peer("python-flint", "flint")) is not None:
        name, flint = native
        factors = [flint.nmod_poly(np.asarray(vector).tolist(), 2) for vector in (bits, seed)]
        product = factors[0] * factors[1]
        assert [int(product[size - 1 + row]) for row in range(32)] == found[:32].tolist()
        peers[name] = lambda: factors[0] * factors[1]
    return Made(
        here=lambda: qp.toeplitz_hash(bits, seed, size // 2), peers=peers, floor=moved(3 * size / 8), amount=size
    )


LONGEST_OF_FLINT = 20
"""Longer polynomials take python-flint minutes to make."""


def cascade(qber: float, exponent: int) -> Made:
    """The packaged peer has other block sizes and four passes without going back, and discloses more."""
    rng = np.random.default_rng(3)
    reference = _bits(4, 1 << exponent)
    noisy = reference ^ qp.Bits.from_array((rng.random(1 << exponent) < qber).astype(np.uint8))
    done = qp.reconcile(reference, noisy, qber=qber)
    peers: dict[str, Run] = {}
    scale = {"floor": 2.0 * done.leakage_bits / LOOK_UPS}
    if (packaged := peer("qkdpy", "qkdpy.key_management.error_correction")) is not None:
        few = 1 << 14
        name, lists = packaged[0], [np.asarray(side[:few]).tolist() for side in (reference, noisy)]
        peers[name] = lambda: packaged[1].ErrorCorrection.cascade(*lists)
        scale[name] = (1 << exponent) / few
    table = np.zeros(1 << 11, dtype=np.uint64)
    places, found = rng.integers(0, table.size, LOOK_UPS), np.zeros(LOOK_UPS, dtype=np.uint64)
    return Made(
        here=lambda: qp.reconcile(reference, noisy, qber=qber),
        peers=peers,
        floor=lambda: np.take(table, places, out=found, mode="clip"),
        amount=1 << exponent,
        scale=scale,
    )


LOOK_UPS = 1 << 14


def ldpc(frames: int) -> Made:
    """Ten iterations of one matrix on syndromes of pure noise, which nobody can decode."""
    code = load_code("qc045-0256")
    fast = DECODERS["fast"]
    assert isinstance(fast, LayeredDecoder)
    decoder = dataclasses.replace(fast, max_iterations=ITERATIONS).compile(code)
    noise = np.random.default_rng(3).integers(0, 1 << 63, (frames, code.syndrome_bits // 64), dtype=np.uint64)
    channel = BinarySymmetric(error_rate_ppm=30_000)
    assert not decoder.decode(noise, channel).converged.any()
    peers, scale = {}, {}
    if (packaged := peer("ldpc", "ldpc")) is not None:
        syndrome = np.unpackbits(noise[:1].view(np.uint8), bitorder="little")
        for schedule in ("parallel", "serial"):
            theirs = packaged[1].BpDecoder(
                _sparse(code), error_rate=0.03, max_iter=ITERATIONS, bp_method="minimum_sum", ms_scaling_factor=0.75,
                schedule=schedule, omp_thread_count=1, input_vector_type="syndrome",
            )  # fmt: skip
            peers[f"{packaged[0]}, {schedule}"] = partial(theirs.decode, syndrome)
            scale[f"{packaged[0]}, {schedule}"] = float(frames)
    words = [np.arange(1, 1 + (1 << 10), dtype=np.uint64) for _ in range(2)]
    edges = frames * code.edges.shape[0] * code.size
    return Made(
        here=lambda: decoder.decode(noise, channel),
        peers=peers,
        floor=partial(_ten_operations, *words, PASSES),
        amount=frames * code.frame_bits,
        scale={**scale, "floor": ITERATIONS * edges / (PASSES * words[0].nbytes)},
    )


PASSES = 1000


@numba.njit
def _ten_operations(first: NDArray[np.uint64], second: NDArray[np.uint64], passes: int) -> None:
    """Ten operations on each byte, of which a word has eight and a vector more; all in the first cache."""
    for _ in range(passes):
        for place in range(first.size):
            one, other = first[place], second[place]
            for _step in range(OPERATIONS_OF_AN_EDGE // 2):
                one += other
                other ^= one
            first[place], second[place] = one, other


def _sparse(code: QuasiCyclicCode) -> Any:
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - for a peer alone

    index = np.arange(code.size)
    edges = code.edges.astype(np.int64)
    checks = (edges[:, :1] * code.size + index).ravel()
    bits = (edges[:, 1:2] * code.size + (index + edges[:, 2:]) % code.size).ravel()
    return csr_matrix((np.ones(checks.size, dtype=np.uint8), (checks, bits)), (code.syndrome_bits, code.frame_bits))


def authentication(size: int) -> Made:
    data = np.random.default_rng(5).bytes(size)

    def here() -> bytes:
        hasher = PolynomialHasher(bytes(range(16)))
        hasher.update(data)
        return hasher.digest()

    peers: dict[str, Run] = {}
    if (packaged := peer("cryptography", "cryptography.hazmat.primitives.ciphers.aead")) is not None:
        gcm = packaged[1].AESGCM(bytes(range(16)))
        peers[f"{packaged[0]}, GMAC"] = lambda: gcm.encrypt(bytes(12), b"", data)
    return Made(here=here, peers=peers, floor=moved(size), amount=size)


def _detected(count: int, pulses: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(6).choice(pulses, count, replace=False)).astype(np.int64)


def sifting(count: int) -> Made:
    pulses = 10 * count
    slots, bases = _detected(count, pulses), _bits(9, count)
    prepared = qp.PreparedPulses(bases=_bits(7, pulses), bits=_bits(8, pulses))
    unpacked = np.asarray(prepared.bases), np.asarray(bases)
    by_numpy: Run = lambda: unpacked[0][slots] == unpacked[1]  # noqa: E731 - a side of a step, as the others
    assert qp.Bits.from_array(by_numpy()) == match_prepared(prepared, slots, bases)  # type: ignore[arg-type]
    return Made(
        here=lambda: match_prepared(prepared, slots, bases),
        peers={"a numpy twin": by_numpy},
        floor=moved(8 * count + 2 * count / 8 + pulses / 8),
        amount=count,
    )


def slot_numbers(count: int) -> Made:
    """The peer's form is for sets that are asked and joined; it has 10 bits for a number where ours has under 5."""
    pulses = 10 * count
    slots = _detected(count, pulses)
    data = encode_slots(slots, pulses)
    peers: dict[str, Run] = {}
    if (packaged := peer("pyroaring", "pyroaring")) is not None:
        narrow, bitmap = slots.astype(np.uint32), packaged[1].BitMap

        def there_and_back() -> object:
            return np.asarray(bitmap.deserialize(bitmap(narrow).serialize()).to_array())

        assert np.array_equal(there_and_back(), slots)
        peers[packaged[0]] = there_and_back
    return Made(
        here=lambda: decode_slots(encode_slots(slots, pulses), count, pulses),
        peers=peers,
        floor=moved(2 * (8 * count + len(data))),
        amount=count,
    )


WINDOW_TICKS = 60


def coincidences() -> Made:
    receiver = qp.simulation.TaggingReceiver(transmittance=0.1)
    tags = qp.simulation.bbm92_time_tags(
        duration_s=1.0, pair_rate_hz=2e7, rng=np.random.default_rng(1), alice=receiver, bob=receiver, tick_ps=10.0
    )
    own, other = (merge_clicks(side, WINDOW_TICKS // 4) for side in tags)
    rounds = match_events(own, other.ticks, other.bases, window_ticks=WINDOW_TICKS).rounds
    found = _mutual_nearest_by_search(own.ticks, other.ticks, WINDOW_TICKS).size
    assert abs(found - rounds) <= 1e-4 * rounds
    return Made(
        here=lambda: match_events(own, other.ticks, other.bases, window_ticks=WINDOW_TICKS),
        peers={"a numpy twin": lambda: _mutual_nearest_by_search(own.ticks, other.ticks, WINDOW_TICKS)},
        floor=moved(8 * (own.events + other.events)),
        amount=own.events + other.events,
    )


def _mutual_nearest_by_search(own: NDArray[Any], other: NDArray[Any], window: int) -> NDArray[Any]:
    def nearest(times: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
        right = np.clip(np.searchsorted(others, times), 1, others.size - 1)
        return np.where(others[right] - times < times - others[right - 1], right, right - 1)

    forth, back = nearest(own, other), nearest(other, own)
    mutual = back[forth] == np.arange(own.size)
    return np.flatnonzero(mutual & (np.abs(other[forth] - own) <= window))


CASES = (
    *(
        Case(step=f"Toeplitz hash, 2^{exponent} bits to half", unit="bit", make=partial(toeplitz, exponent))
        for exponent in (16, 20, 24)
    ),
    Case(
        step="Cascade at 3 %, 2^20 bits, both sides",
        unit="bit",
        make=partial(cascade, 0.03, 20),
        floor="a look-up for each parity that either side says",
    ),
    Case(
        step="LDPC, ten iterations, frames of 2^16",
        unit="bit",
        make=partial(ldpc, 64),
        floor="ten operations on a byte for each edge and iteration",
    ),
    Case(step="authentication hash, 4 MiB", unit="byte", make=partial(authentication, 1 << 22)),
    Case(step="bases compared, 10^6 detections", unit="slot", make=partial(sifting, 10**6)),
    Case(step="slot numbers coded, 10^6", unit="slot", make=partial(slot_numbers, 10**6)),
    Case(step="coincidences, 4 x 10^6 tags", unit="tag", make=coincidences),
)
