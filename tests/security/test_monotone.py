"""Monotone in size, error, loss and epsilon, below the asymptotic length, zero above threshold: links without decoys.

Counts are what a lossy line with dark counts and misaligned bases gives in the mean, rounded. Decoy states have the
same tests in `test_decoy_bb84`; tests of single counts are beside each bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.security import bb84, bbm92, single_photon
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.result import SecretLength
from qkdpost.security.single_photon.tally import SinglePhotonTally
from qkdpost.statistics.entropy import binary_entropy


@dataclass(frozen=True, kw_only=True)
class Line:
    kind: str
    transmittance: float
    dark: float
    misalignment: float
    test: float
    """How probably each side chooses the test basis; or which part of all rounds is compared."""
    g2: float
    loss: float = 1.0
    """What part of the transmittance is left behind the source's own brightness."""

    @property
    def error_rate(self) -> float:
        arrived = self.transmittance * self.loss
        return (arrived * self.misalignment + self.dark / 2) / (arrived + self.dark)

    def counts(self, pulses: float, share: float) -> tuple[int, int]:
        """Detections, and errors among them, of rounds that are such a share of all."""
        seen = share * pulses * (self.transmittance * self.loss + self.dark)
        return math.floor(seen), min(math.floor(seen), math.ceil(seen * self.error_rate))

    def length(self, pulses: float, epsilon: float, extra_leakage: int = 0, efficiency: float = 1.1) -> SecretLength:
        key_share, test_share = (1 - self.test) ** 2, self.test**2
        if self.kind == "sample":
            parts = [self.counts(pulses, share * part) for part in (1 - self.test, self.test) for share in (0.8, 0.2)]
            key_bits = parts[0][0] + parts[1][0]
            leakage = math.ceil(efficiency * key_bits * binary_entropy(min(0.5, self.error_rate))) + extra_leakage
            tally = SampledTally(
                key_counts=(parts[0][0], parts[1][0]),
                test_counts=(parts[2][0], parts[3][0]),
                test_errors=(parts[2][1], parts[3][1]),
            )
            return bb84.secret_length(tally, leakage_bits=leakage, epsilon=epsilon)
        (key, _), (test, wrong) = self.counts(pulses, key_share), self.counts(pulses, test_share)
        leakage = math.ceil(efficiency * key * binary_entropy(min(0.5, self.error_rate))) + extra_leakage
        if self.kind == "single photons":
            photons = SinglePhotonTally(
                pulses_sent=math.ceil(pulses),
                key_probability=key_share,
                test_probability=test_share,
                mean_photons=min(1.0, 2 * self.transmittance),
                g2=self.g2,
                key_bits=key,
                test_bits=test,
                test_errors=wrong,
            )
            return single_photon.secret_length(photons, leakage_bits=leakage, epsilon=epsilon)
        qubits = Tally(key_bits=key, test_bits=test, test_errors=wrong)
        module = bb84 if self.kind == "bb84" else bbm92
        return module.secret_length(qubits, leakage_bits=leakage, epsilon=epsilon)


def lines(kind: str) -> st.SearchStrategy[Line]:
    return st.builds(
        Line,
        kind=st.just(kind),
        transmittance=st.floats(-4, -0.4).map(lambda power: 10.0**power),
        dark=st.floats(-9, -5).map(lambda power: 10.0**power),
        misalignment=st.floats(0, 0.12),
        test=st.floats(0.05, 0.5),
        g2=st.floats(0, 0.1),
    )


KINDS = ["bb84", "bbm92", "sample", "single photons"]
SIZES = st.floats(5, 13).map(lambda power: 10.0**power)
EPSILONS = st.floats(-28, -2).map(lambda power: 10.0**power)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=500)
@given(st.data(), SIZES, EPSILONS)
def test_monotone(kind: str, data: st.DataObject, pulses: float, epsilon: float) -> None:
    line = data.draw(lines(kind))
    here = line.length(pulses, epsilon)
    assert here.bits <= here.asymptotic_bits
    assert (here.bits == 0) == bool(here.reason)
    assert line.length(4 * pulses, epsilon).bits >= here.bits
    assert line.length(pulses, epsilon / 10).bits <= here.bits
    assert line.length(pulses, epsilon, extra_leakage=100).bits <= here.bits
    assert replace(line, misalignment=line.misalignment + 0.02).length(pulses, epsilon).bits <= here.bits
    assert replace(line, loss=0.5).length(pulses, epsilon).bits <= here.bits


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300)
@given(st.data(), SIZES, EPSILONS, st.floats(0.1101, 0.5))
def test_no_key_above_the_threshold(
    kind: str, data: st.DataObject, pulses: float, epsilon: float, error_rate: float
) -> None:
    noisy = replace(data.draw(lines(kind)), misalignment=error_rate)
    result = noisy.length(pulses, epsilon, efficiency=1.0)
    assert result.bits == 0
    assert result.reason
