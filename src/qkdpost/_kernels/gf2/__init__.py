"""Arithmetic over GF(2) and its fields: products, transforms, hashes."""
