"""One table: for each kind of QKD, how records are sifted, what is tallied, and which bound decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from qkdpost.bits import Bits
from qkdpost.config import LinkConfig
from qkdpost.dialogue.ledger import Ledger
from qkdpost.dialogue.program import Program
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.labels import Labels
from qkdpost.records import Detections, PreparedPulses, RawRecord, Tally, TimeTags
from qkdpost.security import bb84, bbm92, decoy_bb84, single_photon
from qkdpost.security.result import SecretLength
from qkdpost.security.single_photon.settings import MAX_POSSIBLE_RUNS
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.sifting.slots.conversation import answer_slots, match_to_detections, match_to_prepared, report_slots
from qkdpost.sifting.task import SiftingTask
from qkdpost.sifting.time_tags.conversation import answer_time_tags, report_time_tags
from qkdpost.tallies import DecoyTally, SampledTally, SinglePhotonTally
from qkdpost.tallying import ComparedRounds, tally_decoy_pulses, tally_qubits, tally_single_photons

__all__ = ["PROTOCOLS", "AnyTally", "Protocol"]

AnyTally: TypeAlias = Tally | SampledTally | DecoyTally | SinglePhotonTally


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What sets one kind of QKD apart from the others.

    Args:
        alice_records: the type of record that Alice submits.
        bob_records: the type that Bob submits.
        alice_sift: her side of the sifting conversation.
        bob_sift: his.
        tally: the counts that the bound needs, from the compared rounds and, where they are public, the errors of
            the key for each intensity.
        bound: the length of the secret key from the tally and the leakage.
        options: what else the bound is told.
    """

    alice_records: type[RawRecord]
    bob_records: type[RawRecord]
    alice_sift: Callable[[SiftingTask], Program[SiftedKey]]
    bob_sift: Callable[[SiftingTask], Program[SiftedKey]]
    tally: Callable[[LinkConfig, ComparedRounds, tuple[int, ...] | None], AnyTally]
    bound: Callable[..., SecretLength]
    options: Callable[[LinkConfig, Ledger], dict[str, Any]]

    def record_type(self, role: str) -> type[RawRecord]:
        """Return the type of record that a role submits."""
        return self.alice_records if role == "alice" else self.bob_records

    @property
    def both_detect(self) -> bool:
        """Whether Alice, too, measures what somebody else sent, instead of preparing."""
        return self.alice_records is not PreparedPulses

    def secret_length(
        self, link: LinkConfig, tally: AnyTally, ledger: Ledger, verification_bits: int | None
    ) -> SecretLength:
        """Apply the bound that the link names to the tally and to what the ledger charged."""
        return self.bound(
            tally,
            leakage_bits=ledger.charged_bits,
            verification_bits=verification_bits,
            epsilon=link.epsilon,
            concentration=link.concentration,
            **self.options(link, ledger),
        )

    def check(self, link: LinkConfig) -> None:
        """Apply the bound to a block of two rounds: what it cannot take is told before a session begins.

        Raises:
            ConfigurationError: there is no bound for such a link.
        """
        try:
            self.secret_length(link, self.tally(link, _TWO_ROUNDS, (0,) * len(link.intensities)), Ledger(), None)
        except InputError as error:
            raise ConfigurationError(f"no bound can be had for such a {link.kind} link: {error}") from None


_ONE_LABEL = Labels.from_array([0])
_TWO_ROUNDS = ComparedRounds(
    key_bits=1,
    test_difference=Bits.zeros(1),
    key_bits_in_key_basis=1,
    test_bits_in_key_basis=0,
    pulses=2,
    key_labels=_ONE_LABEL,
    test_labels=_ONE_LABEL,
)


def _named_bound(link: LinkConfig, ledger: Ledger) -> dict[str, Any]:
    return {"bound": link.bound, "acceptance": link.acceptance}


def _bound_and_direction(link: LinkConfig, ledger: Ledger) -> dict[str, Any]:
    return _named_bound(link, ledger) | {"two_way": ledger.two_way, "detectors": link.detectors}


def _runs_of_records(link: LinkConfig, ledger: Ledger) -> dict[str, Any]:
    """A block is a run of whole records, and detections decide which."""
    return {"possible_runs": MAX_POSSIBLE_RUNS}


_PREPARED = partial(
    Protocol,
    alice_records=PreparedPulses,
    bob_records=Detections,
    alice_sift=partial(answer_slots, matcher=match_to_prepared),
    bob_sift=report_slots,
)

PROTOCOLS: dict[str, Protocol] = {
    "bb84": _PREPARED(tally=tally_qubits, bound=bb84.secret_length, options=_named_bound),
    "decoy-bb84": _PREPARED(tally=tally_decoy_pulses, bound=decoy_bb84.secret_length, options=_bound_and_direction),
    "single-photon-bb84": _PREPARED(
        tally=tally_single_photons, bound=single_photon.secret_length, options=_runs_of_records
    ),
    "bbm92": Protocol(
        alice_records=Detections,
        bob_records=Detections,
        alice_sift=partial(answer_slots, matcher=match_to_detections),
        bob_sift=report_slots,
        tally=tally_qubits,
        bound=bbm92.secret_length,
        options=_named_bound,
    ),
    "bbm92-time-tags": Protocol(
        alice_records=TimeTags,
        bob_records=TimeTags,
        alice_sift=answer_time_tags,
        bob_sift=report_time_tags,
        tally=tally_qubits,
        bound=bbm92.secret_length,
        options=lambda link, ledger: _named_bound(link, ledger) | {"time_tags": True},
    ),
}
