"""Loops of LDPC codes: decoding, syndromes, and what the design of codes needs."""
