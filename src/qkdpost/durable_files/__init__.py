"""Files that a power cut leaves whole, their locks, and who may read them."""

from __future__ import annotations

from qkdpost.durable_files.locks import hold, lock
from qkdpost.durable_files.owners import check_folder, check_private, read_private
from qkdpost.durable_files.replacing import replace_file, sync_folder

__all__ = ["check_folder", "check_private", "hold", "lock", "read_private", "replace_file", "sync_folder"]
