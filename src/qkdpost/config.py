"""What both hosts of a link must agree on: checked when built, compared field by field in the handshake."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from qkdpost.checks import choice, described, instance, numbers, real_number, whole_number
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.health.limits import RecordLimits
from qkdpost.link_parts import DecoyAcceptance, DetectorMismatch, QubitAcceptance
from qkdpost.tallies import Intensity, check_intensity_ranges, fixed_intensities, intensities_of

__all__ = ["LinkConfig"]

LONGEST_FIELD = 256
"""Characters of a field's text in the handshake."""

KINDS = ("bb84", "bbm92", "bbm92-time-tags", "decoy-bb84", "single-photon-bb84")
_QUBITS = ("bb84", "bbm92", "bbm92-time-tags")
_FIXED_LENGTH: dict[str, tuple[type[QubitAcceptance | DecoyAcceptance], tuple[str, ...]]] = {
    "tomamichel-leverrier-2017": (QubitAcceptance, _QUBITS),
    "lim-2021": (QubitAcceptance, _QUBITS),
    "wiesemann-2026": (DecoyAcceptance, ("decoy-bb84",)),
}
"""The thresholds that each fixed-length bound takes, and the kinds that it is for."""
_CHOICES = {
    "kind": KINDS,
    "test": ("basis", "sample"),
    "reconciliation": ("cascade", "ldpc", "auto"),
    "ldpc_fallback": ("cascade", "drop"),
    "cascade_parameters": ("near-optimal", "original", "yan", "optimised", "power-of-two"),
    "bound": ("variable-length", *_FIXED_LENGTH),
    "concentration": ("hypergeometric", "serfling"),
}
LDPC_FRAME_BITS = (2**14, 2**16, 2**18, 2**20)
LDPC_FAILURES_PERMILLE = (900, 700, 500, 300, 200, 100, 30, 10, 1)
_INTEGERS: dict[str, tuple[int, int]] = {
    "block_detections": (1, 2**30),
    "largest_block_detections": (1, 2**30),
    "frame_bits": (64, 2**20),
    "frame_tag_bits": (8, 128),
    "ldpc_blind_rounds": (0, 16),
    "blocks_in_flight": (1, 256),
    "planned_key_bits": (0, 2**40),
    "ldpc_frame_bits": (min(LDPC_FRAME_BITS), max(LDPC_FRAME_BITS)),
    "ldpc_first_failures_permille": (min(LDPC_FAILURES_PERMILLE), max(LDPC_FAILURES_PERMILLE)),
}
_REALS: dict[str, tuple[float, float]] = {
    "epsilon": (1e-30, 0.1),
    "sample_fraction": (1e-6, 0.999),
    "mean_photons": (0.0, 20.0),
    "g2": (0.0, 1e6),
    "dead_time_ps": (0.0, 1e12),
    "round_trip_ms": (0.0, 1e6),
    "processor_mbit_per_s": (1e-6, 1e6),
    "coincidence_window_ps": (0.0, 1e9),
    "clock_search_ps": (0.0, 1e15),
    "largest_drift_ppm": (0.0, 1e3),
    "tick_ps": (0.0, 1e4),
}
"""What is checked and made a plain number for every kind, so that its text is the same on both hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfig:
    """The configuration of a link; both hosts must hold the same.

    Args:
        kind: the kind of QKD: "bb84" (one side prepares qubits, one photon a pulse), "single-photon-bb84" (the same
            with a source that sometimes sends two), "decoy-bb84" (weak coherent pulses of several intensities),
            "bbm92" (both detect, in numbered slots) or "bbm92-time-tags" (both detect and record time tags).
        test: "basis": the test basis is disclosed whole and the key comes from the key basis (any basis bias);
            "sample": a random sample of all sifted rounds is disclosed and the key comes from the rest, of both
            bases (any basis bias, but the rarer basis must be frequent enough that its sample bounds the phase
            errors of the other's key).
        sample_fraction: which part of the sifted rounds "sample" discloses.
        block_detections: a block closes as soon as it holds so many detections; submitted records are not split.
        largest_block_detections: no block may hold more; it bounds what a peer can make this host allocate: while a
            block waits, some 4 bytes for each, in each block in flight.
        blocks_in_flight: how many blocks may be worked on at once, to hide the round-trip time.
        frame_bits: bits of one frame of error correction.
        reconciliation: the method of error correction: "cascade" (least disclosed, many rounds), "ldpc" (few rounds)
            or "auto" (chosen for each block by `qkdpost.reconciliation.method`).
        round_trip_ms: round-trip time of the line, for "auto".
        processor_mbit_per_s: sifted bits that the slower host's processor brings to key in a second by Cascade, in
            Mbit/s, for "auto".
        cascade_parameters: the named set of block sizes for Cascade.
        ldpc_frame_bits: bits of one frame of the LDPC code: 2^14, 2^16, 2^18 or 2^20.
        ldpc_decoder: the decoder of the corrector, by whose measured waterfalls both hosts plan: "fast", "accurate"
            (discloses less, takes several times as long), or the name of one that was registered in
            `qkdpost.reconciliation.ldpc.decoders.DECODERS` before the session began.
        ldpc_first_failures_permille: frames in a thousand that may fail when they are first tried, one of 900, 700,
            500, 300, 200, 100, 30, 10 and 1: the more, the less is disclosed and the longer decoding takes.
        ldpc_blind_rounds: how often more may be disclosed of frames that failed; 0, with the fallback
            "drop", makes correction one-way (of blocks that some code corrects; the ledger tells what happened).
        ldpc_fallback: what becomes of frames that failed in the end: "cascade" corrects them, "drop" gives them up.
        frame_tag_bits: length of the universal hash by which a wrong frame is found.
        epsilon: total security parameter of a block's key: secrecy, correctness and authentication together.
        bound: the security proof that gives the length of the key: "variable-length", for every kind; or a published
            fixed-length one: "tomamichel-leverrier-2017" or "lim-2021" for one qubit a round, "wiesemann-2026" for
            decoy states with two or three intensities. Published formulas that are no bounds (lim-2014, rusca-2018)
            are not offered here, nor is tlgr-2012, which its successors improve on. For single-photon sources, and for
            test "sample", no fixed-length form is published that is a bound: use `planned_key_bits`.
        acceptance: the thresholds of a fixed-length bound, set before the data are seen: a `QubitAcceptance` or, for
            "wiesemann-2026", a `DecoyAcceptance` (both in `qkdpost.security`). Each host enforces them on what it saw
            itself. `planning.plan_fixed_length` makes them.
        planned_key_bits: 0: the length follows from the counts (variable-length); else the length that was set before
            any data were seen: a block gives so many bits, if the variable-length bound allows them, or none. The first
            384 of them return to the pool of authentication key.
        concentration: the tail bound inside "variable-length", "hypergeometric" (exact) or "serfling".
        detectors: how different Bob's two detectors may be, a `DetectorMismatch` (in `qkdpost.security`); None: they
            are taken to be alike. For kind "decoy-bb84" with three intensities or more and the variable-length bound,
            and only with one-way correction: "ldpc" with `ldpc_blind_rounds` 0 and `ldpc_fallback` "drop". No proof
            joins a difference of detectors with a public error pattern; and none is at hand here for other kinds.
        intensities: mean photon numbers of the pulses, strictly decreasing, with decoy states; none without. Each is a
            number, or a pair (least, largest) where it is known to lie in an interval, as (0.45, 0.55): the key is then
            the worst over all that pulses may have had in there; for the variable-length bound. With
            two, correction must be two-way: their bound needs to know the errors of the key.
        intensity_probabilities: with which each intensity is chosen.
        mean_photons: mean photon number of a pulse of a single-photon source, an upper confidence limit.
        g2: its second-order correlation at zero delay, an upper confidence limit.
        test_probabilities: how probably Alice and Bob choose the test basis; a single-photon source needs them.
        dead_time_ps: for how long a detector recovers after a click, at most (time tags only). Events closer than this
            to any click are left out, for then not every detector was ready, and announced times would tell bits.
        coincidence_window_ps: half the width of the coincidence window; 0 means found from the data.
        clock_search_ps: the offset of the two clocks is looked for within +- this (time tags only), at most 10^15; by
            default 10 s, so that taggers need no common start. Clocks that agree to a millisecond are found as soon.
        largest_drift_ppm: and how much faster one runs than the other, within +- this, at most 1000.
        tick_ps: length of the tick in which times are told, 0.1 ... 10,000 (time tags only); records of other ticks
            are converted. 0: both hosts' records must have the same.

        record_limits: what a host tolerates in its own records before it gives their block up, a `RecordLimits`: a dead
            detector, bits or bases that repeat, shares that change.

    Raises:
        ConfigurationError: a field is out of range, or fields contradict each other.
    """

    kind: str = "bb84"
    test: str = "basis"
    sample_fraction: float = 0.1
    block_detections: int = 2**21
    largest_block_detections: int = 2**26
    blocks_in_flight: int = 4
    frame_bits: int = 2**14
    reconciliation: str = "cascade"
    round_trip_ms: float = 0.0
    processor_mbit_per_s: float = 10.0
    cascade_parameters: str = "near-optimal"
    ldpc_frame_bits: int = 2**16
    ldpc_decoder: str = "fast"
    ldpc_first_failures_permille: int = 300
    ldpc_blind_rounds: int = 3
    ldpc_fallback: str = "cascade"
    frame_tag_bits: int = 24
    epsilon: float = 1e-10
    bound: str = "variable-length"
    acceptance: QubitAcceptance | DecoyAcceptance | None = None
    planned_key_bits: int = 0
    concentration: str = "hypergeometric"
    detectors: DetectorMismatch | None = None
    intensities: tuple[Intensity, ...] = ()
    intensity_probabilities: tuple[float, ...] = ()
    mean_photons: float = 0.0
    g2: float = 0.0
    test_probabilities: tuple[float, float] = (0.0, 0.0)
    dead_time_ps: float = 0.0
    coincidence_window_ps: float = 0.0
    clock_search_ps: float = 1e13
    largest_drift_ppm: float = 100.0
    tick_ps: float = 0.0
    record_limits: RecordLimits = field(default_factory=RecordLimits)

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            self._keep(name, choice(name, getattr(self, name), choices, error=ConfigurationError))
        for name, (least, most) in _INTEGERS.items():
            self._keep(name, whole_number(name, getattr(self, name), least=least, most=most, error=ConfigurationError))
        for name, (low, high) in _REALS.items():
            self._keep(name, real_number(name, getattr(self, name), least=low, most=high, error=ConfigurationError))
        if self.frame_tag_bits > self.frame_bits:
            raise ConfigurationError(
                f"a tag of {self.frame_tag_bits} bits tells more than its frame of {self.frame_bits} holds: "
                "frame_tag_bits must not exceed frame_bits"
            )
        self._check_ldpc()
        if 0.0 < self.tick_ps < 0.1:
            raise ConfigurationError(f"tick_ps must be 0 or at least 0.1; found {self.tick_ps!r}")
        self._check_source()
        self._check_bound()
        self._check_detectors()
        self._coerce("record_limits", RecordLimits)
        instance("record_limits", self.record_limits, RecordLimits, error=ConfigurationError)
        if self.block_detections > self.largest_block_detections:
            raise ConfigurationError("block_detections must not exceed largest_block_detections")
        for name, text in self.to_fields().items():
            if len(text) > LONGEST_FIELD:
                raise ConfigurationError(f"{name} takes {len(text)} characters; at most {LONGEST_FIELD} can be told")

    def _check_ldpc(self) -> None:
        for name, offered in (
            ("ldpc_frame_bits", LDPC_FRAME_BITS),
            ("ldpc_first_failures_permille", LDPC_FAILURES_PERMILLE),
        ):
            if getattr(self, name) not in offered:
                raise ConfigurationError(f"{name} must be one of {offered}; found {getattr(self, name)}")
        if not isinstance(self.ldpc_decoder, str) or not self.ldpc_decoder.isprintable() or not self.ldpc_decoder:
            raise ConfigurationError(f"ldpc_decoder must name a decoder; found {described(self.ldpc_decoder)}")
        self._keep("ldpc_decoder", str(self.ldpc_decoder))

    def _check_source(self) -> None:
        self._keep("intensities", intensities_of("intensities", self.intensities, error=ConfigurationError))
        for name in ("intensity_probabilities", "test_probabilities"):
            self._keep(name, numbers(name, getattr(self, name), error=ConfigurationError))
        if len(self.test_probabilities) != 2 or not all(0.0 <= value <= 1.0 for value in self.test_probabilities):
            raise ConfigurationError(
                f"test_probabilities must be Alice's and Bob's, in 0 ... 1; found {self.test_probabilities!s:.256}"
            )
        if self.kind == "decoy-bb84" and not self.intensities:
            raise ConfigurationError(
                "kind 'decoy-bb84' needs intensities and intensity_probabilities, as (0.5, 0.1) and (0.7, 0.3)"
            )
        if (self.intensities or self.intensity_probabilities) and self.kind != "decoy-bb84":
            raise ConfigurationError(f"intensities are for kind 'decoy-bb84' alone; found {self.kind!r}")
        if self.intensities:
            check_intensity_ranges(self.intensities, self.intensity_probabilities, error=ConfigurationError)
        if len(self.intensities) == 2 and self.reconciliation != "cascade" and not self.ldpc_blind_rounds:
            raise ConfigurationError(
                "with two intensities the pulses without a photon are bounded by the errors of the key, which one-way "
                "correction does not tell: use reconciliation 'cascade', or ldpc_blind_rounds of 1 or more"
            )
        if self.kind != "single-photon-bb84" and (self.mean_photons or self.g2):
            raise ConfigurationError(
                "mean_photons and g2 are for kind 'single-photon-bb84' alone, and must be left at 0; "
                f"found {self.mean_photons} and {self.g2} with kind {self.kind!r}"
            )
        if self.kind == "single-photon-bb84":
            real_number("mean_photons", self.mean_photons, least=1e-9, error=ConfigurationError)
            if not all(0.0 < value < 1.0 for value in self.test_probabilities):
                raise ConfigurationError(
                    f"test_probabilities of a single-photon source lie between 0 and 1; found {self.test_probabilities}"
                )
        if self.kind in ("decoy-bb84", "single-photon-bb84", "bbm92-time-tags") and self.test != "basis":
            raise ConfigurationError(f"kind {self.kind!r} needs test 'basis'; found {self.test!r}")

    def _check_bound(self) -> None:
        """Check that a fixed-length bound has its thresholds, and a session what its proof needs."""
        if self.bound not in _FIXED_LENGTH:
            if self.acceptance is not None:
                raise ConfigurationError(f"bound {self.bound!r} has no acceptance thresholds; leave acceptance out")
            return
        thresholds, kinds = _FIXED_LENGTH[self.bound]
        self._coerce("acceptance", thresholds)
        if self.kind not in kinds or self.test != "basis":
            raise ConfigurationError(f"bound {self.bound!r} is for kinds {', '.join(kinds)}, each with test 'basis'")
        if not isinstance(self.acceptance, thresholds):
            raise ConfigurationError(
                f"bound {self.bound!r} is fixed-length: acceptance must be a {thresholds.__name__} that was set before "
                f"the data are seen; found {described(self.acceptance)}"
            )
        if self.planned_key_bits:
            raise ConfigurationError(
                f"with bound {self.bound!r} the length follows from acceptance; leave planned_key_bits at 0"
            )
        if isinstance(self.acceptance, DecoyAcceptance):
            self._check_decoy_acceptance(self.acceptance)
        smallest = sum(self.exact_sizes or ())
        if smallest > self.largest_block_detections:
            raise ConfigurationError(
                f"acceptance asks for {smallest} sifted bits; "
                f"largest_block_detections is {self.largest_block_detections}"
            )

    def _check_decoy_acceptance(self, acceptance: DecoyAcceptance) -> None:
        points = fixed_intensities(self.intensities, f"bound {self.bound!r}", error=ConfigurationError)
        analytic = points[-1] > 0.0 if len(points) == 2 else False
        if len(points) == 3:
            analytic = points[0] > points[1] + points[2]
        if not analytic:
            raise ConfigurationError(
                f"bound {self.bound!r} is for two intensities above 0, or three of which the first exceeds the sum of "
                f"the others; found {self.intensities}"
            )
        if acceptance.vacuum and not self.corrects_one_way:
            raise ConfigurationError(
                "acceptance with a vacuum term needs one-way correction: reconciliation 'ldpc', ldpc_blind_rounds 0, "
                "ldpc_fallback 'drop'; two-way correction tells the bits of empty pulses to whoever caused the clicks"
            )

    def _check_detectors(self) -> None:
        if self.detectors is None:
            return
        self._coerce("detectors", DetectorMismatch)
        if not isinstance(self.detectors, DetectorMismatch):
            raise ConfigurationError(f"detectors must be a DetectorMismatch or None; found {described(self.detectors)}")
        if self.kind != "decoy-bb84" or self.bound != "variable-length":
            raise ConfigurationError(
                "detectors that are not alike are covered by kind 'decoy-bb84' with bound 'variable-length' alone; "
                f"found {self.kind!r}, {self.bound!r}"
            )
        if not self.corrects_one_way:
            raise ConfigurationError(
                "with detectors that are not alike no proof allows two-way correction: set reconciliation 'ldpc', "
                "ldpc_blind_rounds 0, ldpc_fallback 'drop'"
            )

    def _coerce(
        self, name: str, kind: type[QubitAcceptance | DecoyAcceptance | DetectorMismatch | RecordLimits]
    ) -> None:
        """Make a record of its fields, as they come out of JSON."""
        value = getattr(self, name)
        if isinstance(value, Mapping):
            try:
                self._keep(name, kind(**value))
            except (TypeError, InputError) as error:
                raise ConfigurationError(f"{name}: {error}") from None

    @property
    def exact_sizes(self) -> tuple[int, int] | None:
        """How many key and test bits a block must have exactly, where the proof speaks of fixed numbers."""
        if isinstance(self.acceptance, QubitAcceptance):
            return self.acceptance.key_bits, self.acceptance.test_bits
        return None

    @property
    def corrects_one_way(self) -> bool:
        """Whether the correction that is asked for publishes no error pattern, whatever happens.

        What did happen is told by the ledger alone; where the bound rests on it, a block that no code can correct is
        given up instead of being handed to Cascade.
        """
        return self.reconciliation == "ldpc" and self.ldpc_blind_rounds == 0 and self.ldpc_fallback == "drop"

    @property
    def needs_one_way(self) -> bool:
        """Whether the bound holds for one-way correction only."""
        return self.detectors is not None or (
            isinstance(self.acceptance, DecoyAcceptance) and self.acceptance.vacuum > 0
        )

    def to_fields(self) -> dict[str, str]:
        """Return every field as text that is the same on every platform."""
        return {item.name: repr(getattr(self, item.name)) for item in fields(self)}

    def digest(self) -> bytes:
        """Return 32 bytes that name this configuration."""
        listing = "\n".join(f"{name}={value}" for name, value in sorted(self.to_fields().items()))
        return hashlib.blake2b(listing.encode(), digest_size=32, person=b"qkdpost-link").digest()

    @property
    def largest_message_bytes(self) -> int:
        """The longest message that a peer may send: room for one bit for each detection of the largest block."""
        return max(2**20, self.largest_block_detections // 8 + 2**16)

    def _keep(self, name: str, value: object) -> None:
        """Put the converted value in the place of what was given."""
        object.__setattr__(self, name, value)
