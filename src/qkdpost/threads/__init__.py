"""Work that is shared among the threads of an executor that a host gives."""

from qkdpost.threads.pieces import Step, each, in_pieces, in_steps, sharing, threads_at_work, threads_of

__all__ = ["Step", "each", "in_pieces", "in_steps", "sharing", "threads_at_work", "threads_of"]
