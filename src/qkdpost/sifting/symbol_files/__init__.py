"""Symbols of coherent states as laboratories keep them, in numpy's files; units are stated, never guessed."""

from __future__ import annotations

from qkdpost.sifting.symbol_files.loading import load_coherent_states, load_quadrature_outcomes

__all__ = ["load_coherent_states", "load_quadrature_outcomes"]
