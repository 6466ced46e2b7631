"""The site that a segment begins at: a stretch of each first link's key is a share, and no random number is drawn.

Segment, x and z are the sum of the shares. The segment may be used when the target has said over every path that it
holds it, with the same check: one of these paths is honest. Anything else ends the transfer, and what was spent is
spent. A transfer is never sent again by another way.
"""

from __future__ import annotations

import os

from qkdpost.errors import InputError, NotEnoughKey, PeerUnavailable
from qkdpost.network.events import TransferFailed
from qkdpost.network.messages.fields import MAX_MESSAGES_PER_FRAME, VoidReason
from qkdpost.network.messages.framed import CarryDone, CarrySegment, CarryVoid
from qkdpost.network.names import RandomBytes
from qkdpost.network.peer.handler import OpenedFrame, Session
from qkdpost.network.relay.manipulation import CHECK_BYTES, combine_shares, masked_check, share_bytes
from qkdpost.network.relay.routing import Path
from qkdpost.network.relay.transfers.header import MAX_LIFETIME_SECONDS, wrong_paths
from qkdpost.network.relay.transfers.protection import Protection
from qkdpost.network.relay.transfers.records import SOURCE, Rows, SourceRow
from qkdpost.network.relay.transfers.shares import ROOM_OF_A_FRAME, frame_size, message_size, zero
from qkdpost.network.relay.transfers.surroundings import Surroundings, join_parts
from qkdpost.network.relay.transfers.target import relayed_provenance

__all__ = ["RelaySource"]

LIFETIMES = 4
"""For how many times its deadline a transfer is remembered on its way, so that the news of its end gets through."""


class RelaySource:
    """The transfers from this site.

    Args:
        around: where this site stands, and whom it asks and tells.
        now_seconds: as for `advance`.
        random_bytes: where identifiers come from.

    Raises:
        StoreDamaged: a row in the store is none.
    """

    def __init__(self, around: Surroundings, *, now_seconds: float, random_bytes: RandomBytes = os.urandom) -> None:
        self._name, self._topology, self._policy = around.name, around.topology, around.policy
        self._peers, self._pools, self._report = around.peers, around.pools, around.report
        self._random_bytes = random_bytes
        self._rows = Rows(around.store, SOURCE, SourceRow)
        self._held = self._rows.load()
        self._now_seconds = now_seconds
        self._completed_bytes: dict[str, int] = {}
        self._protection = Protection(around.store, around.policy, around.name, around.pools)
        self._end_unprotected()
        self.advance(now_seconds)

    def _end_unprotected(self) -> None:
        """End what another process of this site began over another number of paths than the policy has now."""
        for transfer, row in list(self._held.items()):
            if len(row.paths) != self._policy.paths_between(self._name, row.target):
                self._void(transfer, row, VoidReason.REFUSED)

    def is_renewing(self, target: str) -> bool:
        """Tell whether the pool with a site waits for new hash keys, so that what it holds will be given up."""
        return target in self._protection.renewing

    def completed_bytes(self, target: str) -> int:
        """Return how much this process has carried to a site: what its pool got."""
        return self._completed_bytes.get(target, 0)

    def pending(self, target: str) -> tuple[bytes, ...]:
        """Return the identifiers of transfers to a site of which the last has not been heard."""
        return tuple(transfer for transfer, row in self._held.items() if row.target == target)

    # Starting.

    def start(self, paths: tuple[Path, ...], count: int) -> int:
        """Send segments over these paths, and return how many: what the first links have key for, `count` at most.

        Raises:
            InputError: paths that nobody would take.
            PeerUnavailable: a site that comes first in a path is not connected.
            NotEnoughKey: a first link has too little for one segment.
        """
        target = paths[0][-1]
        wrong = wrong_paths(self._name, target, paths)
        if wrong or any(self._topology.link(path[0], path[1]) is None for path in paths):
            raise InputError(f"these paths are none: {wrong or 'the first hop is no link'}")
        if len(paths) != self._policy.paths_between(self._name, target):
            raise InputError(f"the policy has another number of paths to {target} than {len(paths)}")
        if self._topology.link(self._name, target) is not None:
            raise InputError(f"{target} is joined by a link: key between its two sites needs no carrying")
        length = share_bytes(self._policy.segment_bytes)
        first = [self._first_session(path) for path in paths]
        count = min(count, *(self._segments_in(peer, length, paths) for peer in first))
        if count < 1:
            raise NotEnoughKey(f"a link of {self._name} has too little key for a segment to {target}")
        frames = [peer.open_frame([length] * count) for peer in first]
        sent = [self._start_one(target, paths, frames, place) for place in range(count)]
        for share, frame in enumerate(frames):
            frame.send([messages[share] for messages in sent])
        return count

    def _first_session(self, path: Path) -> Session:
        peer = self._peers(path[1])
        if peer is None or not peer.ready:
            raise PeerUnavailable(f"{path[1]}, the first site on the way to {path[-1]}, is not connected")
        return peer

    def _segments_in(self, peer: Session, length: int, paths: tuple[Path, ...]) -> int:
        """Return for how many segments a first link has key, and a frame space."""
        key = (peer.room_bytes() - self._policy.link_reserve_bytes) // length
        probe = CarrySegment(
            transfer=bytes(16),
            source=self._name,
            target=paths[0][-1],
            paths=paths,
            share=0,
            length_bytes=length,
            masked_check=bytes(16),
            expires_seconds=1,
            provenance=b"",
        )
        size = message_size(probe)
        count = max(0, min(key, MAX_MESSAGES_PER_FRAME, ROOM_OF_A_FRAME // size))
        while count > 1 and frame_size(peer, count, count * size, count * length) > ROOM_OF_A_FRAME:
            count -= 1
        return count

    def _start_one(
        self, target: str, paths: tuple[Path, ...], frames: list[OpenedFrame], place: int
    ) -> list[CarrySegment]:
        """Put one segment on record, and return the message of each share."""
        transfer = bytes(self._random_bytes(16))
        shares = [frame.material[place] for frame in frames]
        combined = combine_shares(shares)
        check = masked_check(combined)
        deadline = 2 * self._policy.hop_seconds * (max(map(len, paths)) - 1)
        row = SourceRow(
            deadline_seconds=self._now_seconds + deadline,
            target=target,
            paths=paths,
            segment_bytes=len(combined) - CHECK_BYTES,
            masked_check=check,
            provenances={},
        )
        self._held[transfer] = row
        self._rows.put(transfer, row)
        self._rows.put_secret(transfer, combined)
        messages = [
            CarrySegment(
                transfer=transfer,
                source=self._name,
                target=target,
                paths=paths,
                share=share,
                length_bytes=len(combined),
                masked_check=check,
                expires_seconds=min(MAX_LIFETIME_SECONDS, int(LIFETIMES * deadline) + 1),
                provenance=join_parts(self._pools.checks(paths[share][1]), frame.provenances[place]) or b"",
            )
            for share, frame in enumerate(frames)
        ]
        for secret in (combined, *shares):
            zero(secret)
        return messages

    # What comes back.

    def take_done(self, peer: Session, message: CarryDone) -> bool:
        """Hear over one path that the target holds a segment; tell whether it began here."""
        row = self._held.get(message.transfer)
        if row is None:
            return False
        if not self._is_of_path(peer, row, message.share) or message.share in row.provenances:
            return True
        if message.check != row.masked_check:
            self._void(message.transfer, row, VoidReason.DISAGREES)
            return True
        row.provenances[message.share] = message.provenance
        if len(row.provenances) == len(row.paths):
            self._complete(message.transfer, row)
        else:
            self._rows.put(message.transfer, row)
        return True

    def _is_of_path(self, peer: Session, row: SourceRow, share: int) -> bool:
        return share < len(row.paths) and row.paths[share][1] == peer.name

    def _complete(self, transfer: bytes, row: SourceRow) -> None:
        combined = self._rows.take_secret(transfer)
        provenance = relayed_provenance(transfer, row.paths, row.provenances, row.segment_bytes)
        if combined is None or provenance is None:
            zero(combined)
            self._void(transfer, row, VoidReason.DISAGREES)
            return
        content = combined[:-CHECK_BYTES]
        zero(combined)
        self._forget(transfer)
        self._protection.note(row.target)
        self._completed_bytes[row.target] = self.completed_bytes(row.target) + len(content)
        self._pools.complete(row.target, transfer, content, provenance)

    def take_void(self, peer: Session, message: CarryVoid) -> bool:
        """Hear that a transfer is void; tell whether it began here."""
        row = self._held.get(message.transfer)
        if row is None:
            return False
        if self._is_of_path(peer, row, message.share):
            self._void(message.transfer, row, message.reason, but=message.share)
        return True

    def broken(self, message: CarrySegment) -> bool:
        """End a transfer that was in flight when the connection to its first site broke; tell whether it began here."""
        row = self._held.get(message.transfer)
        if row is not None:
            self._void(message.transfer, row, VoidReason.CONNECTION_LOST)
        return row is not None

    def _void(self, transfer: bytes, row: SourceRow, reason: VoidReason, but: int = -1) -> None:
        """End a transfer, over every path but the one that brought the news."""
        if len(row.paths) == 1 and reason is VoidReason.MANIPULATED:
            reason = VoidReason.DISAGREES
        self._forget(transfer)
        for share, path in enumerate(row.paths):
            peer = self._peers(path[1])
            if share != but and peer is not None:
                peer.queue(CarryVoid(transfer, share, reason))
        self._report(TransferFailed(transfer=transfer, peer=row.target, reason=reason.name.lower(), paths=row.paths))

    def _forget(self, transfer: bytes) -> None:
        del self._held[transfer]
        self._rows.erase(transfer)
        zero(self._rows.take_secret(transfer))

    def advance(self, now_seconds: float) -> None:
        """End transfers whose answers are late."""
        self._now_seconds = now_seconds
        late = [(transfer, row) for transfer, row in self._held.items() if row.deadline_seconds <= now_seconds]
        for transfer, row in late:
            self._void(transfer, row, VoidReason.DEADLINE)
