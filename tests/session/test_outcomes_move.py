"""What a stage has made is moved into the next, and is gone when that one has ended: without a collector of cycles."""

from __future__ import annotations

import dataclasses
import gc
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.bits import Bits
from qkdpost.dialogue.messages import Confirmation
from qkdpost.session.blocks.run import BlockRun
from qkdpost.stages import release
from qkdpost.stages.block import Block, Duty
from qkdpost.stages.outcomes import AgreedLength
from support.link import Pair, bb84_records, changed, small_link

LINK = small_link(security={"epsilon": 1e-6})
DECOYS = changed(
    LINK,
    protocol=qp.DecoyBB84(intensities=(0.5, 0.15), probabilities=(0.6, 0.4)),
    blocks={"max_detections": 2**20, "detections": 2**20},
)
LINKS = {
    "cascade": LINK,
    "ldpc": changed(LINK, correction=qp.Ldpc(frame_bits=2**14)),
    "sample": changed(LINK, protocol=qp.BB84(test="sample")),
    "decoys": DECOYS,
}


@pytest.fixture(autouse=True)
def without_a_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def bits_in(outcome: Any) -> list[Bits]:
    """Return all bits that an outcome holds, and those of what it holds."""
    if isinstance(outcome, Bits):
        return [outcome]
    if isinstance(outcome, tuple):
        return [bits for part in outcome for bits in bits_in(part)]
    if dataclasses.is_dataclass(outcome):
        return [bits for item in dataclasses.fields(outcome) for bits in bits_in(getattr(outcome, item.name))]
    return []


@pytest.mark.parametrize("name", LINKS)
def test_the_bits_of_an_outcome_are_gone_with_the_stage_that_took_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = LINKS[name]
    held: dict[int, list[weakref.ref[Any]]] = {}
    left_over: list[str] = []
    ended: list[str] = []
    complete = BlockRun._complete_stage

    def look(run: BlockRun) -> None:
        stage = run.stages[run.completed].name
        complete(run)
        now = {id(bits._words) for bits in bits_in(run.outcome)}
        alive = [words for words in (ref() for ref in held.get(id(run), [])) if words is not None]
        left_over.extend(stage for words in alive if words.size and id(words) not in now)
        held[id(run)] = [weakref.ref(bits._words) for bits in bits_in(run.outcome)]
        ended.append(stage)

    monkeypatch.setattr(BlockRun, "_complete_stage", look)
    pair = Pair(link)
    if link is DECOYS:
        pair.submit(
            *qp.simulation.decoy_bb84(
                link, pulses=4_000_000, fibre_km=10, rng=np.random.default_rng(3), test_probabilities=(0.3, 0.3)
            )
        )
    else:
        pair.submit(*bb84_records(60_000, qber=0.01, test_fraction=0.2))
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert len(ended) == 12
    assert left_over == []


def test_what_was_hashed_is_gone_before_the_last_tag_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The corrected bits and the seed: a peer that never answers keeps none of them alive."""
    hashed: dict[Duty, list[weakref.ref[Any]]] = {}
    checked: list[Duty] = []
    amplify, check = release._amplify, release._check

    def amplified(agreed: AgreedLength) -> Bits:
        program = sys._getframe(1).f_code.co_name
        duty = Duty.REFERENCE if program == release.reference.__name__ else Duty.CORRECTOR
        hashed[duty] = [weakref.ref(agreed.key._words), weakref.ref(agreed.seed._words)]
        return amplify(agreed)

    def checks(block: Block, confirmation: Confirmation, step: int) -> None:
        if block.duty in hashed:
            checked.append(block.duty)
            assert all(ref() is None for ref in hashed[block.duty])
        check(block, confirmation, step)

    monkeypatch.setattr(release, "_amplify", amplified)
    monkeypatch.setattr(release, "_check", checks)
    pair = Pair(LINK)
    pair.submit(*bb84_records(8000))
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert set(checked) == set(Duty)


@pytest.mark.parametrize("name", ["cascade", "ldpc"])
def test_nothing_of_a_block_is_held_when_it_has_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session lives on; of the block there are its key, its report and nothing else."""
    runs: list[weakref.ref[Any]] = []
    complete = BlockRun._complete_stage

    def look(run: BlockRun) -> None:
        complete(run)
        if not run.done:
            runs.extend(weakref.ref(bits._words) for bits in bits_in(run.outcome))

    monkeypatch.setattr(BlockRun, "_complete_stage", look)
    pair = Pair(LINKS[name])
    pair.submit(*bb84_records(60_000, qber=0.01, test_fraction=0.2))
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert runs
    assert [ref() for ref in runs if ref() is not None and ref().size] == []
