"""The key that two key managers share: its segments, its two directions, and what is spent of them.

The rules, and why nothing is used twice, are told where they are kept: `segment` (states), `vouching` (how both ends
see that they hold the same bits), `direction` (marks and limits), `settling` (what a greeting does), `pool` (all).
"""

from qkdpost.network.pool.pool import Pool
from qkdpost.network.pool.settings import PoolSettings

__all__ = ["Pool", "PoolSettings"]
