"""Bounds for Gaussian-modulated coherent states; rates for planning other constellations."""
