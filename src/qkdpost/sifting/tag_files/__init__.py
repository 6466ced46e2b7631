"""Time tags as laboratories keep them: text, numpy arrays, time taggers' own files; in order or nearly so."""

from __future__ import annotations

from qkdpost.sifting.tag_files.loading import load_own_time_tags, load_time_tags
from qkdpost.sifting.tag_files.ordering import sort_time_tags, unwrap_ticks

__all__ = ["load_own_time_tags", "load_time_tags", "sort_time_tags", "unwrap_ticks"]
