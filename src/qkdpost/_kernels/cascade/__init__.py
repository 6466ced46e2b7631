"""Loops of Cascade: blocks, parity trees, rounds."""
