"""Loops of sifting: slots, time tags, pulse numbers, files."""
