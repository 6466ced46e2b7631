"""Loops over packed bits."""
