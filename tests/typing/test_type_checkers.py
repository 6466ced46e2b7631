"""What type checkers say of a user's script: nothing of one that is right, and something of every slip of the pen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

import qkdpost as qp
from qkdpost.protocols.table import PROTOCOLS
from qkdpost.reconciliation.cascade.parameters import PARAMETER_SETS
from qkdpost.reconciliation.in_process import BitMethod
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.method import METHODS
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS
from qkdpost.reconciliation.settings import CascadeSet, LdpcDecoder, RaptorDecoder
from qkdpost.security.decoy.analytic import INTERVALS, IntervalMethod
from qkdpost.security.decoy.published import lengths
from qkdpost.security.qubits import published
from qkdpost.security.settings import FixedLengthBound
from qkdpost.sifting.tag_files.binary import BINARY_READERS
from qkdpost.sifting.tag_files.loading import FileFormat
from qkdpost.sifting.tag_files.text_layout import TIME_UNITS, TimeUnit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCRIPTS = [HERE / "accepted.py", HERE / "refused.py"]
ERROR = re.compile(r"^(.*?\w+\.py):(\d+)(?::\d+)?\s*[:-] error")


def complaints(command: Sequence[str]) -> Counter[tuple[str, int]]:
    """The errors of a type checker, by file and line; each must be about one of the scripts."""
    paths = os.pathsep.join(map(str, [ROOT / "src", *filter(None, [os.environ.get("MYPYPATH")])]))
    done = subprocess.run(
        [*command, *map(str, SCRIPTS)],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "MYPYPATH": paths},
    )  # fmt: skip
    found = [ERROR.match(line.strip()) for line in done.stdout.splitlines()]
    places = Counter((Path(match[1]).name, int(match[2])) for match in found if match)
    assert places, done.stdout + done.stderr
    assert {name for name, _ in places} <= {path.name for path in SCRIPTS}, done.stdout
    return places


def marked() -> Counter[tuple[str, int]]:
    """One for each line that is marked."""
    return Counter(
        (path.name, number)
        for path in SCRIPTS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if line.endswith("# refused")
    )


def test_mypy_refuses_every_slip_and_nothing_else() -> None:
    assert complaints([sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]) == marked()


def test_pyright_refuses_every_slip_and_nothing_else() -> None:
    pyright = shutil.which("pyright", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if pyright is None:
        pytest.skip("pyright is not installed: it is no extra of this package, since it loads parts of itself")
    assert set(complaints([pyright, "--pythonpath", sys.executable])) == set(marked())


@pytest.mark.parametrize(
    ("named", "offered"),
    [
        (CascadeSet, PARAMETER_SETS),
        (LdpcDecoder, DECODERS),
        (RaptorDecoder, RAPTOR_DECODERS),
        (BitMethod, [name for name, method in METHODS.items() if method.plan is not None]),
        (IntervalMethod, INTERVALS),
        (lengths.PublishedDecoyBound, lengths._RULES),
        (published.PublishedQubitBound, published._DIVIDE),
        (FileFormat, ["text", *BINARY_READERS, "picoquant-t2"]),
        (TimeUnit, TIME_UNITS),
        (FixedLengthBound, {name for protocol in PROTOCOLS.values() for name in protocol.fixed_length}),
    ],
)
def test_types_name_what_there_is(named: Any, offered: Any) -> None:
    assert set(get_args(named)) == set(offered)


def test_a_registered_name_is_a_plain_string() -> None:
    assert type(qp.RegisteredName("mine")) is str
    settings = qp.Ldpc(decoder=qp.RegisteredName("mine"))
    link = qp.LinkConfig(protocol=qp.BB84(), correction=settings)
    assert qp.LinkConfig.from_toml(link.to_toml()).correction == settings
