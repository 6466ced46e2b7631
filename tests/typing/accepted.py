"""What a user writes, in many ways: type checkers must find nothing here. It is read, and not run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import qkdpost as qp
from qkdpost import planning, security, sifting, simulation


def settings() -> list[qp.LinkConfig]:
    return [
        qp.LinkConfig(protocol=qp.BB84(test="sample"), correction=qp.Ldpc(decoder="accurate", frame_bits=65536)),
        qp.LinkConfig(protocol=qp.BBM92(), correction=qp.Cascade(parameters="yan")),
        qp.LinkConfig(protocol=qp.BB84(), security=qp.Security(epsilon=1e-9, concentration="serfling")),
        qp.LinkConfig(protocol=qp.BB84(), correction=qp.Ldpc(decoder=qp.RegisteredName("of my own"))),
        qp.LinkConfig(
            protocol=qp.GaussianCV(modulation_variance=4.0, efficiency=0.6, detection="homodyne", receiver="untrusted"),
            correction=qp.Multidimensional(dimension=8, decoder="layered"),
        ),
        qp.LinkConfig(
            protocol=qp.DecoyBB84(intensities=(0.5, 0.1, 0.0), probabilities=(0.7, 0.2, 0.1)),
            correction=qp.Auto(ldpc=qp.Ldpc(first_failures_permille=100)),
        ),
    ]


def records(frame: Mapping[str, list[int]]) -> qp.Distillation:
    alice = qp.PreparedPulses(bases=frame["bases"], bits=np.zeros(10, dtype=np.int8))
    bob = qp.Detections(pulses=10, slots=[1, 4], bases=[0, 1], outcomes=[0, 1])
    return qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()), progress=True)


def told(what: str, done: int, total: int | None) -> None:
    print(what, done, total)


def reports(result: qp.Distillation) -> list[float]:
    qp.distill([], [], settings()[0], progress=told)
    secret = result.report.secret
    roles = [report.role == "alice" for report in result.reports]
    return [float(sum(roles)), 0.0 if secret is None else float(secret.bits)]


def corrected(reference: qp.Bits, noisy: qp.Bits) -> int:
    method: qp.RegisteredName = qp.RegisteredName("shouting")
    own = qp.reconcile(reference, noisy, qber=0.02, method=method)
    done = qp.reconcile(reference, noisy, qber=0.02, method="ldpc", decoder="fast", fallback="drop")
    return done.leakage_bits + own.leakage_bits


def bounds() -> list[int]:
    tally = qp.Tally(key_bits=10**6, test_bits=10**6, test_errors=10**4)
    decoy = qp.DecoyTally(
        intensities=(0.5, 0.1, 0.0), probabilities=(0.7, 0.2, 0.1), key_counts=(3, 2, 1), test_counts=(3, 2, 1),
        test_errors=(0, 0, 0),
    )  # fmt: skip
    return [
        security.bb84.secret_length(tally, leakage_bits=100, epsilon=1e-10, bound="lim-2021").bits,
        security.bbm92.secret_length(tally, leakage_bits=100, epsilon=1e-10, concentration="serfling").bits,
        security.decoy_bb84.secret_length(decoy, leakage_bits=1, epsilon=1e-10, method="analytic").bits,
    ]


def session(key: bytes, *, sender: bool) -> qp.Session:
    return qp.Session(
        role="alice" if sender else "bob", link=qp.LinkConfig(protocol=qp.BB84()), auth_key=qp.KeyPool(key)
    )


def files() -> tuple[qp.TimeTags, qp.TimeTags]:
    return sifting.load_time_tags("tags.csv", 1.0, file_format="text", time_unit="ns", others="ignore")


def simulated() -> qp.Distillation:
    alice, bob = simulation.gaussian_cv(symbols=10**6, rng=1, detection="homodyne", fibre_km=10)
    simulation.PulsedReceiver(encoding="time-bin")
    protocol = qp.GaussianCV(modulation_variance=4.0, efficiency=0.6)
    return qp.distill(alice, bob, qp.LinkConfig(protocol=protocol))


def planned() -> float:
    link = planning.GaussianLink(detection="heterodyne", correction="slices", attacks="gaussian-collective")
    shaped = planning.Constellation.qam(16, 2.0, shaping="binomial")
    return planning.optimise(link, pulses=10**9).bits_per_second + len(shaped.quadratures)


def planned_and_run() -> tuple[float, ...]:
    plan = planning.optimise(planning.DecoyBB84Link(fibre_km=20), pulses=1e9, progress=told)
    link = plan.link_config(epsilon=1e-9, correction=qp.Ldpc(decoder="patient"))
    alice, bob = plan.link.simulate(pulses=10**6, rng=1)
    result = qp.distill(alice, bob, link)
    qp.distill(*plan.simulate(rng=2), link)
    curve = planning.rate_curve(
        planning.BBM92Link(pairs_per_slot=0.02), distances_km=[0, 10], pulses=1e9, optimise=False
    )
    qp.plotting.plot_key_rates({"pairs": curve, "decoys": [plan]})
    found = planning.time_to_collect(planning.SinglePhotonBB84Link(), secret_bits=1e6)
    leaked = security.expected_leakage(1e6, 0.02, efficiency=1.05)
    rate = planning.tolerated_error_rate(key_bits=1e6)
    return (
        *plan.link.source.intensities,
        curve[0].link.pairs_per_slot,
        found.link.attenuation,
        leaked,
        rate,
        len(result.key),
    )
