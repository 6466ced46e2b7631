"""The answers, from slow and obvious programs that share no kernel with the library; inputs alone are the same."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qkdpost.known_answers import continuous, correction, hashing, records, strings
from qkdpost.known_answers.inputs import bits, digest, flips, increasing, numbers, octets, with_runs
from qkdpost.reconciliation.ldpc.decoders import DECODERS, LayeredDecoder
from reference import belief, coincidence, hypercomplex, manipulation, polynomials, shared_random, sifting
from reference import cascade as cascade_twin
from reference.raptor import checks_of

Answers = dict[str, object]


def integer(data: bytes) -> int:
    return int.from_bytes(data, "little")


def number_of(string: list[int]) -> int:
    return sum(bit << place for place, bit in enumerate(string))


# Strings.


def packing() -> Answers:
    string, mask = (bits(name, strings.LENGTH).tolist() for name in ("string", "mask"))
    values = iter(bits("values", sum(mask)).tolist())
    spread = [next(values) if chosen else 0 for chosen in mask]
    return {
        "weight": sum(string),
        "select": digest([bit for bit, chosen in zip(string, mask, strict=True) if chosen]),
        "spread": digest(spread),
        "replace": digest([new if chosen else old for old, chosen, new in zip(string, mask, spread, strict=True)]),
        "take": digest([string[place] for place in numbers("places", 700, strings.LENGTH)]),
        "positions": digest([int(place in set(increasing("ones", 90, 1000))) for place in range(strings.LENGTH)]),
        "concatenate": digest([*string[:77], *mask[:130], *string[200:]]),
        "partition": digest(*([bit for bit, at in zip(string, mask, strict=True) if at == part] for part in (1, 0))),
        "bits around the start": digest(([0] * strings.BEFORE + string)[:192]),
        "common ones": sum(map(int.__and__, string, mask)),
    }


def runs() -> Answers:
    text = "".join(map(str, with_runs("string", strings.LENGTH)))
    return {
        "longest run of ones": max(map(len, text.split("0"))),
        "longest run of zeros": max(map(len, text.split("1"))),
        "ones in windows": digest([text[start : start + 192].count("1") for start in range(0, 960, 192)]),
        "bits unlike those further on": digest(
            [
                sum(text[at] != text[at + lag] for start in (0, 384) for at in range(start, start + 256))
                for lag in range(1, 6)
            ]
        ),
        "detections unlike those further on": digest(*_unlike(text)),
    }


def _unlike(text: str) -> tuple[int, list[int], list[int]]:
    slots, pairs, unlike = increasing("slots", 300, strings.LENGTH), [0] * 5, [0] * 5
    for first, slot in enumerate(slots):
        if sum(pairs) >= 250:
            break
        for second in range(first + 1, len(slots)):
            if slots[second] - slot <= 5:
                pairs[slots[second] - slot - 1] += 1
                unlike[slots[second] - slot - 1] += text[first] != text[second]
    return sum(pairs), pairs, unlike


def seeded() -> Answers:
    seed, length = octets("seed", 32), strings.LENGTH
    words = shared_random.expand(seed, b"words", length // 8 * 8)
    return {
        "words": digest([integer(words[start : start + 8]) for start in range(0, len(words), 8)]),
        "permutation": digest(shared_random.permutation(seed, b"permutation", length)),
        "small sample": digest(shared_random.sample_positions(seed, b"sample", length, 20)),
        "large sample": digest(shared_random.sample_positions(seed, b"sample", length, 700)),
    }


# Hashes.


def algebraic_check() -> Answers:
    data = octets("blocks", 16 * hashing.BLOCKS)
    blocks = [integer(data[start : start + 16]) for start in range(0, len(data), 16)]
    value = manipulation.value(blocks[::-1], integer(octets("point", 16))) ^ integer(octets("check mask", 16))
    return {f"{hashing.BLOCKS} blocks": digest(value.to_bytes(16, "little"))}


def _toeplitz(string: int, count: int, seed: int, output_bits: int) -> int:
    """Coefficients count - 1 ... of the product of seed and string: y[i] = XOR over j of seed[i - j + n - 1] x[j]."""
    return polynomials.product(seed, string) >> (count - 1) & ((1 << output_bits) - 1)


def toeplitz() -> Answers:
    answers: Answers = {}
    for name, (count, output_bits) in hashing.HASHES.items():
        whole = octets(f"hashed {count}", -(-count // 8))
        string = integer(whole) & ((1 << count) - 1)
        seed_bits = count + output_bits - 1
        seed = integer(octets(f"Toeplitz seed {count}", -(-seed_bits // 8))) & ((1 << seed_bits) - 1)
        size = -(-output_bits // 8)
        answers[f"Toeplitz, {name}"] = digest(_toeplitz(string, count, seed, output_bits).to_bytes(size, "little"))
        head = count - output_bits
        low = string & ((1 << head) - 1)
        short = seed & ((1 << (count - 1)) - 1)
        modified = string >> head ^ _toeplitz(low, head, short, output_bits)
        answers[f"modified Toeplitz, {name}"] = digest(modified.to_bytes(size, "little"))
    return answers


def _hash(data: bytes, key: bytes) -> int:
    padded = data + bytes(-len(data) % 16)
    blocks = [integer(padded[start : start + 16]) for start in range(0, len(padded), 16)]
    return polynomials.polynomial_hash([*blocks, 8 * len(data)], integer(key))


def _tag(string: list[int], key: bytes) -> int:
    blocks = polynomials.message_blocks(number_of(string), len(string))
    return polynomials.field_product(polynomials.polynomial_hash(blocks, integer(key[:16])), integer(key[16:]))


def polynomial_tags() -> Answers:
    key, pad, string = octets("hash key", 32), octets("pad", 16), bits("verified", 4100).tolist()
    answers: Answers = {
        f"hash of {name}": digest(_hash(octets("said", length), key[:16]).to_bytes(16, "little"))
        for name, length in hashing.SAID.items()
    }
    said = _hash(octets("said", 700), key[:16]) ^ _hash(octets("heard", 90), key[16:]) ^ integer(pad)
    answers["tag of a conversation"] = digest(said.to_bytes(16, "little"))
    tags: list[int] = []
    for start in range(0, 4100, 1000):
        whole = _tag(string[start : start + 1000], key)
        tags += [whole >> place & 1 for place in range(70)]
    answers["tags of frames"] = digest(number_of(tags).to_bytes(-(-len(tags) // 8), "little"))
    answers["tag of a block"] = digest(_tag(string, key).to_bytes(16, "little"))
    return answers


# Records.


def slots() -> Answers:
    pulses = records.PULSES
    bases, prepared = bits("bases", pulses).tolist(), bits("prepared", pulses).tolist()
    places = {name: increasing(f"slots of {name}", 500, pulses) for name in ("own", "peer")}
    seen_in = {name: bits(f"bases of {name}", len(found)).tolist() for name, found in places.items()}
    peer, peer_bases = places["peer"], seen_in["peer"]
    matched = sifting.match_bases(peer, bases, peer_bases)
    outcomes = bits("peer", len(peer)).tolist()
    sent = sifting.split([bases[slot] for slot in peer], [prepared[slot] for slot in peer], matched)
    common = sifting.common_slots(places["own"], seen_in["own"], peer, peer_bases)
    parameter = 0
    while 2 ** (parameter + 1) * 160 * len(peer) <= 77 * (2 * pulses - len(peer)):
        parameter += 1
    return {
        "detections in the same basis": digest(matched),
        "bits of who prepared": digest(*sent),
        "both of later detections": digest(
            matched[records.LATER :],
            *sifting.split(
                [bases[slot] for slot in peer[records.LATER :]],
                [prepared[slot] for slot in peer[records.LATER :]],
                matched[records.LATER :],
            ),
        ),
        "bits of who measured": digest(*sifting.split(peer_bases, outcomes, matched)),
        "slots in which both measured": digest(*common),
        "code of positions": digest(sifting.rice_code(peer, parameter)),
        "positions of a code": digest(peer),
    }


def time_tags() -> Answers:
    ticks, peer = (increasing(f"ticks of {name}", 300, records.SPAN) for name in ("own", "peer"))
    channels = numbers("channels", len(ticks), 4)
    keep = coincidence.first_clicks(ticks, channels, records.DEAD_TIME)
    events = coincidence.merged(ticks, channels, records.WINDOW)
    differences = [later - tick - records.LOWEST for tick in ticks for later in peer]
    inside = [difference // records.BIN for difference in differences if 0 <= difference < records.BIN * records.BINS]
    pairs = coincidence.mutual_nearest(ticks, peer, records.WINDOW)
    own_bases, peer_bases = bits("bases of own clicks", len(ticks)), bits("bases of peer clicks", len(peer))
    same = [(i, j) for i, j in pairs if own_bases[i] == peer_bases[j]]
    own_kept, peer_kept = {i for i, _ in same}, {j for _, j in same}
    return {
        "clicks after the dead time": digest(sum(keep), [int(one) for one in keep]),
        "events": digest([tick for tick, _ in events]),
        "channels of events": digest([sum(1 << channel for channel in seen) for _, seen in events]),
        "differences": digest([inside.count(place) for place in range(records.BINS)]),
        "bins with many": digest(*zip(*_full_bins(inside), strict=True)),
        "pairs of small difference": digest(
            *zip(
                *((i, j) for i, tick in enumerate(ticks) for j, later in enumerate(peer) if -3 <= later - tick <= 4),
                strict=True,
            )
        ),
        "pairs": digest(
            [int(place in own_kept) for place in range(len(ticks))],
            [int(place in peer_kept) for place in range(len(peer))],
            len(pairs),
        ),
    }


def _full_bins(inside: list[int]) -> list[tuple[int, int]]:
    both = [inside.count(place) + inside.count(place + 1) for place in range(records.BINS - 1)]
    return [(place, count) for place, count in enumerate(both) if count >= records.LEAST]


# Error correction.


def cascade() -> Answers:
    kept, noisy = flips("Cascade", correction.BLOCK_BITS, 30)
    answers: Answers = {}
    for way, parameters in correction.cascades().items():
        parities, errors = [], []
        for start in range(0, correction.BLOCK_BITS, parameters.frame_bits):
            wrong = (kept ^ noisy)[start : start + parameters.frame_bits].tolist()
            missing = parameters.frame_bits - len(wrong)
            wrong += [0] * missing if 64 * missing <= parameters.frame_bits else []
            sizes, seed = parameters.for_length(len(wrong)), octets("Cascade seed", 32)
            late = parameters.hurry_from, parameters.hurry_doubles, parameters.early_places
            said = cascade_twin.cascade(wrong, sizes, seed, *late)
            assert len(said.corrected) == sum(wrong)
            parities.append(said.parities)
            errors.append(len(said.corrected))
        answers |= {
            f"{way}: corrected string": digest(kept),
            f"{way}: string that is kept": digest(kept),
            f"{way}: parities of each frame": digest(parities),
            f"{way}: errors of each frame": digest(errors),
        }
    return answers


def _dense() -> NDArray[np.int64]:
    return belief.dense_matrix(correction.small_code()).astype(np.int64)


def _words(rows: NDArray[np.int64]) -> list[int]:
    return [number_of(row[start : start + 64].tolist()) for row in rows for start in range(0, rows.shape[1], 64)]


def syndromes() -> Answers:
    product = correction.patterns(3).astype(np.int64) @ _dense().T % 2
    return {"syndromes": digest(_words(product)), "corrected string": digest(flips("LDPC", 1 << 14, 15)[0])}


def ldpc(name: str) -> Answers:
    decoder = DECODERS[name]
    assert isinstance(decoder, LayeredDecoder)
    code = correction.small_code()
    arithmetic = decoder.arithmetic(code)
    rate = correction.ERROR_RATE_PPM
    level = round(arithmetic.units_per_nat * math.log((1_000_000 - rate) / rate))
    most = max(correction.FRAMES.values())
    found = [_layered(decoder, row, [level] * code.frame_bits) for row in correction.patterns(most)]
    answers: Answers = {}
    for which, count in correction.FRAMES.items():
        answers[f"patterns of {which}"] = digest(_words(np.array([pattern for pattern, _ in found[:count]])))
        answers[f"iterations of {which}"] = digest([iterations for _, iterations in found[:count]])
        answers[f"{which} found"] = count
    return answers


def ldpc_fast() -> Answers:
    return ldpc("fast")


def ldpc_accurate() -> Answers:
    decoder = DECODERS["accurate"]
    assert isinstance(decoder, LayeredDecoder)
    rows = zip(correction.patterns(3), correction.ratios(3), strict=True)
    found = [_layered(decoder, row, values.tolist()) for row, values in rows]
    return ldpc("accurate") | {
        "words by ratios": digest(_words(np.array([pattern for pattern, _ in found]))),
        "iterations by ratios": digest([iterations for _, iterations in found]),
    }


def _layered(decoder: LayeredDecoder, errors: NDArray[np.uint8], channel: list[int]) -> tuple[NDArray[np.int64], int]:
    code = correction.small_code()
    arithmetic = decoder.arithmetic(code)
    pattern, iterations, found = belief.layered_min_sum(
        code,
        (_dense() @ errors % 2).astype(np.uint8),
        channel,
        correction=arithmetic.correction,
        max_magnitude=arithmetic.max_magnitude,
        bits_of_type=8 * np.dtype(decoder.dtype).itemsize,
        iterations=decoder.patience.first_iterations,
    )
    assert found, "the decoder would look whether to give this frame up, which the twin does not"
    return pattern.astype(np.int64), iterations


def raptor() -> Answers:
    """What was sent: a decoder has to find that, whatever its arithmetic."""
    code, frames = correction.small_raptor_code(), correction.raptor_frames(20).astype(np.int64)
    core = frames[:, : code.core_bits]
    precode, extension = (checks_of(rows, correction.LIFT) for rows in (code.precode, code.extension))
    told = [core[:, check].sum(axis=1) % 2 for check in precode]
    told += [
        (core[:, check].sum(axis=1) + frames[:, code.core_bits + place]) % 2 for place, check in enumerate(extension)
    ]
    return {"syndromes": digest(_words(np.array(told).T)), "cores": digest(_words(core)), "found": 20}


# Continuous outcomes.


def slices() -> Answers:
    outcomes = [float(value) for value in continuous.exact("outcomes", continuous.REALS)]
    expected = [float(value) for value in continuous.exact("expected", continuous.REALS)]
    width, count = continuous.WIDTH, 1 << continuous.LEVELS
    cells = [math.floor(outcome / width) for outcome in outcomes]
    places = [math.floor((outcome / width - cell) * 65536) for outcome, cell in zip(outcomes, cells, strict=True)]
    labels = [cell % count for cell in cells]
    answers: Answers = {
        "labels": digest(1, labels),
        "places": digest(places),
        "turns": digest([math.floor((cell + count // 2) / count) for cell in cells]),
        "numbers of labels": digest([labels.count(label) for label in range(count)]),
        "rebuilt": [(cell + (place + 0.5) / 65536) * width for cell, place in zip(cells, places, strict=True)],
    }
    for level in range(continuous.LEVELS):
        rows = zip(expected, labels, places, strict=True)
        answers[f"ratios of bit {level}"] = [_ratio(level, mean, label, place) for mean, label, place in rows]
    return answers


def _ratio(level: int, expected: float, label: int, place: int) -> float:
    """Sums over all cells whose lower bits are those of the label."""
    sums = [-math.inf, -math.inf]
    for cell in range(-100, 100):
        if cell % (1 << level) == label & ((1 << level) - 1):
            centre = (cell + (place + 0.5) / 65536) * continuous.WIDTH
            term = -((centre - expected) ** 2) / (2 * continuous.DEVIATION**2)
            bit = cell >> level & 1
            sums[bit] = float(np.logaddexp(sums[bit], term))
    return sums[0] - sums[1]


def rotations() -> Answers:
    outcomes, sent = (continuous.exact(name, continuous.REALS).astype(np.float64) for name in ("outcomes", "sent"))
    signs = bits("signs", continuous.REALS)
    answers: Answers = {}
    for dimension in (1, 2, 4, 8):
        ratios: list[float] = []
        for start in range(0, continuous.REALS, dimension):
            place = slice(start, start + dimension)
            rotation, norm = hypercomplex.rotation(outcomes[place], signs[place])
            turned = hypercomplex.multiply(rotation, sent[place])
            ratios += [float(value) for value in 2.0 * norm * turned / (2.0 * math.sqrt(dimension))]
        answers[f"outcomes from {dimension} dimensions"] = outcomes.tolist()
        answers[f"ratios in {dimension} dimensions"] = ratios
    return answers


def sums() -> Answers:
    """In the order that `TOTALS` has."""
    reals = continuous.REALS
    sent, measured = (
        continuous.exact(name, 2 * reals).astype(np.float64).reshape(reals, 2) for name in ("sent", "measured")
    )
    (s, t), (m, n) = sent.T, measured.T
    totals = [s, t, s * s, t * t, s * t, m, n, m * m, n * n, m * n, m**4, n**4, s * m, t * n, s * n, t * m]
    for apart in (1, 2):
        first_m, first_n, then_m, then_n = m[:-apart], n[:-apart], m[apart:], n[apart:]
        totals += [first_m * then_m, first_n * then_n, first_m * then_n, first_n * then_m]
    seen = bits("quadratures", reals)
    first, second = (seen == 0, seen == 1)
    s, t, m, n = (np.where(chosen, pairs, 0.0) for pairs, chosen in ((s, first), (t, second), (m, first), (n, second)))
    single = [s, t, s * s, t * t, s * t, m, n, m * m, n * n, m * n, m**4, n**4, s * m, t * n, s * n, t * m]
    return {
        "totals": [math.fsum(total.tolist()) for total in totals],
        "of quadrature 1": int(second.sum()),
        "totals of one quadrature": [math.fsum(total.tolist()) for total in single],
    }


def whitening() -> Answers:
    reals = continuous.REALS
    rows = continuous.exact("raw", 2 * reals).astype(np.float64).reshape(reals, 2)
    seen, matrix = bits("quadratures", reals), np.array(continuous.MATRIX).reshape(2, 2)
    chosen = [float(row[bit]) for row, bit in zip(rows, seen, strict=True)]
    centred = [value - continuous.CENTRE[bit] for value, bit in zip(chosen, seen, strict=True)]
    words = numbers("uniform", 2 * reals, 1 << 32)
    normal: list[float] = []
    for radius, angle in zip(words[::2], words[1::2], strict=True):
        length = math.sqrt(-2.0 * math.log((radius + 0.5) / 2**32))
        normal += [length * function(2.0 * math.pi * angle / 2**32) for function in (math.cos, math.sin)]
    return {
        "chosen": chosen,
        "both": [float(value) for row in rows for value in matrix @ (row - np.array(continuous.CENTRE))],
        "one": [float(matrix[bit, bit]) * value for value, bit in zip(centred, seen, strict=True)],
        "dithered": [float(value) + 0.5 * z for value, z in zip(rows.reshape(-1), normal, strict=True)],
    }


TWINS: dict[str, Callable[[], Answers]] = {
    "packing": packing,
    "runs": runs,
    "shared random": seeded,
    "algebraic check": algebraic_check,
    "Toeplitz hashing": toeplitz,
    "polynomial tags": polynomial_tags,
    "slots": slots,
    "time tags": time_tags,
    "Cascade": cascade,
    "syndromes": syndromes,
    "LDPC, fast": ldpc_fast,
    "LDPC, accurate": ldpc_accurate,
    "raptor-like codes": raptor,
    "slices": slices,
    "whitening": whitening,
    "rotations": rotations,
    "sums of quadratures": sums,
}
