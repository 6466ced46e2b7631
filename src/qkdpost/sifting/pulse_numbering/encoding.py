"""Which detector and which time bin of a pulse stand for which basis and outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, get_args

from qkdpost.checks import choice, described, instance, numbers, real_number, whole_number, whole_numbers
from qkdpost.errors import InputError
from qkdpost.records import KEY_BASIS, TEST_BASIS

__all__ = ["MAX_DETECTORS", "PulseEncoding", "channel_number"]

MAX_DETECTORS = 64

OuterPeaks = Literal["key", "loss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseEncoding:
    """What a click means: a table of detectors and time bins.

    A detector is the number of its channel, as the time tagger writes it. `polarisation`, `time_bin` and
    `active_choice` make the usual tables; any other is written out:

    >>> PulseEncoding(outcomes={(1, 0): (0, 0), (1, 1): (0, 1), (2, 0): (1, 0), (3, 0): (1, 1)}, bins_ps=(0, 2000))
    PulseEncoding of detectors 1, 2, 3 in 2 time bins

    Args:
        outcomes: (detector, bin) -> (basis, outcome): basis 0 key, 1 test, or None where it is chosen pulse by pulse
            and both detectors serve either; outcome 0 or 1. All four outcomes (or both) must be there.
        bins_ps: when each bin comes within a pulse, increasing; only differences count.
        losses: (detector, bin) where light arrives that counts as lost, as the outer peaks of an interferometer that
            shares its detector with nothing. They help to find the detector's delay.

    Raises:
        InputError: the table is no such thing.
    """

    outcomes: Mapping[tuple[int, int], tuple[int | None, int]]
    bins_ps: tuple[float, ...] = (0.0,)
    losses: frozenset[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        bins = numbers("bins_ps", self.bins_ps)
        if not bins or any(late <= early for early, late in pairwise(bins)):
            raise InputError(f"bins_ps must be one or more increasing times; found {bins}")
        instance("outcomes", self.outcomes, Mapping)  # type: ignore[type-abstract]
        outcomes = {_place(key, len(bins)): _meaning(value) for key, value in self.outcomes.items()}
        losses = frozenset(_place(key, len(bins)) for key in self.losses)
        if losses & set(outcomes):
            raise InputError(f"{sorted(losses & set(outcomes))[0]} must not be among losses: it has an outcome")
        seen = set(outcomes.values())
        both = {(None, 0), (None, 1)}
        if seen not in ({(0, 0), (0, 1), (1, 0), (1, 1)}, both):
            raise InputError(
                "outcomes must name both outcomes of both bases, or (None, 0) and (None, 1) for an active choice; "
                f"found {sorted(seen, key=str)}"
            )
        if len({detector for detector, _ in outcomes}) > MAX_DETECTORS:
            raise InputError(f"an encoding has at most {MAX_DETECTORS} detectors")
        if not {detector for detector, _ in losses} <= {detector for detector, _ in outcomes}:
            raise InputError("losses may only name detectors that have an outcome in another bin")
        object.__setattr__(self, "outcomes", MappingProxyType(outcomes))
        object.__setattr__(self, "bins_ps", bins)
        object.__setattr__(self, "losses", losses)

    @classmethod
    def polarisation(cls, *, key: Sequence[int], test: Sequence[int]) -> PulseEncoding:
        """Four detectors, one for each polarisation.

        >>> PulseEncoding.polarisation(key=(1, 2), test=(3, 4)).outcomes[4, 0]
        (1, 1)

        Args:
            key: the channels of outcomes 0 and 1 of the key basis.
            test: those of the test basis.

        Raises:
            InputError: not two and two different channels.
        """
        pairs = {KEY_BASIS: _channels("key", key, 2), TEST_BASIS: _channels("test", test, 2)}
        _different(*pairs[KEY_BASIS], *pairs[TEST_BASIS])
        return cls(outcomes={(pairs[basis][bit], 0): (basis, bit) for basis in pairs for bit in (0, 1)})

    @classmethod
    def time_bin(
        cls, *, key: int | None, test: Sequence[int], separation_ps: float, outer_peaks: OuterPeaks = "key"
    ) -> PulseEncoding:
        """Early or late in the key basis, the middle peak behind an unbalanced interferometer in the test basis.

        >>> encoding = PulseEncoding.time_bin(key=1, test=(2, 3), separation_ps=2000)
        >>> encoding.outcomes[1, 1], encoding.outcomes[3, 1], encoding.outcomes[2, 0]
        ((0, 1), (1, 1), (0, 0))

        A photon behind the interferometer comes early, in the middle or late. The outer peaks part early from late as
        a detector without interferometer does; as such they count, so that no click is passed over. Where the next
        pulse overlaps them (a period of twice the separation) they must be losses.

        Assumption with losses: at most one photon of a pulse reaches the receiver. A second one in a lost peak leaves
        out the pulse if both came early, and not if both came late: what is lost depends on the outcome.

        Args:
            key: the channel of the detector without interferometer; None if there is none.
            test: those of the interferometer's outputs for outcomes 0 and 1.
            separation_ps: between early and late, as far as the interferometer's arms differ.
            outer_peaks: "key" or "loss".

        Raises:
            InputError: channels that are not different, no separation, or neither detector nor peaks of the key basis.
        """
        spacing = real_number("separation_ps", separation_ps, above=0, unit="ps")
        outer = choice("outer_peaks", outer_peaks, get_args(OuterPeaks))
        outputs = _channels("test", test, 2)
        outcomes: dict[tuple[int, int], tuple[int | None, int]] = {
            (outputs[bit], 1): (TEST_BASIS, bit) for bit in (0, 1)
        }
        peaks = {(output, place) for output in outputs for place in (0, 2)}
        if key is not None:
            arrival = channel_number("key", key)
            outcomes |= {(arrival, bit): (KEY_BASIS, bit) for bit in (0, 1)}
            _different(arrival, *outputs)
        elif outer == "loss":
            raise InputError("without a detector of the key basis outer_peaks must be 'key'; found 'loss'")
        _different(*outputs)
        if outer == "key":
            outcomes |= {(output, place): (KEY_BASIS, place // 2) for output, place in peaks}
        return cls(
            outcomes=outcomes,
            bins_ps=(0.0, spacing, 2 * spacing),
            losses=frozenset(peaks) if outer == "loss" else frozenset(),
        )

    @classmethod
    def active_choice(cls, detectors: Sequence[int]) -> PulseEncoding:
        """Two detectors behind a modulator that chooses the basis of every pulse, which is given separately.

        >>> PulseEncoding.active_choice((1, 2)).chosen
        True

        Raises:
            InputError: not two different channels.
        """
        pair = _channels("detectors", detectors, 2)
        _different(*pair)
        return cls(outcomes={(pair[bit], 0): (None, bit) for bit in (0, 1)})

    @property
    def detectors(self) -> tuple[int, ...]:
        """The channels of the detectors, in order."""
        return tuple(sorted({detector for detector, _ in self.outcomes}))

    @property
    def chosen(self) -> bool:
        """Whether the basis of each pulse is chosen, and must be given."""
        return (None, 0) in self.outcomes.values()

    def named_bins(self, detector: int) -> tuple[int, ...]:
        """Return the bins in which a click of `detector` has an outcome."""
        return tuple(sorted(place for own, place in self.outcomes if own == detector))

    def lit_bins(self, detector: int) -> tuple[int, ...]:
        """Return the bins in which light reaches `detector`, counted or lost."""
        return tuple(sorted(place for own, place in {*self.outcomes, *self.losses} if own == detector))

    def detectors_of(self, basis: int, outcome: int) -> tuple[int, ...]:
        """Return the detectors of which some click stands for an outcome of a basis."""
        means = {(basis, outcome), (None, outcome)}
        return tuple(sorted({detector for (detector, _), value in self.outcomes.items() if value in means}))

    def __repr__(self) -> str:
        bins = f" in {len(self.bins_ps)} time bins" if len(self.bins_ps) > 1 else ""
        return f"PulseEncoding of detectors {', '.join(map(str, self.detectors))}{bins}"


def _place(key: object, bins: int) -> tuple[int, int]:
    if not isinstance(key, tuple) or len(key) != 2:
        raise InputError(f"outcomes and losses name (detector, bin); found {described(key)}")
    return channel_number("detector", key[0]), whole_number("bin", key[1], most=bins - 1)


def _meaning(value: object) -> tuple[int | None, int]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"an outcome is (basis, outcome); found {described(value)}")
    basis = None if value[0] is None else whole_number("basis", value[0], most=1)
    return basis, whole_number("outcome", value[1], most=1)


def channel_number(name: str, value: object) -> int:
    """Return the number of a tagger's channel, which may be negative, as for falling edges.

    Raises:
        InputError: it is no integer within +-2^31.
    """
    return whole_number(name, value, least=-(2**31), most=2**31)


def _channels(name: str, values: Sequence[int], count: int) -> tuple[int, ...]:
    return whole_numbers(name, values, count=count, each="outcome", least=-(2**31), most=2**32)


def _different(*channels: int) -> None:
    if len(set(channels)) != len(channels):
        raise InputError(f"each detector has a channel of its own; found {channels}")
