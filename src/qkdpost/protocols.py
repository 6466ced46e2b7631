"""One table: for each kind of QKD, how records are sifted, what is tallied, and which bound decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from qkdpost.config import LinkConfig
from qkdpost.conversation import Program
from qkdpost.records import Detections, PreparedPulses, RawRecords, SiftedKey, Tally, TimeTags
from qkdpost.security import bb84, bbm92
from qkdpost.security.result import SecretLength
from qkdpost.sifting.by_slots import answer_slots, match_to_detections, match_to_prepared, report_slots
from qkdpost.sifting.by_time_tags import answer_time_tags, report_time_tags
from qkdpost.sifting.task import SiftingTask

__all__ = ["PROTOCOLS", "Protocol"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What sets one kind of QKD apart from the others.

    Args:
        alice_records: the type of record that Alice submits.
        bob_records: the type that Bob submits.
        alice_sift: her side of the sifting conversation.
        bob_sift: his.
        bound: the length of the secret key from the tally and the leakage.
    """

    alice_records: type[RawRecords]
    bob_records: type[RawRecords]
    alice_sift: Callable[[SiftingTask], Program[SiftedKey]]
    bob_sift: Callable[[SiftingTask], Program[SiftedKey]]
    bound: Callable[..., SecretLength]

    def record_type(self, role: str) -> type[RawRecords]:
        """Return the type of record that a role submits."""
        return self.alice_records if role == "alice" else self.bob_records

    def secret_length(
        self, link: LinkConfig, tally: Tally, leakage_bits: int, verification_bits: int | None
    ) -> SecretLength:
        """Apply the bound that the link names; arguments as in `qkdpost.security`."""
        return self.bound(
            tally,
            leakage_bits=leakage_bits,
            verification_bits=verification_bits,
            epsilon=link.epsilon,
            bound=link.bound,
            concentration=link.concentration,
        )


PROTOCOLS: dict[str, Protocol] = {
    "bb84": Protocol(
        alice_records=PreparedPulses,
        bob_records=Detections,
        alice_sift=partial(answer_slots, matcher=match_to_prepared),
        bob_sift=report_slots,
        bound=bb84.secret_length,
    ),
    "bbm92": Protocol(
        alice_records=Detections,
        bob_records=Detections,
        alice_sift=partial(answer_slots, matcher=match_to_detections),
        bob_sift=report_slots,
        bound=bbm92.secret_length,
    ),
    "bbm92-time-tags": Protocol(
        alice_records=TimeTags,
        bob_records=TimeTags,
        alice_sift=answer_time_tags,
        bob_sift=report_time_tags,
        bound=bbm92.secret_length,
    ),
}
