"""Bounds for rounds that carry one qubit each."""
