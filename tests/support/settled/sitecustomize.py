"""What Python reads as it starts, in processes of examples that tests start: the system's generator repeats itself.

As tests/conftest.py has it in the process of the tests. Two hosts draw differently, each by its role. A process that is
forked draws from the system again, for it would draw what others do.
"""

from __future__ import annotations

import os
import random
import sys

_HOST = sum(sys.orig_argv.count(role) << place for place, role in enumerate(("alice", "bob")))
random._urandom = random.Random(_HOST).randbytes  # type: ignore[attr-defined]
os.register_at_fork(after_in_child=lambda: setattr(random, "_urandom", os.urandom))
