from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "src" / "qkdpost"

CALLEE = """
import numpy as np
from qkdpost._kernels.jit.decorators import kernel

@kernel
def callee(value):
    return value + 1
"""
CALLER = """
from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.callee import callee

@kernel
def caller(value):
    return callee(value)
"""
CALL_AND_COUNT = """
from qkdpost._kernels import caller
print(caller.caller(1), sum(caller.caller.stats.cache_hits.values()))
"""


def run(code: str, path: Path | None = None, **environment: str) -> str:
    """Run `code` in a new process, with the package found under `path`, and return what it prints."""
    return run_whole(code, path, **environment).stdout.strip()


def run_whole(code: str, path: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new process, with the package found under `path`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    variables = {**kept, **environment, **({"PYTHONPATH": str(path)} if path else {})}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that may be edited."""
    target = tmp_path / "site" / "qkdpost"
    shutil.copytree(SOURCE / "_kernels", target / "_kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (target / "__init__.py").write_text("")
    (target / "_kernels" / "callee.py").write_text(CALLEE)
    (target / "_kernels" / "caller.py").write_text(CALLER)
    return target


def test_importing_the_package_brings_no_compiler() -> None:
    code = "import sys, qkdpost, qkdpost.bits, qkdpost.amplification\n"
    code += "import qkdpost.keys.authentication, qkdpost.verification\n"
    assert run(code + "print('numba' in sys.modules, 'llvmlite' in sys.modules)") == "False False"


def test_a_second_process_finds_the_cache(copy: Path) -> None:
    assert run(CALL_AND_COUNT, copy.parent) == "2 0"
    assert run(CALL_AND_COUNT, copy.parent) == "2 1"


def test_a_callee_that_was_kept_by_itself_is_whole_in_its_caller(copy: Path) -> None:
    """What is kept of a kernel has machine code and names; its callers are compiled with more."""
    assert run("from qkdpost._kernels import callee; print(callee.callee(5))", copy.parent) == "6"
    load_both = "from qkdpost._kernels import callee; print(callee.callee(5))\n"
    assert run(load_both + CALL_AND_COUNT, copy.parent) == "6\n2 0"
    assert run(load_both + CALL_AND_COUNT, copy.parent) == "6\n2 1"


def test_code_that_callers_link_with_is_kept_apart(copy: Path) -> None:
    load_both = "from qkdpost._kernels import callee; print(callee.callee(5))\n" + CALL_AND_COUNT
    numbas_way = "import sys; sys.modules['qkdpost._kernels.jit.callees'] = None\n" + load_both
    assert run(load_both, copy.parent) == "6\n2 0"
    assert run(numbas_way, copy.parent) == "6\n2 0"
    assert run(numbas_way, copy.parent) == "6\n2 1"
    assert run(load_both, copy.parent) == "6\n2 1"


def test_an_edited_callee_in_another_file_never_runs_stale(copy: Path) -> None:
    assert run(CALL_AND_COUNT, copy.parent) == "2 0"
    (copy / "_kernels" / "callee.py").write_text(CALLEE.replace("value + 1", "value + 41"))
    assert run(CALL_AND_COUNT, copy.parent) == "42 0"


def test_an_edited_callee_two_folders_down_never_runs_stale(copy: Path) -> None:
    below = copy / "_kernels" / "outer" / "inner"
    below.mkdir(parents=True)
    (copy / "_kernels" / "outer" / "__init__.py").write_text("")
    (below / "__init__.py").write_text("")
    (below / "deep.py").write_text(CALLEE)
    callee = "from qkdpost._kernels.callee import callee"
    for importing in (
        "from qkdpost._kernels.outer.inner.deep import callee",
        "from qkdpost._kernels.outer.inner import deep",
    ):
        call = CALLER.replace(callee, importing)
        if importing.endswith("deep"):
            call = call.replace("return callee(value)", "return deep.callee(value)")
        (copy / "_kernels" / "caller.py").write_text(call)
        (below / "deep.py").write_text(CALLEE)
        assert run(CALL_AND_COUNT, copy.parent) == "2 0"
        assert run(CALL_AND_COUNT, copy.parent) == "2 1"
        (below / "deep.py").write_text(CALLEE.replace("value + 1", "value + 41"))
        assert run(CALL_AND_COUNT, copy.parent) == "42 0"


def test_an_edited_intrinsic_two_files_away_never_runs_stale(copy: Path) -> None:
    user = copy / "_kernels" / "user.py"
    user.write_text("""
from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.gf2.clmul_lanes import load, shift_up, store

@kernel
def shifted(words):
    store(words, 0, shift_up(load(words, 0), 1))
""")
    code = "import numpy as np\nfrom qkdpost._kernels.user import shifted\nw = np.full(8, 3, np.uint64)\n"
    code += "shifted(w)\nprint(w[0])"
    assert run(code, copy.parent) == "6"
    generator = copy / "_kernels" / "gf2" / "clmul_lowering.py"
    edited = generator.read_text().replace('shift_up = _shift("shl")', 'shift_up = _shift("lshr")')
    assert edited != generator.read_text()
    generator.write_text(edited)
    assert run(code, copy.parent) == "1"


def test_an_edit_elsewhere_leaves_the_cache_alone(copy: Path) -> None:
    run(CALL_AND_COUNT, copy.parent)
    with (copy / "_kernels" / "bits" / "packing.py").open("a") as file:
        file.write("# edited\n")
    assert run(CALL_AND_COUNT, copy.parent) == "2 1"


def nowhere(copy: Path) -> dict[str, str]:
    """Leave no place for a cache: a file where a directory should be cannot be written to by the superuser either."""
    (copy / "_kernels" / "__pycache__").write_text("")
    home = copy.parent / "home"
    home.write_text("")
    return {"HOME": str(home), "XDG_CACHE_HOME": str(home), "NUMBA_CACHE_DIR": str(home)}


def test_kernels_run_without_a_place_for_the_cache_and_say_so_once(copy: Path) -> None:
    where = nowhere(copy)
    for _ in range(2):
        done = run_whole(CALL_AND_COUNT, copy.parent, **where)
        assert done.stdout.strip() == "2 0"
        assert done.stderr.count("RuntimeWarning") == 1, done.stderr
        assert "set NUMBA_CACHE_DIR to a directory that can be written" in done.stderr


def test_a_full_disk_costs_time_and_is_said_once(copy: Path) -> None:
    full = """
from qkdpost._kernels.jit import source_cache
def refuse(self, sig, data):
    raise OSError(28, "No space left on device")
source_cache.FunctionCache.save_overload = refuse
"""
    done = run_whole(full + CALL_AND_COUNT + "caller.caller(1.5)", copy.parent)
    assert done.stdout.strip() == "2 0"
    assert done.stderr.count("No space left on device") == 1, done.stderr


def test_a_release_of_numba_that_moved_its_cache_does_without(copy: Path) -> None:
    moved = "import numba.core.caching\ndel numba.core.caching.InTreeCacheLocator\n"
    done = run_whole(moved + CALL_AND_COUNT, copy.parent)
    assert done.stdout.strip() == "2 0"
    assert done.stderr.count("RuntimeWarning: this release of numba keeps compiled code in another way") == 1


def strip_sources(copy: Path) -> None:
    """Leave compiled modules only, beside which no source stands; made anew, for times of files count in seconds."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", "-b", "-f", str(copy)], check=True)
    for source in copy.rglob("*.py"):
        source.unlink()


def test_compiled_modules_without_sources_have_a_cache(copy: Path) -> None:
    strip_sources(copy)
    assert run(CALL_AND_COUNT, copy.parent) == "2 0"
    assert run(CALL_AND_COUNT, copy.parent) == "2 1"
    assert run(CALL_AND_COUNT, copy.parent, NUMBA_CACHE_DIR=str(copy.parent / "cache")) == "2 0"
    assert run(CALL_AND_COUNT, copy.parent, NUMBA_CACHE_DIR=str(copy.parent / "cache")) == "2 1"


def test_a_callee_of_another_build_without_sources_never_runs_stale(copy: Path) -> None:
    sources = copy.parent.parent / "sources"
    shutil.copytree(copy, sources)
    strip_sources(copy)
    assert run(CALL_AND_COUNT, copy.parent) == "2 0"
    (sources / "_kernels" / "callee.py").write_text(CALLEE.replace("value + 1", "value + 41"))
    shutil.copytree(sources, copy, dirs_exist_ok=True)
    strip_sources(copy)
    assert run(CALL_AND_COUNT, copy.parent) == "42 0"


def test_an_archive_has_a_cache(copy: Path) -> None:
    archive = shutil.make_archive(str(copy.parent.parent / "package"), "zip", copy.parent)
    cache = str(copy.parent / "cache")
    assert run(CALL_AND_COUNT, Path(archive), NUMBA_CACHE_DIR=cache) == "2 0"
    assert run(CALL_AND_COUNT, Path(archive), NUMBA_CACHE_DIR=cache) == "2 1"


def test_a_cache_home_set_to_nothing_is_taken_for_unset(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "_kernels" / "__pycache__").write_text("")
    working, home = copy.parent / "working", copy.parent / "home"
    working.mkdir()
    home.mkdir()
    monkeypatch.chdir(working)
    assert run(CALL_AND_COUNT, copy.parent, XDG_CACHE_HOME="", HOME=str(home)) == "2 0"
    assert list(working.iterdir()) == []
    assert list(home.rglob("caller*.nbc"))


def test_a_read_only_installation_uses_the_cache_it_came_with(copy: Path) -> None:
    run(CALL_AND_COUNT, copy.parent)
    forbid = """
import tempfile
def refuse(*arguments, **keywords):
    raise PermissionError("read-only file system")
tempfile.TemporaryFile = refuse
"""
    assert run(forbid + CALL_AND_COUNT, copy.parent) == "2 1"


def test_a_damaged_cache_costs_time_and_nothing_else(copy: Path) -> None:
    run(CALL_AND_COUNT, copy.parent)
    damaged = list((copy / "_kernels" / "__pycache__").glob("caller*.nb?"))
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:20])
    assert run(CALL_AND_COUNT, copy.parent) == "2 0"


def test_the_paths_of_multiplication_keep_their_caches_apart(copy: Path) -> None:
    assert run(CALL_AND_COUNT, copy.parent) == "2 0"
    assert run(CALL_AND_COUNT, copy.parent, QKDPOST_CLMUL="portable") == "2 0"
    assert run(CALL_AND_COUNT, copy.parent, QKDPOST_CLMUL="portable") == "2 1"
    assert run(CALL_AND_COUNT, copy.parent) == "2 1"


def test_an_unknown_path_is_refused() -> None:
    code = """
from qkdpost._kernels.bits.packing import count_ones
import numpy as np
try:
    count_ones(np.zeros(1, np.uint64))
except RuntimeError as error:
    print(error)
"""
    assert "abacus" in run(code, QKDPOST_CLMUL="abacus")


def test_without_compilation_kernels_are_plain_functions(copy: Path) -> None:
    code = "import sys\nfrom qkdpost._kernels.caller import caller\nprint(caller(1), 'numba' in sys.modules)"
    assert run(code, copy.parent, NUMBA_DISABLE_JIT="1") == "2 False"
