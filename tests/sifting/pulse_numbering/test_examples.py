"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "sifting.pulse_numbering.alignment",
        "sifting.pulse_numbering.encoding",
        "sifting.pulse_numbering.numbering",
        "sifting.pulse_numbering.pattern",
        "simulation.pulsed",
    ],
)
def test_examples_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"qkdpost.{module}"))
    assert found.failed == 0
    assert found.attempted > 0
