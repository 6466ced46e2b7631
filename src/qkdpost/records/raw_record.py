"""What a session needs of a record."""

from __future__ import annotations

from typing import Protocol

__all__ = ["RawRecord"]


class RawRecord(Protocol):
    """What a session asks of a record that is submitted to it, whatever the kind of QKD.

    A record is frozen, can be referred to weakly (`weakref_slot=True`), and shows no secret in its representation.
    """

    @property
    def events(self) -> int:
        """How many detections it holds, by which blocks are cut and limited; 0 where nothing was detected."""

    def check_for(self, settings: object) -> None:
        """Check that the record suits the settings of the kind of QKD, when it is submitted.

        Args:
            settings: those of the kind; a record reads the attributes that concern it, as `intensities`.

        Raises:
            InputError: it does not.
        """
