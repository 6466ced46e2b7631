"""Slow, obvious twin of Cascade: one frame, plain lists, every parity counted afresh from the error pattern.

It works on the error pattern alone (the difference of both strings), for that is all that steers the protocol.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from reference import shared_random


@dataclass
class Transcript:
    parities: int
    rounds: int
    corrected: list[int]


@dataclass
class Piece:
    """Places start ... end - 1 of one pass, and the positions of the frame that they hold."""

    start: int
    end: int
    members: list[int]


@dataclass
class Pass:
    kind: str
    order: list[int]
    pieces: list[Piece]
    longest: int
    known: bool = False


def passes_for(block_bits: tuple[int, ...], length: int, seed: bytes) -> list[Pass]:
    label = b"cascade " + length.to_bytes(8, "little")
    row = 8 * ((length + 63) // 64)
    kinds = ["natural"] + ["subset" if 2 * size >= length else "permuted" for size in block_bits[1:]]
    subsets = shared_random.expand(seed, label + b" subsets", row * kinds.count("subset"))
    passes = []
    for index, (size, kind) in enumerate(zip(block_bits, kinds, strict=True)):
        before = kinds[:index].count(kind)
        if kind == "natural":
            order = list(range(length))
        elif kind == "permuted":
            order = shared_random.permutation(seed, label + b" order %d" % before, length)
        else:
            mask = int.from_bytes(subsets[row * before : row * (before + 1)], "little")
            members = [i for i in range(length) if mask >> i & 1]
            passes.append(Pass(kind, [], [Piece(0, length, members)], length))
            continue
        starts = range(0, length, size)
        pieces = [Piece(start, min(start + size, length), order[start : start + size]) for start in starts]
        passes.append(Pass(kind, order, pieces, size))
    return passes


def cut(kind: str, order: list[int], piece: Piece, parts: int) -> list[Piece]:
    """Cut a piece in `parts`, or fewer if it is short, the first ones the longer; one part if it cannot be cut."""
    size = piece.end - piece.start
    by_members = kind == "subset" and size <= 64
    count = len(piece.members) if by_members else math.ceil(size / 32) if kind == "subset" else size
    parts = max(1, min(parts, count))
    ends = [piece.start + math.ceil(Fraction(size * number, parts)) for number in range(1, parts)]
    if by_members:
        ends = [piece.members[math.ceil(Fraction(count * number, parts)) - 1] + 1 for number in range(1, parts)]
    cut_at = [piece.start, *ends, piece.end]
    return [
        Piece(start, end, [i for i in piece.members if start <= i < end] if kind == "subset" else order[start:end])
        for start, end in pairwise(cut_at)
    ]


class Run:
    """One frame in work."""

    def __init__(self, errors: list[int], block_bits: tuple[int, ...], seed: bytes) -> None:
        self.left = list(errors)
        self.passes = passes_for(block_bits, len(errors), seed)
        self.transcript = Transcript(0, 0, [])

    def odd(self, piece: Piece) -> bool:
        return sum(self.left[position] for position in piece.members) % 2 == 1

    def correct(self, position: int) -> None:
        """Flip a bit: what is corrected a second time is as it was."""
        self.left[position] ^= 1
        corrected = self.transcript.corrected
        (corrected.remove if position in corrected else corrected.append)(position)

    def search(self, first: Pass, longest: int, most_parts: int) -> None:
        """Halve every odd piece of `first`, and short ones of other passes, or cut them in more parts, 32 at most.

        They are cut in the largest power of two that makes no more than `most_parts` in all, or in two. A piece of up
        to `longest` places is asked where its error is. What is found is corrected at the end.
        """
        known = [one for one in self.passes if one.known]
        wanted = [
            piece
            for one in known
            for piece in one.pieces
            if self.odd(piece) and (one is first or piece.end - piece.start <= 16)
        ]
        parts = max([2, *(many for many in (4, 8, 16, 32) if many * len(wanted) <= most_parts)])
        found: list[tuple[Pass, int, bool]] = []
        limit = self.transcript.parities + max(0, len(self.left) - max(parts - 1, 6 if longest else 0))
        for one in known:
            pieces: list[Piece] = []
            for piece in one.pieces:
                asked = any(piece is other for other in wanted) and self.transcript.parities <= limit
                at_once = asked and one.kind != "subset" and 2 < piece.end - piece.start <= longest
                fresh = cut(one.kind, one.order, piece, 2 if at_once else parts) if asked else [piece]
                pieces += fresh
                if at_once:
                    self.transcript.parities += 1 + (len(fresh[0].members) - 1).bit_length()
                    found += self.located(one, fresh)
                    continue
                self.transcript.parities += len(fresh) - 1
                if len(fresh) > 1:
                    found += [
                        (one, part.members[0], False) for part in fresh if self.odd(part) and self.single(one, part)
                    ]
            one.pieces = pieces
        self.correct_all(found)

    def located(self, one: Pass, halves: list[Piece]) -> list[tuple[Pass, int, bool]]:
        """Return where the error of two halves is, by the places of all errors within a half; nothing if nowhere."""
        place = 0
        for half in halves:
            for number, position in enumerate(half.members):
                place ^= number * self.left[position]
        [odd] = filter(self.odd, halves)
        if place >= len(odd.members):
            return [] if len(odd.members) > 1 else [(one, odd.members[0], False)]
        return [(one, odd.members[place if len(odd.members) > 1 else 0], len(odd.members) > 1)]

    def correct_all(self, found: list[tuple[Pass, int, bool]]) -> None:
        """Correct what was found, each bit once; not what was only located, where another pass knows the bit."""
        corrected: set[int] = set()
        for one, position, located in found:
            others = [other for other in self.passes if other.known and other is not one] if located else []
            refuted = any(
                position in piece.members and self.single(other, piece) for other in others for piece in other.pieces
            )
            if position not in corrected and not refuted:
                self.correct(position)
                corrected.add(position)

    def single(self, one: Pass, piece: Piece) -> bool:
        return len(cut(one.kind, one.order, piece, 2)) == 1

    def begin(self, fresh: list[Pass]) -> None:
        """Ask the blocks of the next pass, or of all subset passes in a row."""
        count = next((i for i, one in enumerate(fresh) if one.kind != "subset"), len(fresh)) or 1
        for one in fresh[:count]:
            one.known = True
            self.transcript.parities += len(one.pieces) - (one.kind == "permuted")
        for one in fresh[:count]:
            for piece in one.pieces:
                if self.odd(piece) and self.single(one, piece):
                    self.correct(piece.members[0])


def cascade(
    errors: list[int],
    block_bits: tuple[int, ...],
    seed: bytes,
    hurry_from: int | None = None,
    hurry_doubles: int = 10,
    early_places: int = 0,
) -> Transcript:
    """Run Cascade on one frame whose error pattern is `errors` (0 or 1 for each position)."""
    run = Run(errors, block_bits, seed)
    while True:
        known = [one for one in run.passes if one.known]
        odd = next((one for one in known if any(map(run.odd, one.pieces))), None)
        if odd is not None:
            late = -1 if hurry_from is None else run.transcript.rounds - hurry_from
            stage = -1 if late < 0 else late // hurry_doubles
            longest = early_places if stage < 0 else min(64, run.passes[0].longest * 2 ** min(stage, 2) // 2)
            run.search(odd, longest, 0 if stage < 2 else min(32, 4 * 2 ** (stage - 2)))
        elif len(known) < len(run.passes):
            run.begin(run.passes[len(known) :])
        else:
            return run.transcript
        run.transcript.rounds += 1
