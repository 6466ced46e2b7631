"""Work that is shared among the threads of an executor that a host gives."""

from qkdpost.threads.pieces import each, in_pieces, sharing, threads_at_work, threads_of

__all__ = ["each", "in_pieces", "sharing", "threads_at_work", "threads_of"]
