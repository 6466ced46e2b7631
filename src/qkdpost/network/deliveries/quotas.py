"""How much each application, and each pair of them, may take."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from qkdpost.errors import NotEnoughKey
from qkdpost.network.policy import Quota

__all__ = ["TokenBuckets"]

_MOST_BUCKETS = 65_536


class TokenBuckets:
    """Buckets of tokens, one for each application and one for each pair; a key costs one of each.

    They are full when this process starts, and are nowhere stored: a restart is not worth an attack.

    Args:
        quota: how fast they fill, and how many tokens they hold.
    """

    __slots__ = ("_buckets", "_quota")

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def take(self, master: str, slaves: Sequence[str], keys: int, now_seconds: float) -> None:
        """Take `keys` tokens of the master and of each of its pairs, or none at all.

        Raises:
            NotEnoughKey: a bucket has fewer.
        """
        names: list[Hashable] = [master, *((master, slave) for slave in slaves)]
        levels = [self._level(name, now_seconds) for name in names]
        if min(levels) < keys:
            raise NotEnoughKey(
                f"{master!r} asks for more than {self._quota.keys_per_second:g} keys a second and "
                f"{self._quota.burst_keys} at once: ask again later"
            )
        if len(self._buckets) > _MOST_BUCKETS:
            self._forget_full_ones(now_seconds)
        for name, level in zip(names, levels, strict=True):
            self._buckets[name] = (level - keys, now_seconds)

    def _level(self, name: Hashable, now_seconds: float) -> float:
        level, since = self._buckets.get(name, (float(self._quota.burst_keys), now_seconds))
        return min(float(self._quota.burst_keys), level + (now_seconds - since) * self._quota.keys_per_second)

    def _forget_full_ones(self, now_seconds: float) -> None:
        full = [name for name in self._buckets if self._level(name, now_seconds) >= self._quota.burst_keys]
        for name in full:
            del self._buckets[name]
