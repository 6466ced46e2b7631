"""What a piece of key is made of: blocks of links, checks that could have failed, transfers over trusted nodes.

Every segment of a pool has a `Provenance`, and so has every key that is cut from it. A key rests on more than the bytes
that became it: on the blocks whose bytes were its pads, the pads of the tags over its messages, and the hash keys of
these tags. Whoever hands out a range joins all of them with `|`, and nothing is ever taken away.

Equal entries join into one, for a block that is bad once is bad for all its keys together, and counts once. Of a
counter that only grows (the accumulated epsilon of a link, the checks of a pool) the largest is kept: it includes the
smaller ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from qkdpost.checks import byte_string, flag, keep, real_number, whole_number
from qkdpost.errors import InputError, QkdpostError
from qkdpost.network.names import checked_name

__all__ = [
    "LOCAL_KIND",
    "MAX_BLOCKS",
    "MAX_PATHS",
    "MAX_PATH_NODES",
    "MAX_TRANSFERS",
    "Block",
    "CheckCount",
    "Path",
    "Provenance",
    "Transfer",
]

LOCAL_KIND = "local"
"""The kind of what no link distilled: random numbers of the operating system, for applications of one site."""
MAX_BLOCKS = 1024
MAX_CHECKED_POOLS = 1024
MAX_TRANSFERS = 512
MAX_PATHS = 8
MAX_PATH_NODES = 32
MAX_LINK_BYTES = 160
_IDENTIFIER_BYTES = 16
_MOST_UNITS = 2**63

_Link = Annotated[str, Meta(min_length=1, max_length=MAX_LINK_BYTES)]
_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_Octets16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
_Epsilon = Annotated[float, Meta(ge=0.0, le=1e6)]


class Block(msgspec.Struct, frozen=True, array_like=True, order=True, forbid_unknown_fields=True):
    """A block of a link, and how far its key is from an ideal one at most.

    Args:
        link: the name of the link, one for each pool of authentication key that a link's hosts share.
        identifier: 16 public bytes, `SecretKey.identifier`.
        kind: of QKD, as "decoy-bb84".
        epsilon: of the block alone, `SecretKey.epsilon`.
        accumulated_epsilon: of every block opened on the link's authentication key until then, this one among them,
            `SecretKey.accumulated_epsilon`.
        stated_by_operator: whether both numbers are what somebody says of a foreign device, and not derived here.

    Raises:
        InputError: no name, identifier or number, or an accumulated epsilon below the block's own.

    >>> from qkdpost import network
    >>> block = network.Block(link="a|b", identifier=bytes(16), kind="bb84", epsilon=1e-10, accumulated_epsilon=3e-10)
    >>> block.kind
    'bb84'
    """

    link: _Link
    identifier: _Octets16
    kind: _Name
    epsilon: _Epsilon
    accumulated_epsilon: _Epsilon
    stated_by_operator: bool = False

    def __post_init__(self) -> None:
        keep(self, "link", checked_link(self.link))
        keep(self, "identifier", byte_string("identifier", self.identifier, count=_IDENTIFIER_BYTES))
        keep(self, "kind", checked_name("kind", self.kind))
        keep(self, "epsilon", real_number("epsilon", self.epsilon, least=0.0, most=1e6))
        least = self.epsilon
        accumulated = real_number("accumulated_epsilon", self.accumulated_epsilon, least=least, most=1e6)
        keep(self, "accumulated_epsilon", accumulated)
        keep(self, "stated_by_operator", flag("stated_by_operator", self.stated_by_operator))

    def joined(self, other: Block) -> Block:
        """Return the same block with the larger of both accounts of it."""
        if other == self:
            return self
        return Block(
            link=self.link,
            identifier=self.identifier,
            kind=min(self.kind, other.kind),
            epsilon=max(self.epsilon, other.epsilon),
            accumulated_epsilon=max(self.accumulated_epsilon, other.accumulated_epsilon),
            stated_by_operator=self.stated_by_operator or other.stated_by_operator,
        )


class CheckCount(msgspec.Struct, frozen=True, array_like=True, order=True, forbid_unknown_fields=True):
    """How many checks of a pool could have been passed by a forger, in units of 2^-128.

    Args:
        pool: its identifier, 16 bytes.
        units: the sum of L + 1 over every verification in the pool until then, at either end, rejected ones among them,
            where L is the number of blocks of 16 bytes that the tag covers.

    Raises:
        InputError: no identifier, or no count.

    >>> from qkdpost import network
    >>> network.CheckCount(pool=bytes(16), units=4098).units
    4098
    """

    pool: _Octets16
    units: Annotated[int, Meta(ge=0, le=_MOST_UNITS - 1)]

    def __post_init__(self) -> None:
        keep(self, "pool", byte_string("pool", self.pool, count=_IDENTIFIER_BYTES))
        keep(self, "units", whole_number("units", self.units, most=_MOST_UNITS - 1))

    def joined(self, other: CheckCount) -> CheckCount:
        """Return the larger count, which includes the smaller."""
        return max(self, other)


class Path(msgspec.Struct, frozen=True, array_like=True, order=True, forbid_unknown_fields=True):
    """One of the disjoint paths of a transfer, and what its share rests on.

    Args:
        nodes: the names of the trusted nodes between the ends, in the order from the source.
        blocks: what the share was made of and went under, hop by hop, sorted.
        checks: of the pools that it went through, sorted.

    Raises:
        InputError: no names, or the same twice; too many entries.

    >>> from qkdpost import network
    >>> block = network.Block(link="a|b", identifier=bytes(16), kind="bb84", epsilon=1e-10, accumulated_epsilon=3e-10)
    >>> network.Path(nodes=("hut",), blocks=(block,), checks=()).nodes
    ('hut',)
    """

    nodes: Annotated[tuple[_Name, ...], Meta(max_length=MAX_PATH_NODES)]
    blocks: Annotated[tuple[Block, ...], Meta(max_length=MAX_BLOCKS)]
    checks: Annotated[tuple[CheckCount, ...], Meta(max_length=MAX_CHECKED_POOLS)]

    def __post_init__(self) -> None:
        names = tuple(checked_name("node", name) for name in self.nodes)
        if len(set(names)) != len(names):
            raise InputError("a path goes through each of its nodes once; found the same name twice")
        keep(self, "nodes", names)
        keep(self, "blocks", _joined_blocks(self.blocks))
        keep(self, "checks", _joined_checks(self.checks))


class Transfer(msgspec.Struct, frozen=True, array_like=True, order=True, forbid_unknown_fields=True):
    """A segment that was carried over trusted nodes, along one path or several disjoint ones.

    Args:
        identifier: of the transfer, 16 bytes.
        check_degree: d of its check: what is changed on the way passes with at most (d + 1) / 2^128.
        paths: one entry for each share, sorted by nodes.

    Raises:
        InputError: no identifier, an even degree, no path, or paths that share a node.

    >>> from qkdpost import network
    >>> path = network.Path(nodes=("hut",), blocks=(), checks=())
    >>> network.Transfer(identifier=bytes(16), check_degree=65, paths=(path,)).check_degree
    65
    """

    identifier: _Octets16
    check_degree: Annotated[int, Meta(ge=1, le=2**32)]
    paths: Annotated[tuple[Path, ...], Meta(min_length=1, max_length=MAX_PATHS)]

    def __post_init__(self) -> None:
        keep(self, "identifier", byte_string("identifier", self.identifier, count=_IDENTIFIER_BYTES))
        keep(self, "check_degree", whole_number("check_degree", self.check_degree, least=1, most=2**32))
        paths = tuple(sorted(self.paths, key=lambda path: path.nodes))
        names = [name for path in paths for name in path.nodes]
        if self.check_degree % 2 == 0 or not 1 <= len(paths) <= MAX_PATHS or len(set(names)) != len(names):
            raise InputError(
                f"a transfer has an odd degree of its check and 1 ... {MAX_PATHS} paths without a common node; found "
                f"degree {self.check_degree} and {len(paths)} paths with {len(names) - len(set(names))} common nodes"
            )
        keep(self, "paths", paths)

    def joined(self, other: Transfer) -> Transfer:
        """Return the same transfer; two accounts of one transfer that differ are no accounts of it.

        Raises:
            InputError: they differ.
        """
        if other != self:
            raise InputError(f"two different transfers are named {self.identifier.hex()}")
        return self


class Provenance(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a piece of key rests on. Public, and the same however it was put together.

    Args:
        blocks: of links whose bytes it was, or was under, at the two ends themselves; sorted, each once.
        checks: of the pools that it went through; sorted by pool, each once.
        transfers: over trusted nodes that its segments, and those of its pads and hash keys, came by; sorted.

    Raises:
        InputError: too many of anything, or contradicting accounts of one transfer.

    >>> block = Block(link="a|b", identifier=bytes(16), kind="bb84", epsilon=1e-10, accumulated_epsilon=3e-10)
    >>> one = Provenance(blocks=(block,))
    >>> (one | one) == one == Provenance.from_bytes(one.to_bytes())
    True
    """

    blocks: Annotated[tuple[Block, ...], Meta(max_length=MAX_BLOCKS)] = ()
    checks: Annotated[tuple[CheckCount, ...], Meta(max_length=MAX_CHECKED_POOLS)] = ()
    transfers: Annotated[tuple[Transfer, ...], Meta(max_length=MAX_TRANSFERS)] = ()

    def __post_init__(self) -> None:
        # Sorted tuples of single entries are kept as they are: joins are on the way of every key.
        if len(self.blocks) > 1:
            keep(self, "blocks", _joined_blocks(self.blocks))
        if len(self.checks) > 1:
            keep(self, "checks", _joined_checks(self.checks))
        if len(self.transfers) > 1:
            keep(self, "transfers", _joined_transfers(self.transfers))

    @classmethod
    def relayed(cls, transfer: bytes, shares: Sequence[tuple[Sequence[str], Provenance]], degree: int) -> Provenance:
        """Return the provenance of a segment that was carried over trusted nodes.

        Args:
            transfer: the identifier of the transfer, 16 bytes.
            shares: of each path the names between source and target, and the joined provenance of its hops.
            degree: d of the check, odd.

        Raises:
            InputError: as of `Transfer`; or a hop that was itself relayed: hops are links.
        """
        if any(provenance.transfers for _, provenance in shares):
            raise InputError("a hop of a transfer is a link; found one whose key was itself carried over nodes")
        paths = tuple(Path(nodes=tuple(nodes), blocks=own.blocks, checks=own.checks) for nodes, own in shares)
        return cls(transfers=(Transfer(identifier=transfer, check_degree=degree, paths=paths),))

    def __or__(self, other: Provenance) -> Provenance:
        """Return what rests on both."""
        if other is self or other in (self, _NOTHING):
            return self
        if self == _NOTHING:
            return other
        return Provenance(
            blocks=self.blocks if other.blocks == self.blocks else self.blocks + other.blocks,
            checks=self.checks if other.checks == self.checks else self.checks + other.checks,
            transfers=self.transfers if other.transfers == self.transfers else self.transfers + other.transfers,
        )

    def with_checks(self, pool: bytes, units: int) -> Provenance:
        """Return the same and the count of a pool's checks until now, see `CheckCount`."""
        return self | Provenance(checks=(CheckCount(pool=pool, units=units),))

    # What applications and operators ask.

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """Every block, those of transfers among them; sorted, each once."""
        return _joined_blocks(
            self.blocks + tuple(block for path in self.all_paths for block in path.blocks), most=2**16
        )

    @property
    def all_checks(self) -> tuple[CheckCount, ...]:
        """The checks of every pool, those that transfers went through among them; sorted, each once."""
        return _joined_checks(
            self.checks + tuple(check for path in self.all_paths for check in path.checks), most=2**16
        )

    @property
    def all_paths(self) -> tuple[Path, ...]:
        """The paths of all transfers."""
        return tuple(path for transfer in self.transfers for path in transfer.paths)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of QKD that it rests on, sorted."""
        return tuple(sorted({block.kind for block in self.all_blocks}))

    @property
    def trusted_nodes(self) -> tuple[str, ...]:
        """The names of all nodes on the way, sorted."""
        return tuple(sorted({name for path in self.all_paths for name in path.nodes}))

    @property
    def disjoint_paths(self) -> int:
        """The least number of disjoint paths of its transfers; 0 if it has none, so that no node has seen it."""
        return min((len(transfer.paths) for transfer in self.transfers), default=0)

    def has(self, identifier: bytes) -> bool:
        """Tell whether a block or a transfer of this identifier is in it."""
        return any(transfer.identifier == identifier for transfer in self.transfers) or any(
            block.identifier == identifier for block in self.all_blocks
        )

    # Bytes.

    def to_bytes(self) -> bytes:
        """Return it in its one form: MessagePack, entries sorted."""
        return _encoder.encode(self)

    @classmethod
    def from_bytes(cls, content: bytes, *, error: type[QkdpostError] = InputError) -> Provenance:
        """Read what `to_bytes` wrote; any other form of the same is refused.

        Raises:
            InputError: (or `error`) it is no provenance in this form.
        """
        try:
            found = _decoder.decode(content)
        except (msgspec.MsgspecError, ValueError, RecursionError) as reason:
            raise error(f"these bytes are no provenance of key: {reason}") from None
        if found.to_bytes() != content:
            raise error("this provenance of key is written in another form than the one allowed")
        return found


_NOTHING = Provenance()
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Provenance)
_Entry = TypeVar("_Entry", Block, CheckCount, Transfer)


def checked_link(value: object) -> str:
    """Return the name of a link: up to 160 bytes, so that the names of its ends fit in.

    Raises:
        InputError: it is none.
    """
    text = str(value) if isinstance(value, str) else ""
    if not text or not text.isprintable() or len(text.encode()) > MAX_LINK_BYTES:
        raise InputError(f"link must be a printable name of 1 ... {MAX_LINK_BYTES} bytes in UTF-8")
    return text


def _joined_blocks(blocks: Iterable[Block], most: int = MAX_BLOCKS) -> tuple[Block, ...]:
    found: dict[tuple[str, bytes], Block] = {}
    for block in blocks:
        name = (block.link, block.identifier)
        found[name] = found[name].joined(block) if name in found else block
    return _bounded("blocks", sorted(found.values()), most)


def _joined_checks(checks: Iterable[CheckCount], most: int = MAX_CHECKED_POOLS) -> tuple[CheckCount, ...]:
    found: dict[bytes, CheckCount] = {}
    for check in checks:
        found[check.pool] = found[check.pool].joined(check) if check.pool in found else check
    return _bounded("counts of checks", sorted(found.values()), most)


def _joined_transfers(transfers: Iterable[Transfer]) -> tuple[Transfer, ...]:
    found: dict[bytes, Transfer] = {}
    for transfer in transfers:
        name = transfer.identifier
        found[name] = found[name].joined(transfer) if name in found else transfer
    return _bounded("transfers", sorted(found.values()), MAX_TRANSFERS)


def _bounded(what: str, entries: list[_Entry], most: int) -> tuple[_Entry, ...]:
    if len(entries) > most:
        raise InputError(f"the provenance of a piece of key has at most {most} {what}; found {len(entries)}")
    return tuple(entries)
