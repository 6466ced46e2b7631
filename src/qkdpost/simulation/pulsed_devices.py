"""The laser and the receiver of a link that is recorded by a time tagger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import choice, keep, numbers, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.simulation.devices import MAX_RATE_HZ, MAX_TIME_PS
from qkdpost.simulation.draws import MAX_PULSES

__all__ = ["LaserClock", "PulsedReceiver"]

Encoding = Literal["polarisation", "time-bin", "active"]

_DETECTORS: dict[Encoding, int] = {"polarisation": 4, "time-bin": 3, "active": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class LaserClock:
    """The sender's laser against the receiver's tagger, and the sync that it sends.

    Args:
        period_ps: between pulses, as written on the device.
        error_ppm: how much longer the period is in truth, on the tagger's clock.
        drift_ppm: how much longer again it has become at the end of the record.
        jitter_ps: standard deviation of the time of a pulse.
        lead_pulses: how many pulses, without light, the laser sends after the tagger starts and before the first that
            the sender counts.
        divider: a sync comes once in this number of pulses, counted from the tagger's start; 0 for none.
        sync_jitter_ps: standard deviation of the time of a sync.
        missed_syncs: how probably a sync does not come.
        false_syncs: how many tags come at any time on the channel of the sync, for each that should.

    >>> import qkdpost as qp
    >>> laser = qp.simulation.LaserClock(period_ps=5_000.0, divider=100)
    >>> tagged = qp.simulation.pulsed_time_tags(pulses=10_000, rng=1, laser=laser)
    >>> int((tagged.channels == 5).sum())
    100
    """

    period_ps: float = 10_000.0
    error_ppm: float = 0.0
    drift_ppm: float = 0.0
    jitter_ps: float = 20.0
    lead_pulses: int = 0
    divider: int = 1000
    sync_jitter_ps: float = 50.0
    missed_syncs: float = 0.0
    false_syncs: float = 0.0

    def __post_init__(self) -> None:
        keep(self, "period_ps", real_number("period_ps", self.period_ps, above=0.0, most=MAX_TIME_PS))
        for name in ("error_ppm", "drift_ppm"):
            keep(self, name, real_number(name, getattr(self, name), least=-1e5, most=1e5))
        for name in ("jitter_ps", "sync_jitter_ps"):
            keep(self, name, real_number(name, getattr(self, name), least=0.0, most=MAX_TIME_PS))
        for name in ("missed_syncs", "false_syncs"):
            keep(self, name, real_number(name, getattr(self, name), least=0.0, most=1.0))
        for name in ("lead_pulses", "divider"):
            keep(self, name, whole_number(name, getattr(self, name), most=MAX_PULSES))

    def times_ps(self, pulses: NDArray[np.int64], total: int) -> NDArray[np.float64]:
        """Return when pulses leave; they count from the tagger's start and are `total`; shape (n,)."""
        passed = pulses.astype(np.float64)
        changed = 1 + 1e-6 * self.error_ppm + 1e-6 * self.drift_ppm * passed / (2 * max(1, total))
        return self.period_ps * passed * changed


@dataclass(frozen=True, slots=True, kw_only=True)
class PulsedReceiver:
    """Free-running detectors and a time tagger.

    Args:
        encoding: "polarisation": channels 1, 2 are the key basis, 3, 4 the test basis. "time-bin": 1 the detector of
            the key basis, 2 and 3 those behind an interferometer, of whose photons half come in the outer peaks.
            "active": 1 and 2, whatever the basis.
        efficiency: the probability that an arriving photon makes a click.
        test_probability: how probably a photon goes to the detectors of the test basis, or (active) how probably a
            pulse is measured in it.
        dark_count_rate_hz: clicks without a photon, of each detector.
        jitter_ps: standard deviation of the time of a click.
        delays_ps: how late each channel's clicks are tagged, from channel 1 on; 0 for those not named.
        dead_time_ps: for how long a detector is blind after a click.
        separation_ps: of time bins.
        sync_channel: the channel of the sync.
        tick_ps: the length of a tick.
        first_tick: what the tagger shows when it starts.

    >>> import qkdpost as qp
    >>> receiver = qp.simulation.PulsedReceiver(encoding="time-bin", separation_ps=2_000.0)
    >>> tagged = qp.simulation.pulsed_time_tags(pulses=10_000, rng=1, receiver=receiver)
    >>> sorted(set(tagged.channels.tolist()))
    [1, 2, 3, 5]
    """

    encoding: Encoding = "polarisation"
    efficiency: float = 0.2
    test_probability: float = 0.1
    dark_count_rate_hz: float = 100.0
    jitter_ps: float = 100.0
    delays_ps: tuple[float, ...] = ()
    dead_time_ps: float = 50_000.0
    separation_ps: float = 2_000.0
    sync_channel: int = 5
    tick_ps: float = 1.0
    first_tick: int = 0

    def __post_init__(self) -> None:
        keep(self, "encoding", choice("encoding", self.encoding, _DETECTORS))
        for name in ("efficiency", "test_probability"):
            keep(self, name, real_number(name, getattr(self, name), least=0.0, most=1.0))
        rate = real_number("dark_count_rate_hz", self.dark_count_rate_hz, least=0.0, most=MAX_RATE_HZ)
        keep(self, "dark_count_rate_hz", rate)
        for name in ("jitter_ps", "dead_time_ps", "separation_ps"):
            keep(self, name, real_number(name, getattr(self, name), least=0.0, most=MAX_TIME_PS))
        delays = numbers("delays_ps", self.delays_ps, least=-MAX_TIME_PS, most=MAX_TIME_PS)
        if len(delays) > self.detectors:
            raise InputError(
                f"delays_ps has at most one delay for each of {self.detectors} detectors; found {len(delays)}"
            )
        keep(self, "delays_ps", delays)
        keep(self, "tick_ps", real_number("tick_ps", self.tick_ps, above=0.0, most=MAX_TIME_PS))
        for name in ("sync_channel", "first_tick"):
            keep(self, name, whole_number(name, getattr(self, name), least=-(2**60), most=2**60))

    @property
    def detectors(self) -> int:
        """How many detectors there are, channels 1 and up."""
        return _DETECTORS[self.encoding]

    @property
    def channel_delays_ps(self) -> NDArray[np.float64]:
        """The delay of each detector."""
        return np.array([*self.delays_ps, *[0.0] * (self.detectors - len(self.delays_ps))])
