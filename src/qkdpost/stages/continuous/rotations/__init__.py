"""Frames corrected by rotations of outcomes onto bits that the reference draws, and raptor-like codes of these bits."""
