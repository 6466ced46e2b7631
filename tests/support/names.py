"""Names of parametrised cases."""

from __future__ import annotations

import re

__all__ = ["steady_name"]


def steady_name(value: object) -> str:
    """`repr` without addresses: tests that run in several processes must bear the same names in each."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
