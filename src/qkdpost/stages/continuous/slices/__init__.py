"""Frames corrected by slicing outcomes: cells are key, corrected bit by bit, and places within a cell are public."""
