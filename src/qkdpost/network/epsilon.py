"""How far a delivered key is from an ideal one, at most.

An ideal key is uniform, equal at both ends, and independent of all that anybody else knows. Let block b of a link be
eps_b-close to one. For a key K:

1. Take all blocks whose bytes carried K, were its pads, the pads of the tags over its frames, the hash keys of these
   tags, or checked its segments. Close the set under "authenticated by": b is eps_b-close only if what authenticated
   its distillation was ideal, which came from earlier blocks of the same link, back to the pre-shared key. A link
   counts the epsilon of every block opened on its authentication key in `SecretKey.accumulated_epsilon`, so that the
   closure's sum is, for each link, at most the largest accumulated epsilon among the blocks taken; over all links it
   is their sum.
2. Replace the blocks of the closure by ideal ones, one after the other. By the triangle inequality, and since no
   processing increases a distance, this costs the sum of 1.
3. Now pads are uniform and none serves twice: what went under them says nothing, and tags say nothing of their hash
   keys. A verification of a text of L blocks of 16 bytes then accepts another one for at most L + 1 of the 2^128 hash
   keys. An attacker who learns that a forgery failed learns only that its few keys were not the right one, which the
   union over all attempts has counted: the sum of (L_i + 1) / 2^128 over every verification that could have failed, the
   rejected ones among them. Frames have at most 64 KiB, checks of segments are as long as their segment. A key manager
   counts its own verifications, and takes 2^40 for those of frames at the other end of a pool: less than 2^-75 in all.
4. A transfer over trusted nodes is checked by a polynomial of degree d + 2 with odd d: a change on the way passes with
   at most (d + 1) / 2^128, once for each transfer.

If no verification was passed by a forger, and all nodes are honest, the ends hold K as it was distilled. So the
distance is at most the sum of 1, 3 and 4: `EpsilonBound.all_nodes_honest`.

With k disjoint paths, K is the sum of k shares. One path whose nodes are honest makes it uniform to all others: its own
closure bounds the secrecy. Nobody knows which path that is, so that the largest sum over the paths of a transfer
counts; what dishonest nodes report of their own path cannot lower it below the honest one's. Transfers add up, for
each may have another honest path. Equality at both ends needs all paths, and the check of 4. Secrecy and correctness
together bound the distance: `EpsilonBound.distance`, where up to k - 1 nodes may be dishonest.

What the number is about. It holds jointly for all keys made of these blocks: a million keys of one block cost its
epsilon once. It holds for a key at a place that was fixed before the attack. Who delays traffic can choose which place
serves a given request: for "the key of this request" all blocks in the pools count that it could have come from; give
`epsilon_bound` these, and the claim is "request". Sums are rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from qkdpost.checks import instance
from qkdpost.network.provenance import Block, CheckCount, Provenance, Transfer

__all__ = ["EpsilonBound", "epsilon_bound"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonBound:
    """Upper bounds on the distance of a delivered key from an ideal one.

    Args:
        secrecy: where of each transfer at least one path is honest.
        correctness: where of each transfer at least one path is honest.
        all_nodes_honest: secrecy and correctness together, if every node on the way is honest.
        claim: "joint": over all keys made of the same blocks together, each at a place fixed beforehand; "request":
            also for the key that an attacker's delays chose for a request.
        stated_by_operator: whether part of it is what somebody says of a foreign device.
        disjoint_paths: the least number of disjoint paths of a transfer; 0 without a transfer.

    >>> from qkdpost import network
    >>> block = network.Block(link="a|b", identifier=bytes(16), kind="bb84", epsilon=1e-10, accumulated_epsilon=3e-10)
    >>> found = network.epsilon_bound(network.Provenance(blocks=(block,)))
    >>> found.distance < 3.001e-10, found.claim
    (True, 'joint')
    """

    secrecy: float
    correctness: float
    all_nodes_honest: float
    claim: Literal["joint", "request"]
    stated_by_operator: bool
    disjoint_paths: int

    @property
    def distance(self) -> float:
        """What is given with the key as `qkdpost_epsilon`: up to `disjoint_paths` - 1 nodes may be dishonest."""
        return _sum_up((self.secrecy, self.correctness)) if self.disjoint_paths > 1 else self.all_nodes_honest


def epsilon_bound(provenance: Provenance, pools: Iterable[Provenance] = ()) -> EpsilonBound:
    """Return how far from ideal a key is at most.

    Args:
        provenance: of the key, all that it rests on.
        pools: of all pieces that it could have been cut from; then the claim is "request", and else "joint".

    Raises:
        InputError: no provenance.

    >>> block = Block(link="a|b", identifier=bytes(16), kind="bb84", epsilon=1e-10, accumulated_epsilon=3e-10)
    >>> epsilon_bound(Provenance(blocks=(block,))).distance < 3.001e-10
    True
    """
    others = [instance("pools", other, Provenance) for other in pools]
    # They are not joined into one provenance, which has a greatest size: a pool may hold more.
    parts = [instance("provenance", provenance, Provenance), *others]
    own = [block for part in parts for block in part.blocks]
    transfers = {transfer for part in parts for transfer in part.transfers}
    paths = [path for transfer in transfers for path in transfer.paths]
    blocks = [*own, *(block for path in paths for block in path.blocks)]
    checks = _of_checks(chain(*(part.checks for part in parts), *(path.checks for path in paths)))
    honest = _sum_up((_of_links(blocks), checks, _of_transfers(transfers)))
    by_paths = (max(_of_links(path.blocks) for path in transfer.paths) for transfer in transfers)
    return EpsilonBound(
        secrecy=min(honest, _sum_up((_of_links(own), *by_paths, checks))),
        correctness=honest,
        all_nodes_honest=honest,
        claim="request" if others else "joint",
        stated_by_operator=any(block.stated_by_operator for block in blocks),
        disjoint_paths=min((len(transfer.paths) for transfer in transfers), default=0),
    )


def _of_links(blocks: Iterable[Block]) -> float:
    """Sum over links the largest accumulated epsilon of their blocks."""
    largest: dict[str, float] = {}
    for block in blocks:
        largest[block.link] = max(block.accumulated_epsilon, largest.get(block.link, 0.0))
    return _sum_up(largest.values())


def _of_checks(checks: Iterable[CheckCount]) -> float:
    """Sum over pools the largest count of each."""
    largest: dict[bytes, int] = {}
    for check in checks:
        largest[check.pool] = max(check.units, largest.get(check.pool, 0))
    return _up(math.ldexp(float(sum(largest.values())), -128))


def _of_transfers(transfers: Iterable[Transfer]) -> float:
    return _up(math.ldexp(float(sum(transfer.check_degree + 1 for transfer in transfers)), -128))


def _sum_up(terms: Iterable[float]) -> float:
    # fsum is off by half a unit in the last place at most.
    return _up(math.fsum(terms))


def _up(number: float) -> float:
    return math.nextafter(number, math.inf) if number else 0.0
