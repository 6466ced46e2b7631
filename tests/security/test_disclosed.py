"""The one shape of all bounds: what they are asked, what they answer, and what a type checker sees of it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qkdpost.errors import InputError
from qkdpost.security import (
    Bound,
    DecoyBoundSettings,
    Disclosed,
    Epsilon,
    QubitBoundSettings,
    SinglePhotonBoundSettings,
    bb84,
    bbm92,
    decoy_bb84,
    single_photon,
)
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.result import SecretLength
from qkdpost.security.single_photon.tally import SinglePhotonTally

BUDGET = Epsilon.split(1e-10)
DISCLOSED = Disclosed(leakage_bits=20_000, verification_bits=60, two_way=True)
QUBITS = Tally(key_bits=10**6, test_bits=10**5, test_errors=1000)
SAMPLED = SampledTally(key_counts=(10**6, 10**5), test_counts=(10**5, 10**4), test_errors=(1000, 100))
DECOYS = DecoyTally(
    intensities=(0.5, 0.1, 0.0),
    probabilities=(0.7, 0.2, 0.1),
    key_counts=(28_000_000, 1_600_000, 10),
    test_counts=(3_500_000, 200_000, 1),
    test_errors=(35_000, 2_000, 0),
)
PHOTONS = SinglePhotonTally(
    pulses_sent=10**9,
    key_probability=0.81,
    test_probability=0.01,
    mean_photons=0.3,
    g2=0.01,
    key_bits=10**7,
    test_bits=10**5,
    test_errors=1000,
)

Qubits = Tally | SampledTally
PREPARED: Bound[Qubits, QubitBoundSettings] = bb84.apply_bound
ENTANGLED: Bound[Qubits, QubitBoundSettings] = bbm92.apply_bound
TIMED: Bound[Qubits, QubitBoundSettings] = bbm92.apply_bound_to_time_tags
WEAK: Bound[DecoyTally, DecoyBoundSettings] = decoy_bb84.apply_bound
SINGLE: Bound[SinglePhotonTally, SinglePhotonBoundSettings] = single_photon.apply_bound

CASES: dict[str, tuple[Any, Any, Any, Any, dict[str, Any]]] = {
    "bb84": (PREPARED, bb84, QUBITS, QubitBoundSettings(), {}),
    "bb84, sampled": (PREPARED, bb84, SAMPLED, QubitBoundSettings(concentration="serfling"), {}),
    "bbm92": (ENTANGLED, bbm92, QUBITS, QubitBoundSettings(), {}),
    "bbm92, time tags": (TIMED, bbm92, QUBITS, QubitBoundSettings(), {"time_tags": True}),
    "decoy-bb84": (WEAK, decoy_bb84, DECOYS, DecoyBoundSettings(), {}),
    "single-photon-bb84": (SINGLE, single_photon, PHOTONS, SinglePhotonBoundSettings(possible_runs=1), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bound_and_its_front_answer_alike(name: str) -> None:
    bound, front, tally, settings, extra = CASES[name]
    for field in ("concentration", "possible_runs"):
        if hasattr(settings, field):
            extra = extra | {field: getattr(settings, field)}
    result = bound(tally, DISCLOSED, BUDGET, settings)
    assert result.bits > 0
    told = {"leakage_bits": DISCLOSED.leakage_bits, "verification_bits": DISCLOSED.verification_bits}
    assert result == front.secret_length(tally, **told, epsilon=BUDGET, **extra)


@pytest.mark.parametrize("name", CASES)
def test_evidence_is_named_and_printed(name: str) -> None:
    bound, _, tally, settings, _ = CASES[name]
    result = bound(tally, DISCLOSED, BUDGET, settings)
    named = dict(result.evidence)
    assert named["phase_error_rate"] == result.phase_error_rate < 0.5
    assert 0 < named["certified_rounds"] == result.terms[0].bits
    assert result.to_dict()["evidence"] == named
    assert pickle.loads(pickle.dumps(result)) == result
    for evidence in named:
        assert f"evidence: {evidence.replace('_', ' ')} " in str(result)


def answer(evidence: Any) -> SecretLength:
    like = bb84.apply_bound(QUBITS, DISCLOSED, BUDGET, QubitBoundSettings())
    return SecretLength(
        bits=0,
        bound="holevo",
        form="variable-length",
        attacks="collective",
        rigorous=True,
        assumptions=(),
        terms=like.terms,
        epsilon=like.epsilon,
        evidence=evidence,
        asymptotic_bits=0.0,
        reason="made up",
    )


def test_a_bound_without_phase_errors_says_what_it_has() -> None:
    result = answer([("holevo_information", 0.25), ("excess_noise", 1)])
    assert result.evidence == (("holevo_information", 0.25), ("excess_noise", 1.0))
    assert "evidence: excess noise 1" in str(result)
    with pytest.raises(InputError, match=r"'holevo' has no phase-error rate; its evidence is .*excess_noise"):
        _ = result.phase_error_rate


@pytest.mark.parametrize(
    "evidence", [None, "phase_error_rate", (("rate",),), (("rate", "0.1"),), ((1, 0.1),), (("a", 0.1), ("a", 0.2))]
)
def test_evidence_of_another_form_is_refused(evidence: Any) -> None:
    with pytest.raises(InputError, match="evidence"):
        answer(evidence)


def test_verification_is_part_of_the_leakage() -> None:
    with pytest.raises(InputError, match="must not exceed them; found 61 > 60"):
        Disclosed(leakage_bits=60, verification_bits=61, two_way=True)
    with pytest.raises(InputError, match="leakage_bits"):
        Disclosed(leakage_bits=-1, verification_bits=None, two_way=True)
    with pytest.raises(InputError, match="two_way must be True or False"):
        Disclosed(leakage_bits=60, verification_bits=None, two_way=None)  # type: ignore[arg-type]
    apart = Disclosed(leakage_bits=60, verification_bits=None, two_way=False)
    joined = apart.with_verification(BUDGET)
    charge = BUDGET.verification_charge_bits
    assert joined == Disclosed(leakage_bits=60 + charge, verification_bits=charge, two_way=False)
    assert joined.with_verification(BUDGET) is joined


FORGOTTEN = """
from qkdpost.protocols.protocol import Protocol
from qkdpost.security import Bound, Disclosed, Epsilon, QubitBoundSettings, bb84, decoy_bb84
from qkdpost.security.qubits.tally import Tally

tally = Tally(key_bits=1, test_bits=1, test_errors=0)
budget = Epsilon.split(1e-10)
bound: Bound[Tally, QubitBoundSettings] = bb84.apply_bound
bound(tally, Disclosed(leakage_bits=0, verification_bits=None, two_way=True), budget, QubitBoundSettings())
bound(tally, Disclosed(leakage_bits=0, verification_bits=None), budget, QubitBoundSettings())  # two_way
bound(tally, Disclosed(leakage_bits=0, verification_bits=None, two_way=True), budget)  # settings
other: Bound[Tally, QubitBoundSettings] = decoy_bb84.apply_bound  # another kind
"""


@pytest.mark.slow
def test_a_type_checker_sees_what_is_forgotten(tmp_path: Path) -> None:
    script = tmp_path / "forgotten.py"
    script.write_text(FORGOTTEN, encoding="utf-8")
    source = Path(__file__).resolve().parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", str(source.parent / "pyproject.toml"), str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={"MYPYPATH": str(source), "PATH": ""},
    )
    errors = [line for line in done.stdout.splitlines() if "forgotten.py" in line and "error" in line]
    wrong = [number for number, line in enumerate(FORGOTTEN.splitlines(), start=1) if "  # " in line]
    assert [int(line.split(":")[1]) for line in errors] == wrong, done.stdout + done.stderr
