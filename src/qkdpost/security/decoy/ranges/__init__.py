"""Decoy states whose intensities are known to lie in intervals."""
