from __future__ import annotations

import re

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason
from qkdpost.protocols.bb84 import BB84
from qkdpost.protocols.qubits import tally_qubits
from qkdpost.records import Detections, PreparedPulses
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.events import KeyReady
from qkdpost.stages.outcomes import ComparedRounds
from support.link import Pair, small_link


def records(
    detections: int, *, test_fraction: float, qber: tuple[float, float], seed: int = 3
) -> tuple[PreparedPulses, Detections]:
    """Return records with an error rate for each basis; every pulse is detected."""
    rng = np.random.default_rng(seed)
    bases = (rng.random(detections) < test_fraction).astype(np.uint8)
    bits = rng.integers(0, 2, detections, dtype=np.uint8)
    peer_bases = (rng.random(detections) < test_fraction).astype(np.uint8)
    flips = (rng.random(detections) < np.array(qber)[peer_bases]).astype(np.uint8)
    noise = rng.integers(0, 2, detections, dtype=np.uint8)
    outcomes = np.where(peer_bases == bases, bits ^ flips, noise).astype(np.uint8)
    slots = np.arange(detections)
    return (
        PreparedPulses(bases=bases, bits=bits),
        Detections(pulses=detections, slots=slots, bases=peer_bases, outcomes=outcomes),
    )


def sampled_pair(detections: int, *, test_fraction: float, qber: tuple[float, float]) -> Pair:
    pair = Pair(small_link(protocol={"test": "sample", "sample_fraction": 0.3}))
    pair.submit(*records(detections, test_fraction=test_fraction, qber=qber))
    pair.finish()
    pair.run()
    return pair


def report_of_key(pair: Pair, role: str) -> BlockReport:
    return next(event.report for event in pair.events[role] if isinstance(event, KeyReady))


@pytest.mark.parametrize("test_fraction", [0.03, 0.2, 0.5])
def test_reading_every_round_in_one_basis_leaves_no_key(test_fraction: float) -> None:
    """Z is perfect, X is pure noise: all is known to the eavesdropper, however small the pooled error rate is."""
    pair = sampled_pair(60_000, test_fraction=test_fraction, qber=(0.0, 0.5))
    for role in ("alice", "bob"):
        assert pair.keys(role) == {}
        (event,) = pair.aborts(role)
        assert event.reason is AbortReason.NO_KEY_LEFT
        if test_fraction == 0.03:
            assert 0 < event.report.test_errors < 0.001 * event.report.test_bits


def test_the_other_basis_is_watched_as_well() -> None:
    pair = sampled_pair(60_000, test_fraction=0.5, qber=(0.5, 0.0))
    assert [event.reason for event in pair.aborts("alice")] == [AbortReason.NO_KEY_LEFT]
    assert pair.keys("alice") == pair.keys("bob") == {}


@pytest.mark.parametrize(("test_fraction", "qber"), [(0.3, (0.0, 0.03)), (0.7, (0.03, 0.0)), (0.2, (0.01, 0.01))])
def test_biased_bases_give_key_where_nobody_listens(test_fraction: float, qber: tuple[float, float]) -> None:
    pair = sampled_pair(60_000, test_fraction=test_fraction, qber=qber)
    assert pair.keys("alice") == pair.keys("bob") != {}
    alice, bob = report_of_key(pair, "alice"), report_of_key(pair, "bob")
    assert alice.secret == bob.secret
    assert alice.secret is not None
    explanation = next(term.explanation for term in alice.secret.terms if term.name == "phase errors")
    seen = [
        re.search(rf"(\d+) errors in (\d+) sampled rounds of the {basis}", explanation)
        for basis in ("key basis", "test basis")
    ]
    (errors, counts) = zip(*((int(found[1]), int(found[2])) for found in seen if found), strict=True)
    assert [count == 0 for count in errors] == [rate == 0.0 for rate in qber]
    assert (sum(errors), sum(counts)) == (alice.test_errors, alice.test_bits)
    assert counts == pytest.approx([0.3 * alice.sifted_key_bits, 0.3 * alice.sifted_test_bits], rel=0.1)


@pytest.mark.parametrize("key_basis_sample", [0, 1, 63, 64, 65, 200])
def test_counts_of_each_basis(key_basis_sample: int) -> None:
    rng = np.random.default_rng(key_basis_sample)
    difference = rng.integers(0, 2, 200, dtype=np.uint8)
    rounds = ComparedRounds(
        key_bits=1000,
        test_difference=Bits.from_positions(np.flatnonzero(difference), 200),
        key_bits_in_key_basis=700,
        test_bits_in_key_basis=key_basis_sample,
        pulses=5000,
    )
    in_key_basis = int(difference[:key_basis_sample].sum())
    assert tally_qubits(BB84(test="sample"), rounds, None) == SampledTally(
        key_counts=(700, 300),
        test_counts=(key_basis_sample, 200 - key_basis_sample),
        test_errors=(in_key_basis, int(difference.sum()) - in_key_basis),
    )
    assert tally_qubits(BB84(), rounds, None) == Tally(key_bits=1000, test_bits=200, test_errors=int(difference.sum()))
