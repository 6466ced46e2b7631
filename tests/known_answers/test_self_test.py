"""The self-test: its answers are those of slow twins; it notices each family that computes wrongly, and stops all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from known_answers import record, twins
from qkdpost._kernels.jit.environment import JIT_ENABLED
from qkdpost.known_answers import verdict
from qkdpost.known_answers.running import FAMILIES, TOLERANCE, _equal
from support.link import PRESHARED, bb84_records, small_link

KNOWN: dict[str, dict[str, Any]] = json.loads(record.PATH.read_text(encoding="utf-8"))["answers"]
LONG = {"LDPC, fast", "LDPC, accurate"}


@pytest.fixture(autouse=True)
def no_failure_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "_failures", [])


def test_every_answer_is_right_here() -> None:
    report = qp.self_test()
    assert report.families == {name: len(known) for name, known in KNOWN.items()}
    assert "self-test passed on processor path" in str(report)
    assert all(name in str(report) for name in FAMILIES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in twins.TWINS]
)
def test_the_answers_are_those_of_the_twins(name: str) -> None:
    found = twins.TWINS[name]()
    assert found.keys() == KNOWN[name].keys()
    for case, answer in found.items():
        assert _equal(answer, KNOWN[name][case]), case  # type: ignore[arg-type]


def test_every_family_has_a_twin_and_answers() -> None:
    assert list(FAMILIES) == list(twins.TWINS) == list(KNOWN)


# Damage.


def flip(place: int) -> Callable[[tuple[Any, ...], Any], Any]:
    """Return what changes the lowest bit of the first number of an argument that the kernel writes."""

    def damage(arguments: tuple[Any, ...], result: Any) -> Any:
        first = arguments[place].reshape(-1)[:1]
        if np.issubdtype(first.dtype, np.floating):
            first += 0.25
        else:
            first ^= first.dtype.type(1)
        return result

    return damage


def wipe(arguments: tuple[Any, ...], result: Any) -> Any:
    """Lose what was written last, on whichever side: a fault that both sides share must not cancel out."""
    arguments[-1][:] = 0
    return result


def one_more(_: tuple[Any, ...], result: Any) -> Any:
    return result + 1


DAMAGES: list[tuple[str, str, str, Callable[[tuple[Any, ...], Any], Any]]] = [
    ("packing", "qkdpost.bits", "select_bits", flip(-1)),
    ("packing", "qkdpost.bits", "gather_bits", flip(-1)),
    ("packing", "qkdpost.bits", "spread_bits", flip(-1)),
    ("packing", "qkdpost.bits", "count_ones", one_more),
    ("packing", "qkdpost.bits", "append_words", flip(0)),
    ("packing", "qkdpost.bits", "cut_bits", flip(-1)),
    ("packing", "qkdpost.bits", "reject_bits", flip(-1)),
    ("packing", "qkdpost.known_answers.strings", "count_common_ones", one_more),
    ("packing", "qkdpost.known_answers.strings", "copy_bits", flip(-1)),
    ("Toeplitz hashing", "qkdpost.amplification", "add_bits", flip(-1)),
    ("runs", "qkdpost._kernels.bits.runs", "longest_run", one_more),
    ("runs", "qkdpost._kernels.bits.runs", "window_ones", flip(-1)),
    ("shared random", "qkdpost.shared_random", "fill_keystream", flip(1)),
    ("shared random", "qkdpost.shared_random", "shuffle", flip(0)),
    ("shared random", "qkdpost.shared_random", "draw_subset", flip(0)),
    ("shared random", "qkdpost.shared_random", "list_ones", flip(-1)),
    ("algebraic check", "qkdpost.known_answers.hashing", "masked_value", flip(-1)),
    ("Toeplitz hashing", "qkdpost._kernels.gf2.toeplitz", "multiply_by_halves", flip(3)),
    ("Toeplitz hashing", "qkdpost._kernels.gf2.toeplitz_transform", "_work", flip(10)),
    ("polynomial tags", "qkdpost.keys.authentication", "absorb", flip(0)),
    ("polynomial tags", "qkdpost.keys.authentication", "power_table", flip(-1)),
    ("polynomial tags", "qkdpost._kernels.gf2.polynomial_hash", "frame_tags", flip(-1)),
    ("slots", "qkdpost.sifting.slots.prepared", "match_and_split", flip(-2)),
    ("slots", "qkdpost.sifting.slots.prepared", "match_bases", flip(-1)),
    ("slots", "qkdpost.sifting.slots.prepared", "split_prepared", flip(-1)),
    ("slots", "qkdpost.sifting.slots.coincident", "match_slots", flip(-1)),
    ("slots", "qkdpost.sifting.slots.coding", "encode_gaps", flip(-1)),
    ("slots", "qkdpost.sifting.slots.coding", "decode_gaps", flip(-1)),
    ("time tags", "qkdpost._kernels.sifting.time_tags", "merge_close_clicks", flip(-1)),
    ("time tags", "qkdpost._kernels.sifting.time_tags", "count_differences", flip(-1)),
    ("time tags", "qkdpost.sifting.time_tags.matching", "match_nearest", flip(-1)),
    ("Cascade", "qkdpost.reconciliation.cascade.frames", "take_rounds", wipe),
    ("Cascade", "qkdpost.reconciliation.cascade.frames", "store_frames", flip(-1)),
    ("syndromes", "qkdpost.known_answers.correction", "compute_syndromes", flip(-1)),
    ("LDPC, fast", "qkdpost.reconciliation.ldpc.decoders", "decode_layered", flip(-3)),
    ("raptor-like codes", "qkdpost.reconciliation.raptor.decoders", "decode_raptor", flip(-3)),
    ("slices", "qkdpost._kernels.slices", "cut", flip(3)),
    ("slices", "qkdpost._kernels.slices", "soft_values", flip(-1)),
    ("whitening", "qkdpost.known_answers.continuous", "add_dither", flip(-1)),
    ("whitening", "qkdpost.known_answers.continuous", "whiten_both", flip(-1)),
    ("rotations", "qkdpost.reconciliation.multidimensional.channel", "make_rotations", flip(-2)),
    ("rotations", "qkdpost.reconciliation.multidimensional.channel", "rotated_likelihoods", flip(-1)),
    ("sums of quadratures", "qkdpost.known_answers.continuous", "sum_both", flip(-1)),
]


@pytest.mark.parametrize(
    ("family", "module", "kernel", "damage"), DAMAGES, ids=[f"{family}: {kernel}" for family, _, kernel, _ in DAMAGES]
)
def test_a_kernel_that_computes_wrongly_is_noticed(
    family: str,
    module: str,
    kernel: str,
    damage: Callable[[tuple[Any, ...], Any], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = import_module(module)
    real = getattr(place, kernel)
    called = []

    def damaged(*arguments: Any) -> Any:
        called.append(kernel)
        return damage(arguments, real(*arguments))

    monkeypatch.setattr(place, kernel, damaged)
    with pytest.raises(qp.SelfTestFailed, match=rf"^{family} ") as caught:
        _run_from(family)
    assert called
    assert "on processor path" in str(caught.value)


def _run_from(family: str) -> None:
    """Run the self-test from a family on: those before it use some of its kernels, too, and would notice first."""
    from qkdpost.known_answers import running

    running._test(family, FAMILIES[family], KNOWN[family])


def test_every_family_is_damaged() -> None:
    """The accurate decoder has the kernel of the fast one, compiled for wider numbers."""
    assert {family for family, *_ in DAMAGES} == FAMILIES.keys() - {"LDPC, accurate"}


def test_the_first_wrong_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from qkdpost.known_answers import hashing

    real = hashing.masked_value

    def damaged(*arguments: Any) -> None:
        real(*arguments)
        arguments[-1][1] ^= np.uint64(1 << 63)

    monkeypatch.setattr(hashing, "masked_value", damaged)
    with pytest.raises(qp.SelfTestFailed) as caught:
        qp.self_test()
    right = KNOWN["algebraic check"]["33 blocks"]
    assert str(caught.value).startswith("algebraic check gives a wrong answer for '33 blocks': ")
    assert f", not {right}, on processor path" in str(caught.value)


def test_a_test_that_breaks_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from qkdpost.known_answers import records

    def broken(*_: object) -> None:
        raise IndexError("out of bounds")

    monkeypatch.setattr(records, "match_detections", broken)
    with pytest.raises(qp.SelfTestFailed, match="slots ended with IndexError: out of bounds"):
        qp.self_test()


def test_real_numbers_have_a_tolerance_and_no_more() -> None:
    assert _equal([1.0, 100.0, 0.0], [1.0 + TOLERANCE / 2, 100.0 * (1 - TOLERANCE / 2), TOLERANCE / 2])
    assert not _equal([1.0], [1.0 + 2 * TOLERANCE])
    assert not _equal([float("nan")], [1.0])
    assert not _equal([1.0], [1.0, 1.0])


TEXT = record.PATH.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read: .*No such file"),
        (b"", "cannot be read: Input data was truncated"),
        (TEXT[: len(TEXT) // 2].encode(), "cannot be read: "),
        (TEXT.encode().replace(b"packing", b"pack\xffng", 1), "cannot be read: "),
        (b"{}", "cannot be read: .*missing required field"),
        (TEXT.replace('"weight": 517', '"weight": [1.0, "x"]').encode(), "cannot be read: Expected `float`, got `str`"),
        (TEXT.replace('"weight": 517', '"weight": null').encode(), "cannot be read: Expected `.*`, got `null`"),
        (
            TEXT.replace('"packing"', '"parking"').encode(),
            "are not those of this release; they differ in 'packing",
        ),
        (
            TEXT.replace('"weight": 517', '"weight": 516').encode(),
            "packing gives a wrong answer for 'weight': 517, ",
        ),
        (TEXT.replace('"weight": 517', '"height": 517').encode(), "packing gives a wrong answer for "),
        (TEXT.replace('"weight": 517', '"weight": [517.0]').encode(), "packing gives a wrong answer for 'weight'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_answers_fail_as_a_wrong_kernel_does(
    content: bytes | None, complaint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from qkdpost.known_answers import running

    if content is not None:
        (tmp_path / "answers.json").write_bytes(content)
    monkeypatch.setattr(running.resources, "files", lambda _: tmp_path)
    with pytest.raises(qp.SelfTestFailed, match=complaint):
        qp.self_test()
    with pytest.raises(qp.SelfTestFailed, match="must make no key: its self-test failed"):
        verdict.refuse_after_failure()


# Afterwards.


def test_after_a_failure_nothing_that_makes_key_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = qp.KeyPool(PRESHARED)
    running = qp.Session(role="alice", link=small_link(), auth_key=pool)
    running.connection_lost()
    with monkeypatch.context() as patch:
        patch.setattr("qkdpost.known_answers.hashing.masked_value", lambda *_: None)
        with pytest.raises(qp.SelfTestFailed, match="algebraic check"):
            qp.self_test()
    qp.self_test()  # which passes, and takes nothing back
    alice, bob = bb84_records(4000)
    for start in (
        running.connect,
        lambda: qp.Session(role="bob", link=small_link(), auth_key=qp.KeyPool(PRESHARED)),
        lambda: qp.distill(alice, bob, small_link()),
        lambda: qp.network.KeyManager(name="hut", store=None, topology=None),  # type: ignore[arg-type]
    ):
        with pytest.raises(qp.SelfTestFailed, match=r"must make no key: its self-test failed, and algebraic check"):
            start()


# What is covered.

NOT_TESTED = {
    "density": "designs codes",
    "lifting": "designs codes",
    "simulation": "simulates",
    "tag_text": "reads files",
    "pulses": "numbers pulses of a record",
    "scans": "looks at digitised outcomes for values that repeat",
}
"""Modules of kernels that make no key."""
SCRIPT = """
import json
import qkdpost
from qkdpost._kernels.jit.decorators import registered_kernels

def compiled():
    found = {(kernel.__module__, kernel.__name__): set(kernel.signatures) for kernel in registered_kernels()}
    return {where: signatures for where, signatures in found.items() if signatures}

qkdpost.self_test()
ran = compiled()
qkdpost.warmup()
every = compiled()
print(json.dumps(sorted(every.keys() - ran.keys())))
"""
ONLY_WARM = """
import json
import qkdpost
from qkdpost._kernels.jit.decorators import registered_kernels

qkdpost.warmup()
before = {kernel: set(kernel.signatures) for kernel in registered_kernels()}
qkdpost.self_test()
print(json.dumps([kernel.__name__ for kernel in registered_kernels() if set(kernel.signatures) != before[kernel]]))
"""


def answer_of(script: str) -> list[Any]:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=True)
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_every_kernel_that_makes_key_is_tested() -> None:
    left_out = [(module.removeprefix("qkdpost._kernels."), name) for module, name in answer_of(SCRIPT)]
    assert [pair for pair in left_out if pair[0].split(".")[-1] not in NOT_TESTED] == []


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_what_is_tested_is_what_warmup_compiles() -> None:
    """Kernels are compiled for arrays that can be written and others: the self-test must take what sessions take."""
    assert answer_of(ONLY_WARM) == []
