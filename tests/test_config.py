from __future__ import annotations

import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError
from qkdpost.link_parts import DecoyAcceptance, DetectorMismatch, QubitAcceptance

QUBITS = QubitAcceptance(key_bits=1000, test_bits=100, tolerated_error_rate=0.02, leakage_bits=200)
DECOYS = DecoyAcceptance(single_photons=1000, phase_error_rate=0.05, leakage_bits=200)
DETECTORS = DetectorMismatch(dark_count_probability=1e-6, efficiency_deviation=0.01, dark_count_deviation=0.1)
ONE_WAY = {"reconciliation": "ldpc", "ldpc_blind_rounds": 0, "ldpc_fallback": "drop"}
TWO_DECOYS = {"kind": "decoy-bb84", "intensities": (0.5, 0.1, 0.0), "intensity_probabilities": (0.5, 0.25, 0.25)}
ONE_DECOY = {"kind": "decoy-bb84", "intensities": (0.5, 0.1), "intensity_probabilities": (0.5, 0.5)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "e91"),
        ("test", "some"),
        ("epsilon", 0.0),
        ("epsilon", 1.0),
        ("epsilon", float("nan")),
        ("epsilon", "small"),
        ("frame_bits", 1),
        ("ldpc_decoder", ""),
        ("ldpc_decoder", 3),
        ("ldpc_first_failures_permille", 50),
        ("ldpc_first_failures_permille", True),
        ("ldpc_first_failures_permille", 300.0),
        ("frame_bits", 1024.0),
        ("ldpc_frame_bits", 2**15),
        ("ldpc_frame_bits", 2.0**14),
        ("block_detections", True),
        ("frame_tag_bits", 0),
        ("blocks_in_flight", 0),
        ("planned_key_bits", -1),
        ("block_detections", 2**40),
        ("block_detections", 2**27),
        ("sample_fraction", 1.0),
        ("dead_time_ps", -1.0),
        ("coincidence_window_ps", float("inf")),
        ("tick_ps", 0.05),
        ("tick_ps", 1e5),
        ("tick_ps", float("nan")),
        ("test_probabilities", ()),
        ("test_probabilities", (0.1,) * 3),
        ("test_probabilities", (0.1,) * 10_000),
        ("test_probabilities", (0.1, 1.1)),
        ("test_probabilities", (0.1, float("nan"))),
        ("test_probabilities", ("a", "b")),
        ("test_probabilities", 0.5),
        ("bound", "wishful"),
        ("concentration", "gaussian"),
        ("reconciliation", "none"),
        ("cascade_parameters", "mine"),
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=field):
        LinkConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "decoy-bb84"},
        {"kind": "bb84", "intensities": (0.5, 0.1), "intensity_probabilities": (0.5, 0.5)},
        {"kind": "decoy-bb84", "intensities": (0.1, 0.5), "intensity_probabilities": (0.5, 0.5)},
        {"kind": "decoy-bb84", "intensities": (0.5, 0.1), "intensity_probabilities": (0.5, 0.4)},
        {"frame_bits": 64, "frame_tag_bits": 128},
        {"kind": "single-photon-bb84", "mean_photons": 0.1, "g2": 0.01},
        {"kind": "single-photon-bb84", "test_probabilities": (0.1, 0.1)},
        {"kind": "bbm92-time-tags", "test": "sample"},
        {
            "kind": "decoy-bb84",
            "test": "sample",
            "intensities": (0.5, 0.1),
            "intensity_probabilities": (0.5, 0.5),
        },
    ],
    ids=str,
)
def test_fields_that_contradict_each_other_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        LinkConfig(**fields)  # type: ignore[arg-type]


def test_integers_of_numpy_are_taken() -> None:
    link = LinkConfig(block_detections=np.int64(1000))  # type: ignore[arg-type]
    assert type(link.block_detections) is int
    assert link == LinkConfig(block_detections=1000)


def test_numbers_and_choices_of_numpy_have_the_text_of_plain_ones() -> None:
    """A field whose text no peer has would be refused as another configuration."""
    plain = LinkConfig(kind="single-photon-bb84", mean_photons=0.5, g2=0.0, test_probabilities=(0.25, 0.5))
    given = LinkConfig(
        kind=np.str_("single-photon-bb84"),
        ldpc_decoder=np.str_("fast"),
        mean_photons=np.float32(0.5),
        g2=-0.0,
        epsilon=np.float64(1e-10),
        frame_bits=np.array(2**14),
        test_probabilities=np.array([0.25, 0.5], dtype=np.float16),
    )
    assert given.to_fields() == plain.to_fields()
    assert given.digest() == plain.digest()


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": np.array(["bb84"])},
        {"kind": np.array(["bb84", "bbm92"])},
        {"ldpc_decoder": np.array(["fast"])},
        {"g2": "x"},
        {"g2": object()},
        {"g2": 0.01},
        {"mean_photons": float("nan")},
        {"mean_photons": 0.5},
        {"intensity_probabilities": (0.5, 0.5)},
        {"epsilon": 10**400},
        {"epsilon": True},
        {"epsilon": np.array([1e-10, 1e-10])},
        {"tick_ps": "1"},
        {"test_probabilities": 0.5},
        {"test_probabilities": "ab"},
        {"test_probabilities": (10**400, 0.5)},
        {"kind": "decoy-bb84", "intensities": ("0.5", "0.1"), "intensity_probabilities": (0.5, 0.5)},
        {"kind": "decoy-bb84", "intensities": (0.5, 5e-324), "intensity_probabilities": (0.5, 0.5)},
    ],
    ids=str,
)
def test_what_no_peer_could_hold_is_refused_for_every_kind(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        LinkConfig(**fields)  # type: ignore[arg-type]


def test_decoy_states_say_what_they_need() -> None:
    with pytest.raises(ConfigurationError, match="needs intensities and intensity_probabilities"):
        LinkConfig(kind="decoy-bb84")


def test_the_digest_names_the_configuration() -> None:
    link = LinkConfig()
    assert link.digest() == LinkConfig().digest()
    assert link.digest() != replace(link, frame_bits=2**13).digest()
    assert LinkConfig(dead_time_ps=5).digest() == LinkConfig(dead_time_ps=5.0).digest()


def test_every_field_fits_into_the_greeting() -> None:
    long = 0.1234567890123456789
    most = LinkConfig(
        kind="decoy-bb84",
        intensities=tuple(long / (number + 1) for number in range(8)),
        intensity_probabilities=(0.125,) * 8,
        test_probabilities=(long, long),
        detectors=DetectorMismatch(
            dark_count_probability=long / 1e9, efficiency_deviation=long / 10, dark_count_deviation=long / 10
        ),
        **ONE_WAY,
    )
    assert max(len(text) for text in most.to_fields().values()) <= 256
    large = 2**53
    for thresholds in (
        QubitAcceptance(key_bits=large, test_bits=large, tolerated_error_rate=long, leakage_bits=large),
        DecoyAcceptance(vacuum=large, single_photons=large, phase_error_rate=long, leakage_bits=large),
    ):
        assert len(repr(thresholds)) <= 256


def test_a_field_too_long_to_be_told_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qkdpost.config.LONGEST_FIELD", 12)
    with pytest.raises(ConfigurationError, match="characters"):
        LinkConfig(reconciliation="cascade", cascade_parameters="near-optimal")


def test_every_field_is_told_to_the_peer() -> None:
    assert LinkConfig().to_fields().keys() == {item.name for item in fields(LinkConfig)}


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"acceptance": QUBITS}, "leave acceptance out"),
        ({"bound": "lim-2021"}, "acceptance must be a QubitAcceptance"),
        ({"bound": "lim-2021", "acceptance": DECOYS}, "acceptance must be a QubitAcceptance"),
        ({"bound": "lim-2021", "acceptance": 5}, "acceptance must be a QubitAcceptance"),
        ({"bound": "lim-2021", "acceptance": {"key_bits": 5}}, "acceptance"),
        ({"bound": "lim-2021", "acceptance": asdict(QUBITS) | {"test_bits": -5}}, "test_bits"),
        ({"bound": "lim-2021", "acceptance": QUBITS, "test": "sample"}, "test 'basis'"),
        ({"bound": "lim-2021", "acceptance": QUBITS, "planned_key_bits": 100}, "planned_key_bits"),
        (
            {"bound": "lim-2021", "acceptance": QUBITS, "largest_block_detections": 1099, "block_detections": 1000},
            "largest_block_detections",
        ),
        ({"bound": "lim-2021", "acceptance": QUBITS} | TWO_DECOYS, "is for kinds bb84"),
        ({"bound": "wiesemann-2026", "acceptance": DECOYS}, "is for kinds decoy-bb84"),
        ({"bound": "wiesemann-2026"} | TWO_DECOYS, "acceptance must be a DecoyAcceptance"),
        ({"bound": "lim-2014", "acceptance": DECOYS} | TWO_DECOYS, "bound must be one of"),
        ({"bound": "rusca-2018", "acceptance": DECOYS} | ONE_DECOY, "bound must be one of"),
        ({"bound": "tlgr-2012", "acceptance": QUBITS}, "bound must be one of"),
        (
            {"bound": "wiesemann-2026", "acceptance": DECOYS} | TWO_DECOYS | {"intensities": (0.5, 0.4, 0.2)},
            "exceeds the sum",
        ),
        ({"bound": "wiesemann-2026", "acceptance": DECOYS} | ONE_DECOY | {"intensities": (0.5, 0.0)}, "above 0"),
        ({"bound": "wiesemann-2026", "acceptance": replace(DECOYS, vacuum=10)} | TWO_DECOYS, "vacuum term"),
        (ONE_DECOY | ONE_WAY, "two intensities"),
        (ONE_DECOY | {"reconciliation": "auto", "ldpc_blind_rounds": 0}, "two intensities"),
        ({"detectors": DETECTORS} | TWO_DECOYS, "one-way|two-way"),
        ({"detectors": DETECTORS} | TWO_DECOYS | ONE_WAY | {"ldpc_blind_rounds": 1}, "two-way"),
        ({"detectors": DETECTORS} | TWO_DECOYS | ONE_WAY | {"ldpc_fallback": "cascade"}, "two-way"),
        ({"detectors": DETECTORS} | TWO_DECOYS | ONE_WAY | {"reconciliation": "auto"}, "two-way"),
        ({"detectors": DETECTORS} | ONE_WAY, "kind 'decoy-bb84'"),
        ({"detectors": DETECTORS, "kind": "bbm92"} | ONE_WAY, "kind 'decoy-bb84'"),
        (
            {"detectors": DETECTORS, "bound": "wiesemann-2026", "acceptance": DECOYS} | TWO_DECOYS | ONE_WAY,
            "'variable-length' alone",
        ),
        ({"detectors": 0.01} | TWO_DECOYS | ONE_WAY, "must be a DetectorMismatch"),
        ({"detectors": {"efficiency": 0.01}} | TWO_DECOYS | ONE_WAY, "detectors"),
    ],
    ids=str,
)
def test_what_a_proof_needs_is_asked_for_when_the_link_is_built(fields: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        LinkConfig(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "link",
    [
        LinkConfig(bound="lim-2021", acceptance=QUBITS),
        LinkConfig(bound="wiesemann-2026", acceptance=DECOYS, **TWO_DECOYS),
        LinkConfig(detectors=DETECTORS, **TWO_DECOYS, **ONE_WAY),
    ],
    ids=["qubits", "decoys", "detectors"],
)
def test_a_link_survives_json(link: LinkConfig) -> None:
    again = LinkConfig(**json.loads(json.dumps(asdict(link))))
    assert again == link
    assert again.digest() == link.digest()


def test_thresholds_and_detectors_are_in_the_digest() -> None:
    link = LinkConfig(bound="lim-2021", acceptance=QUBITS)
    for name, value in (("key_bits", 1001), ("test_bits", 99), ("tolerated_error_rate", 0.03), ("leakage_bits", 201)):
        assert replace(link, acceptance=replace(QUBITS, **{name: value})).digest() != link.digest()
    spread = LinkConfig(detectors=DETECTORS, **TWO_DECOYS, **ONE_WAY)
    assert replace(spread, detectors=replace(DETECTORS, random_swap=True)).digest() != spread.digest()


def test_no_flag_claims_one_way_correction() -> None:
    """A configuration says what may happen; what did is in the ledger. Only three fields together exclude two-way."""
    assert LinkConfig(**ONE_WAY).corrects_one_way
    for change in ({"reconciliation": "cascade"}, {"ldpc_blind_rounds": 1}, {"ldpc_fallback": "cascade"}):
        assert not LinkConfig(**ONE_WAY | change).corrects_one_way
    assert not {item.name for item in fields(LinkConfig)} & {"two_way", "one_way", "corrects_one_way", "needs_one_way"}
