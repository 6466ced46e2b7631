"""The bound for outcomes that were sliced, where the signal stands above the noise."""
