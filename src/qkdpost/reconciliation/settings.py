"""How errors are corrected: by one of the classes below, or a method of another origin, the same on both hosts.

`Cascade`, `Ldpc` and `Auto` correct bits; `Multidimensional` and `Slices` frames of continuous outcomes. Each says of
itself what the other parts of a link need to know: by which Cascade it corrects what LDPC does not, by which LDPC if by
any, and whether the error pattern becomes public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from qkdpost.checks import RegisteredName, Settings, choice, described, instance, keep, real_number, whole_number
from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation.ldpc.codes import frame_lengths
from qkdpost.reconciliation.ldpc.disclosure import FAILURE_WIDTHS, FIRST_WIDTHS
from qkdpost.reconciliation.multidimensional.dimensions import Dimension, dimension_of
from qkdpost.reconciliation.slices.codes import frame_lengths as sliced_lengths
from qkdpost.reconciliation.slices.plan import MAX_LEVELS

__all__ = [
    "Auto",
    "Cascade",
    "CascadeSet",
    "CorrectionSettings",
    "FirstFailures",
    "FrameBits",
    "FrameCorrection",
    "FrameOutcomes",
    "KindsOwn",
    "Ldpc",
    "LdpcDecoder",
    "LdpcDecoderName",
    "Multidimensional",
    "RaptorDecoder",
    "RaptorDecoderName",
    "Slices",
]

CascadeSet = Literal["original", "yan", "optimised", "power-of-two", "near-optimal", "balanced", "few-rounds"]
"""The names of `qkdpost.reconciliation.cascade.parameters.PARAMETER_SETS`."""
LdpcDecoder = Literal["fast", "accurate", "patient"]
"""The decoders of `qkdpost.reconciliation.ldpc.decoders.DECODERS` that are in the package."""
RaptorDecoder = Literal["layered"]
"""That of `qkdpost.reconciliation.raptor.decoders.RAPTOR_DECODERS` which is in the package."""

if TYPE_CHECKING:
    LdpcDecoderName = LdpcDecoder | RegisteredName
    RaptorDecoderName = RaptorDecoder | RegisteredName
else:  # what a file of settings may hold: the table of decoders knows whether there is such a one
    LdpcDecoderName = RaptorDecoderName = str

FrameBits = Literal[16384, 65536, 262144, 1048576]
"""The frame lengths of the shipped LDPC codes."""
FrameOutcomes = Literal[16384, 65536, 262144]
"""The lengths of frames whose outcomes are sliced."""
FirstFailures = Literal[900, 700, 500, 300, 200, 100, 30, 10, 1]
"""The keys of `qkdpost.reconciliation.ldpc.disclosure.FAILURE_WIDTHS`."""


class CorrectionSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method"):
    """What both hosts set to the same values for correction; the settings of every method are derived from this.

    A method names itself by `tag=` in its class statement, and overrides below what is not so for it.
    """

    @property
    def cascade(self) -> Cascade:
        """What corrects a block where the method itself has no code for it."""
        return Cascade()

    @property
    def ldpc(self) -> Ldpc | None:
        """The LDPC codes that may be used, if any."""
        return None

    @property
    def key_bits_of_a_detection(self) -> int:
        """Bits of key before amplification that a detection may make."""
        return 1

    @property
    def corrects_one_way(self) -> bool:
        """Whether no error pattern is published, whatever happens."""
        return False

    @property
    def may_be_one_way(self) -> bool:
        """Whether a block may be corrected without its error pattern being published."""
        return False


class KindsOwn(CorrectionSettings, frozen=True, kw_only=True, tag="kinds-own"):
    """Stands for the method that a kind of QKD corrects by unless told otherwise; a link puts that in its place."""


class Cascade(CorrectionSettings, frozen=True, kw_only=True, tag="cascade"):
    """Correction by Cascade: least disclosed, many rounds.

    Args:
        parameters: the named set of block sizes. "balanced" suits frames of 2^16 bits; "near-optimal" discloses about
            0.5 to 1 % less and takes four to twelve times the rounds, "few-rounds" 2 to 6 % more and takes 25 to 60.

    Raises:
        ConfigurationError: a set of block sizes that there is not.

    >>> import qkdpost as qp
    >>> qp.LinkConfig(protocol=qp.BB84(), correction=qp.Cascade(parameters="yan")).correction
    Cascade(parameters='yan')
    """

    parameters: CascadeSet = "balanced"

    def __post_init__(self) -> None:
        keep(self, "parameters", choice("parameters", self.parameters, get_args(CascadeSet), error=ConfigurationError))

    @property
    def cascade(self) -> Cascade:
        """What corrects a block that LDPC does not: this."""
        return self


class Ldpc(CorrectionSettings, frozen=True, kw_only=True, tag="ldpc"):
    """Correction by LDPC codes: few rounds. A block that no code corrects goes to Cascade.

    With `blind_rounds` 0 and `fallback` None correction is one-way, of blocks that some code corrects; the ledger says
    what happened.

    Args:
        frame_bits: bits of one frame of the code: 2^14, 2^16, 2^18 or 2^20.
        decoder: the decoder of the corrector, by whose measured waterfalls both hosts plan: "fast", "accurate"
            (discloses less, takes several times as long), or the name of one that was registered in
            `qkdpost.reconciliation.ldpc.decoders.DECODERS` before the session began.
        first_failures_permille: frames in a thousand that may fail when they are first tried, one of 900, 700, 500,
            300, 200, 100, 30, 10 and 1: the more, the less is disclosed and the longer decoding takes.
        blind_rounds: how often more may be disclosed of frames that failed, 0 ... 16; twice as often where a block has
            four frames or fewer. After them key bits may be revealed, twice, and in blind rounds that are left over.
        fallback: what corrects frames that failed in the end; None: they are given up, as one frame in 32 is in any
            case after blind rounds.

    Raises:
        ConfigurationError: a frame length, a share of failures or a number of rounds that is not offered.

    >>> import qkdpost as qp
    >>> settings = qp.Ldpc(frame_bits=2**18, blind_rounds=0, fallback=None)
    >>> settings.corrects_one_way
    True
    """

    frame_bits: FrameBits = 65536
    decoder: LdpcDecoderName = "fast"
    first_failures_permille: FirstFailures = 300
    blind_rounds: int = 4
    fallback: Cascade | None = Cascade()

    def __post_init__(self) -> None:
        for name, offered in (
            ("frame_bits", frame_lengths()),
            ("first_failures_permille", tuple(FAILURE_WIDTHS)),
        ):
            keep(self, name, _one_of(name, getattr(self, name), offered))
        rounds = whole_number("blind_rounds", self.blind_rounds, most=len(FIRST_WIDTHS) - 1, error=ConfigurationError)
        keep(self, "blind_rounds", rounds)
        keep(self, "decoder", _decoder_name(self.decoder))
        if self.fallback is not None:
            instance("fallback", self.fallback, Cascade, hint="None gives failed frames up", error=ConfigurationError)

    @property
    def cascade(self) -> Cascade:
        """What corrects a block that no code corrects."""
        return Cascade() if self.fallback is None else self.fallback

    @property
    def ldpc(self) -> Ldpc | None:
        """The LDPC codes that may be used: these."""
        return self

    @property
    def corrects_one_way(self) -> bool:
        """Whether no error pattern is published, whatever happens.

        What did happen is told by the ledger alone; where the bound rests on it, a block that no code can correct is
        given up instead of being handed to Cascade.
        """
        return not self.blind_rounds and self.fallback is None

    @property
    def may_be_one_way(self) -> bool:
        """Whether a block may be corrected without its error pattern being published."""
        return not self.blind_rounds


class Auto(CorrectionSettings, frozen=True, kw_only=True, tag="auto"):
    """Cascade or LDPC, chosen for each block by the rule of `qkdpost.reconciliation.method`.

    Args:
        cascade: what corrects a block where waiting for the line is hidden by the blocks in flight, or no code corrects
            it; with the set "few-rounds" where they hide the rounds of that, or up to 8.4 % of errors half of them, and
            not those of this one.
        ldpc: what corrects the others.
        round_trip_ms: round-trip time of the line, 0 ... 10^6 ms.
        processor_mbit_per_s: sifted bits that the slower host's processor brings to key in a second by Cascade, in
            Mbit/s.

    Raises:
        ConfigurationError: a number out of range, or parts of other types.

    >>> import qkdpost as qp
    >>> qp.LinkConfig(protocol=qp.BB84(), correction=qp.Auto(round_trip_ms=20.0)).correction.round_trip_ms
    20.0
    """

    cascade: Cascade = Cascade()
    ldpc: Ldpc = msgspec.field(default_factory=Ldpc)
    round_trip_ms: float = 0.0
    processor_mbit_per_s: float = 20.0

    def __post_init__(self) -> None:
        instance("cascade", self.cascade, Cascade, error=ConfigurationError)
        instance("ldpc", self.ldpc, Ldpc, error=ConfigurationError)
        for name, least in (("round_trip_ms", 0.0), ("processor_mbit_per_s", 1e-6)):
            number = real_number(name, getattr(self, name), least=least, most=1e6, error=ConfigurationError)
            keep(self, name, number)

    @property
    def may_be_one_way(self) -> bool:
        """Whether a block may be corrected without its error pattern being published."""
        return self.ldpc.may_be_one_way


def _one_of(name: str, value: object, offered: tuple[int, ...]) -> int:
    number = whole_number(name, value, error=ConfigurationError)
    if number not in offered:
        raise ConfigurationError(f"{name} must be one of {', '.join(map(str, offered))}; found {number}")
    return number


class FrameCorrection(CorrectionSettings, frozen=True, kw_only=True):
    """What methods have in common that correct frames of continuous outcomes: all say nothing of an error pattern.

    Args:
        batch_frames: how many frames are corrected side by side, 1 ... 64.

    Raises:
        ConfigurationError: a number that is not offered.
    """

    batch_frames: int = 16

    def __post_init__(self) -> None:
        frames = whole_number("batch_frames", self.batch_frames, least=1, most=64, error=ConfigurationError)
        keep(self, "batch_frames", frames)

    @property
    def corrects_one_way(self) -> bool:
        """Whether no error pattern is published: none ever is."""
        return True

    @property
    def may_be_one_way(self) -> bool:
        """Whether a block may be corrected without its error pattern being published: each is."""
        return True


class Slices(FrameCorrection, frozen=True, kw_only=True, tag="slices"):
    """Reverse reconciliation of continuous outcomes that stand above their noise: sliced, and corrected bit by bit.

    For short links: above a signal-to-noise ratio of a real outcome of about 0.6 it leaves more than
    `Multidimensional`, below less. Correction is one-way.

    Args:
        frame_outcomes: outcomes of a frame: 2^14, 2^16 or 2^18; the longer, the less is disclosed.
        decoder: of the corrector, for every bit of a label: "accurate", or another one of
            `qkdpost.reconciliation.ldpc.decoders.DECODERS` that takes log-likelihood ratios.
        batch_frames: how many frames are corrected side by side, 1 ... 64. It bounds memory: some 20 bytes for each
            outcome of a batch.

    Raises:
        ConfigurationError: a number that is not offered.

    >>> import qkdpost as qp
    >>> link = qp.LinkConfig(protocol=qp.GaussianCV(modulation_variance=4.0, efficiency=0.6), correction=qp.Slices())
    >>> link.correction.frame_outcomes
    262144
    """

    frame_outcomes: FrameOutcomes = 262144
    decoder: LdpcDecoderName = "accurate"

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, "frame_outcomes", _one_of("frame_outcomes", self.frame_outcomes, sliced_lengths()))
        keep(self, "decoder", _decoder_name(self.decoder))

    @property
    def key_bits_of_a_detection(self) -> int:
        """Bits of key before amplification that a detection may make: labels of two outcomes."""
        return 2 * MAX_LEVELS


class Multidimensional(FrameCorrection, frozen=True, kw_only=True, tag="multidimensional"):
    """Reverse reconciliation of continuous outcomes: rotated onto bits, and corrected by one family of codes.

    Nothing but syndromes, rotations and verdicts on frames is said, all by the side whose string is kept or charged to
    it: correction is one-way.

    Args:
        dimension: outcomes that are rotated together, 1, 2, 4 or 8; the more, the less is lost at high signal-to-noise
            ratios. With heterodyne detection at least 2.
        decoder: of the corrector, "layered" or the name of one that was registered in
            `qkdpost.reconciliation.raptor.decoders.RAPTOR_DECODERS` before the session began.
        batch_frames: how many frames are corrected side by side, 1 ... 64. It bounds memory: some 20 bytes for each
            outcome of a batch.

    Raises:
        ConfigurationError: a number that is not offered.

    >>> import qkdpost as qp
    >>> link = qp.LinkConfig(
    ...     protocol=qp.GaussianCV(modulation_variance=4.0, efficiency=0.6), correction=qp.Multidimensional(dimension=4)
    ... )
    >>> link.correction.dimension
    4
    """

    dimension: Dimension = 8
    decoder: RaptorDecoderName = "layered"

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, "dimension", dimension_of(self.dimension, error=ConfigurationError))
        keep(self, "decoder", _decoder_name(self.decoder))


def _decoder_name(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or value in ("", "none"):
        raise ConfigurationError(
            f"decoder must be the name of a decoder, which 'none' is not; found {described(value)}"
        )
    return str(value)
