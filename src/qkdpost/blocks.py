"""How records become blocks and blocks become frames: the same on both hosts of a link."""

from __future__ import annotations

from qkdpost.checks import Settings, keep, whole_number
from qkdpost.errors import ConfigurationError

__all__ = ["Blocks"]


class Blocks(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sizes of blocks and frames.

    Args:
        detections: a block closes as soon as it holds this many detections, 1 ... 2^30; submitted records are not
            split.
        max_detections: no block may hold more, 1 ... 2^30. It bounds what a peer can make this host allocate: while a
            block waits, some 4 bytes for each detection, in each block in flight.
        in_flight: how many blocks may be worked on at once, 1 ... 256, to hide the round-trip time.
        frame_bits: the most bits of a frame of Cascade and of verification, 64 ... 2^20; a block is cut evenly.
        frame_tag_bits: length of the universal hash by which a wrong frame is found, 8 ... 128 bits.

    Raises:
        ConfigurationError: a size out of range, or sizes that contradict each other.

    >>> import qkdpost as qp
    >>> qp.LinkConfig(protocol=qp.BB84(), blocks=qp.Blocks(detections=100_000, in_flight=2)).blocks.detections
    100000
    """

    detections: int = 2**21
    max_detections: int = 2**26
    in_flight: int = 4
    frame_bits: int = 2**16
    frame_tag_bits: int = 24

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            keep(self, name, whole_number(name, getattr(self, name), least=least, most=most, error=ConfigurationError))
        if self.frame_tag_bits > self.frame_bits:
            raise ConfigurationError(
                f"a tag of {self.frame_tag_bits} bits discloses more than its frame of {self.frame_bits} holds: "
                "frame_tag_bits must not exceed frame_bits"
            )
        if self.detections > self.max_detections:
            raise ConfigurationError(
                f"detections must not exceed max_detections; found {self.detections} and {self.max_detections}"
            )


_RANGES = {
    "detections": (1, 2**30),
    "max_detections": (1, 2**30),
    "in_flight": (1, 256),
    "frame_bits": (64, 2**20),
    "frame_tag_bits": (8, 128),
}
