"""Bounds for weak coherent pulses with decoy intensities."""
