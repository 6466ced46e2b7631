"""How much of a pipeline's time is spent outside of compiled kernels, and on what: both halves in one process.

    python -m benchmarks.kernel_share [--block-bits 1048576 4194304 16777216] [--blocks 2] [--qber 0.03]
        [--reconciliation cascade ldpc] [--turns 5]

Each run is made twice: as it is, for the processor time that it takes, and with a clock around every call that crosses
from one part of the library into another. Each part has the time between its own first and last instruction less that
of the parts that it calls, and less what the clocks themselves take, which is measured beforehand. The shares are those
of all parts' time, medians of several turns; milliseconds are shares of the processor time of the first run. For the
clocks are those on the wall, as the processor's take too long to read: what else the machine does lengthens all parts
alike, and does not move a share by much.

A kernel is what is called from `qkdpost._kernels`. To hand its arguments over is no work of the kernel: what a call of
one that does nothing takes is counted apart, in a row of its own.
"""

from __future__ import annotations

import secrets
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

import qkdpost as qp
from benchmarks.options import parser_of
from benchmarks.pipeline import another, block_records
from qkdpost._kernels.jit.decorators import kernel
from qkdpost.dialogue.roles import ROLES
from qkdpost.keys.authentication import PolynomialHasher
from qkdpost.reconciliation.correction import correct
from qkdpost.session import codec
from qkdpost.session.buffer import ReceiveBuffer
from qkdpost.stages import reconciliation as reconciliation_stage
from qkdpost.stages.block import Duty
from qkdpost.stages.stage import Stage

KERNELS, KERNEL_CALLS, SESSION, RECORDS = "kernels", "calls of kernels", "session and blocks", "taking records"
CORRECTION, MESSAGES, TAGS, RANDOM_BYTES, DRIVER = (
    "correction's own",
    "messages to bytes and back",
    "authentication",
    "the system's random bytes",
    "this benchmark",
)
_CALIBRATION_CALLS = 20_000
PRESHARED = bytes(range(256)) * 64


class Parts:
    """Time of each part, without that of the parts that it calls."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[tuple[str, str]] = Counter()
        self._part = DRIVER
        self._since = time.perf_counter()

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted under `part`, unless this part calls it itself."""
        seconds, calls, clock = self.seconds, self.calls, time.perf_counter

        def run(*arguments: Any, **keywords: Any) -> Any:
            outer = self._part
            if outer == part:
                return function(*arguments, **keywords)
            calls[outer, part] += 1
            now = clock()
            seconds[outer] += now - self._since
            self._part, self._since = part, now
            try:
                return function(*arguments, **keywords)
            finally:
                now = clock()
                seconds[part] += now - self._since
                self._part, self._since = outer, now

        return run

    def start(self) -> None:
        """Begin to count."""
        self._since = time.perf_counter()

    def rest(self) -> None:
        """Count what has passed since the last call."""
        self.seconds[self._part] += time.perf_counter() - self._since

    def net(self) -> dict[str, float]:
        """Return the seconds of each part less what the clocks took of it, and calls of kernels apart."""
        inside, outside = _cost_of_a_clock()
        seconds = dict(self.seconds)
        for (outer, part), count in self.calls.items():
            seconds[part] -= count * inside
            seconds[outer] -= count * outside
        of_kernels = sum(count for (_, part), count in self.calls.items() if part == KERNELS)
        seconds[KERNEL_CALLS] = of_kernels * _cost_of_a_call()
        seconds[KERNELS] -= seconds[KERNEL_CALLS]
        return seconds


def _cost_of_a_clock() -> tuple[float, float]:
    """Return what is counted of each timed call in the part itself, and in the part that called it."""

    def nothing() -> None:
        pass

    parts = Parts()
    timed = parts.timed("part", nothing)
    for _ in range(_CALIBRATION_CALLS):
        timed()
    bare = _seconds_of(nothing)
    inside, outside = (parts.seconds[part] / _CALIBRATION_CALLS for part in ("part", DRIVER))
    return inside - bare, outside


@kernel
def _empty(first: Any, second: Any, third: Any, fourth: Any, number: int, other: int) -> int:
    return number + other


def _cost_of_a_call() -> float:
    words: NDArray[np.uint64] = np.zeros(4, dtype=np.uint64)
    return _seconds_of(lambda: _empty(words, words, words, words, 1, 2))


def _seconds_of(function: Callable[[], object]) -> float:
    function()
    started = time.perf_counter()
    for _ in range(_CALIBRATION_CALLS):
        function()
    return (time.perf_counter() - started) / _CALIBRATION_CALLS


class _TimedGenerator:
    """A generator whose steps are counted under a part."""

    def __init__(self, parts: Parts, part: str, generator: Generator[Any, Any, Any]) -> None:
        self.send = parts.timed(part, generator.send)
        self._next = parts.timed(part, generator.__next__)

    def __iter__(self) -> _TimedGenerator:
        return self

    def __next__(self) -> Any:
        return self._next()


@contextmanager
def counted(parts: Parts) -> Iterator[None]:
    """Put clocks around what leads from one part into another."""
    kernels: dict[int, Any] = {}
    with ExitStack() as stack:
        for module, name, found in list(_bound_kernels()):
            timed = kernels.setdefault(id(found), parts.timed(KERNELS, found))
            stack.enter_context(patch.object(module, name, timed))
        for owner, names, part in (
            (qp.Session, ("receive_data", "data_to_send", "finish"), SESSION),
            (qp.Session, ("submit",), RECORDS),
            (ReceiveBuffer, ("append", "next_frame"), MESSAGES),
            (PolynomialHasher, ("update", "digest"), TAGS),
        ):
            for name in names:
                stack.enter_context(patch.object(owner, name, parts.timed(part, getattr(owner, name))))
        for function in (codec.encode, codec.decode):
            for module, name in list(_places_of(function)):
                stack.enter_context(patch.object(module, name, parts.timed(MESSAGES, function)))
        program = Stage.program

        def timed_correct(*arguments: Any) -> Any:
            return _TimedGenerator(parts, CORRECTION, correct(*arguments))

        def timed_program(stage: Stage, duty: Duty) -> Any:
            begun = program(stage, duty)
            return lambda block, outcome: _TimedGenerator(parts, f"stage {stage.name}", begun(block, outcome))

        stack.enter_context(patch.object(reconciliation_stage, "correct", timed_correct))
        stack.enter_context(patch.object(Stage, "program", timed_program))
        yield


def _rooms() -> Iterator[ModuleType]:
    """Give the modules of the library, but for those of kernels."""
    for name, module in list(sys.modules.items()):
        if name.startswith("qkdpost") and not name.startswith("qkdpost._kernels"):
            yield module


def _bound_kernels() -> Iterator[tuple[ModuleType, str, Any]]:
    """Give every name under which a function of `_kernels` is called elsewhere, by itself or through its module."""
    for module in _rooms():
        for name, found in vars(module).items():
            if isinstance(found, ModuleType) and found.__name__.startswith("qkdpost._kernels"):
                yield from ((found, exported, getattr(found, exported)) for exported in _kernels_of(found))
            elif _is_kernel(found):
                yield module, name, found


def _kernels_of(module: ModuleType) -> list[str]:
    return [name for name in getattr(module, "__all__", ()) if _is_kernel(getattr(module, name))]


def _is_kernel(found: object) -> bool:
    of_kernels = str(getattr(found, "__module__", "")).startswith("qkdpost._kernels")
    return of_kernels and callable(found) and not isinstance(found, type | ModuleType)


def _places_of(function: object) -> Iterator[tuple[ModuleType, str]]:
    for module in _rooms():
        yield from ((module, name) for name, found in vars(module).items() if found is function)


def run(link: qp.LinkConfig, records: list[tuple[Any, Any]], parts: Parts | None = None) -> tuple[float, int, int]:
    """Distil the records in two sessions; return the processor time that it took, sifted bits, and messages."""
    source = secrets.token_bytes if parts is None else parts.timed(RANDOM_BYTES, secrets.token_bytes)
    sessions = [
        qp.Session(role=role, link=link, auth_key=qp.KeyPool(PRESHARED), random_source=source) for role in ROLES
    ]
    own = [[another(pair[side]) for pair in records] for side in range(len(sessions))]
    started = time.process_time()
    if parts is None:
        _converse(sessions, own)
    else:
        with counted(parts):
            parts.start()
            _converse(sessions, own)
            parts.rest()
    seconds = time.process_time() - started
    reports = [event.report for event in sessions[0].events() if isinstance(event, qp.KeyReady)]
    if len(reports) != len(records):
        raise SystemExit("a block ended without key")
    messages = sum(report.messages_sent + report.messages_received for report in reports)
    return seconds, sum(report.key_bits for report in reports), messages


def _converse(sessions: list[qp.Session], records: list[list[Any]]) -> None:
    for session, own in zip(sessions, records, strict=True):
        for record in own:
            session.submit(record)
        session.finish()
    alice, bob = sessions
    while alice.state.alive or bob.state.alive:
        while data := alice.data_to_send():
            bob.receive_data(data)
        while data := bob.data_to_send():
            alice.receive_data(data)


def measured(
    link: qp.LinkConfig, records: list[tuple[Any, Any]], turns: int
) -> tuple[float, dict[str, float], int, int]:
    """Return the processor time of a run as it is, the share of each part, and the bits and messages of a run."""
    run(link, records)
    seconds, shares = [], []
    for _ in range(turns):
        spent, bits, messages = run(link, records)
        seconds.append(spent)
        parts = Parts()
        run(link, records, parts)
        net = parts.net()
        shares.append({part: own / sum(net.values()) for part, own in net.items()})
    typical = {part: statistics.median(turn.get(part, 0.0) for turn in shares) for part in shares[0]}
    return statistics.median(seconds), typical, bits, messages


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--block-bits", type=int, nargs="+", default=[2**20, 2**22, 2**24], help="sifted bits of a block"
    )
    parser.add_argument("--blocks", type=int, default=2, help="how many, all in flight at once")
    parser.add_argument("--qber", type=float, default=0.03, help="error rate of the records")
    parser.add_argument(
        "--reconciliation", choices=("cascade", "ldpc"), nargs="+", default=["cascade", "ldpc"], help="methods"
    )
    parser.add_argument("--turns", type=int, default=5, help="runs of each, whose medians are told")
    options = parser.parse_args()
    qp.warmup()
    for method in options.reconciliation:
        for block_bits in options.block_bits:
            records = [block_records(block_bits, options.qber, np.random.default_rng(1))] * options.blocks
            link = qp.LinkConfig(
                protocol=qp.BB84(),
                correction=qp.Cascade() if method == "cascade" else qp.Ldpc(),
                blocks=qp.Blocks(detections=1, in_flight=options.blocks),
            )
            tell(f"{method}, {options.blocks} blocks of {block_bits} bits", *measured(link, records, options.turns))


def tell(name: str, seconds: float, shares: dict[str, float], bits: int, messages: int) -> None:
    """Print the table of one case."""
    outside = 1 - shares[KERNELS]
    print(f"\n{name}: {1e3 * seconds:.0f} ms of both hosts, {bits / seconds / 1e6:.1f} Mbit/s, {messages} messages")
    print(f"outside of kernels {outside:.1%}, {1e6 * outside * seconds / messages:.1f} us a message\n")
    print("| part | share | ms | us a message |\n|---|---|---|---|")
    for part, share in sorted(shares.items(), key=lambda item: -item[1]):
        print(f"| {part} | {share:.1%} | {1e3 * share * seconds:.1f} | {1e6 * share * seconds / messages:.1f} |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
