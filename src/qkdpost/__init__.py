"""Quantum key distribution post-processing: raw records to secret keys, with a finite-key bound."""
