"""Plans of correction that meet more errors than they provide for."""

from __future__ import annotations

from typing import Any

import pytest

from qkdpost.reconciliation import method
from qkdpost.reconciliation.ldpc.plan import LdpcPlan

__all__ = ["plan_for_part_of_the_errors"]


def plan_for_part_of_the_errors(monkeypatch: pytest.MonkeyPatch, one_in: int = 2, **changes: Any) -> None:
    """Let LDPC be planned for one in so many of the errors, so that most frames fail; `changes` as of `plan_ldpc`."""
    real = method.plan_ldpc

    def for_part(block_bits: int, *, error_rate_ppm: int, **options: Any) -> LdpcPlan:
        return real(block_bits, error_rate_ppm=error_rate_ppm // one_in, **options | changes)

    monkeypatch.setattr(method, "plan_ldpc", for_part)
