"""Multidimensional reconciliation: bits that Bob draws, made known to Alice by rotations of his outcomes."""

from __future__ import annotations

from qkdpost.reconciliation.multidimensional.channel import rebuild_outcomes, rotation_messages, virtual_channel
from qkdpost.reconciliation.multidimensional.dimensions import DIMENSIONS, Dimension
from qkdpost.reconciliation.multidimensional.message import RotationMessage

__all__ = [
    "DIMENSIONS",
    "Dimension",
    "RotationMessage",
    "rebuild_outcomes",
    "rotation_messages",
    "virtual_channel",
]
