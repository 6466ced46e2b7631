"""No key from devices that are not in order: a host gives its own record up before anything is told of it."""

from __future__ import annotations

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.dialogue.messages import AbortReason, BlockOpen, DetectionReport, SiftReply
from qkdpost.session.codec import decode
from support.link import Pair, bb84_records, changed, small_link

DECOY = qp.LinkConfig(
    protocol=qp.DecoyBB84(intensities=(0.5, 0.15, 2e-4), probabilities=(0.6, 0.3, 0.1)),
    security=qp.Security(epsilon=1e-6),
)


def honest(kind: str) -> tuple[qp.LinkConfig, object, object]:
    rng = np.random.default_rng(1)
    match kind:
        case "bb84":
            return qp.LinkConfig(protocol=qp.BB84()), *qp.simulation.bb84(
                pulses=1_000_000, fibre_km=10, test_probability=0.3, rng=rng
            )
        case "decoy-bb84":
            return DECOY, *qp.simulation.decoy_bb84(
                DECOY, pulses=5_000_000, fibre_km=10, rng=rng, test_probabilities=(0.3, 0.3)
            )
        case "bbm92":
            link = qp.LinkConfig(protocol=qp.BBM92())
            both = qp.simulation.bbm92(slots=20_000_000, pairs_per_slot=0.02, test_probability=0.3, rng=rng)
            return link, *both
        case _:
            receiver = qp.simulation.TaggingReceiver(transmittance=0.3)
            both = qp.simulation.bbm92_time_tags(
                duration_s=0.4, pair_rate_hz=4e5, rng=rng, alice=receiver, bob=receiver, tick_ps=10.0
            )
            return qp.LinkConfig(protocol=qp.BBM92TimeTags()), *both


def without(record: object, detector: int) -> object:
    """The record as it comes out when a detector is unplugged."""
    if isinstance(record, qp.TimeTags):
        kept = record.channels != detector
        return qp.TimeTags(ticks=record.ticks[kept], channels=record.channels[kept], tick_ps=record.tick_ps)
    assert isinstance(record, qp.Detections)
    kept = 2 * np.asarray(record.bases) + np.asarray(record.bits) != detector
    return qp.Detections(
        pulses=record.pulses,
        slots=record.slots[kept],
        bases=np.asarray(record.bases)[kept],
        outcomes=np.asarray(record.bits)[kept],
    )


def reasons_of(result: qp.Distillation) -> tuple[str | None, str | None]:
    return result.report.abort_detail, result.peer_reports[0].abort_detail


CASES = [
    (kind, side, dead)
    for kind in ("bb84", "decoy-bb84", "bbm92", "bbm92-time-tags")
    for side in (("bob",) if kind in ("bb84", "decoy-bb84") else ("alice", "bob", "both"))
    for dead in range(4)
]


@pytest.mark.parametrize(("kind", "side", "dead"), CASES)
def test_a_dead_detector_gives_no_key_and_is_named(kind: str, side: str, dead: int) -> None:
    link, alice, bob = honest(kind)
    if side in ("alice", "both"):
        alice = without(alice, dead)
    if side in ("bob", "both"):
        bob = without(bob, dead)
    result = qp.distill(alice, bob, link)  # type: ignore[arg-type]
    assert len(result.key) == 0
    assert result.report.abort_reason == result.peer_reports[0].abort_reason == "detector_unfit"
    assert any(f"detector {dead} " in str(detail) and "never clicked" in str(detail) for detail in reasons_of(result))


@pytest.mark.parametrize("kind", ["bb84", "decoy-bb84", "bbm92", "bbm92-time-tags"])
def test_honest_records_still_give_key(kind: str) -> None:
    link, alice, bob = honest(kind)
    assert len(qp.distill(alice, bob, link).key) > 0  # type: ignore[arg-type]


@pytest.mark.parametrize("pattern", [[0], [1], [1, 1, 0, 1, 0, 0, 1, 0]])
def test_prepared_bits_that_repeat_give_no_key(pattern: list[int]) -> None:
    rng = np.random.default_rng(2)
    pulses = 200_000
    bits = np.resize(pattern, pulses).astype(np.uint8)
    bases, peer_bases = rng.integers(0, 2, (2, pulses), dtype=np.uint8)
    outcomes = np.where(bases == peer_bases, bits, rng.integers(0, 2, pulses))
    alice = qp.PreparedPulses(bases=bases, bits=bits)
    bob = qp.Detections(pulses=pulses, slots=np.arange(pulses), bases=peer_bases, outcomes=outcomes)
    result = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()))
    assert len(result.key) == 0
    assert result.report.abort_reason in ("bits_not_random", "detector_unfit")


@pytest.mark.parametrize("side", ["alice", "bob", "both"])
def test_bases_that_alternate_give_no_key(side: str) -> None:
    rng = np.random.default_rng(3)
    pulses = 200_000
    bits, bases, peer_bases = rng.integers(0, 2, (3, pulses), dtype=np.uint8)
    if side in ("alice", "both"):
        bases = np.arange(pulses) % 2
    if side in ("bob", "both"):
        peer_bases = np.arange(pulses) % 2
    outcomes = np.where(bases == peer_bases, bits, rng.integers(0, 2, pulses))
    alice = qp.PreparedPulses(bases=bases, bits=bits)
    bob = qp.Detections(pulses=pulses, slots=np.arange(pulses), bases=peer_bases, outcomes=outcomes)
    result = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()))
    assert len(result.key) == 0
    assert result.report.abort_reason == "bases_not_random"


def test_outcomes_that_are_all_alike_give_no_key() -> None:
    """With few errors in both bases they contradict the uncertainty relation on which the proof rests."""
    rng = np.random.default_rng(4)
    bases = rng.integers(0, 2, 40_000, dtype=np.uint8)
    record = qp.Detections(pulses=40_000, slots=np.arange(40_000), bases=bases, outcomes=np.zeros(40_000, np.uint8))
    result = qp.distill(record, record, qp.LinkConfig(protocol=qp.BBM92()))
    assert len(result.key) == 0
    assert result.report.abort_reason == "detector_unfit"


def test_records_of_unlike_bias_give_no_key_together() -> None:
    """The first record's test rounds would speak for the second, in which Eve reads the key basis unseen."""
    parts = [bb84_records(40_000, test_fraction=share, seed=seed) for seed, share in enumerate((0.5, 0.01))]
    link = qp.LinkConfig(protocol=qp.BB84(), security=qp.Security(epsilon=1e-6))
    result = qp.distill([alice for alice, _ in parts], [bob for _, bob in parts], link)
    assert len(result.key) == 0
    assert result.report.abort_reason == "bases_not_random"
    assert any("between the records" in str(detail) for detail in reasons_of(result))


@pytest.mark.parametrize("stated", [(0.2, 0.2), (0.3, 0.2), (0.2, 0.3)])
def test_probabilities_that_the_bound_is_told_are_those_of_the_records(stated: tuple[float, float]) -> None:
    """A single-photon source: how many pulses of two photons either basis got follows from how often it was chosen."""
    true = qp.LinkConfig(protocol=qp.SinglePhotonBB84(mean_photons=0.3, g2=0.01, test_probabilities=(0.2, 0.2)))
    records = qp.simulation.single_photon_bb84(true, pulses=3_000_000, fibre_km=10, rng=np.random.default_rng(5))
    result = qp.distill(*records, changed(true, protocol={"test_probabilities": stated}))
    assert (len(result.key) > 0) == (stated == true.protocol.test_probabilities)
    assert result.report.abort_reason == (None if stated == true.protocol.test_probabilities else "bases_not_random")


def unfit_pair(**changes: object) -> Pair:
    pair = Pair(small_link(**changes))
    alice, bob = bb84_records(4000)
    pair.submit(alice, without(bob, 1))  # type: ignore[arg-type]
    return pair


def test_nothing_is_told_of_an_unfit_record_but_the_reason() -> None:
    pair = unfit_pair()
    pair.finish()
    pair.run()
    said = [decode(frame) for frame in pair.sent["bob"]]
    assert [type(message).__name__ for message in said] == ["Hello", "Ready", "BlockOpen", "Abort", "Close"]
    assert {type(decode(frame)) for frame in pair.sent["alice"]}.isdisjoint({SiftReply, DetectionReport})
    (own,), (peers,) = pair.aborts("bob"), pair.aborts("alice")
    assert own.reason is peers.reason is AbortReason.DETECTOR_UNFIT
    assert "never clicked" in own.detail
    assert "peer" in peers.detail
    assert not any(digit in peers.detail for digit in "0123456789")


def test_an_unfit_record_is_not_tried_again_and_the_next_one_is() -> None:
    pair = unfit_pair(blocks={"detections": 1000})
    pair.run()
    for session in pair.sessions.values():
        assert session.records_waiting == 0
    pair.submit(*bb84_records(8000, seed=8))
    pair.finish()
    pair.run()
    openings = [message for message in map(decode, pair.sent["bob"]) if isinstance(message, BlockOpen)]
    assert [message.first_record for message in openings] == [0, 1]
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_an_unfit_record_of_alice_ends_the_block_before_she_answers() -> None:
    alice, bob = bb84_records(4000)
    constant = qp.PreparedPulses(bases=alice.bases, bits=np.zeros(alice.pulses, np.uint8))
    pair = Pair(small_link())
    pair.submit(constant, bob)
    pair.finish()
    pair.run()
    assert not any(isinstance(decode(frame), SiftReply) for frame in pair.sent["alice"])
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.BITS_NOT_RANDOM]


def test_limits_are_equal_on_both_hosts() -> None:
    one, other = small_link(), changed(small_link(), record_limits=qp.RecordLimits(max_ratio=3.0))
    assert one.digest() != other.digest()
    assert "record_limits.max_ratio" in one.to_fields()
