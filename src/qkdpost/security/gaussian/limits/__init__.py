"""Limits on channel, calibration and directions, from the sums of a block."""
