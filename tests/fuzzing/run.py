"""Feed one target, and say what was found.

    python -m tests.fuzzing.run TARGET --seconds 600            with atheris, from the stored inputs on
    python -m tests.fuzzing.run TARGET --seconds 60 --plain     without it
    python -m tests.fuzzing.run TARGET --stored                 the stored inputs alone

With atheris, `--keep` adds to the stored inputs the smallest that reach something new. An input on which a target
raises ends a run; it is told in hexadecimal digits, and the process ends with an error.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import itertools
import pkgutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

ONE_INPUT_SECONDS = 60
MEMORY_MIB = 4096
LONGEST = 1024
BY_LIBFUZZER = "--by-libfuzzer"
MAX_CORPUS_BYTES = 45_000
"""Of one target, in hexadecimal digits."""


def main() -> int:
    """Run as the arguments say."""
    if BY_LIBFUZZER in sys.argv[1:2]:
        return run_with_atheris(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--executions", type=int, default=2**62, help="end after so many (only with --plain)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="mutate without atheris")
    parser.add_argument("--stored", action="store_true", help="run the stored inputs and no others")
    parser.add_argument("--keep", action="store_true", help="store what reaches something new")
    options = parser.parse_args()
    if options.stored or options.plain:
        return run_plainly(options)
    return fuzz(options)


def run_plainly(options: argparse.Namespace) -> int:
    """Run stored inputs, then mutations of them, within the limits of each."""
    from fuzzing.limits import limited
    from fuzzing.targets import TARGETS, mutations, stored_inputs
    from qkdpost import warmup

    warmup()  # no input is to be blamed for the compiler's time, which checked bounds make long
    stored = stored_inputs(options.target)
    inputs: Iterable[bytes] = stored
    if not options.stored:
        inputs = itertools.chain(stored, itertools.islice(mutations(stored, options.seed), options.executions))
    begun, count = time.monotonic(), 0
    for data in inputs:
        try:
            with limited():
                TARGETS[options.target](data)
        except Exception:
            traceback.print_exc()
            print(f"FOUND by input {data.hex()}")
            return 1
        count += 1
        if not options.stored and time.monotonic() - begun > options.seconds:
            break
    print(f"{count} executions of {options.target} in {time.monotonic() - begun:.0f} s, nothing found")
    return 0


def instrumented_target(name: str) -> Callable[[bytes], None]:
    """Import the library so that atheris sees which branches are taken; kernels are compiled, and stay as they are."""
    import atheris

    package = Path(__file__).resolve().parents[2] / "src" / "qkdpost"
    kernels = [
        ".".join(file.relative_to(package.parent).with_suffix("").parts)
        for file in (package / "_kernels").rglob("*.py")
    ]
    with atheris.instrument_imports(include=["qkdpost"], exclude=kernels):
        import qkdpost

        for module in pkgutil.walk_packages(qkdpost.__path__, "qkdpost."):
            if "plotting" not in module.name:
                importlib.import_module(module.name)
    from fuzzing.targets import TARGETS

    return TARGETS[name]


def run_with_atheris(target: str, *flags: str) -> int:
    """Give the rest to libFuzzer, which ends the process."""
    import atheris

    function = instrumented_target(target)
    from fuzzing.limits import limited

    def one_input(data: bytes) -> None:
        with limited():
            function(bytes(data))

    # libFuzzer calls itself by this name where it merges, in processes of their own.
    itself = f"{sys.executable} -m tests.fuzzing.run {BY_LIBFUZZER} {target}"
    limits = [f"-max_len={LONGEST}", f"-timeout={ONE_INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MIB}"]
    atheris.Setup([itself, *limits, *flags], one_input)
    atheris.Fuzz()
    return 0


def fuzz(options: argparse.Namespace) -> int:
    """Run until the time is up; then keep, if wanted, the smallest inputs that reach all that was reached."""
    found = unpacked(options.target)
    here = [sys.executable, "-m", "tests.fuzzing.run", BY_LIBFUZZER, options.target]
    flags = [
        f"-max_total_time={int(options.seconds)}", f"-seed={options.seed}", "-print_final_stats=1", "-len_control=0",
        f"-artifact_prefix={tempfile.gettempdir()}/fuzzing-{options.target}-",
    ]  # fmt: skip
    done = subprocess.run([*here, *flags, found], check=False)
    if options.keep:
        merged = tempfile.mkdtemp(prefix="qkdpost-merged-")
        subprocess.run([*here, "-merge=1", merged, found], check=True)
        keep(options.target, Path(merged))
    return done.returncode


def keep(target: str, folder: Path) -> None:
    """Store inputs, the shortest first, as many as there is room for."""
    from fuzzing.targets import corpus_path

    path = corpus_path(target)
    remarks = [line for line in path.read_text().splitlines() if line.startswith("#")] if path.exists() else []
    lines: list[str] = []
    for file in sorted(folder.iterdir(), key=lambda file: (file.stat().st_size, file.name)):
        line = file.read_bytes().hex()
        if sum(map(len, lines)) + len(line) < MAX_CORPUS_BYTES:
            lines.append(line)
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*remarks, *lines]) + "\n")
    print(f"{len(lines)} inputs of {target} kept")


def unpacked(target: str) -> str:
    """Write the stored inputs into a new folder, as libFuzzer wants them."""
    from fuzzing.targets import corpus_path, stored_inputs

    folder = tempfile.mkdtemp(prefix=f"qkdpost-{target}-")
    if corpus_path(target).exists():
        for data in stored_inputs(target):
            Path(folder, hashlib.sha1(data).hexdigest()).write_bytes(data)
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
