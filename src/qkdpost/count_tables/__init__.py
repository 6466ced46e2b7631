"""Counts of an experiment in a table, a file of CSV or columns of a data frame, made into what a tally is made of."""

from __future__ import annotations

from qkdpost.count_tables.arrangement import counts_of_bases, counts_of_intensities
from qkdpost.count_tables.reading import CountSource, read_table

__all__ = ["CountSource", "counts_of_bases", "counts_of_intensities", "read_table"]
