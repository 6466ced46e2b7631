"""Slips of the pen: type checkers must refuse each line that is marked, and no other. It is read, and not run."""

from __future__ import annotations

import qkdpost as qp
from qkdpost import planning, security, sifting, simulation


def settings() -> None:
    qp.LinkConfig(protocol="bb84")  # refused
    qp.LinkConfig(protcol=qp.BB84())  # refused
    qp.BB84(test="sampel")  # refused
    qp.BB84(test=qp.RegisteredName("sampel"))  # refused
    qp.GaussianCV(modulation_variance=4.0, efficiency=0.6, detection="heterodine")  # refused
    qp.GaussianCV(modulation_variance=4.0, efficiency=0.6, receiver="trustworthy")  # refused
    qp.GaussianCV(modulation_variance=4.0, efficiency=0.6, attacks="coherent")  # refused
    qp.Cascade(parameters="jan")  # refused
    qp.Ldpc(decoder="fsat")  # refused
    qp.Ldpc(frame_bits=65535)  # refused
    qp.Ldpc(first_failures_permille=150)  # refused
    qp.Slices(decoder="layered")  # refused
    qp.Multidimensional(decoder="fast")  # refused
    qp.Multidimensional(dimension=3)  # refused
    qp.Security(bound="tomamichel-2017")  # refused
    qp.Security(concentration="serfing")  # refused


def session(pool: qp.KeyPool, link: qp.LinkConfig) -> None:
    qp.Session(role="Alice", link=link, auth_key=pool)  # refused
    qp.Session(role="alice", link="bb84", auth_key=pool)  # refused
    qp.Session(role="alice", link=link, auth_key=b"key")  # refused


def corrected(bits: qp.Bits) -> None:
    qp.reconcile(bits, bits, qber=0.02, method="cascad")  # refused
    qp.reconcile(bits, bits, qber=0.02, parameters="original-1994")  # refused
    qp.reconcile(bits, bits, qber=0.02, method="ldpc", decoder="quick")  # refused
    qp.reconcile(bits, bits, qber=0.02, method="ldpc", fallback="dorp")  # refused


def bounds(tally: qp.Tally, decoy: qp.DecoyTally, link: qp.LinkConfig) -> None:
    security.bb84.secret_length(tally, leakage_bits=1, epsilon=1e-10, bound="lim-2012")  # refused
    security.bb84.secret_length(decoy, leakage_bits=1, epsilon=1e-10)  # refused
    security.bbm92.secret_length(tally, leakage_bits=1, epsilon=1e-10, concentration="exact")  # refused
    security.decoy_bb84.secret_length(decoy, leakage_bits=1, epsilon=1e-10, bound="lim-2021")  # refused
    security.decoy_bb84.secret_length(decoy, leakage_bits=1, epsilon=1e-10, method="simplex")  # refused
    security.decoy_bb84.secret_length(decoy, leakage_bits=1, epsilon=1e-10, intervals="wald")  # refused
    planning.plan_fixed_length(link, tally, bound="variable-length")  # refused


def files() -> None:
    sifting.load_time_tags("tags.csv", 1.0, file_format="csv")  # refused
    sifting.load_time_tags("tags.csv", 1.0, time_unit="microseconds")  # refused
    sifting.load_coherent_states("symbols.npy", units="snu", mean_photons=1.0)  # refused
    sifting.PulseEncoding.time_bin(key=1, test=(2, 3), separation_ps=1.0, outer_peaks="lost")  # refused
    sifting.CalibrationSums("heterodine")  # refused


def simulated() -> None:
    simulation.gaussian_cv(symbols=10**6, rng=1, detection="homodine")  # refused
    simulation.bb84(pulses=10**6, rng="1")  # refused
    simulation.PulsedReceiver(encoding="polarization")  # refused


def planned() -> None:
    planning.GaussianLink(correction="slice")  # refused
    planning.GaussianLink(detection="both")  # refused
    planning.Constellation.qam(16, 2.0, shaping="gaussian")  # refused
    planning.optimise(qp.LinkConfig(protocol=qp.BB84()), pulses=10**9)  # refused
    planning.rate_curve(planning.BBM92Link(), distances_km=50, pulses=10**9)  # refused
    print(planning.optimise(planning.BBM92Link(), pulses=1e9).link.source)  # refused
    planning.DecoyBB84Link(length_km=20)  # refused
    planning.DecoyBB84Link(fibre_km=20).link_config(kind="bb84")  # refused
    planning.BBM92Link().simulate(pulses="1e6", rng=1)  # refused
    planning.tolerated_error_rate(key_bits="many")  # refused
