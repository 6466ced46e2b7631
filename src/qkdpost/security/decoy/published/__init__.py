"""Bounds for decoy states as they were published, with what their papers estimate by."""
