"""What an operator asks of an installation, on the command line: `python -m qkdpost --help`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from qkdpost.compilation import processor_path, warmup
from qkdpost.errors import SelfTestFailed
from qkdpost.installation.inspection import inspect_installation
from qkdpost.known_answers.running import self_test
from qkdpost.progress import Progress
from qkdpost.version import VERSION

__all__ = ["main"]

WELL, UNWELL = 0, 1
SECONDS_BETWEEN_LINES = 5.0
"""Of progress, in a log."""
EXIT_CODES = "exit codes: 0 all is well, 1 something is wrong and was said, 2 the command line was not understood"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks, and return the exit code."""
    asked = _parser().parse_args(arguments)
    commands = {"status": _status, "self-test": _self_test, "warmup": _warmup}
    if not _has_processor_path():
        return _status(asked)  # which says what is wrong
    return commands[asked.command](asked)


def _has_processor_path() -> bool:
    try:
        processor_path()
    except RuntimeError:
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qkdpost", description="Look after an installation of qkdpost.", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    commands = parser.add_subparsers(dest="command", metavar="command")
    parser.set_defaults(command="status")
    for name, text in (
        ("status", "versions, processor path, compiled code, extras and health (if no command is given)"),
        ("self-test", "compare what every kernel computes on this processor with known answers"),
        ("warmup", "compile every kernel now, at installation, and not at the first key"),
    ):
        command = commands.add_parser(name, help=text, description=text, epilog=EXIT_CODES)
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer in JSON")
    return parser


def _status(asked: argparse.Namespace) -> int:
    installation = inspect_installation()
    print(installation.to_json() if asked.json else installation)
    return WELL if installation.healthy else UNWELL


def _self_test(asked: argparse.Namespace) -> int:
    began = time.perf_counter()
    try:
        report = self_test()
    except SelfTestFailed as failure:
        print(json.dumps({"passed": False, "failure": str(failure)}, indent=2) if asked.json else failure)
        return UNWELL
    seconds = round(time.perf_counter() - began, 3)
    told = json.dumps({"passed": True, "seconds": seconds} | asdict(report), indent=2)
    print(told if asked.json else f"{report}\n  in {seconds} s, compiling or loading kernels included")
    return WELL


def _warmup(asked: argparse.Namespace) -> int:
    warmup(progress=True if sys.stderr.isatty() else _in_lines())
    return _status(asked)


def _in_lines() -> Progress:
    """Return what tells a log how far work has got: a line now and then, in the place of one that is overwritten."""
    due = time.monotonic() + SECONDS_BETWEEN_LINES

    def tell(what: str, done: int, total: int | None, /) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + SECONDS_BETWEEN_LINES
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
