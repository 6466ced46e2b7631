"""Cascade by turns: who hears the peer's parities of a round knows the next list, and says its own of both rounds.

A message holds the answer, as many parities as the peer asked last, zeros up to a word of 64 bits, and the question:
the parities of the round after it. Where nothing is asked any more there is an answer alone, without zeros; the first
message is a question alone. Each side knows the length of what it hears from what it has said.
"""

from __future__ import annotations

import numpy as np

from qkdpost.bits import Bits, Words, adopt_words
from qkdpost.reconciliation.cascade.frames import NOTHING, Block
from qkdpost.reconciliation.payload import RECEIVE, InvalidPayload, Payload, Rounds, expect_bits

__all__ = ["take_turns"]


def take_turns(block: Block, own: Bits, *, speaks: bool) -> Rounds[None]:
    """Say and hear by turns until nothing is asked any more.

    Args:
        block: one side's frames.
        own: its parities of the round that is next.
        speaks: whether this side begins.
    """
    if not len(own):
        return
    if speaks:
        yield own
    else:
        question = expect_bits((yield RECEIVE), len(own), "parities")
        message, own = _answered(block, own, question)
        yield message
    while len(own):
        message, own = _take_turn(block, own, (yield RECEIVE))
        if len(message):
            yield message


def _take_turn(block: Block, own: Bits, heard: Payload) -> tuple[Bits, Bits]:
    """Take in the peer's answer and its question; return what is to be said, and of that the own question."""
    if not isinstance(heard, Bits) or len(heard) <= 64 * own.words.size:
        answer, question = expect_bits(heard, len(own), "parities"), NOTHING
        own = block.ask(own, answer)
    elif block.goes_alone:  # nearly always, and in one call
        asked, following, words = block.take_turn(own, heard)
        if asked < 0:
            raise _not_filled(own)
        question = heard[64 * own.words.size :] if following < 0 else NOTHING
        own = adopt_words(words[: (asked + 63) // 64], asked)
        if following >= 0:
            return _joined(own, following, words)
    else:
        answer, question = heard[: len(own)], heard[64 * own.words.size :]
        if heard[len(own) : 64 * own.words.size].weight():
            raise _not_filled(own)
        own = block.ask(own, answer)
    question = expect_bits(question, len(own), "parities")
    return _answered(block, own, question) if len(own) else (NOTHING, NOTHING)


def _not_filled(own: Bits) -> InvalidPayload:
    return InvalidPayload(f"expected {len(own)} parities and zeros up to a word; received something else")


def _answered(block: Block, own: Bits, question: Bits) -> tuple[Bits, Bits]:
    """Take in what the peer asks; return the message that answers it, and of that the own question."""
    following = block.ask(own, question)
    return _joined(own, len(following), np.concatenate((own.words, following.words)))


def _joined(answer: Bits, count: int, words: Words) -> tuple[Bits, Bits]:
    """Return a message of an answer and a question of `count` parities, which `words` begin with; and the question."""
    if not count:
        return answer, NOTHING
    first = answer.words.size
    end = first + (count + 63) // 64
    return adopt_words(words[:end], 64 * first + count), adopt_words(words[first:end], count)
