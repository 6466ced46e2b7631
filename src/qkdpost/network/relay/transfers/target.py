"""The site that a segment is for: it waits for all shares, compares what was said of them, checks, and answers.

How many paths there must be it knows from its own policy. A copy that differs, a second share by the same path, or a
check that fails ends the transfer, and that is remembered until its end: a share that comes later is refused.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from qkdpost.errors import InputError
from qkdpost.network.events import TransferFailed
from qkdpost.network.messages.fields import VoidReason
from qkdpost.network.messages.framed import CarryDone, CarrySegment, CarryVoid
from qkdpost.network.peer.handler import Session
from qkdpost.network.peer.pads import add_into
from qkdpost.network.provenance import Provenance
from qkdpost.network.relay.manipulation import CHECK_BYTES, check_degree, combine_shares, is_unchanged
from qkdpost.network.relay.transfers.header import agreed_fields, own_place, wrong_header
from qkdpost.network.relay.transfers.records import TARGET, Rows, TargetRow, row_key
from qkdpost.network.relay.transfers.room import RECORD_BYTES, Room
from qkdpost.network.relay.transfers.shares import names_size, refuse, zero
from qkdpost.network.relay.transfers.surroundings import Surroundings, joined_provenance

__all__ = ["RelayTarget"]

MOST_TRANSFERS = 2**16
"""Transfers on record at once; more are refused, see `room` too."""


@dataclass(slots=True)
class Gathered:
    """A transfer's row, the shares that came, by their number, secret, and which neighbour's room it takes."""

    row: TargetRow
    opened_by: str
    shares: dict[int, bytearray] = field(default_factory=dict, repr=False)
    charged_bytes: dict[str, int] = field(default_factory=dict)

    @property
    def row_bytes(self) -> int:
        """What it takes without its shares and their provenance."""
        return row_bytes(self.row.paths)


class RelayTarget:
    """The transfers to this site.

    Args:
        around: where this site stands, and whom it asks and tells.
        now_seconds: as for `advance`.

    Raises:
        StoreDamaged: a row in the store is none.
    """

    def __init__(self, around: Surroundings, *, now_seconds: float) -> None:
        self._name, self._topology, self._policy = around.name, around.topology, around.policy
        self._peers, self._pools, self._report = around.peers, around.pools, around.report
        self._rows = Rows(around.store, TARGET, TargetRow)
        self._held: dict[bytes, Gathered] = {}
        self._ends: list[tuple[float, bytes]] = []
        self._room = Room()
        self._unwritten: set[bytes] = set()
        self._now_seconds = now_seconds
        for transfer, row in self._rows.load().items():
            self._load(transfer, row)
        self.advance(now_seconds)

    def _load(self, transfer: bytes, row: TargetRow) -> None:
        held = Gathered(row, opened_by=row.paths[next(iter(row.provenances), 0)][-2])
        self._remember(transfer, held)
        if not row.arrived and not row.void:
            for share, provenance in row.provenances.items():
                secret = self._rows.take_secret(row_key(transfer, share))
                if secret is not None:
                    self._rows.put_secret(row_key(transfer, share), secret)
                    held.shares[share] = secret
                    self._charge(held, row.paths[share][-2], len(secret) + len(provenance))

    def _remember(self, transfer: bytes, held: Gathered) -> None:
        self._held[transfer] = held
        self._charge(held, held.opened_by, held.row_bytes)
        heapq.heappush(self._ends, (held.row.until_seconds, transfer))

    # What comes in.

    def take(self, peer: Session, message: CarrySegment, material: bytearray) -> None:
        """Take a share, or refuse it. `material` is the share where the source is next to here, else its pad."""
        if wrong_header(message) or not self._comes_by_its_path(peer, message):
            refuse(peer, message, material, VoidReason.REFUSED)
            return
        held = self._held.get(message.transfer)
        if held is not None and held.row.void:
            refuse(peer, message, material, VoidReason.DISAGREES)
            return
        reason = None if held is None else self._why_not(held, message)
        if reason is None and not self._has_room(peer, held, message):
            refuse(peer, message, material, VoidReason.NO_ROOM)
            return
        if held is None:
            held = self._open(peer, message)
            reason = self._why_not(held, message)
        self._charge(held, peer.name, len(material) + len(message.provenance))
        self._add(held, message, material, reason)

    def _has_room(self, peer: Session, held: Gathered | None, message: CarrySegment) -> bool:
        """Tell whether there is room for a share of a neighbour's, and for its transfer if that is new."""
        count = message.length_bytes + len(message.provenance)
        if held is None:
            count += row_bytes(message.paths)
        return (held is not None or len(self._held) < MOST_TRANSFERS) and self._room.has_room(peer.name, count)

    def _comes_by_its_path(self, peer: Session, message: CarrySegment) -> bool:
        path = message.paths[message.share]
        place = own_place(message, self._name, peer.name)
        carried = message.source in self._topology and self._topology.link(message.source, self._name) is None
        return carried and place == len(path) - 1 and self._topology.link(self._name, peer.name) is not None

    def _open(self, peer: Session, message: CarrySegment) -> Gathered:
        row = TargetRow(
            until_seconds=self._now_seconds + message.expires_seconds,
            source=message.source,
            paths=message.paths,
            agreed=agreed_fields(message),
            masked_check=message.masked_check,
            provenances={},
        )
        held = Gathered(row, opened_by=peer.name)
        self._remember(message.transfer, held)
        self._unwritten.add(message.transfer)
        return held

    def _add(self, held: Gathered, message: CarrySegment, material: bytearray, reason: VoidReason | None) -> None:
        """Keep a share, and if it is the last, see whether all fit together; with a reason, end its transfer."""
        if message.ciphertext is not None:
            add_into(material, message.ciphertext)
        # Kept first, so that a refusal erases it with the others and goes back by this path too.
        zero(held.shares.get(message.share))
        held.shares[message.share] = material
        held.row.provenances[message.share] = message.provenance
        self._unwritten.add(message.transfer)
        if reason is not None:
            self._void(message.transfer, held, reason)
        elif len(held.shares) == len(held.row.paths):
            self._finish(message.transfer, held)

    def _why_not(self, held: Gathered, message: CarrySegment) -> VoidReason | None:
        """Return why a share ends its transfer, None if it does not."""
        if len(message.paths) != self._policy.paths_between(message.source, self._name):
            return VoidReason.REFUSED
        if held.row.arrived or message.share in held.row.provenances or agreed_fields(message) != held.row.agreed:
            return VoidReason.DISAGREES
        return VoidReason.DISAGREES if joined_provenance((message.provenance,)) is None else None

    def _finish(self, transfer: bytes, held: Gathered) -> None:
        row = held.row
        combined = combine_shares([held.shares[share] for share in sorted(held.shares)])
        if not is_unchanged(combined, row.masked_check):
            zero(combined)
            self._void(transfer, held, VoidReason.MANIPULATED if len(row.paths) > 1 else VoidReason.DISAGREES)
            return
        content = combined[:-CHECK_BYTES]
        zero(combined)
        provenance = relayed_provenance(transfer, row.paths, row.provenances, len(content))
        if provenance is None or not self._pools.arrive(row.source, transfer, content, provenance):
            zero(content)
            self._void(transfer, held, VoidReason.NOT_ENOUGH_KEY)
            return
        self._erase_shares(transfer, held)
        row.arrived = True
        for share, path in enumerate(row.paths):
            peer = self._peers(path[-2])
            if peer is not None:
                peer.queue(CarryDone(transfer, share, row.masked_check, row.provenances[share]))
        row.provenances.clear()

    def take_void(self, peer: Session, message: CarryVoid) -> bool:
        """End a transfer that its source or a site on its way gave up; tell whether it is on record here."""
        held = self._held.get(message.transfer)
        if held is None:
            return False
        row = held.row
        if message.share >= len(row.paths) or row.paths[message.share][-2] != peer.name or row.void:
            return True
        if row.arrived:
            self._pools.withdraw(row.source, message.transfer)
            row.void = True
            self._unwritten.add(message.transfer)
        else:
            self._void(message.transfer, held, message.reason, heard_from=peer.name)
        return True

    def _void(self, transfer: bytes, held: Gathered, reason: VoidReason, heard_from: str = "") -> None:
        """End a transfer: by every path that brought a share."""
        row = held.row
        for share in held.shares:
            peer = self._peers(row.paths[share][-2]) if share < len(row.paths) else None
            if peer is not None and peer.name != heard_from:
                peer.queue(CarryVoid(transfer, share, reason))
        self._erase_shares(transfer, held)
        if row.arrived:
            self._pools.withdraw(row.source, transfer)
        row.void = True
        row.provenances.clear()
        self._unwritten.add(transfer)
        self._report(
            TransferFailed(transfer=transfer, peer=row.source, reason=reason.name.lower(), paths=tuple(row.paths))
        )

    def _erase_shares(self, transfer: bytes, held: Gathered) -> None:
        for share, secret in held.shares.items():
            zero(secret)
            zero(self._rows.take_secret(row_key(transfer, share)))
        held.shares.clear()
        self._give_back(held)
        self._charge(held, held.opened_by, held.row_bytes)

    def _charge(self, held: Gathered, neighbour: str, count: int) -> None:
        """Charge bytes of a transfer to a neighbour's room."""
        self._room.charge(neighbour, count)
        held.charged_bytes[neighbour] = held.charged_bytes.get(neighbour, 0) + count

    def _give_back(self, held: Gathered) -> None:
        for neighbour, count in held.charged_bytes.items():
            self._room.charge(neighbour, -count)
        held.charged_bytes.clear()

    # What time does, and what a turn leaves.

    def advance(self, now_seconds: float) -> None:
        """Erase and forget what has come to its end."""
        self._now_seconds = now_seconds
        while self._ends and self._ends[0][0] <= now_seconds:
            _, transfer = heapq.heappop(self._ends)
            held = self._held.pop(transfer)
            self._erase_shares(transfer, held)
            self._give_back(held)
            self._unwritten.discard(transfer)
            self._rows.erase(transfer)

    def flush(self) -> None:
        """Make durable what this turn has changed: the last thing before a commit."""
        for transfer in self._unwritten:
            held = self._held[transfer]
            self._rows.put(transfer, held.row)
            for share, secret in held.shares.items():
                self._rows.put_secret(row_key(transfer, share), secret)
        self._unwritten.clear()


def row_bytes(paths: tuple[tuple[str, ...], ...]) -> int:
    """Return what the record of a transfer takes without its shares: it has the names of its paths twice."""
    return RECORD_BYTES + 2 * names_size(paths)


def relayed_provenance(
    transfer: bytes, paths: tuple[tuple[str, ...], ...], parts: dict[int, bytes], segment_bytes: int
) -> Provenance | None:
    """Return what a carried segment rests on, from what each path says of itself; None if that is nothing sensible.

    A site on a path may lie about its own hops: the reader takes the largest over the paths, of which one is honest.
    """
    try:
        shares = [(path[1:-1], Provenance.from_bytes(parts[share])) for share, path in enumerate(paths)]
        return Provenance.relayed(transfer, shares, check_degree(segment_bytes))
    except (InputError, KeyError):
        return None
