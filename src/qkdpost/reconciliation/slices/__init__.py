"""Slices: multilevel coding of cells of a line for links whose signal stands above their noise."""
