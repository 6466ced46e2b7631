from __future__ import annotations

from dataclasses import fields, replace

import pytest

from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError


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
        ("frame_bits", 1024.0),
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
    )
    assert max(len(text) for text in most.to_fields().values()) <= 256


def test_a_field_too_long_to_be_told_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qkdpost.config.LONGEST_FIELD", 12)
    with pytest.raises(ConfigurationError, match="characters"):
        LinkConfig(reconciliation="cascade", cascade_parameters="near-optimal")


def test_every_field_is_told_to_the_peer() -> None:
    assert LinkConfig().to_fields().keys() == {item.name for item in fields(LinkConfig)}
