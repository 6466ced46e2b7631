"""What one input may cost; more is a finding."""

from __future__ import annotations

import contextlib
import resource
import signal
import time
from collections.abc import Iterator

__all__ = ["Finding", "limited"]

ALLOWED_SECONDS = 20.0
"""Of processor time; the documented work of one message is about five seconds on a slow host."""
ALLOWED_MEMORY_BYTES = 512 * 2**20


class Finding(AssertionError):
    """Something that must not happen did."""


@contextlib.contextmanager
def limited(seconds: float = ALLOWED_SECONDS, memory_bytes: int = ALLOWED_MEMORY_BYTES) -> Iterator[None]:
    """Turn what takes too long, or too much memory, into a finding.

    Python code is interrupted; a kernel that does not come back is not, and is left to the limit of the whole run.
    """

    def interrupt(*_: object) -> None:
        raise Finding(f"more than {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, interrupt)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    if time.process_time() - begun > 2 * seconds:
        raise Finding(f"{time.process_time() - begun:.1f} s of processor time")
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
    if grown > memory_bytes:
        raise Finding(f"{grown} bytes of memory")
