"""Tallies, bounds and tails, and how arguments of each are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import qkdpost as qp
from fuzzing.choices import Choices
from qkdpost.security import decoy_bb84, single_photon
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.qubits.tally import SampledTally
from qkdpost.security.single_photon.tally import SinglePhotonTally
from qkdpost.statistics import concentration, sampling

__all__ = ["BOUND_CALLS", "Arguments", "Call"]

Arguments: TypeAlias = dict[str, Any]
Call: TypeAlias = tuple[Callable[..., Any], Callable[[Choices], Arguments]]
"""What is called, and how its plain arguments are drawn."""
BOUNDS = ("variable-length", "variable-length", "tomamichel-leverrier-2017", "lim-2021", "tlgr-2012")


def _counts(choices: Choices, most_bits: int = 24) -> tuple[int, int, int]:
    """Key bits, test bits and errors, at times at the edge of a type."""
    key, test = (1 << choices.below(most_bits) if choices.chance() else choices.below(5000) for _ in range(2))
    return key, test, min(test, choices.below(60))


def _secret_length(choices: Choices) -> Arguments:
    key, test, errors = _counts(choices, 34)
    return {
        "key_bits": key,
        "test_bits": test,
        "test_errors": errors,
        "leakage_bits": choices.below(1000),
        "epsilon": choices.pick([1e-10, 1e-6, 0.0625, 2.0**-40]),
        "concentration": choices.pick(["hypergeometric", "serfling"]),
        "bound": choices.pick(BOUNDS),
        "verification_bits": choices.pick([None, None, 70]),
        "tolerated_error_rate": choices.pick([None, 0.0625, 0.25]),
    }


def _qubits(room: Any) -> Callable[..., Any]:
    def call(key_bits: Any, test_bits: Any, test_errors: Any, **others: Any) -> Any:
        tally = qp.Tally(key_bits=key_bits, test_bits=test_bits, test_errors=test_errors)
        return tally, room.secret_length(tally, **others)

    return call


def _sampled(key_bits: Any, test_bits: Any, test_errors: Any, **others: Any) -> Any:
    tally = SampledTally(key_counts=key_bits, test_counts=test_bits, test_errors=test_errors)
    return tally, qp.security.bbm92.secret_length(tally, **others)


def _sampled_arguments(choices: Choices) -> Arguments:
    first, second = _counts(choices, 28), _counts(choices, 28)
    return {
        name: [first[place], second[place]] for place, name in enumerate(("key_bits", "test_bits", "test_errors"))
    } | {"leakage_bits": choices.below(1000), "epsilon": choices.pick([1e-10, 0.0625])}


def _decoy(method: Any, bound: Any, two_way: Any, leakage_bits: Any, epsilon: Any, **counts: Any) -> Any:
    tally = DecoyTally(**counts)
    return tally, decoy_bb84.secret_length(
        tally, leakage_bits=leakage_bits, epsilon=epsilon, method=method, bound=bound, two_way=two_way
    )


def _decoy_arguments(choices: Choices) -> Arguments:
    decoys = choices.pick([1, 2])
    key = [choices.below(2**24) for _ in range(decoys + 1)]
    test = [choices.below(2**24) for _ in range(decoys + 1)]
    return {
        "intensities": [[0.5, 0.125], [0.5, 0.125, 0.0]][decoys - 1],
        "probabilities": [[0.75, 0.25], [0.5, 0.25, 0.25]][decoys - 1],
        "key_counts": key,
        "test_counts": test,
        "test_errors": [min(count, choices.below(2**16)) for count in test],
        "key_errors": [min(count, choices.below(2**16)) for count in key] if choices.chance() else None,
        "method": choices.pick(["analytic", "analytic", "linear-program"]),
        "bound": choices.pick(["variable-length", "wiesemann-2026", "lim-2014", "rusca-2018"]),
        "two_way": choices.chance(),
        "leakage_bits": choices.below(10**6),
        "epsilon": choices.pick([1e-10, 0.0625]),
    }


def _single_photon(leakage_bits: Any, epsilon: Any, **counts: Any) -> Any:
    tally = SinglePhotonTally(**counts)
    return tally, single_photon.secret_length(tally, leakage_bits=leakage_bits, epsilon=epsilon)


def _single_photon_arguments(choices: Choices) -> Arguments:
    key, test, errors = _counts(choices, 20)
    return {
        "pulses_sent": 10 * (key + test) + choices.below(10**7),
        "key_probability": 0.5,
        "test_probability": 0.125,
        "mean_photons": 0.25,
        "g2": choices.pick([0.0, 0.015625]),
        "key_bits": key,
        "test_bits": test,
        "test_errors": errors,
        "leakage_bits": choices.below(1000),
        "epsilon": 0.0625,
    }


def _tail_arguments(*names: str) -> Callable[[Choices], Arguments]:
    def draw(choices: Choices) -> Arguments:
        values = _counts(choices, 30)
        return dict(zip(names, values, strict=False)) | {"tail": choices.pick([1e-10, 2.0**-30, 0.25, 1e-200])}

    return draw


def _share(name: str) -> Callable[[Choices], Arguments]:
    return lambda choices: {name: choices.below(1025) / 1024}


def _coins(choices: Choices) -> Arguments:
    return {"successes": choices.below(2**16), "at_most": 2 ** choices.below(40), "tail": 2.0**-30}


BOUND_CALLS: dict[str, Call] = {
    "bb84": (_qubits(qp.security.bb84), _secret_length),
    "bbm92": (_qubits(qp.security.bbm92), _secret_length),
    "sampled": (_sampled, _sampled_arguments),
    "decoy": (_decoy, _decoy_arguments),
    "single photons": (_single_photon, _single_photon_arguments),
    "hypergeometric": (
        sampling.hypergeometric_key_errors,
        _tail_arguments("key_bits", "test_bits", "test_errors"),
    ),
    "hypergeometric, lower": (
        sampling.hypergeometric_key_errors_lower,
        _tail_arguments("key_bits", "test_bits", "test_errors"),
    ),
    "Clopper-Pearson": (
        lambda key_bits, trials, seen, tail: concentration.clopper_pearson_upper(trials, seen, tail),
        _tail_arguments("key_bits", "trials", "seen"),
    ),
    "Kullback-Leibler": (
        lambda key_bits, trials, seen, tail: concentration.kullback_leibler_upper(trials, seen, tail),
        _tail_arguments("key_bits", "trials", "seen"),
    ),
    "Serfling": (
        lambda key_bits, test_bits, seen, tail: sampling.serfling_deviation(key_bits, test_bits, tail),
        _tail_arguments("key_bits", "test_bits", "seen"),
    ),
    "coins": (concentration.trials_upper_bound, _coins),
    "entropy": (qp.security.binary_entropy, _share("probability")),
    "inverse entropy": (qp.security.inverse_binary_entropy, _share("entropy_bits")),
}
