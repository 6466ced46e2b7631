"""Over how many paths the key of each pair was carried, so that it is given up when that becomes too few."""

from __future__ import annotations

from qkdpost.errors import StoreDamaged
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.transfers.surroundings import PairPools
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Protection"]

TABLE = "relay_paths"


class Protection:
    """The number of paths over which the present hash keys of each pool came, for the pools that this site fills.

    The sites of a single path know the hash keys that came by it, and all pads and keys. If from some day on the same
    pool were filled over two paths, but under the old hash keys, they could go on forging what its ends say to each
    other. So where the policy asks for more paths than before, the pool gets new hash keys with the first segment that
    comes over the new number, and what came before is given up.

    Args:
        store: with an open transaction.
        policy: says how many paths there are to be.
        name: of this site.
        pools: get new hash keys.

    Raises:
        StoreDamaged: a row in the store is none.
    """

    def __init__(self, store: KeyStore, policy: RelayPolicy, name: str, pools: PairPools) -> None:
        self._store, self._policy, self._name = store, policy, name
        self._paths = {key.decode(): _count(value) for key, value in store.scan(TABLE, b"", b"\xff" * 65, 4096)}
        self.renewing = {target for target, count in self._paths.items() if policy.paths_between(name, target) > count}
        """Pools that wait for new hash keys: what they hold counts for nothing."""
        for target in sorted(self.renewing):
            pools.renew(target)

    def note(self, target: str) -> None:
        """Note that a segment came to rest over as many paths as the policy has."""
        self.renewing.discard(target)
        count = self._policy.paths_between(self._name, target)
        if self._paths.get(target) != count:
            self._paths[target] = count
            self._store.put(TABLE, target.encode(), bytes([count]))


def _count(value: bytes) -> int:
    if len(value) != 1:
        raise StoreDamaged("a row of relay_paths is not what was written")
    return value[0]
