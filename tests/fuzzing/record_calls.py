"""Records, bits, codes and configurations, and how arguments of each are drawn."""

from __future__ import annotations

from typing import Any

import qkdpost as qp
from fuzzing.bound_calls import Arguments, Call
from fuzzing.choices import Choices
from qkdpost.checks import choice
from qkdpost.protocols import PROTOCOLS
from qkdpost.sifting import decode_slots, decode_times, encode_slots, encode_times, sort_time_tags, unwrap_ticks
from qkdpost.statistics.error_rate import estimate_error_rate, sample_size, sampled_error_bounds

__all__ = ["RECORD_CALLS"]

SPANS = (300, 2**20, 2**40)


def _ticks(choices: Choices) -> list[int]:
    values = [choices.whole() if choices.below(8) == 1 else choices.below(2**16) for _ in range(choices.below(9))]
    return sorted(values) if choices.below(4) else values


def _bits(choices: Choices, count: int | None = None) -> list[int]:
    return [choices.below(2) for _ in range(choices.below(9) if count is None else count)]


def _detections(choices: Choices) -> Arguments:
    slots = sorted({choices.below(200) for _ in range(choices.below(9))})
    outcomes = [choices.pick([0, 1]) for _ in slots]
    return {
        "pulses": choices.pick([200, 2**31, 2**40]),
        "slots": slots,
        "bases": _bits(choices, len(slots)),
        "outcomes": outcomes,
    }


def _time_tags(choices: Choices) -> Arguments:
    ticks = _ticks(choices)
    return {"ticks": ticks, "channels": [choices.below(4) for _ in ticks], "tick_ps": choices.pick([1.0, 0.5, 78.125])}


def _prepared(choices: Choices) -> Arguments:
    count = choices.below(9)
    labels = [choices.below(8) for _ in range(count)] if choices.chance() else None
    return {"bases": _bits(choices, count), "bits": _bits(choices, count), "intensities": labels}


def _link(choices: Choices) -> Arguments:
    drawn: Arguments = {
        "kind": choices.pick(["bb84", "bbm92", "bbm92-time-tags", "decoy-bb84", "single-photon-bb84"]),
        "detections": 1 + choices.below(2**20),
        "frame_bits": choices.pick([64, 2**10, 2**14]),
        "epsilon": choices.pick([1e-10, 0.0625]),
        "planned_key_bits": choices.pick([0, 1000]),
        "ldpc_frame_bits": choices.pick([2**14, 2**16]),
        "dead_time_ps": choices.pick([0.0, 24000.0]),
        "blind_rounds": choices.below(17),
        "round_trip_ms": choices.pick([0.0, 2.5]),
    }
    if drawn["kind"] == "decoy-bb84":
        drawn |= {"intensities": [0.5, 0.125], "probabilities": [0.75, 0.25]}
    if drawn["kind"] == "single-photon-bb84":
        drawn |= {"mean_photons": 0.25, "g2": 0.015625, "test_probabilities": [0.25, 0.25]}
    if drawn["kind"] != "bbm92-time-tags":
        del drawn["dead_time_ps"]
    return drawn


def _linked(kind: Any, detections: Any, frame_bits: Any, epsilon: Any, planned_key_bits: Any, **others: Any) -> Any:
    ldpc = {"frame_bits": others.pop("ldpc_frame_bits"), "blind_rounds": others.pop("blind_rounds")}
    correction = qp.Auto(ldpc=qp.Ldpc(**ldpc), round_trip_ms=others.pop("round_trip_ms"))
    link = qp.LinkConfig(
        protocol=PROTOCOLS[choice("kind", kind, PROTOCOLS)].settings(**others),
        correction=correction,
        security=qp.Security(epsilon=epsilon, planned_key_bits=planned_key_bits),
        blocks=qp.Blocks(detections=detections, frame_bits=frame_bits),
    )
    assert qp.LinkConfig.from_toml(link.to_toml()) == link
    return link, link.to_fields()


def _hash_arguments(choices: Choices) -> Arguments:
    count, output = 1 + choices.below(100), choices.below(100)
    return {"bits": _bits(choices, count), "seed": _bits(choices, max(0, count + output - 1)), "output_bits": output}


def _reconciled(reference: Any, noisy: Any, **others: Any) -> Any:
    result = qp.reconcile(reference, noisy, **others)
    return result.bits, result.leakage_bits


def _reconcile_arguments(choices: Choices) -> Arguments:
    reference = [byte & 1 for byte in choices.take(16).ljust(16, b"\x5a")] * choices.pick([8, 70])
    noisy = list(reference)
    noisy[choices.below(len(noisy))] ^= 1
    return {
        "reference": reference,
        "noisy": noisy,
        "method": "cascade",
        "qber": 0.015625,
        "frame_bits": choices.pick([64, 128, 1024]),
    }


def _some(choices: Choices, below: int) -> list[int]:
    return [choices.below(below) for _ in range(choices.below(9))]


def _estimate(choices: Choices) -> Arguments:
    tested = choices.below(9000)
    return {"errors": min(tested, choices.below(50)), "tested": tested, "confidence": choices.pick([0.5, 0.99])}


def _sampled(choices: Choices) -> Arguments:
    return {"remaining": choices.below(2**24)} | _estimate(choices)


def _slots(choices: Choices) -> Arguments:
    return {"slots": sorted(set(_some(choices, 300))), "pulses": choices.pick(SPANS)}


def _coded_slots(choices: Choices) -> Arguments:
    return {"data": choices.blob(12), "count": choices.below(9), "pulses": choices.pick(SPANS)}


def _times(choices: Choices) -> Arguments:
    return {"ticks": sorted(_some(choices, 300)), "origin": choices.pick([0, 5]), "span": choices.pick(SPANS)}


def _coded_times(choices: Choices) -> Arguments:
    data, count = choices.blob(12), choices.below(9)
    return {"data": data, "count": count, "origin": choices.whole(), "span": choices.pick(SPANS)}


def _unsorted(choices: Choices) -> Arguments:
    ticks = _ticks(choices)
    return {"ticks": ticks, "channels": _bits(choices, len(ticks)), "max_disorder_ticks": choices.below(2**16)}


def _wrapped(choices: Choices) -> Arguments:
    period, disorder = choices.pick([2**16, 2**40, 256]), choices.pick([0, 5, 2**12])
    return {"ticks": _ticks(choices), "rollover_ticks": period, "max_disorder_ticks": disorder}


RECORD_CALLS: dict[str, Call] = {
    "estimate": (estimate_error_rate, _estimate),
    "sampled errors": (sampled_error_bounds, _sampled),
    "sample": (sample_size, lambda choices: {"key_bits": choices.whole()}),
    "detections": (qp.Detections, _detections),
    "time tags": (qp.TimeTags, _time_tags),
    "pulses": (qp.PreparedPulses, _prepared),
    "labels": (qp.Labels.from_array, lambda choices: {"labels": _some(choices, 9)}),
    "bits": (qp.Bits.from_array, lambda choices: {"array": _bits(choices)}),
    "positions": (
        qp.Bits.from_positions,
        lambda choices: {"positions": _some(choices, 70), "length": choices.pick([0, 8, 64, 70, 1000])},
    ),
    "bytes": (qp.Bits.from_bytes, lambda choices: {"data": choices.blob(9), "length": choices.below(80)}),
    "zeros": (qp.Bits.zeros, lambda choices: {"length": choices.below(70)}),
    "take": (
        lambda bits, positions: qp.Bits.from_array(bits).take(positions),
        lambda choices: {"bits": _bits(choices, 8), "positions": _some(choices, 9)},
    ),
    "index": (
        lambda bits, place: qp.Bits.from_array(bits)[place],
        lambda choices: {"bits": _bits(choices, 8), "place": choices.below(12) - 2},
    ),
    "xor": (
        lambda bits, others: qp.Bits.from_array(bits) ^ others,
        lambda choices: {"bits": _bits(choices, 8), "others": _bits(choices, 8)},
    ),
    "hash": (qp.toeplitz_hash, _hash_arguments),
    "modified hash": (qp.modified_toeplitz_hash, _hash_arguments),
    "encode slots": (encode_slots, _slots),
    "decode slots": (decode_slots, _coded_slots),
    "encode times": (encode_times, _times),
    "decode times": (decode_times, _coded_times),
    "sort": (sort_time_tags, _unsorted),
    "unwrap": (unwrap_ticks, _wrapped),
    "link": (_linked, _link),
    "reconcile": (_reconciled, _reconcile_arguments),
    "fibre": (qp.simulation.Fibre, lambda choices: {"length_km": choices.below(500) / 2}),
}
