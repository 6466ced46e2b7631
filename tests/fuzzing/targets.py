"""All targets by their names, and their stored inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fuzzing.codes import fuzz_code
from fuzzing.conversation import fuzz_conversation
from fuzzing.pools import fuzz_pool_history, fuzz_pool_snapshot
from fuzzing.public_face import fuzz_public_face
from fuzzing.tag_files import fuzz_tag_file

__all__ = ["TARGETS", "corpus_path", "mutations", "stored_inputs"]

TARGETS: dict[str, Callable[[bytes], None]] = {
    "code": fuzz_code,
    "conversation": fuzz_conversation,
    "pool-history": fuzz_pool_history,
    "pool-snapshot": fuzz_pool_snapshot,
    "public-face": fuzz_public_face,
    "tag-file": fuzz_tag_file,
}
CORPUS = Path(__file__).resolve().parent / "corpus"
LONGEST = 1024


def corpus_path(target: str) -> Path:
    """Where the inputs of a target are stored: one a line, in hexadecimal digits."""
    return CORPUS / f"{target}.hex"


def stored_inputs(target: str) -> list[bytes]:
    """Return the stored inputs of a target; lines that begin with # are remarks."""
    lines = corpus_path(target).read_text(encoding="ascii").splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def mutations(inputs: list[bytes], seed: int) -> Iterator[bytes]:
    """Give new inputs without end: stored ones changed or joined, and noise; the same for each seed."""
    rng = np.random.default_rng(seed)
    while True:
        changed = bytearray(inputs[int(rng.integers(len(inputs)))] if inputs and rng.random() < 0.9 else rng.bytes(40))
        for _ in range(int(rng.integers(1, 5))):
            place = int(rng.integers(len(changed) + 1))
            match int(rng.integers(6)):
                case 0 if place < len(changed):
                    changed[place] ^= 1 << int(rng.integers(8))
                case 1 if place < len(changed):
                    changed[place] = int(rng.integers(256))
                case 2:
                    changed[place:place] = rng.bytes(int(rng.integers(1, 9)))
                case 3:
                    del changed[place : place + int(rng.integers(1, 9))]
                case 4 if inputs:
                    other = inputs[int(rng.integers(len(inputs)))]
                    changed[place:] = other[int(rng.integers(len(other) + 1)) :]
                case _:
                    count = int(rng.integers(1, 17))
                    changed[place:place] = changed[max(0, place - count) : place]
        yield bytes(changed[:LONGEST])
