"""Raptor-like codes for weak signals: one family for all low rates, with a syndrome that can grow."""
