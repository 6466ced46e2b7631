"""The stored inputs of every target, and fresh mutations of them, within limits of time and memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

import qkdpost
from fuzzing.choices import EDGES, Choices
from fuzzing.limits import Finding, limited
from fuzzing.targets import TARGETS, corpus_path, mutations, stored_inputs

ROOT = Path(__file__).resolve().parents[2]
SAMPLED_SECONDS = 2.0
FRESH = {"conversation": 2000, "tag-file": 10_000, "public-face": 20_000}
OTHERS_FRESH = 50_000
PROCESS_SECONDS = 1500
PROCESS_MEMORY_BYTES = 6 * 2**30
MAX_STORED_BYTES = 300_000


def run(*arguments: str, seconds: float = PROCESS_SECONDS, **environment: str) -> str:
    """Run the fuzzing script in a process of its own, which may neither die nor run for ever."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (PROCESS_MEMORY_BYTES, PROCESS_MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzzing.run", *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=seconds, check=False,
        preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile first: an input may cost 20 s, and in a fresh checkout the decoder's kernels alone take longer."""
    qkdpost.warmup()


@pytest.mark.parametrize("target", TARGETS)
def test_stored_inputs_sampled(target: str) -> None:
    """Some of them, as many as a moment allows, each time the same order."""
    inputs = stored_inputs(target)
    begun = time.monotonic()
    for data in inputs[:: max(1, len(inputs) // 40)]:
        with limited():
            TARGETS[target](data)
        if time.monotonic() - begun > SAMPLED_SECONDS:
            break


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_stored_inputs_and_mutations(target: str) -> None:
    number = FRESH.get(target, OTHERS_FRESH)
    told = run(target, "--plain", "--seconds", "1200", "--executions", str(number), "--seed", "20261128")
    assert "nothing found" in told


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_stored_inputs_with_checked_bounds(target: str) -> None:
    """With NUMBA_BOUNDSCHECK an access outside of an array raises; the kernels are compiled anew for that."""
    assert "nothing found" in run(target, "--stored", NUMBA_BOUNDSCHECK="1")


@pytest.mark.slow
def test_atheris_drives_a_target() -> None:
    pytest.importorskip("atheris")
    run("pool-snapshot", "--seconds", "10", seconds=300)


def test_the_stored_inputs_are_small() -> None:
    assert sum(corpus_path(target).stat().st_size for target in TARGETS) < MAX_STORED_BYTES
    for target in TARGETS:
        assert stored_inputs(target)


def test_mutations_repeat_themselves() -> None:
    first, second = (mutations([b"some", b"thing"], 7) for _ in range(2))
    assert [next(first) for _ in range(200)] == [next(second) for _ in range(200)]


def test_choices_come_from_any_bytes() -> None:
    assert Choices(b"").whole() == Choices(b"").below(1000) == 0
    assert Choices(b"\1" + bytes([3])).whole() == EDGES[3]
    assert Choices(b"\xff\xff").below(300) == 65535 % 300


@pytest.mark.parametrize("spend", ["time", "memory"])
def test_what_costs_too_much_is_found(spend: str) -> None:
    def waste() -> None:
        if spend == "memory":
            bytearray(64 * 2**20).replace(b"\0", b"x")
            return
        while True:
            pass

    with pytest.raises(Finding, match=r"processor time|memory"), limited(seconds=0.2, memory_bytes=2**20):
        waste()


def test_a_finding_is_told_with_its_input() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from fuzzing import run, targets\n"
        "def planted(data):\n"
        "    if data.startswith(b'ab'): raise ValueError('planted')\n"
        "targets.TARGETS['code'] = planted\n"
        "targets.stored_inputs = lambda name: [b'xx', b'abc']\n"
        "sys.argv = ['run', 'code', '--stored']\n"
        "raise SystemExit(run.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FOUND by input 616263" in done.stdout
