"""What these stages ask of the settings of their kind of QKD and of its correction, read in one place."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from qkdpost.checks import described, instance
from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation.settings import FrameCorrection, Multidimensional, Slices
from qkdpost.security.gaussian.holevo import Detection
from qkdpost.stages.block import Block

__all__ = ["SymbolSettings", "correction_of", "rotations_of", "settings_of", "slices_of"]


@runtime_checkable
class SymbolSettings(Protocol):
    """Settings of a kind whose outcomes are continuous, beside what all kinds have."""

    @property
    def modulation_variance(self) -> float:
        """Of either quadrature of the states that are sent, in units of shot noise."""
        ...

    @property
    def detection(self) -> Detection:
        """Whether a symbol gives two outcomes ("heterodyne") or one."""
        ...

    @property
    def disclosed_symbols(self) -> int:
        """How many symbols of a block are disclosed to set correction up."""
        ...


def settings_of(block: Block) -> SymbolSettings:
    """Return the settings of a block's kind.

    Raises:
        ConfigurationError: they are not those of a kind whose outcomes are continuous.
    """
    settings: object = block.settings
    if not isinstance(settings, SymbolSettings):
        raise ConfigurationError(
            "stages of continuous outcomes need settings with modulation_variance, detection and disclosed_symbols; "
            f"found {described(settings)}"
        )
    return settings


def correction_of(block: Block) -> FrameCorrection:
    """Return the settings of a block's correction, which for these kinds is one of frames.

    Raises:
        ConfigurationError: they are of another.
    """
    return instance("correction", block.correction, FrameCorrection, error=ConfigurationError)


def rotations_of(block: Block) -> Multidimensional:
    """Return the settings of correction by rotations.

    Raises:
        ConfigurationError: they are of another.
    """
    return instance("correction", block.correction, Multidimensional, error=ConfigurationError)


def slices_of(block: Block) -> Slices:
    """Return the settings of correction by slices.

    Raises:
        ConfigurationError: they are of another.
    """
    return instance("correction", block.correction, Slices, error=ConfigurationError)
