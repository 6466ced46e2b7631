"""Every loop over bits, and the only rooms that know numba."""
