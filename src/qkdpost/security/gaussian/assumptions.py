"""What the bounds for Gaussian modulation take for granted, in words; and which of their steps no paper covers."""

from __future__ import annotations

from qkdpost.security.assumptions import AUTHENTICATED, FIXED_BEFORE_DATA, TRUSTED_LABORATORIES
from qkdpost.security.gaussian.settings import GaussianBoundSettings

__all__ = ["assumptions_of", "attacks_of", "unproven_of"]

_ATTACKS = {
    "gaussian-collective": "Gaussian, i.i.d. collective",
    "phase-insensitive-gaussian-collective": "Gaussian, i.i.d., phase-insensitive collective",
}
_CHANNEL = (
    "the eavesdropper's attack is collective and Gaussian: outcomes are, given Alice's symbols, normal, the same for "
    "every symbol and independent from one to the next. Nothing is claimed against general attacks, nor against ones "
    "that she adapts to what is said while later symbols of the block are still on their way"
)
_INSENSITIVE = (
    "the channel treats both quadratures alike: the same gain, nothing across, the same noise, uncorrelated; this is "
    "not tested"
)
_SOURCE = (
    "Alice's symbols are normal, as fine and wide as her converter makes them, independent and of the stated variance "
    "within its tolerance, and nothing else leaves her laboratory that depends on them"
)
_RECEIVER = (
    "the receiver is linear and neither saturates nor clips; its efficiency is at most the stated one with its "
    "tolerance; the local oscillator is out of the eavesdropper's reach"
)
_TRUSTED = "loss and electronic noise of the receiver are nobody's, the eavesdropper's neither to know nor to change"
_CALIBRATION = (
    "calibration records went through the same filters, scaling and dither as outcomes, at the same power of the local "
    "oscillator, and the devices did not drift since; noise of detectors is not correlated beyond the lags that "
    "are summed"
)
_ARMS_ALIKE = (
    "both detectors of heterodyne detection are equally efficient, and, where electronic noise was not recorded, "
    "equally noisy in units of their shot noise"
)
_BASES = (
    "which quadrature is measured is drawn for every symbol with probability 1/2, and announced after all were measured"
)
_FROZEN = (
    "whitening, dither, rotations and the sizes of frames were fixed before the block's outcomes were seen; outcomes "
    "were dithered by a Gaussian of at least one step of the converter; no symbol was dropped for what it was"
)
_FROZEN_CELLS = (
    "whitening, dither, cells, what a frame costs that is given up, and the sizes of frames were fixed before the "
    "block's outcomes were seen; outcomes were dithered by a Gaussian of at least one step of the converter; no symbol "
    "was dropped for what it was"
)
_COUNTED = (
    "every bit that either host said and that depends on symbols, outcomes or key is in the leakage: syndromes, flags, "
    "tags, statistics, and frames that were given up, whole; frames were verified, each attempt by a tag"
)
_RANDOM = "key bits, rotations, dither and hashes come from Bob's generator, which is uniform and used once"
_RANDOM_OF_CELLS = "dither and hashes come from Bob's generator, which is uniform and used once"

_LENGTH_ARGUMENT = (
    "the length for announced data and its constants are this library's own argument (the notes of "
    "qkdpost.security.gaussian.secret_length)"
)
_DIRECTION_ARGUMENT = (
    "what rotations tell is charged by this library's own argument (the notes of "
    "qkdpost.security.gaussian.limits.isotropy)"
)
_TIME_ARGUMENT = (
    "what correlation in time tells is charged by this library's own argument (the notes of "
    "qkdpost.security.gaussian.limits.isotropy)"
)
_CELL_ARGUMENT = (
    "that the entropy of labels given places stands for one bit a real is this library's own argument (the notes of "
    "qkdpost.security.gaussian.slices.bound)"
)
_TEST_ARGUMENT = (
    "limits for channels that treat quadratures differently are this library's own argument (the notes of "
    "qkdpost.security.gaussian.limits.box)"
)
_VARIANCE = (
    "that the worst modulation variance within its tolerance is one of the ends was seen in numbers and is not proven"
)
_SECOND_ORDER = (
    "the second-order expansion is that of a fixed length, from the fully quantum equipartition property; that its "
    "alphabet is the key's alone is this library's reading"
)


def attacks_of(settings: GaussianBoundSettings) -> str:
    """Return the class of attacks in full, to be followed by the word attacks."""
    return _ATTACKS[settings.attacks]


def assumptions_of(settings: GaussianBoundSettings, *, sliced: bool = False) -> tuple[str, ...]:
    """Return all that a length takes for granted, of rotated outcomes or of sliced ones."""
    heterodyne, trusted = settings.detection == "heterodyne", settings.receiver == "trusted"
    return (
        _CHANNEL,
        *((_INSENSITIVE,) if settings.attacks != "gaussian-collective" else ()),
        _SOURCE,
        _RECEIVER,
        *((_TRUSTED,) if trusted else ()),
        _CALIBRATION,
        _ARMS_ALIKE if heterodyne else _BASES,
        _FROZEN_CELLS if sliced else _FROZEN,
        _COUNTED,
        _RANDOM_OF_CELLS if sliced else _RANDOM,
        *((FIXED_BEFORE_DATA,) if settings.bound != "variable-length" else ()),
        TRUSTED_LABORATORIES,
        AUTHENTICATED,
    )


def unproven_of(settings: GaussianBoundSettings, *, sliced: bool = False) -> tuple[str, ...]:
    """Return the steps that rest on no published proof, of rotated outcomes or of sliced ones."""
    return (
        _SECOND_ORDER if settings.bound == "second-order" else _LENGTH_ARGUMENT,
        *((_TIME_ARGUMENT, _CELL_ARGUMENT) if sliced else (_DIRECTION_ARGUMENT,)),
        *((_TEST_ARGUMENT,) if settings.attacks == "gaussian-collective" else ()),
        *((_VARIANCE,) if settings.modulation_tolerance > 0.0 else ()),
    )
