"""Outcomes of quadrature measurements: rotations, dither, whitening, sums."""
