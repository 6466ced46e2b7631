"""Counts that several tests of bounds share: vector B1 has one decoy, 10^7 key detections and 1 % errors."""

from __future__ import annotations

from qkdpost.security.decoy.tally import DecoyTally

VECTOR_B1 = DecoyTally(
    intensities=(0.5, 0.15),
    probabilities=(0.7, 0.3),
    key_counts=(9_000_000, 1_000_000),
    test_counts=(900_000, 100_000),
    key_errors=(90_000, 12_000),
    test_errors=(9_000, 1_200),
)
