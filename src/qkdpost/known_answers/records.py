"""Known answers of sifting: numbered slots and time tags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting import time_tags as kernels
from qkdpost.bits import Bits
from qkdpost.known_answers.inputs import bits, digest, increasing, numbers, read_only
from qkdpost.records import Detections, PreparedPulses
from qkdpost.sifting.slots.coding import decode_slots, encode_slots
from qkdpost.sifting.slots.coincident import SlotMatch, match_detections
from qkdpost.sifting.slots.prepared import match_and_sift, match_prepared, sift_detections, sift_prepared
from qkdpost.sifting.time_tags.clicks import ClickEvents
from qkdpost.sifting.time_tags.matching import match_events

__all__ = ["BIN", "BINS", "DEAD_TIME", "LATER", "LEAST", "LOWEST", "PULSES", "SPAN", "WINDOW", "slots", "time_tags"]

PULSES = 900
LATER = 70
"""How many detections lie before those that are matched and sifted in one pass; no whole number of words."""
SPAN, WINDOW, DEAD_TIME = 4000, 12, 25
LOWEST, BIN, BINS, LEAST = -64, 16, 8, 655
"""Of a histogram of differences: where it begins, how wide a bin is, how many there are, and what two must hold."""


def slots() -> dict[str, str | int]:
    """Sift in numbered slots, and code positions."""
    prepared = PreparedPulses(bases=bits("bases", PULSES), bits=bits("prepared", PULSES))
    own, peer = (_detections(name) for name in ("own", "peer"))
    matched = match_prepared(prepared, peer.slots, peer.bases)
    both = match_detections(own, peer.slots, peer.bases)
    code = encode_slots(peer.slots, PULSES)
    later = peer.slots[LATER:].copy()
    return {
        "detections in the same basis": digest(np.asarray(matched)),
        "bits of who prepared": digest(*map(np.asarray, sift_prepared(prepared, peer.slots, matched))),
        "both of later detections": digest(*map(np.asarray, match_and_sift(prepared, later, peer.bases, LATER))),
        "bits of who measured": digest(*map(np.asarray, sift_detections(peer, matched))),
        "slots in which both measured": digest(
            np.asarray(both.own_matched), np.asarray(both.peer_matched), both.rounds
        ),
        "code of positions": digest(code),
        "positions of a code": digest(decode_slots(code, len(peer.slots), PULSES)),
    }


def _detections(name: str) -> Detections:
    found = increasing(f"slots of {name}", 500, PULSES)
    return Detections(
        pulses=PULSES, slots=found, bases=bits(f"bases of {name}", len(found)), outcomes=bits(name, len(found))
    )


def time_tags() -> dict[str, str | int]:
    """Pair clicks of two hosts, and what comes before: dead time, echoes, differences."""
    ticks, peer = (
        read_only(np.array(increasing(f"ticks of {name}", 300, SPAN), dtype=np.int64)) for name in ("own", "peer")
    )
    channels = read_only(np.array(numbers("channels", ticks.size, 4), dtype=np.uint8))
    keep, clicked = np.zeros(ticks.size, dtype=np.uint8), np.zeros(ticks.size, dtype=np.uint8)
    times, histogram = np.zeros(ticks.size, dtype=np.int64), np.zeros(BINS, dtype=np.int32)
    first = int(kernels.mark_first_clicks(ticks, channels, DEAD_TIME, keep))
    events = int(kernels.merge_close_clicks(ticks, channels, WINDOW, 1, times, clicked))
    kernels.count_differences(ticks, peer, LOWEST, BIN, histogram)
    match = _match(ticks, peer)
    places, counts = np.zeros((2, BINS), dtype=np.int64)
    full = int(kernels.bins_from(histogram, LEAST, places, counts))
    first_of, second_of = np.zeros((2, 1000), dtype=np.int64)
    near = int(kernels.collect_differences(ticks, peer, -3, 4, first_of, second_of))
    return {
        "clicks after the dead time": digest(first, keep),
        "events": digest(times[:events]),
        "channels of events": digest(clicked[:events]),
        "differences": digest(histogram),
        "bins with many": digest(places[:full], counts[:full]),
        "pairs of small difference": digest(first_of[:near], second_of[:near]),
        "pairs": digest(np.asarray(match.own_matched), np.asarray(match.peer_matched), match.rounds),
    }


def _match(ticks: NDArray[np.int64], peer: NDArray[np.int64]) -> SlotMatch:
    own = ClickEvents(
        ticks=ticks,
        bases=Bits.from_array(bits("bases of own clicks", ticks.size)),
        bits=Bits.zeros(ticks.size),
        double_clicks=0,
        cross_clicks=0,
    )
    return match_events(own, peer, Bits.from_array(bits("bases of peer clicks", peer.size)), window_ticks=WINDOW)
