"""What the stages of continuous outcomes ask of settings, and what they refuse."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import qkdpost as qp
from qkdpost.errors import ConfigurationError
from qkdpost.stages.continuous.settings import correction_of, settings_of


def block(settings: Any, correction: Any) -> Any:
    return SimpleNamespace(settings=settings, correction=correction)


def test_settings_of_the_kind_and_of_another_that_has_the_same_fields() -> None:
    kind, correction = qp.GaussianCV(modulation_variance=4.0, efficiency=0.6), qp.Multidimensional(dimension=4)
    assert settings_of(block(kind, correction)) is kind  # type: ignore[comparison-overlap]
    assert correction_of(block(kind, correction)) is correction
    other = SimpleNamespace(modulation_variance=1.0, detection="homodyne", disclosed_symbols=2**10)
    assert settings_of(block(other, correction)) is other


def test_settings_and_corrections_for_bits_are_refused() -> None:
    wrong = block(qp.BB84(), qp.Cascade())
    with pytest.raises(ConfigurationError, match="modulation_variance, detection and disclosed_symbols; found"):
        settings_of(wrong)
    with pytest.raises(ConfigurationError, match="correction must be a FrameCorrection"):
        correction_of(wrong)
