"""The configuration of a link: each part checks itself, the whole what parts ask of each other."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from msgspec import structs

import qkdpost as qp
from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError
from qkdpost.protocols import PROTOCOLS
from qkdpost.security import DecoyAcceptance, DetectorMismatch, QubitAcceptance
from support.link import changed

QUBITS = QubitAcceptance(key_bits=1000, test_bits=100, tolerated_error_rate=0.02, leakage_bits=200)
DECOYS = DecoyAcceptance(single_photons=1000, phase_error_rate=0.05, leakage_bits=200)
DETECTORS = DetectorMismatch(dark_count_probability=1e-6, efficiency_deviation=0.01, dark_count_deviation=0.1)
ONE_WAY = qp.Ldpc(blind_rounds=0, fallback=None)
TWO_DECOYS = qp.DecoyBB84(intensities=(0.5, 0.1, 0.0), probabilities=(0.5, 0.25, 0.25))
ONE_DECOY = qp.DecoyBB84(intensities=(0.5, 0.1), probabilities=(0.5, 0.5))
SINGLE: dict[str, Any] = {"mean_photons": 0.5, "g2": 0.0, "test_probabilities": (0.25, 0.5)}
LIM = qp.Security(bound="lim-2021", acceptance=QUBITS)
WIESEMANN = qp.Security(bound="wiesemann-2026", acceptance=DECOYS)


def unlike(**changes: Any) -> qp.DecoyBB84:
    """Decoy states with mismatched detectors."""
    return structs.replace(TWO_DECOYS, **{"detectors": DETECTORS} | changes)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        (qp.BB84, "test", "some"),
        (qp.BBM92, "test", np.array(["basis"])),
        (qp.BBM92, "test", np.array(["basis", "sample"])),
        (qp.BB84, "sample_fraction", 1.0),
        (qp.Security, "epsilon", 0.0),
        (qp.Security, "epsilon", 1.0),
        (qp.Security, "epsilon", float("nan")),
        (qp.Security, "epsilon", "small"),
        (qp.Security, "epsilon", 10**400),
        (qp.Security, "epsilon", True),
        (qp.Security, "epsilon", np.array([1e-10, 1e-10])),
        (qp.Security, "planned_key_bits", -1),
        (qp.Security, "concentration", "gaussian"),
        (qp.Security, "bound", 5),
        (qp.Blocks, "frame_bits", 1),
        (qp.Blocks, "frame_bits", 1024.0),
        (qp.Blocks, "frame_tag_bits", 0),
        (qp.Blocks, "in_flight", 0),
        (qp.Blocks, "detections", True),
        (qp.Blocks, "detections", 2**40),
        (qp.Blocks, "detections", 2**27),
        (qp.Ldpc, "decoder", ""),
        (qp.Ldpc, "decoder", 3),
        (qp.Ldpc, "decoder", "none"),
        (qp.Ldpc, "decoder", np.array(["fast"])),
        (qp.Ldpc, "first_failures_permille", 50),
        (qp.Ldpc, "first_failures_permille", True),
        (qp.Ldpc, "first_failures_permille", 300.0),
        (qp.Ldpc, "frame_bits", 2**15),
        (qp.Ldpc, "frame_bits", 2.0**14),
        (qp.Ldpc, "blind_rounds", 17),
        (qp.Ldpc, "fallback", "drop"),
        (qp.Cascade, "parameters", "mine"),
        (qp.Auto, "cascade", qp.Ldpc()),
        (qp.Auto, "ldpc", None),
        (qp.Auto, "round_trip_ms", -1.0),
        (qp.BBM92TimeTags, "dead_time_ps", -1.0),
        (qp.BBM92TimeTags, "coincidence_window_ps", float("inf")),
        (qp.BBM92TimeTags, "tick_ps", 0.05),
        (qp.BBM92TimeTags, "tick_ps", 1e5),
        (qp.BBM92TimeTags, "tick_ps", float("nan")),
        (qp.BBM92TimeTags, "tick_ps", "1"),
        (qp.BBM92TimeTags, "max_drift_ppm", 1001.0),
    ],
)
def test_what_cannot_be_is_refused_by_name(part: Any, field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=field):
        part(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("test_probabilities", ()),
        ("test_probabilities", (0.1,) * 3),
        ("test_probabilities", (0.1,) * 10_000),
        ("test_probabilities", (0.1, 1.1)),
        ("test_probabilities", (0.1, 0.0)),
        ("test_probabilities", (0.1, float("nan"))),
        ("test_probabilities", ("a", "b")),
        ("test_probabilities", "ab"),
        ("test_probabilities", 0.5),
        ("test_probabilities", (10**400, 0.5)),
        ("mean_photons", float("nan")),
        ("mean_photons", 0.0),
        ("g2", "x"),
        ("g2", object()),
        ("g2", -0.5),
    ],
)
def test_a_source_that_cannot_be_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=field):
        qp.SinglePhotonBB84(**SINGLE | {field: value})


@pytest.mark.parametrize("field", SINGLE)
def test_a_single_photon_source_must_be_described_whole(field: str) -> None:
    with pytest.raises(TypeError, match=field):
        qp.SinglePhotonBB84(**{name: value for name, value in SINGLE.items() if name != field})


@pytest.mark.parametrize(
    ("intensities", "probabilities", "match"),
    [
        ((0.1, 0.5), (0.5, 0.5), "strictly decreasing"),
        ((0.5, 0.1), (0.5, 0.4), "add up to one"),
        ((0.5, 0.1), (0.5, 0.25, 0.25), "one probability each"),
        (("0.5", "0.1"), (0.5, 0.5), "intensities"),
        ((0.5, 5e-324), (0.5, 0.5), "an intensity must be 0 or at least"),
        ((), (), "intensities"),
        (5, (0.5, 0.5), "intensities must be a sequence"),
        ((0.5, 0.1), 0.5, "probabilities must be a sequence"),
    ],
)
def test_intensities_that_cannot_be(intensities: Any, probabilities: Any, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        qp.DecoyBB84(intensities=intensities, probabilities=probabilities)


def test_a_tag_is_no_longer_than_its_frame() -> None:
    with pytest.raises(ConfigurationError, match="frame_tag_bits must not exceed frame_bits"):
        qp.Blocks(frame_bits=64, frame_tag_bits=128)


def test_a_field_of_another_kind_is_no_field() -> None:
    with pytest.raises(ConfigurationError, match="BB84 has no argument 'intensities': it is an argument of DecoyBB84"):
        qp.BB84(intensities=(0.5, 0.1))  # type: ignore[call-arg]
    for kind in (qp.BBM92TimeTags, qp.DecoyBB84, qp.SinglePhotonBB84):
        with pytest.raises(ConfigurationError, match="has no argument 'test'"):
            kind(test="sample")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "parts",
    [
        {"protocol": "bb84"},
        {"protocol": {"kind": "bb84"}},
        {"protocol": qp.BB84},
        {"correction": "ldpc"},
        {"correction": None},
        {"security": {"epsilon": 1e-6}},
        {"blocks": 5},
        {"record_limits": None},
    ],
    ids=str,
)
def test_a_part_of_another_type_is_refused_by_name(parts: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(parts))):
        LinkConfig(**{"protocol": qp.BB84()} | parts)


def test_numbers_and_choices_of_numpy_have_the_text_of_plain_ones() -> None:
    """A field whose text no peer has would be refused as another configuration."""
    plain = LinkConfig(protocol=qp.SinglePhotonBB84(**SINGLE), correction=qp.Ldpc(), blocks=qp.Blocks(detections=1000))
    given = LinkConfig(
        protocol=qp.SinglePhotonBB84(
            mean_photons=np.float32(0.5),
            g2=-0.0,
            test_probabilities=np.array([0.25, 0.5], dtype=np.float16),  # type: ignore[arg-type]
        ),
        correction=qp.Ldpc(decoder=np.str_("fast")),
        security=qp.Security(epsilon=np.float64(1e-10), concentration=np.str_("hypergeometric")),  # type: ignore[arg-type]
        blocks=qp.Blocks(detections=np.int64(1000), frame_bits=np.array(2**16)),  # type: ignore[arg-type]
    )
    assert type(given.blocks.detections) is int
    assert given == plain
    assert given.to_fields() == plain.to_fields()
    assert given.digest() == plain.digest()


def test_the_digest_names_the_configuration() -> None:
    link = LinkConfig(protocol=qp.BB84())
    assert link.digest() == LinkConfig(protocol=qp.BB84()).digest()
    assert link.digest() != changed(link, blocks={"frame_bits": 2**13}).digest()
    assert link.digest() != LinkConfig(protocol=qp.BBM92()).digest()
    tags = [LinkConfig(protocol=qp.BBM92TimeTags(dead_time_ps=time)) for time in (5, 5.0)]
    assert tags[0].digest() == tags[1].digest()


def test_every_field_fits_into_the_greeting() -> None:
    long, large = 0.1234567890123456789, 2**53
    detectors = DetectorMismatch(
        dark_count_probability=long / 1e9, efficiency_deviation=long / 10, dark_count_deviation=long / 10
    )
    intensities = tuple(long / (number + 1) for number in range(8))
    eight = qp.DecoyBB84(intensities=intensities, probabilities=(0.125,) * 8, detectors=detectors)
    thresholds = DecoyAcceptance(vacuum=large, single_photons=large, phase_error_rate=long, leakage_bits=large)
    exact = QubitAcceptance(key_bits=2**20, test_bits=2**20, tolerated_error_rate=long, leakage_bits=large)
    for link in (
        LinkConfig(protocol=eight, correction=ONE_WAY),
        LinkConfig(protocol=structs.replace(eight, detectors=None), correction=qp.Auto()),
        LinkConfig(
            protocol=TWO_DECOYS,
            correction=ONE_WAY,
            security=qp.Security(bound="wiesemann-2026", acceptance=thresholds),
        ),
        LinkConfig(
            protocol=qp.BBM92TimeTags(),
            correction=qp.Auto(),
            security=qp.Security(bound="tomamichel-leverrier-2017", acceptance=exact),
        ),
    ):
        told = link.to_fields()
        assert len(told) < 64
        assert max(map(len, told)) <= 64
        assert max(map(len, told.values())) <= 256


@pytest.mark.parametrize(("limit", "at_most"), [("MAX_VALUE_CHARACTERS", 12), ("MAX_NAME_CHARACTERS", 20)])
def test_a_field_too_long_to_be_told_is_refused(monkeypatch: pytest.MonkeyPatch, limit: str, at_most: int) -> None:
    monkeypatch.setattr(f"qkdpost.config.{limit}", at_most)
    with pytest.raises(ConfigurationError, match="characters"):
        LinkConfig(protocol=qp.BB84())


def test_more_fields_than_can_be_told_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qkdpost.config.MAX_FIELDS", 12)
    with pytest.raises(ConfigurationError, match="at most 12 fields"):
        LinkConfig(protocol=qp.BB84())


def test_every_field_is_told_to_the_peer() -> None:
    told = LinkConfig(protocol=qp.BB84(), correction=qp.Auto(ldpc=qp.Ldpc(fallback=None))).to_fields()
    assert {name.split(".")[0] for name in told} == set(LinkConfig.__struct_fields__)
    for part, kind in (("protocol", qp.BB84), ("security", qp.Security), ("blocks", qp.Blocks)):
        assert {f"{part}.{name}" for name in kind.__struct_fields__} <= told.keys()
    assert (told["protocol.kind"], told["correction.method"]) == ("'bb84'", "'auto'")
    assert (told["correction.ldpc.frame_bits"], told["correction.ldpc.fallback"]) == ("65536", "None")


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ({"acceptance": QUBITS}, "leave acceptance out"),
        ({"bound": "lim-2021", "acceptance": 5}, "acceptance must be a"),
        ({"bound": "lim-2021", "acceptance": {"key_bits": 5}}, "acceptance must be a"),
        ({"bound": "lim-2021", "acceptance": QUBITS, "planned_key_bits": 100}, "planned_key_bits"),
    ],
    ids=str,
)
def test_what_a_bound_takes_is_asked_for_by_itself(parts: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        qp.Security(**parts)


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ({"security": qp.Security(bound="wishful")}, "bound must be one of"),
        ({"security": qp.Security(bound="lim-2021")}, "acceptance must be a QubitAcceptance"),
        ({"security": structs.replace(LIM, acceptance=DECOYS)}, "acceptance must be a QubitAcceptance"),
        ({"security": LIM, "protocol": qp.BB84(test="sample")}, "test 'basis'"),
        ({"security": LIM, "blocks": qp.Blocks(max_detections=1099, detections=1000)}, "max_detections"),
        ({"security": LIM, "protocol": TWO_DECOYS}, "bound must be one of 'variable-length', 'wiesemann-2026' for"),
        ({"security": WIESEMANN}, "bound must be one of 'variable-length', 'tomamichel-leverrier-2017', 'lim-2021'"),
        ({"security": qp.Security(bound="wiesemann-2026"), "protocol": TWO_DECOYS}, "must be a DecoyAcceptance"),
        (
            {"security": structs.replace(WIESEMANN, bound="lim-2014"), "protocol": TWO_DECOYS},
            "bound must be one of",
        ),
        (
            {"security": structs.replace(WIESEMANN, bound="rusca-2018"), "protocol": ONE_DECOY},
            "bound must be one of",
        ),
        ({"security": structs.replace(LIM, bound="tlgr-2012")}, "bound must be one of"),
        (
            {"security": WIESEMANN, "protocol": structs.replace(TWO_DECOYS, intensities=(0.5, 0.4, 0.2))},
            "exceeds the sum",
        ),
        ({"security": WIESEMANN, "protocol": structs.replace(ONE_DECOY, intensities=(0.5, 0.0))}, "above 0"),
        (
            {"security": qp.Security(bound="wiesemann-2026", acceptance=structs.replace(DECOYS, vacuum=10))},
            "vacuum term",
        ),
        ({"protocol": ONE_DECOY, "correction": ONE_WAY}, "two intensities"),
        ({"protocol": ONE_DECOY, "correction": qp.Ldpc(blind_rounds=0)}, "two intensities"),
        ({"protocol": ONE_DECOY, "correction": qp.Auto(ldpc=qp.Ldpc(blind_rounds=0))}, "two intensities"),
        ({"protocol": unlike()}, "one-way|two-way"),
        ({"protocol": unlike(), "correction": structs.replace(ONE_WAY, blind_rounds=1)}, "two-way"),
        ({"protocol": unlike(), "correction": structs.replace(ONE_WAY, fallback=qp.Cascade())}, "two-way"),
        ({"protocol": unlike(), "correction": qp.Auto(ldpc=ONE_WAY)}, "two-way"),
        ({"protocol": unlike(), "correction": ONE_WAY, "security": WIESEMANN}, "takes matched detectors only"),
    ],
    ids=str,
)
def test_what_a_proof_needs_is_asked_for_when_the_link_is_built(parts: dict[str, Any], match: str) -> None:
    default = TWO_DECOYS if match == "vacuum term" else qp.BB84()
    with pytest.raises(ConfigurationError, match=match):
        LinkConfig(**{"protocol": default} | parts)


@pytest.mark.parametrize("detectors", [0.01, {"efficiency_deviation": 0.01}])
def test_detectors_are_a_mismatch_or_none(detectors: Any) -> None:
    with pytest.raises(ConfigurationError, match="detectors must be a DetectorMismatch"):
        unlike(detectors=detectors)
    for kind in (qp.BB84, qp.BBM92, qp.BBM92TimeTags):
        with pytest.raises(ConfigurationError, match="has no argument 'detectors'"):
            kind(detectors=DETECTORS)  # type: ignore[call-arg]


def test_thresholds_and_detectors_are_in_the_digest() -> None:
    link = LinkConfig(protocol=qp.BB84(), security=LIM)
    for name, value in (("key_bits", 1001), ("test_bits", 99), ("tolerated_error_rate", 0.03), ("leakage_bits", 201)):
        other = changed(link, security={"acceptance": structs.replace(QUBITS, **{name: value})})
        assert other.digest() != link.digest()
    spread = LinkConfig(protocol=unlike(), correction=ONE_WAY)
    swapped = LinkConfig(protocol=unlike(detectors=structs.replace(DETECTORS, random_swap=True)), correction=ONE_WAY)
    assert swapped.digest() != spread.digest()


def test_no_flag_claims_one_way_correction() -> None:
    """A configuration says what may happen; what did is in the ledger. Only two fields together exclude two-way."""
    assert ONE_WAY.corrects_one_way
    for other in (
        qp.Cascade(),
        structs.replace(ONE_WAY, blind_rounds=1),
        structs.replace(ONE_WAY, fallback=qp.Cascade()),
        qp.Auto(ldpc=ONE_WAY),
    ):
        assert not other.corrects_one_way
    flags = {"two_way", "one_way", "corrects_one_way", "may_be_one_way", "needs_one_way"}
    for part in (LinkConfig, qp.Cascade, qp.Ldpc, qp.Auto, *(row.settings for row in PROTOCOLS.values())):
        assert not flags & set(part.__struct_fields__)


def test_a_link_survives_pickle_and_cannot_be_changed() -> None:
    link = LinkConfig(protocol=unlike(), correction=ONE_WAY)
    assert pickle.loads(pickle.dumps(link)) == link
    assert len({link, pickle.loads(pickle.dumps(link))}) == 1
    with pytest.raises(AttributeError):
        link.protocol = qp.BB84()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        link.blocks.frame_bits = 64  # type: ignore[misc]


def test_every_row_of_the_table_is_of_the_kind_that_its_settings_name() -> None:
    assert PROTOCOLS.keys() == {row.settings.__struct_config__.tag for row in PROTOCOLS.values()}
