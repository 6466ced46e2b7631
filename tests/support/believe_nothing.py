"""Good calls of what people call with values of their own, each argument with the sort of value that it takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost import network, planning, security, sifting, simulation
from qkdpost.statistics import concentration, sampling
from qkdpost.statistics import error_rate as estimation
from reference.gaussian_blocks import Block
from support.disguises import Kind, bits, count, counts, integers, pairs, raw, real, reals, text, thing, whole
from support.link import small_link

__all__ = ["CALLS", "Call"]


@dataclass(frozen=True)
class Call:
    """A function with the sort of each of its arguments.

    Args:
        name: of the test.
        function: called by keywords.
        arguments: the sort of each.
    """

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Kind]


def call(name: str, function: Callable[..., Any], **arguments: Kind) -> Call:
    return Call(name, function, arguments)


def stored(path: str | None = None, *, optional: bool = False) -> Kind:
    """The path of a file, of symbols if no other is given. One that is not there, the system refuses."""
    wrong = [lambda: 1, lambda: [1, "a"], object, lambda: math.nan, lambda: np.array([1, 2]), lambda: int]
    return Kind(st.just(path or STORED), lambda path: [Path(path)], wrong if optional else [*wrong, lambda: None])


SMALL = st.integers(0, 120)
"""Fits the narrowest integers."""
PRESHARED = bytes(range(256)) * 4
ZEROS = qp.Bits.zeros(6)
PREPARED = qp.PreparedPulses(bases=[0, 1, 0, 1, 0, 1], bits=[0, 1, 1, 0, 0, 1])
DETECTED = qp.Detections(pulses=6, slots=[1, 2, 5], bases=[1, 0, 1], outcomes=[1, 1, 1])
RECEIVER = simulation.TaggingReceiver(transmittance=0.5)
TAGS = simulation.bbm92_time_tags(duration_s=0.02, pair_rate_hz=1e5, rng=3, alice=RECEIVER, bob=RECEIVER)
LINK = small_link()
THREADS = thing(None, ThreadPoolExecutor(2), optional=True)
COHERENT = Block.plain(4.0, 0.3, 1.11, 0.1, 10_000).expected()
SYMBOLS = np.random.default_rng(4).normal(0.0, 2.0, (200, 2)).round(6)
FILES = TemporaryDirectory(prefix="qkdpost-tests-")
STORED = str(Path(FILES.name) / "symbols.npy")
np.save(STORED, SYMBOLS)
RECORD = str(Path(FILES.name) / "record.npz")
qp.save(RECORD, PREPARED)
THREE = ((0.5, 0.15, 0.0), (0.5, 0.25, 0.25))


def _summed_calibration(outcomes: Any, adc_step: Any) -> Any:
    sums = sifting.CalibrationSums("heterodyne", adc_step=adc_step, random_source=bytes)
    sums.add(outcomes)
    return sums.result()


def bound(name: str, module: Any, tally: type, counted: dict[str, Kind], **options: Kind) -> Call:
    """Return the whole way from counts to a length."""

    def length(*, leakage_bits: Any, epsilon: Any, **given: Any) -> Any:
        tallied = {key: given.pop(key) for key in counted}
        return module.secret_length(tally(**tallied), leakage_bits=leakage_bits, epsilon=epsilon, **given)

    more = {"leakage_bits": count(st.integers(64, 10_000)), "epsilon": real(st.sampled_from([1e-10, 1e-6]))}
    return Call(name, length, {**counted, **more, **options})


QUBITS = {
    "key_bits": count(st.sampled_from([100, 30_000, 10**5, 5 * 10**6])),
    "test_bits": count(st.sampled_from([64, 10_000, 10**6])),
    "test_errors": count(st.integers(0, 64)),
}
SAMPLED = {
    "key_counts": counts(st.tuples(st.sampled_from([100, 10**5]), st.sampled_from([100, 10**5]))),
    "test_counts": counts(st.tuples(st.sampled_from([100, 10**4]), st.sampled_from([100, 10**4]))),
    "test_errors": counts(st.tuples(st.integers(0, 100), st.integers(0, 100))),
}
DECOYS = {
    "intensities": reals(THREE[0]),
    "probabilities": reals(THREE[1]),
    "key_counts": counts(st.sampled_from([(100, 50, 3), (10**6, 10**5, 5000)])),
    "test_counts": counts(st.sampled_from([(100, 50, 3), (10**5, 10**4, 500)])),
    "test_errors": counts(st.sampled_from([(3, 2, 1), (100, 50, 3)])),
    "key_errors": counts(st.sampled_from([(3, 2, 1), (100, 50, 3)]), optional=True),
}
ONE_DECOY = {
    "intensities": reals((0.5, 0.1)),
    "probabilities": reals((0.7, 0.3)),
    "key_counts": counts(st.sampled_from([(100, 50), (10**6, 10**5)])),
    "test_counts": counts(st.sampled_from([(100, 50), (10**5, 10**4)])),
    "test_errors": counts((3, 2)),
    "key_errors": counts((30, 20), optional=True),
}
SINGLE = {
    "pulses_sent": count(st.sampled_from([10**7, 10**9])),
    "key_probability": real(0.81),
    "test_probability": real(0.01),
    "mean_photons": real(st.sampled_from([0.1, 0.5])),
    "g2": real(st.sampled_from([0.0, 0.02])),
    "key_bits": count(st.sampled_from([10**5, 10**6])),
    "test_bits": count(st.sampled_from([10**4, 2 * 10**4])),
    "test_errors": count(SMALL),
}
TAIL = real(st.sampled_from([1e-10, 1e-3]))
METHODS = text("linear-program", "analytic")
OPTIONS = {"concentration": text("hypergeometric", "serfling"), "verification_bits": count(64, optional=True)}
FLAG = thing(True, False)
NOT_A_NOISE: list[Callable[[], Any]] = [lambda: None, lambda: "0.01", lambda: True, lambda: math.nan, lambda: (0.01,)]

TALLIES = [
    call("Tally", qp.Tally, **QUBITS),
    call("SampledTally", qp.SampledTally, **SAMPLED),
    call("DecoyTally", qp.DecoyTally, **DECOYS),
    call("SinglePhotonTally", qp.SinglePhotonTally, **SINGLE),
    call(
        "GaussianBoundSettings",
        qp.security.gaussian.settings.GaussianBoundSettings,
        modulation_variance=real(4.0),
        modulation_tolerance=real(0.015625),
        efficiency=real(0.5),
        efficiency_tolerance=real(0.0),
        detection=text("heterodyne", "homodyne"),
        receiver=text("trusted", "untrusted"),
        attacks=text("gaussian-collective", "phase-insensitive-gaussian-collective"),
        dimension=count(st.sampled_from([1, 2, 4, 8]), optional=True),
        bound=text("variable-length"),
    ),
    call(
        "GaussianTally",
        qp.GaussianTally,
        detection=text("heterodyne"),
        moments=thing(COHERENT.moments),
        whitening=thing(COHERENT.whitening),
        shot_electronic=thing(COHERENT.shot_electronic),
        electronic=thing(COHERENT.electronic, optional=True),
        key_reals=count(st.sampled_from([96, 10_000])),
        dimension=count(st.sampled_from([2, 4, 8])),
    ),
    call(
        "SlicedTally",
        qp.SlicedTally,
        sums=thing(COHERENT),
        width=real(1.25),
        levels=count(st.sampled_from([3, 4])),
    ),
]

BOUNDS = [
    bound("bb84", security.bb84, qp.Tally, QUBITS, **OPTIONS),
    bound("bbm92", security.bbm92, qp.Tally, QUBITS, time_tags=FLAG, **OPTIONS),
    bound("bb84 sampled", security.bb84, qp.SampledTally, SAMPLED, **OPTIONS),
    bound("bbm92 sampled", security.bbm92, qp.SampledTally, SAMPLED),
    bound(
        "decoy-bb84", security.decoy_bb84, qp.DecoyTally, DECOYS, method=text("linear-program", "analytic"), **OPTIONS
    ),
    bound("decoy-bb84 one decoy", security.decoy_bb84, qp.DecoyTally, ONE_DECOY, two_way=FLAG),
    bound("single-photon", security.single_photon, qp.SinglePhotonTally, SINGLE, multiphoton=text("exact", "chernoff")),
    bound(
        "tomamichel-leverrier-2017",
        security.bb84,
        qp.Tally,
        QUBITS,
        bound=text("tomamichel-leverrier-2017", "lim-2021"),
        tolerated_error_rate=real(st.sampled_from([0.02, 0.05])),
    ),
    bound("lim-2014", security.decoy_bb84, qp.DecoyTally, DECOYS, bound=text("lim-2014")),
    bound("rusca-2018", security.decoy_bb84, qp.DecoyTally, ONE_DECOY, bound=text("rusca-2018")),
]

STATISTICS = [
    call(
        "hypergeometric_key_errors",
        sampling.hypergeometric_key_errors,
        key_bits=count(st.integers(1, 10**6)),
        test_bits=count(st.integers(100, 10**5)),
        test_errors=count(st.integers(0, 100)),
        tail=TAIL,
    ),
    call(
        "hypergeometric_key_errors_lower",
        sampling.hypergeometric_key_errors_lower,
        key_bits=count(st.integers(1, 10**6)),
        test_bits=count(st.integers(100, 10**5)),
        test_errors=count(st.integers(0, 100)),
        tail=TAIL,
    ),
    *(
        call(
            function.__name__,
            function,
            trials=count(st.integers(100, 10**6)),
            seen=count(st.integers(0, 100)),
            tail=TAIL,
        )
        for function in (
            concentration.clopper_pearson_upper,
            concentration.clopper_pearson_lower,
            concentration.kullback_leibler_upper,
            concentration.kullback_leibler_lower,
        )
    ),
    call(
        "binomial_at_most",
        concentration.binomial_at_most,
        trials=count(st.integers(1, 10**6)),
        probability=real(0.01),
        tail=TAIL,
    ),
    call("chernoff_at_most", concentration.chernoff_at_most, expected=real(st.sampled_from([0.0, 1e3])), tail=TAIL),
    call(
        "trials_upper_bound", concentration.trials_upper_bound, successes=count(SMALL), at_most=count(10_000), tail=TAIL
    ),
    call("hoeffding_deviation", concentration.hoeffding_deviation, trials=count(SMALL), tail=TAIL),
    call(
        "serfling_deviation",
        sampling.serfling_deviation,
        key_bits=count(st.integers(1, 10**6)),
        test_bits=count(st.integers(1, 10**5)),
        tail=TAIL,
    ),
    call("binary_entropy", security.binary_entropy, probability=real(st.sampled_from([0.0, 0.25, 0.5]))),
    call("inverse_binary_entropy", security.inverse_binary_entropy, entropy_bits=real(st.sampled_from([0.0, 0.5]))),
    call(
        "estimate_error_rate",
        estimation.estimate_error_rate,
        errors=count(SMALL),
        tested=count(st.integers(120, 10**6)),
        confidence=real(0.99),
    ),
    call(
        "sampled_error_bounds",
        estimation.sampled_error_bounds,
        remaining=count(st.integers(1, 10**6)),
        tested=count(st.integers(120, 10**5)),
        errors=count(SMALL),
        confidence=real(0.99),
    ),
    call("sample_size", estimation.sample_size, key_bits=count(st.integers(0, 10**7))),
    call(
        "QubitAcceptance",
        security.QubitAcceptance,
        key_bits=count(100),
        test_bits=count(100),
        tolerated_error_rate=real(0.03125),
        leakage_bits=count(100),
    ),
    call(
        "DecoyAcceptance",
        security.DecoyAcceptance,
        vacuum=count(SMALL),
        single_photons=count(100),
        phase_error_rate=real(0.03125),
        leakage_bits=count(100),
    ),
    call(
        "DetectorMismatch",
        security.DetectorMismatch,
        dark_count_probability=real(1e-6),
        efficiency_deviation=real(0.0625),
        dark_count_deviation=real(0.25),
    ),
    call("Epsilon", security.Epsilon, secrecy=real(1e-10), correctness=real(1e-11), authentication=real(1e-12)),
]

RECORDS = [
    call(
        "PreparedPulses",
        qp.PreparedPulses,
        bases=bits([0, 1, 1, 0]),
        bits=bits(st.lists(st.integers(0, 1), min_size=4, max_size=4)),
        intensities=Kind(
            st.just([0, 1, 2, 0]), integers([0]).disguises, [lambda: [0.5, 0.1, 0.1, 0.1], lambda: "0120", lambda: 3]
        ),
    ),
    call(
        "Detections",
        qp.Detections,
        pulses=count(st.integers(100, 120)),
        slots=integers([3, 9, 70, 99]),
        bases=bits([0, 1, 1, 0]),
        outcomes=bits([1, 0, 1, 0]),
    ),
    call(
        "Detections.from_outcomes",
        qp.Detections.from_outcomes,
        outcomes=Kind(
            st.just([1, -1, 0, 1]),
            integers([1, -1, 0, 1]).disguises,
            [
                lambda: None,
                lambda: 3,
                lambda: "0101",
                lambda: [0, 0.5, 1, 1],
                lambda: [[0, 1, 0, 1]],
                lambda: [0, 1, 5, 1],
            ],
        ),
        bases=bits([1, 0, 0, 1]),
        none=count(-1),
    ),
    call(
        "Tally.from_counts",
        qp.Tally.from_counts,
        source=Kind(
            st.just({"basis": ["key", "test"], "detected": [900, 100], "errors": [9, 1]}),
            lambda table: [{name: np.array(column) for name, column in table.items()}],
            [lambda: None, lambda: 1, lambda: [1], dict, lambda: {"basis": "key"}, lambda: {"detected": [1, 2]}],
        ),
        key_basis=Kind(st.just(None), lambda value: [], [], [lambda: 1, lambda: "key", object, lambda: [1]]),
    ),
    call(
        "Totals.of",
        lambda seconds: qp.Totals.of([], seconds=seconds).seconds,
        seconds=real(2.5, optional=True),
    ),
    call("save", qp.save, path=stored(RECORD), record=thing(PREPARED)),
    call("load", qp.load, path=stored(RECORD)),
    call(
        "TimeTags", qp.TimeTags, ticks=integers([-3, 9, 9, 99]), channels=integers([0, 3, 2, 1]), tick_ps=real(78.125)
    ),
    call("CoherentStates", qp.CoherentStates, symbols=pairs(SYMBOLS), modulation_variance=real(4.0)),
    call(
        "QuadratureOutcomes",
        qp.QuadratureOutcomes,
        values=pairs(2 * SYMBOLS),
        electronic_shot=pairs(SYMBOLS[:150]),
        efficiency=real(0.625),
        electronic=pairs(0.5 * SYMBOLS[:110], optional=True),
        adc_step=real(0.25, optional=True),
    ),
    call(
        "CalibrationSums",
        _summed_calibration,
        outcomes=pairs(SYMBOLS[:150]),
        adc_step=real(0.25, optional=True),
    ),
    call("Labels", qp.Labels.from_array, labels=integers([0, 7, 3])),
    call("Bits.from_array", qp.Bits.from_array, array=bits(st.lists(st.integers(0, 1), min_size=2, max_size=90))),
    call("Bits.from_bytes", qp.Bits.from_bytes, data=raw(b"abc\0"), length=count(st.integers(25, 32))),
    call("Bits.from_positions", qp.Bits.from_positions, positions=integers([5, 0, 99]), length=count(100)),
    call("Bits.zeros", qp.Bits.zeros, length=count(SMALL)),
    call("Bits.take", qp.Bits.from_array([1, 0, 1, 1]).take, positions=integers([3, 3, 0])),
    call("Bits.select", qp.Bits.from_array([1, 0, 1, 1]).select, mask=bits([0, 1, 1, 0])),
    call("Bits.replace", qp.Bits.from_array([1, 0, 1, 1]).replace, mask=bits([0, 1, 1, 0]), values=bits([0, 0])),
    call("Bits ^", lambda other: qp.Bits.from_array([1, 0, 1, 1]) ^ other, other=bits([0, 1, 1, 0])),
    call("Bits[]", lambda place: qp.Bits.from_array([1, 0, 1, 1])[place], place=count(st.integers(0, 3))),
    call(
        "SiftedKey",
        qp.SiftedKey,
        key_bits=thing(ZEROS),
        test_bits=thing(ZEROS),
        rounds=count(12),
        pulses=count(SMALL),
    ),
    call(
        "SecretKey",
        qp.SecretKey,
        bits=thing(ZEROS),
        identifier=raw(bytes(16)),
        epsilon=real(1e-10),
        accumulated_epsilon=real(1e-9),
    ),
]

LINKS = [
    call(
        "LinkConfig",
        qp.LinkConfig,
        protocol=thing(qp.BB84()),
        correction=thing(qp.Ldpc()),
        security=thing(qp.Security()),
        blocks=thing(qp.Blocks()),
        record_limits=thing(qp.RecordLimits()),
    ),
    call(
        "GaussianCV",
        qp.GaussianCV,
        modulation_variance=real(4.0),
        efficiency=real(0.5),
        detection=text("heterodyne", "homodyne"),
        receiver=text("trusted", "untrusted"),
        attacks=text("gaussian-collective", "phase-insensitive-gaussian-collective"),
        modulation_tolerance=real(0.015625),
        efficiency_tolerance=real(0.0),
        disclosed_symbols=count(2**14),
    ),
    call(
        "Multidimensional",
        qp.Multidimensional,
        dimension=count(st.sampled_from([1, 2, 4, 8])),
        decoder=thing("layered"),
        batch_frames=count(16),
    ),
    call(
        "Slices",
        qp.Slices,
        frame_outcomes=count(st.sampled_from([2**14, 2**16, 2**18])),
        decoder=thing("accurate"),
        batch_frames=count(16),
    ),
    call("BB84", qp.BB84, test=text("basis", "sample"), sample_fraction=real(0.125)),
    call("BBM92", qp.BBM92, test=text("basis", "sample"), sample_fraction=real(0.125)),
    call(
        "BBM92TimeTags",
        qp.BBM92TimeTags,
        dead_time_ps=real(0.0),
        coincidence_window_ps=real(0.0),
        clock_search_ps=real(1e12),
        max_drift_ppm=real(10.0),
        tick_ps=real(1.0),
    ),
    call(
        "Blocks",
        qp.Blocks,
        detections=count(2**16),
        max_detections=count(2**20),
        in_flight=count(4),
        frame_bits=count(2**12),
        frame_tag_bits=count(24),
    ),
    call("Cascade", qp.Cascade, parameters=text("near-optimal", "yan")),
    call(
        "Ldpc",
        qp.Ldpc,
        frame_bits=count(2**14),
        decoder=Kind(st.just("fast"), lambda value: [np.str_(value)], [lambda: None, lambda: 1, lambda: ""]),
        first_failures_permille=count(100),
        blind_rounds=count(2),
    ),
    call(
        "Auto",
        qp.Auto,
        cascade=thing(qp.Cascade()),
        ldpc=thing(qp.Ldpc()),
        round_trip_ms=real(0.5),
        processor_mbit_per_s=real(8.0),
    ),
    call(
        "Security",
        qp.Security,
        epsilon=real(1e-10),
        planned_key_bits=count(SMALL),
        concentration=text("hypergeometric", "serfling"),
    ),
    call("DecoyBB84", qp.DecoyBB84, intensities=reals(THREE[0]), probabilities=reals(THREE[1])),
    call(
        "SinglePhotonBB84",
        qp.SinglePhotonBB84,
        mean_photons=real(0.5),
        g2=real(0.0625),
        test_probabilities=reals((0.5, 0.25)),
    ),
    call("KeyPool", lambda **given: len(repr(qp.KeyPool(**given))), preshared=raw(PRESHARED)),
    call(
        "Session",
        lambda **given: type(qp.Session(auth_key=qp.KeyPool(PRESHARED), **given)),
        role=text("alice", "bob"),
        link=thing(LINK),
    ),
    call("Ledger", lambda bits: qp.Ledger().disclose(qp.Cause.BLOCK_TAG, bits), bits=count(SMALL)),
]

FUNCTIONS = [
    call(
        "load_coherent_states",
        sifting.load_coherent_states,
        path=stored(),
        units=text("shot-noise"),
        modulation_variance=real(4.0),
    ),
    call(
        "load_quadrature_outcomes",
        sifting.load_quadrature_outcomes,
        outcomes=stored(),
        electronic_shot=stored(),
        electronic=stored(optional=True),
        efficiency=real(0.5),
    ),
    call(
        "toeplitz_hash",
        qp.toeplitz_hash,
        bits=bits([1, 0, 1, 1]),
        seed=bits([0, 1, 1, 0, 1]),
        output_bits=count(2),
        executor=THREADS,
    ),
    call(
        "modified_toeplitz_hash",
        qp.modified_toeplitz_hash,
        bits=bits([1, 0, 1, 1]),
        seed=bits([0, 1, 1]),
        output_bits=count(2),
        executor=THREADS,
    ),
    call(
        "reconcile",
        qp.reconcile,
        reference_bits=bits([0, 1] * 50),
        noisy_bits=bits([0, 1] * 49 + [1, 1]),
        method=text("cascade"),
        qber=real(st.sampled_from([0.015625, 0.25])),
        frame_bits=count(64, optional=True),
        parameters=text("near-optimal", "original"),
        seed=Kind(st.just(bytes(32)), raw(b"").disguises, [lambda: "a" * 32, lambda: b"short", lambda: 3]),
        executor=THREADS,
    ),
    call(
        "distill",
        qp.distill,
        alice=thing(PREPARED),
        bob=thing(DETECTED),
        link=thing(LINK),
        random_source=thing(lambda size: b"\x5a" * size),
        executor=THREADS,
    ),
    call(
        "match_prepared",
        sifting.match_prepared,
        prepared=thing(PREPARED),
        slots=integers([1, 5]),
        peer_bases=bits([1, 0]),
    ),
    call(
        "sift_prepared", sifting.sift_prepared, prepared=thing(PREPARED), slots=integers([1, 5]), matched=bits([1, 0])
    ),
    call("sift_detections", sifting.sift_detections, detections=thing(DETECTED), matched=bits([1, 0, 1])),
    call(
        "match_detections",
        sifting.match_detections,
        own=thing(DETECTED),
        peer_slots=integers([1, 5]),
        peer_bases=bits([1, 0]),
    ),
    call("encode_slots", sifting.encode_slots, slots=integers([1, 5, 99]), pulses=count(st.integers(100, 120))),
    call("encode_times", sifting.encode_times, ticks=integers([3, 3, 9]), origin=count(2), span=count(100)),
    call(
        "decode_slots", sifting.decode_slots, data=raw(sifting.encode_slots([1, 5], 9)), count=count(2), pulses=count(9)
    ),
    call(
        "decode_times",
        sifting.decode_times,
        data=raw(sifting.encode_times([3, 5], origin=2, span=9)),
        count=count(2),
        origin=count(2),
        span=count(9),
    ),
    call(
        "pair_time_tags",
        lambda **given: type(sifting.pair_time_tags(**given)),  # bits of double clicks are drawn
        answering=thing(TAGS[0]),
        reporting=thing(TAGS[1]),
        dead_time_ps=real(0.0),
        window_ps=real(500.0, optional=True),
        search_ps=real(1e8, optional=True),
        max_drift_ppm=real(10.0),
        executor=THREADS,
    ),
    call(
        "sort_time_tags",
        sifting.sort_time_tags,
        ticks=integers([1, 9, 5]),
        channels=integers([0, 1, 2]),
        max_disorder_ticks=count(100),
    ),
    call(
        "unwrap_ticks",
        sifting.unwrap_ticks,
        ticks=integers([10, 90, 3]),
        rollover_ticks=count(100),
        max_disorder_ticks=count(0),
    ),
]

SIMULATIONS = [
    call(
        "simulation.bb84",
        simulation.bb84,
        pulses=whole(st.integers(0, 120)),
        rng=count(7),
        fibre_km=real(1.0),
        source=thing(simulation.SinglePhotonSource()),
        detectors=thing(simulation.GatedDetectors()),
        test_probability=real(0.5),
    ),
    call(
        "simulation.decoy_bb84",
        simulation.decoy_bb84,
        pulses=whole(100),
        rng=count(7),
        test_probabilities=reals((0.5, 0.5)),
        source=thing(simulation.WeakCoherentSource()),
    ),
    call(
        "simulation.single_photon_bb84",
        simulation.single_photon_bb84,
        pulses=whole(100),
        rng=count(7),
        test_probabilities=reals((0.5, 0.5)),
        source=thing(simulation.ImperfectPhotonSource()),
    ),
    call(
        "simulation.bbm92",
        simulation.bbm92,
        slots=whole(100),
        rng=count(7),
        pairs_per_slot=real(0.5),
        misalignment=real(0.0),
        test_probability=real(0.5),
    ),
    call(
        "simulation.bbm92_time_tags",
        simulation.bbm92_time_tags,
        duration_s=real(0.001),
        pair_rate_hz=real(1000.0),
        rng=count(7),
        misalignment=real(0.0),
        clock_offset_ps=real(100.0),
        clock_drift_ppm=real(1.0),
        tick_ps=real(1.0),
        alice=thing(simulation.TaggingReceiver()),
    ),
    call("Fibre", simulation.Fibre, length_km=real(20.0), loss_db_per_km=real(0.25), excess_loss_db=real(1.0)),
    call(
        "GatedDetectors",
        simulation.GatedDetectors,
        efficiency=real(0.25),
        dark_count_probability=real(1e-6),
        dead_time_slots=count(SMALL),
        afterpulse_probability=real(0.0),
        afterpulse_slots=real(10.0),
    ),
    call(
        "TaggingReceiver",
        simulation.TaggingReceiver,
        transmittance=real(0.25),
        jitter_ps=real(150.0),
        delays_ps=reals((0.0, 1.5, 2.0, -3.0)),
        dark_count_rate_hz=real(500.0),
    ),
    call("SinglePhotonSource", simulation.SinglePhotonSource, efficiency=real(0.5), misalignment=real(0.0)),
    call("ImperfectPhotonSource", simulation.ImperfectPhotonSource, mean_photons=real(0.5), g2=real(0.0)),
    call(
        "WeakCoherentSource", simulation.WeakCoherentSource, intensities=reals(THREE[0]), probabilities=reals(THREE[1])
    ),
    call(
        "gaussian_cv",
        simulation.gaussian_cv,
        symbols=whole(st.integers(0, 100)),
        rng=count(1),
        modulation_variance=real(4.0),
        fibre_km=real(st.sampled_from([0.0, 25.0])),
        excess_noise=Kind(real(0.015625).plain, real(0.015625).disguises, NOT_A_NOISE),
        efficiency=real(0.5),
        electronic_noise=real(st.sampled_from([0.0, 0.125])),
        detection=text("heterodyne", "homodyne"),
        phase_variance=real(st.sampled_from([0.0, 0.015625])),
        counts_per_shot_noise=real(128.0),
        calibration_symbols=count(st.integers(100, 120), optional=True),
        keep_calibration=FLAG,
        imperfections=thing(simulation.CoherentImperfections(), simulation.CoherentImperfections(adc_bits=8)),
    ),
    call(
        "CoherentImperfections",
        simulation.CoherentImperfections,
        phase_correlation=real(0.5),
        rotation_rad=real(0.25),
        imbalance=real(0.125),
        offset=reals((0.5, -0.25)),
        intersymbol=real(0.0625),
        transmittance_drift=real(0.125),
        calibration_gain=real(1.0),
        adc_bits=count(8, optional=True),
        integers=FLAG,
    ),
]

PLANNING = [
    call(
        "expected_length",
        planning.expected_length,
        link=thing(planning.DecoyBB84Link(), planning.BBM92Link(), planning.SinglePhotonBB84Link()),
        pulses=whole(st.sampled_from([10**6, 10**9])),
        epsilon=real(1e-10),
        efficiency=real(1.25),
    ),
    call(
        "optimise",
        planning.optimise,
        link=thing(planning.BBM92Link()),
        pulses=whole(10**9),
        epsilon=real(1e-10),
        efficiency=real(1.25),
        max_evaluations=count(3),
    ),
    call(
        "asymptotic_discrete_rate",
        planning.asymptotic_discrete_rate,
        constellation=thing(planning.Constellation.psk(4, 0.35)),
        transmittance=real(0.5),
        excess_noise=real(st.sampled_from([0.0, 0.0078125])),
        efficiency=real(st.sampled_from([0.5, 1.0])),
        electronic_noise=real(0.125),
        receiver=text("trusted", "untrusted"),
        reconciliation_efficiency=real(0.9375),
    ),
    call("Constellation.psk", planning.Constellation.psk, points=count(st.integers(2, 8)), amplitude=real(0.5)),
    call(
        "Constellation.qam",
        planning.Constellation.qam,
        points=count(st.sampled_from([4, 16])),
        modulation_variance=real(1.0),
        shaping=text("maxwell-boltzmann", "binomial"),
        concentration=real(0.5),
    ),
    call(
        "GaussianLink",
        planning.GaussianLink,
        modulation_variance=real(4.0),
        excess_noise=real(0.0078125),
        phase_variance=real(0.0),
        efficiency=real(0.5),
        electronic_noise=real(0.125),
        detection=text("heterodyne", "homodyne"),
        receiver=text("trusted", "untrusted"),
        attacks=text("gaussian-collective"),
        modulation_tolerance=real(0.0),
        efficiency_tolerance=real(0.0),
        dimension=count(8),
        reconciliation_efficiency=real(0.9375, optional=True),
        calibration_symbols=count(100, optional=True),
        disclosed_symbols=count(100),
        pulse_rate_hz=real(1e8),
    ),
    call(
        "virtual_channel_capacity",
        planning.virtual_channel_capacity,
        signal_to_noise_ratio=real(0.25),
        dimension=count(st.sampled_from([1, 2, 4, 8])),
    ),
    call(
        "tolerated_error_rate",
        planning.tolerated_error_rate,
        key_bits=whole(st.sampled_from([10**5, 10**6])),
        test_bits=whole(10**5),
        epsilon=real(1e-10),
        efficiency=real(1.25),
    ),
    call(
        "expected_leakage", security.expected_leakage, bits=whole(1000), error_rate=real(0.03125), efficiency=real(1.25)
    ),
    call("over", planning.BBM92Link().over, fibre_km=real(20.0)),
    call("link_config", planning.BBM92Link().link_config, epsilon=real(1e-10, optional=True)),
    call("Fibre", simulation.Fibre, length_km=real(20.0), loss_db_per_km=real(0.25), excess_loss_db=real(1.0)),
    call("repeaterless_limit", planning.repeaterless_limit, transmittance=real(0.5)),
    call(
        "DecoyBB84Link",
        planning.DecoyBB84Link,
        source=thing(simulation.WeakCoherentSource()),
        fibre=thing(simulation.Fibre()),
        detectors=thing(simulation.GatedDetectors()),
        test_probability=real(0.125),
    ),
]

NETWORK = [
    call(
        "Quota",
        network.Quota,
        held_keys=count(100),
        keys_per_second=real(8.0),
        burst_keys=count(100),
    ),
    call(
        "Lifetimes",
        network.Lifetimes,
        answer_seconds=real(2.0),
        key_seconds=real(64.0),
        record_seconds=real(8.0),
        redelivery_seconds=real(0.5),
    ),
    call(
        "KeyRequirements",
        network.KeyRequirements,
        max_epsilon=real(0.125, optional=True),
        max_age_seconds=real(16.0, optional=True),
        disjoint_paths=count(st.integers(1, 8), optional=True),
    ),
    call("DeliveryPolicy", network.DeliveryPolicy, claim=text("joint", "request"), low_water_bits=count(100)),
]

CALLS = [*TALLIES, *BOUNDS, *STATISTICS, *RECORDS, *LINKS, *FUNCTIONS, *SIMULATIONS, *PLANNING, *NETWORK]
