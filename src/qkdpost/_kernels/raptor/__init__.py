"""Decoding of raptor-like codes, a register of frames side by side."""
