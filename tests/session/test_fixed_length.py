"""Fixed-length bounds: thresholds set before the data are seen, enforced on both hosts from what each saw."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec import structs

import qkdpost as qp
from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, ComparedBits
from qkdpost.keys.price import AUTHENTICATION_BITS
from qkdpost.planning import FixedLengthPlan, plan_fixed_length
from qkdpost.reconciliation import method
from qkdpost.reconciliation.cascade import correction
from qkdpost.reconciliation.ldpc.plan import NoSuitableCode
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.codec import decode
from qkdpost.session.events import KeyReady
from qkdpost.stages.block import Block
from support.correction import spoiling
from support.link import Pair, bb84_records, changed, decoy_links, small_link

QUBIT_BOUNDS = ("tomamichel-leverrier-2017", "lim-2021")
EXPECTED = qp.Tally(key_bits=10_000, test_bits=10_000, test_errors=100)
"""What `bb84_records(40_000)` counts, nearly."""
DECOY_PULSES = 30_000_000


def qubit_plan(bound: str = "lim-2021", **changes: object) -> FixedLengthPlan:
    return plan_fixed_length(small_link(**changes), EXPECTED, bound=bound)


def run(link: qp.LinkConfig, *records: Any) -> Pair:
    pair = Pair(link)
    pair.submit(*records)
    pair.finish()
    pair.run()
    return pair


def report_of_key(pair: Pair, role: str) -> BlockReport:
    return next(event.report for event in pair.events[role] if isinstance(event, KeyReady))


@pytest.mark.parametrize("bound", QUBIT_BOUNDS)
@pytest.mark.parametrize("qber", [0.004, 0.01])
def test_the_planned_length_whatever_the_block_shows(bound: str, qber: float) -> None:
    plan = qubit_plan(bound)
    pair = run(plan.config, *bb84_records(40_000, qber=qber))
    assert pair.keys("alice") == pair.keys("bob") != {}
    for role in ("alice", "bob"):
        report = report_of_key(pair, role)
        assert report.secret is not None
        assert (report.secret.form, report.secret.bound, report.secret.rigorous) == ("fixed-length", bound, True)
        assert report.secret.bits == plan.result.bits == report.key_length_bits + AUTHENTICATION_BITS
        assert any("fixed before the data" in line for line in report.secret.assumptions)
        assert "coherent" in str(report.secret)


def test_both_hosts_cut_the_block_to_exactly_the_sizes_set() -> None:
    plan = qubit_plan()
    assert plan.config.security.exact_sizes is not None
    key_bits, test_bits = plan.config.security.exact_sizes
    pair = run(plan.config, *bb84_records(40_000))
    for role in ("alice", "bob"):
        report = report_of_key(pair, role)
        assert (report.key_bits, report.test_bits) == (key_bits, test_bits)
        used = key_bits + test_bits + report.setup_bits + report.surplus_bits
        assert used == report.sifted_key_bits + report.sifted_test_bits
        assert report.surplus_bits > 100
        assert "discarded above the set sizes" in str(report)
        (compared,) = (m for m in map(decode, pair.sent[role]) if isinstance(m, ComparedBits))
        assert (len(compared.test), len(compared.setup)) == ((test_bits + 7) // 8, (report.setup_bits + 7) // 8)


def test_the_surplus_is_drawn_from_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that keeps the first so many would tell the eavesdropper which basis the last rounds have."""
    from qkdpost.stages import sampling

    drawn: dict[bytes, list[np.ndarray]] = {}
    real = sampling.sample_mask

    def watched(seed: bytes, label: bytes, length: int, count: int) -> Bits:
        mask = real(seed, label, length, count)
        drawn.setdefault(label, []).append(np.flatnonzero(mask) / length)
        return mask

    monkeypatch.setattr(sampling, "sample_mask", watched)
    run(qubit_plan().config, *bb84_records(40_000))
    for label in (b"surplus of the key basis", b"surplus of the test basis"):
        alice, bob = drawn[label]
        assert np.array_equal(alice, bob)
        counts = np.histogram(alice, bins=4, range=(0.0, 1.0))[0]
        assert counts.min() > alice.size / 4 - 5 * np.sqrt(alice.size)


def missed(plan: FixedLengthPlan, **thresholds: object) -> Pair:
    assert plan.config.security.acceptance is not None
    link = changed(plan.config, security={"acceptance": structs.replace(plan.config.security.acceptance, **thresholds)})
    return run(link, *bb84_records(40_000))


@pytest.mark.parametrize(
    ("thresholds", "reason", "words"),
    [
        ({"key_bits": 11_000}, AbortReason.TOO_FEW_BITS, "threshold key_bits"),
        ({"test_bits": 11_000}, AbortReason.TOO_FEW_BITS, "threshold test_bits"),
        ({"tolerated_error_rate": 0.005}, AbortReason.NO_KEY_LEFT, "exceeds the tolerated"),
        ({"leakage_bits": 500}, AbortReason.NO_KEY_LEFT, "leakage"),
        ({"leakage_bits": 0}, AbortReason.NO_KEY_LEFT, "leakage"),
        ({"leakage_bits": 9_000}, AbortReason.NO_KEY_LEFT, "the costs exceed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("bound", QUBIT_BOUNDS)
def test_a_threshold_that_is_missed_is_named_on_both_hosts(
    bound: str, thresholds: dict[str, object], reason: AbortReason, words: str
) -> None:
    pair = missed(qubit_plan(bound), **thresholds)
    for role in ("alice", "bob"):
        assert pair.keys(role) == {}
        (event,) = pair.aborts(role)
        assert event.reason is reason
        assert words in event.detail
        assert event.report.secret is None or event.report.secret.bits == 0
        assert words in str(event.report)


@pytest.mark.parametrize("wrong", [[], [1]], ids=["all frames", "one dropped"])
def test_leakage_is_accepted_up_to_the_last_bit(monkeypatch: pytest.MonkeyPatch, wrong: list[int]) -> None:
    """Of a frame that is dropped, and of the tag that is said again for it, as of all else."""
    monkeypatch.setattr(correction, "run_cascade", spoiling(wrong, []))
    plan = qubit_plan(blocks={"frame_bits": 1024})
    allowing = missed(plan, leakage_bits=3_000)
    charged = report_of_key(allowing, "alice").ledger.charged_bits
    exact = missed(plan, leakage_bits=charged)
    assert exact.keys("alice") == exact.keys("bob") != {}
    assert report_of_key(exact, "alice").secret.bits > report_of_key(allowing, "alice").secret.bits  # type: ignore[union-attr]
    below = missed(plan, leakage_bits=charged - 1)
    assert below.keys("alice") == below.keys("bob") == {}
    assert f"leakage {charged}" in below.aborts("alice")[0].detail


def test_a_length_that_does_not_pay_its_own_authentication_is_given_up_early() -> None:
    pair = run(small_link(security={"planned_key_bits": AUTHENTICATION_BITS}), *bb84_records(40_000))
    for role in ("alice", "bob"):
        (event,) = pair.aborts(role)
        assert event.reason is AbortReason.NO_KEY_LEFT
        assert f"{AUTHENTICATION_BITS} bits would not pay" in event.detail
        assert event.report.reconciliation_rounds == 0
    assert (
        len(
            run(small_link(security={"planned_key_bits": AUTHENTICATION_BITS + 8}), *bb84_records(40_000)).keys("bob")[
                0
            ]
        )
        == 1
    )


@pytest.mark.parametrize(("deceived", "watchful"), [("alice", "bob"), ("bob", "alice")])
def test_either_host_alone_keeps_the_thresholds(deceived: str, watchful: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One host that accepts anything gets no key from one that does not."""
    plan = qubit_plan()
    real: Callable[..., Any] = Block.secret_length

    def blind(block: Block, *counts: Any) -> Any:
        result = real(block, *counts)
        return replace(result, bits=5000, reason="") if block.is_reference == (deceived == "alice") else result

    monkeypatch.setattr(Block, "secret_length", blind)
    pair = missed(plan, leakage_bits=500)
    assert pair.keys("alice") == pair.keys("bob") == {}
    assert [event.reason for event in pair.aborts(watchful)] == [AbortReason.NO_KEY_LEFT]


def test_thresholds_that_differ_between_the_hosts_are_named() -> None:
    plan = qubit_plan()
    assert plan.config.security.acceptance is not None
    looser = changed(
        plan.config, security={"acceptance": structs.replace(plan.config.security.acceptance, leakage_bits=5000)}
    )
    alice = qp.Session(role="alice", link=plan.config, auth_key=qp.KeyPool(bytes(200)))
    bob = qp.Session(role="bob", link=looser, auth_key=qp.KeyPool(bytes(200)))
    with pytest.raises(qp.RemoteProtocolError, match=r"differ in security\.acceptance"):
        alice.receive_data(bob.data_to_send())


@pytest.mark.parametrize("bound", QUBIT_BOUNDS)
def test_entangled_pairs_too(bound: str) -> None:
    rng = np.random.default_rng(4)
    pairs = qp.simulation.bbm92(slots=20_000_000, pairs_per_slot=0.02, test_probability=0.3, rng=rng)
    link = qp.LinkConfig(protocol=qp.BBM92(), blocks=qp.Blocks(frame_bits=2**12))
    seen = qp.distill(*pairs, link).report
    expected = qp.Tally(key_bits=seen.sifted_key_bits, test_bits=seen.test_bits, test_errors=seen.test_errors)
    plan = plan_fixed_length(link, expected, bound=bound)
    fresh = qp.simulation.bbm92(slots=20_000_000, pairs_per_slot=0.02, test_probability=0.3, rng=rng)
    result = qp.distill(*fresh, plan.config)
    assert len(result.key) == plan.result.bits - AUTHENTICATION_BITS > 0
    assert "untrusted" in str(result.report) or "eavesdropper's" in str(result.report)


def test_time_tags_too() -> None:
    rng = np.random.default_rng(6)
    receiver = qp.simulation.TaggingReceiver(transmittance=0.3)

    def tags() -> tuple[Any, Any]:
        return qp.simulation.bbm92_time_tags(
            duration_s=0.5, pair_rate_hz=4e5, rng=rng, alice=receiver, bob=receiver, tick_ps=10.0
        )

    link = qp.LinkConfig(protocol=qp.BBM92TimeTags(coincidence_window_ps=600.0), security=qp.Security(epsilon=1e-6))
    seen = qp.distill(*tags(), link).report
    expected = qp.Tally(key_bits=seen.sifted_key_bits, test_bits=seen.test_bits, test_errors=seen.test_errors)
    plan = plan_fixed_length(link, expected, bound="lim-2021", deviations=5.0)
    result = qp.distill(*tags(), plan.config)
    assert len(result.key) == plan.result.bits - AUTHENTICATION_BITS > 0, result.report


DECOYS = decoy_links()
ONE_WAY = qp.Ldpc(frame_bits=2**14, blind_rounds=0, fallback=None)


def decoy_plan(name: str, **changes: Any) -> FixedLengthPlan:
    link = changed(DECOYS[name], **changes)
    source = qp.simulation.WeakCoherentSource(
        intensities=link.protocol.intensities, probabilities=link.protocol.probabilities
    )
    planned = qp.planning.DecoyBB84Link(source=source, fibre=qp.simulation.Fibre(length_km=10.0), test_probability=0.3)
    return plan_fixed_length(link, planned.expected_tally(DECOY_PULSES), bound="wiesemann-2026")


def decoy_records(link: qp.LinkConfig, seed: int = 3) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return qp.simulation.decoy_bb84(link, pulses=DECOY_PULSES, fibre_km=10, rng=rng, test_probabilities=(0.3, 0.3))


def distill_all_frames(link: qp.LinkConfig, tries: int = 6) -> qp.Distillation:
    """Distil until no frame is dropped, for one costs more single photons than a plan allows for.

    One of some 85 blocks of 43 frames drops one: six in a row do with a probability below 1e-11.
    """
    records = decoy_records(link)
    for _ in range(tries):
        result = qp.distill(*records, link)
        if result.report.dropped_frames == 0:
            return result
    raise AssertionError(f"{tries} blocks dropped a frame each")


@pytest.mark.parametrize("name", DECOYS)
def test_decoy_states_by_the_published_form(name: str) -> None:
    plan = decoy_plan(name)
    result = distill_all_frames(plan.config)
    for report in (*result.reports, *result.peer_reports):
        assert report.abort_reason is None, report
        assert report.secret is not None
        assert (report.secret.bound, report.secret.form, report.secret.rigorous) == (
            "wiesemann-2026",
            "fixed-length",
            True,
        )
        assert report.surplus_bits == 0
    assert len(result.key) == plan.result.bits - AUTHENTICATION_BITS > 0


@pytest.mark.parametrize("name", DECOYS)
def test_decoy_thresholds_that_are_missed(name: str) -> None:
    plan = decoy_plan(name)
    acceptance = plan.config.security.acceptance
    assert acceptance is not None
    alice, bob = decoy_records(plan.config)
    within: dict[str, object] = {"single_photons": 150_000, "phase_error_rate": 0.2}  # with six frames dropped, too
    for thresholds, words in (
        ({"single_photons": 10**7}, "single photons"),
        (within | {"phase_error_rate": 0.001}, "phase-error rate"),
        (within | {"leakage_bits": 5000}, "leakage"),
    ):
        link = changed(plan.config, security={"acceptance": structs.replace(acceptance, **thresholds)})
        result = qp.distill(alice, bob, link)
        for report in (*result.reports, *result.peer_reports):
            assert report.abort_reason == "no_key_left"
            assert "not accepted" in str(report.abort_detail)
            assert words in str(report.abort_detail)
            assert report.secret is not None
            assert report.secret.bits == 0
            assert words in report.secret.reason


def test_a_vacuum_term_with_one_way_correction() -> None:
    """At a few kilometres and with a strong vacuum decoy the empty rounds could be certified; here they are none."""
    plan = decoy_plan("two decoys", correction=ONE_WAY)
    result = qp.distill(
        *decoy_records(plan.config), changed(plan.config, security={"acceptance": _loose(plan, 150_000)})
    )
    for report in (*result.reports, *result.peer_reports):
        assert not report.ledger.two_way
        assert report.secret is not None
        assert "one-way correction" in str(report.secret)
        assert report.secret.bits > 0
    demanding = structs.replace(_loose(plan, 150_000), vacuum=1)
    result = qp.distill(*decoy_records(plan.config), changed(plan.config, security={"acceptance": demanding}))
    assert "detections without a photon" in str(result.report.abort_detail)


def _loose(plan: FixedLengthPlan, leakage_bits: int) -> qp.security.DecoyAcceptance:
    assert isinstance(plan.config.security.acceptance, qp.security.DecoyAcceptance)
    return structs.replace(plan.config.security.acceptance, leakage_bits=leakage_bits)


def test_a_block_that_would_need_two_way_correction_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no code corrects the errors, Cascade must not step in: the vacuum term would not survive it."""

    def without_codes(*_: object, **__: object) -> None:
        raise NoSuitableCode("no code corrects so many errors")

    plan = decoy_plan("two decoys", correction=ONE_WAY)
    loose = structs.replace(_loose(plan, 300_000), vacuum=1, phase_error_rate=0.5, single_photons=0)
    monkeypatch.setattr(method, "plan_ldpc", without_codes)
    monkeypatch.setattr(Block, "secret_length", _always_enough(Block.secret_length))
    pair = run(changed(plan.config, security={"acceptance": loose}), *decoy_records(plan.config))
    details = [event.detail for role in ("alice", "bob") for event in pair.aborts(role)]
    assert len(details) == 2
    assert any("does not allow two-way" in detail for detail in details)


def _always_enough(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: replace(real(*arguments), bits=10_000, reason="")


def test_no_published_formula_that_is_no_bound_can_be_asked_for() -> None:
    decoys = (link.protocol for link in DECOYS.values())
    for bound, protocol in itertools.product(("lim-2014", "rusca-2018"), (qp.BB84(), *decoys)):
        with pytest.raises(qp.ConfigurationError, match="bound must be one of"):
            qp.LinkConfig(protocol=protocol, security=qp.Security(bound=bound))
