"""Sifting where both sides record time tags."""
