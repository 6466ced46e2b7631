"""The house: a module imports only from rooms that stand above its own, or from its own."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "qkdpost"

ORDER = [
    "version",
    "errors",
    "checks",
    "durable_files",
    "progress",
    "display",
    "count_tables",
    "statistics",
    "single_use",
    "threads",
    "_kernels",
    "bits",
    "labels",
    "records",
    "dialogue",
    "health",
    "blocks",
    "shared_random",
    "compilation",
    "sifting",
    "reconciliation",
    "verification",
    "amplification",
    "keys",
    "storage",
    "security",
    "stages",
    "protocols",
    "config_files",
    "config",
    "known_answers",
    "session",
    "distillation",
    "network",
    "transport",
    "simulation",
    "planning",
    "campaigns",
    "plotting",
    "installation",
    "__main__",
]

MAX_MODULES = 14
NOT_COUNTED = ("__init__", "__main__", "version")
"""What Python and the packaging look for under these names."""
MAX_LINES = 400

MODULES = sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.stem != "__init__")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    """The modules of the library that a file names in its imports, without `qkdpost.`; a name from one counts too."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "qkdpost":
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("qkdpost.")}
    return {name.removeprefix("qkdpost.") for name in found}


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "qkdpost":
            parts = node.module.split(".")
            rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("qkdpost.")}
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_up_only(path: Path) -> None:
    own = room_of(path)
    assert own in ORDER, f"{own} has no place in the order of rooms"
    for room in imported_rooms(path):
        assert ORDER.index(room) <= ORDER.index(own), f"{own} imports {room}, which stands below it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_kernels_know_numba(path: Path) -> None:
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {(node.module or "").split(".")[0] for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)}
    if room_of(path) != "_kernels":
        assert not names & {"numba", "llvmlite"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_asserts_in_the_library(path: Path) -> None:
    tree = tree_of(path)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


# Inside rooms.

PHYSICS = sorted(path.name for path in (SOURCE / "security").iterdir() if (path / "__init__.py").exists())
"""One folder for each family of bounds; what they share stands beside them."""


@pytest.mark.parametrize("family", PHYSICS)
def test_families_of_bounds_know_nothing_of_each_other(family: str) -> None:
    others = tuple(f"security.{other}." for other in PHYSICS if other != family)
    for path in (SOURCE / "security" / family).rglob("*.py"):
        assert not [name for name in imported_modules(path) if f"{name}.".startswith(others)], path


KEY_MANAGEMENT = [
    "names",
    "store",
    "accounts",
    "provenance",
    "epsilon",
    "events",
    "monitoring",
    "policy",
    "service",
    "messages",
    "pool",
    "peer",
    "pairs",
    "relay",
    "deliveries",
    "imports",
    "rooms",
    "turns",
    "manager",
    "etsi014",
    "sources",
    "combination",
]
"""Parts of `network`, in the order in which they may know each other."""


@pytest.mark.parametrize("path", sorted((SOURCE / "network").rglob("*.py")), ids=lambda path: str(path.name))
def test_parts_of_a_key_manager_know_only_what_stands_before_them(path: Path) -> None:
    own = path.relative_to(SOURCE / "network").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for module in loaded_modules(path):
        room, *rest = module.split(".")
        if room == "network" and rest:
            assert KEY_MANAGEMENT.index(rest[0]) <= KEY_MANAGEMENT.index(own), f"{own} imports {module}"


def test_statistics_is_mathematics_only() -> None:
    for path in (SOURCE / "statistics").rglob("*.py"):
        assert imported_rooms(path) <= {"errors", "checks", "statistics"}, path


def test_codes_are_designed_before_and_never_at_run_time() -> None:
    designs = [path for path in (SOURCE / "reconciliation").iterdir() if path.name.endswith("_design")]
    assert len(designs) == 2
    for path in SOURCE.rglob("*.py"):
        if not set(designs) & set(path.parents):
            assert not [name for name in imported_modules(path) if "_design" in name], path


def test_a_design_room_is_not_loaded_by_the_public_face() -> None:
    code = (
        "import sys, qkdpost; [getattr(qkdpost, name) for name in qkdpost.__all__]; "
        "print([name for name in sys.modules if name.startswith('qkdpost.') and '_design' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_imports_itself_through_others() -> None:
    """Counting what is imported when a module is: not what a function imports, nor what only type checkers see."""
    modules = {".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for path in MODULES}
    graph = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): loaded_modules(path)
        & modules
        for path in MODULES
    }
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above[above.index(module) :], module))
        if module not in done:
            for imported in sorted(graph[module] - {module}):
                visit(imported, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def loaded_modules(path: Path) -> set[str]:
    found: set[str] = set()
    unread: list[ast.AST] = [tree_of(path)]
    while unread:
        for node in ast.iter_child_nodes(unread.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qkdpost."):
                names = [f"{node.module}.{alias.name}".removeprefix("qkdpost.") for alias in node.names]
                known = [name for name in names if (SOURCE / name.replace(".", "/")).with_suffix(".py").exists()]
                known += [name for name in names if (SOURCE / name.replace(".", "/") / "__init__.py").exists()]
                found |= set(known) or {str(node.module).removeprefix("qkdpost.")}
            unread.append(node)
    return found


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=lambda path: path.name)
def test_a_folder_can_be_taken_in(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.stem not in NOT_COUNTED]) <= MAX_MODULES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_can_be_taken_in(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= MAX_LINES
