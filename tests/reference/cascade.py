"""Slow, obvious twin of Cascade: one frame, plain lists, every parity counted afresh from the error pattern.

It works on the error pattern alone (the difference of both strings), for that is all that steers the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

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
            passes.append(Pass(kind, [], [Piece(0, length, [i for i in range(length) if mask >> i & 1])]))
            continue
        starts = range(0, length, size)
        pieces = [Piece(start, min(start + size, length), order[start : start + size]) for start in starts]
        passes.append(Pass(kind, order, pieces))
    return passes


def halves(kind: str, order: list[int], piece: Piece) -> tuple[Piece, Piece] | None:
    """Divide a piece, or return None if it holds one place only."""
    size = piece.end - piece.start
    if kind != "subset":
        if size == 1:
            return None
        middle = piece.start + (size + 1) // 2
        left = order[piece.start : middle]
        return Piece(piece.start, middle, left), Piece(middle, piece.end, order[middle : piece.end])
    if size <= 64:
        if len(piece.members) <= 1:
            return None
        middle = piece.members[(len(piece.members) + 1) // 2 - 1] + 1
    else:
        middle = piece.start + (size + 1) // 2
    left, right = [i for i in piece.members if i < middle], [i for i in piece.members if i >= middle]
    return Piece(piece.start, middle, left), Piece(middle, piece.end, right)


class Run:
    """One frame in work."""

    def __init__(self, errors: list[int], block_bits: tuple[int, ...], seed: bytes) -> None:
        self.left = list(errors)
        self.passes = passes_for(block_bits, len(errors), seed)
        self.transcript = Transcript(0, 0, [])

    def odd(self, piece: Piece) -> bool:
        return sum(self.left[position] for position in piece.members) % 2 == 1

    def correct(self, position: int) -> None:
        self.left[position] ^= 1
        self.transcript.corrected.append(position)

    def search(self, first: Pass, quartered: bool) -> None:
        """Halve every odd piece of `first`, and short ones of other passes, or cut them in four; correct what is found.

        All is corrected at the end.
        """
        found: list[Piece] = []
        limit = self.transcript.parities + max(0, len(self.left) - (3 if quartered else 1))
        for one in self.passes:
            if not one.known:
                break
            pieces: list[Piece] = []
            for piece in one.pieces:
                wanted = self.odd(piece) and (one is first or piece.end - piece.start <= 16)
                room = self.transcript.parities <= limit
                parts = self.divided(one, piece, quartered) if wanted and room else [piece]
                pieces += parts
                if len(parts) > 1:
                    found += [part for part in parts if self.odd(part) and halves(one.kind, one.order, part) is None]
            one.pieces = pieces
        for piece in found:
            # Two passes may have found the same error.
            if self.odd(piece):
                self.correct(piece.members[0])

    def divided(self, one: Pass, piece: Piece, quartered: bool) -> list[Piece]:
        """Ask for the left half of a piece, and perhaps for the left halves of both halves; return the parts."""
        parts = [piece]
        for _ in range(2 if quartered else 1):
            pairs = [halves(one.kind, one.order, part) or (part,) for part in parts]
            self.transcript.parities += sum(len(pair) == 2 for pair in pairs)
            parts = [part for pair in pairs for part in pair]
        return parts

    def begin(self, fresh: list[Pass]) -> None:
        """Ask the blocks of the next pass, or of all subset passes in a row."""
        count = next((i for i, one in enumerate(fresh) if one.kind != "subset"), len(fresh)) or 1
        for one in fresh[:count]:
            one.known = True
            self.transcript.parities += len(one.pieces) - (one.kind == "permuted")
        for one in fresh[:count]:
            for piece in one.pieces:
                if self.odd(piece) and halves(one.kind, one.order, piece) is None:
                    self.correct(piece.members[0])


def cascade(
    errors: list[int], block_bits: tuple[int, ...], seed: bytes, quarters_from: int | None = None
) -> Transcript:
    """Run Cascade on one frame whose error pattern is `errors` (0 or 1 for each position)."""
    run = Run(errors, block_bits, seed)
    while True:
        known = [one for one in run.passes if one.known]
        odd = next((one for one in known if any(map(run.odd, one.pieces))), None)
        if odd is not None:
            run.search(odd, quarters_from is not None and run.transcript.rounds >= quarters_from)
        elif len(known) < len(run.passes):
            run.begin(run.passes[len(known) :])
        else:
            return run.transcript
        run.transcript.rounds += 1
