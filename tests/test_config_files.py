"""A link as nested plain values, JSON and TOML: round trips are exact; what is not understood is refused by path."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import qkdpost as qp
from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError
from qkdpost.protocols import PROTOCOLS, Protocol, ProtocolSettings
from qkdpost.reconciliation.method import METHODS
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.security import DecoyAcceptance, DetectorMismatch, QubitAcceptance

PERMILLES = (900, 700, 500, 300, 200, 100, 30, 10, 1)
CASCADES = st.builds(
    qp.Cascade,
    parameters=st.sampled_from(["original", "yan", "power-of-two", "near-optimal", "balanced", "few-rounds"]),
)
LDPCS = st.builds(
    qp.Ldpc,
    frame_bits=st.sampled_from([2**14, 2**16, 2**18, 2**20]),
    decoder=st.sampled_from(["fast", "accurate", 'mein "guter"\\Decoder']),
    first_failures_permille=st.sampled_from(PERMILLES),
    blind_rounds=st.integers(1, 16),
    fallback=st.none() | CASCADES,
)
AUTOS = st.builds(
    qp.Auto,
    cascade=CASCADES,
    ldpc=LDPCS,
    round_trip_ms=st.floats(0.0, 1e6),
    processor_mbit_per_s=st.floats(1e-6, 1e6),
)
SHARES = st.floats(1e-6, 0.999)
QUBIT_TESTS = {"test": st.sampled_from(["basis", "sample"]), "sample_fraction": SHARES}
KINDS = [
    st.builds(qp.BB84, **QUBIT_TESTS),
    st.builds(qp.BBM92, **QUBIT_TESTS),
    st.builds(
        qp.BBM92TimeTags,
        dead_time_ps=st.floats(0.0, 1e12),
        coincidence_window_ps=st.floats(0.0, 1e9),
        clock_search_ps=st.floats(0.0, 1e15),
        max_drift_ppm=st.floats(0.0, 1e3),
        tick_ps=st.just(0.0) | st.floats(0.1, 1e4),
    ),
    st.builds(
        qp.DecoyBB84,
        intensities=st.tuples(
            st.floats(0.6, 20.0) | st.tuples(st.floats(0.6, 5.0), st.floats(5.0, 20.0)), st.floats(0.1, 0.5), st.just(0)
        ),
        probabilities=st.sampled_from([(0.7, 0.2, 0.1), (0.5, 0.25, 0.25)]),
    ),
    st.builds(
        qp.SinglePhotonBB84,
        mean_photons=st.floats(1e-9, 20.0),
        g2=st.floats(0.0, 1e6),
        test_probabilities=st.tuples(SHARES, SHARES),
    ),
]
SECURITIES = st.builds(
    qp.Security,
    epsilon=st.floats(1e-30, 0.1),
    planned_key_bits=st.integers(0, 2**40),
    concentration=st.sampled_from(["hypergeometric", "serfling"]),
)
BLOCKS = st.builds(
    qp.Blocks,
    detections=st.integers(1, 2**20),
    max_detections=st.integers(2**20, 2**30),
    in_flight=st.integers(1, 256),
    frame_bits=st.integers(128, 2**20),
    frame_tag_bits=st.integers(8, 128),
)
LIMITS = st.builds(
    qp.RecordLimits, max_ratio=st.none() | st.floats(1.0, 1e300), share_drift=st.none() | st.floats(0.0, 1.0)
)
LINKS = st.builds(
    LinkConfig,
    protocol=st.one_of(KINDS),
    correction=st.one_of(CASCADES, LDPCS, AUTOS),
    security=SECURITIES,
    blocks=BLOCKS,
    record_limits=LIMITS,
)
QUBITS = QubitAcceptance(key_bits=1000, test_bits=100, tolerated_error_rate=0.02, leakage_bits=200)
DECOYS = DecoyAcceptance(single_photons=1000, phase_error_rate=0.05, leakage_bits=200)
DECOY_STATES = qp.DecoyBB84(intensities=(0.5, 0.1, 0.0), probabilities=(0.5, 0.25, 0.25))
DETECTORS = DetectorMismatch(dark_count_probability=1e-6, efficiency_deviation=0.01, dark_count_deviation=0.1)
SPECIAL = {
    "qubits": LinkConfig(protocol=qp.BB84(), security=qp.Security(bound="lim-2021", acceptance=QUBITS)),
    "decoys": LinkConfig(protocol=DECOY_STATES, security=qp.Security(bound="wiesemann-2026", acceptance=DECOYS)),
    "detectors": LinkConfig(
        protocol=structs.replace(DECOY_STATES, detectors=DETECTORS),
        correction=qp.Ldpc(blind_rounds=0, fallback=None),
    ),
}


def again(link: LinkConfig) -> Iterator[LinkConfig]:
    yield LinkConfig.from_dict(link.to_dict())
    yield LinkConfig.from_json(link.to_json())
    yield LinkConfig.from_json(link.to_json().encode())
    yield LinkConfig.from_toml(link.to_toml())
    yield LinkConfig.from_dict(json.loads(json.dumps(link.to_dict())))


@given(link=LINKS)
def test_round_trips_are_exact(link: LinkConfig) -> None:
    for other in again(link):
        assert other == link
        assert other.digest() == link.digest()


@pytest.mark.parametrize("name", SPECIAL)
def test_thresholds_and_detectors_survive(name: str) -> None:
    link = SPECIAL[name]
    for other in again(link):
        assert other == link
        assert other.digest() == link.digest()


def test_what_is_left_out_is_at_its_default() -> None:
    assert LinkConfig.from_toml('protocol.kind = "bb84"') == LinkConfig(protocol=qp.BB84())
    assert LinkConfig.from_dict({"protocol": {"kind": "bbm92"}, "blocks": {}}) == LinkConfig(protocol=qp.BBM92())


BB84: dict[str, Any] = {"protocol": {"kind": "bb84"}}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({}, "protocol is missing"),
        ({"kind": "bb84"}, "found 'kind'"),
        ([], "must be a mapping"),
        (None, "must be a mapping"),
        ({"protocol": "bb84"}, "protocol must be a mapping"),
        ({"protocol": {}}, r"protocol\.kind must be one of"),
        ({"kind": "bb84"}, "found 'kind', which is a field of protocol"),
        (BB84 | {"epsilon": 1e-9}, "found 'epsilon', which is a field of security"),
        (BB84 | {"frame_bits": 2**14}, "found 'frame_bits', which is a field of correction or blocks"),
        (BB84 | {"blocks": {"frame_bit": 64}}, "`frame_bit`; its fields are detections, .*, frame_bits"),
        (BB84 | {"correction": {"method": "ldpc", "fallback": "drop"}}, r"fallback: Expected `mapping \| null`"),
        ({"protocol": {"kind": "e91"}}, r"protocol\.kind must be one of.*found 'e91'"),
        ({"protocol": {"kind": ["bb84"]}}, r"protocol\.kind must be one of"),
        ({"protocol": {"kind": "bb84", "intensities": [0.5, 0.1]}}, "protocol: .*unknown field `intensities`"),
        ({"protocol": {"kind": "decoy-bb84", "intensities": [0.5, 0.1]}}, "protocol: .*missing.*`probabilities`"),
        (
            {"protocol": {"kind": "decoy-bb84", "intensities": [0.5, "x"], "probabilities": [0.5, 0.5]}},
            r"protocol\.intensities\[1\]: ",
        ),
        ({"protocol": {"kind": "bb84", "test": "some"}}, r"protocol\.test: .*'some'; it must be one of basis, sample"),
        (BB84 | {"blocks": {"frame_bit": 64}}, "blocks: .*unknown field `frame_bit`"),
        (BB84 | {"blocks": {"frame_bits": 64.0}}, r"blocks\.frame_bits: "),
        (BB84 | {"blocks": {"frame_bits": "64"}}, r"blocks\.frame_bits: "),
        (BB84 | {"blocks": {"frame_bits": 63}}, "blocks: frame_bits must be an integer in 64"),
        (BB84 | {"blocks": None}, "blocks must be a mapping"),
        (BB84 | {"security": {"epsilon": True}}, r"security\.epsilon: "),
        (BB84 | {"security": {"epsilon": "1e-10"}}, r"security\.epsilon: "),
        (BB84 | {"security": {"bound": "lim-2021", "acceptance": {"key_bits": 5}}}, r"security\.acceptance: .*missing"),
        (
            BB84 | {"security": {"bound": "lim-2021", "acceptance": structs.asdict(QUBITS) | {"test_bits": -5}}},
            r"security\.acceptance: test_bits",
        ),
        (
            BB84 | {"security": {"bound": "lim-2021", "acceptance": structs.asdict(DECOYS)}},
            r"security\.acceptance: .*unknown field",
        ),
        (BB84 | {"security": {"acceptance": structs.asdict(QUBITS)}}, r"security\.acceptance is for the fixed-length"),
        (
            BB84 | {"correction": {"parameters": "yan"}},
            r"correction\.method must be one of cascade, ldpc, auto, multidimensional, slices; found None",
        ),
        (
            BB84 | {"correction": {"method": "turbo"}},
            r"correction\.method must be one of cascade, ldpc, auto, multidimensional, slices; found 'turbo'",
        ),
        (BB84 | {"correction": {"method": "cascade", "frame_bits": 2**14}}, "correction: .*unknown field"),
        (
            BB84 | {"correction": {"method": "ldpc", "frame_bits": 2**15}},
            r"correction\.frame_bits: .* 32768; it must be one of 16384, 65536,",
        ),
        (
            BB84 | {"correction": {"method": "auto", "ldpc": {"frame_bits": 2**15}}},
            r"correction\.ldpc\.frame_bits: .*one of 16384,",
        ),
        (BB84 | {"blocks": {"detections": 2e6}}, r"blocks\.detections: .*; write a whole number without point or exp"),
        (BB84 | {"record_limits": {"max_ratio": "2"}}, r"record_limits\.max_ratio: "),
        (BB84 | {"record_limits": {"max_ratio": 0.5}}, "record_limits: max_ratio"),
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused_by_its_path(content: Any, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        LinkConfig.from_dict(content)
    if content is not None:
        with pytest.raises(ConfigurationError, match=match):
            LinkConfig.from_json(json.dumps(content))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data(), link=LINKS)
def test_whatever_stands_in_the_place_of_a_field_is_taken_or_refused(data: st.DataObject, link: LinkConfig) -> None:
    """No error but that of a configuration comes out, and what is taken comes back."""
    content: Any = link.to_dict()
    part = data.draw(st.sampled_from(sorted(content)))
    field = data.draw(st.sampled_from([None, *sorted(content[part])]))
    if field is None:
        content[part] = data.draw(ANYTHING)
    else:
        content[part][field] = data.draw(ANYTHING)
    try:
        taken = LinkConfig.from_dict(content)
    except ConfigurationError:
        return
    assert LinkConfig.from_json(taken.to_json()) == taken


@pytest.mark.parametrize("text", ["{", "", "[]", '"bb84"', b"\xff", "\ud800", "{" * 100_000, "9" * 5000])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"JSON|mapping"):
        LinkConfig.from_json(text)


@pytest.mark.parametrize(
    "text",
    ['{"protocol": {"kind": "bb84"}, "protocol": {"kind": "bbm92"}}', '{"security": {"epsilon": 1, "epsilon": 2}}'],
)
def test_of_two_json_values_under_one_name_none_is_taken(text: str) -> None:
    """Whoever reads the file may see the one, and the link be made of the other."""
    with pytest.raises(ConfigurationError, match=r"JSON cannot be read: .*'(protocol|epsilon)' twice"):
        LinkConfig.from_json(text)


NO_TOML = ["protocol", "[protocol]\nkind = bb84", "a = 1\na = 1", "a = " + "[" * 100_000, "a = " + "9" * 5000]


@pytest.mark.parametrize("text", [*NO_TOML, "a" + ".a" * 5000 + " = 1"])
def test_what_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="TOML"):
        LinkConfig.from_toml(text)


def test_only_text_is_read() -> None:
    for value in (None, 5, b"protocol"):
        with pytest.raises(ConfigurationError, match="TOML"):
            LinkConfig.from_toml(value)  # type: ignore[arg-type]
    for value in (None, 5):
        with pytest.raises(ConfigurationError, match="JSON"):
            LinkConfig.from_json(value)  # type: ignore[arg-type]


class Toy(ProtocolSettings, frozen=True, kw_only=True, tag="toy"):
    """Settings of a kind that the package does not know."""

    colours: tuple[str, ...] = ("red",)


def test_a_kind_from_outside_decodes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="settings of a kind in PROTOCOLS"):
        LinkConfig(protocol=Toy())
    row: Protocol[Any, Any, Any] = PROTOCOLS["bb84"]
    toy = dataclasses.replace(
        row, settings=Toy, bound_settings=lambda settings, security: security, fixed_length={"mine": QubitAcceptance}
    )
    monkeypatch.setitem(PROTOCOLS, "toy", toy)
    link = LinkConfig(protocol=Toy(colours=("blue", "green")), security=qp.Security(bound="mine", acceptance=QUBITS))
    assert list(again(link)) == [link] * 5
    assert link.to_fields()["protocol.colours"] == "('blue', 'green')"
    dull = LinkConfig(protocol=Toy(colours=("none",)))
    assert LinkConfig.from_json(dull.to_json()) == dull
    with pytest.raises(ConfigurationError, match="TOML cannot hold the text 'none'"):
        dull.to_toml()
    with pytest.raises(ConfigurationError, match=r"protocol\.colours\[0\]: "):
        LinkConfig.from_dict({"protocol": {"kind": "toy", "colours": [1]}})


def test_a_method_from_outside_stands_under_its_own_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another name its link would be made, written down, and not read again."""

    class Mine(CorrectionSettings, frozen=True, kw_only=True, tag="mine"):
        """Settings of a method that the package does not know."""

    method = dataclasses.replace(METHODS["cascade"], settings=Mine)
    monkeypatch.setitem(METHODS, "other", method)
    with pytest.raises(ConfigurationError, match="each in METHODS under its own tag"):
        LinkConfig(protocol=qp.BB84(), correction=Mine())
    monkeypatch.setitem(METHODS, "mine", method)
    link = LinkConfig(protocol=qp.BB84(), correction=Mine())
    assert list(again(link)) == [link] * 5
