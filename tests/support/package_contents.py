"""Look into a built wheel and source distribution: `python tests/support/package_contents.py FOLDER`."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "qkdpost"
LEFT_OUT = {".nbi", ".nbc", ".pyc"}
"""What is made at run time and belongs to one machine."""


def main() -> None:
    """Say what is wrong, and fail, unless all is there and nothing else is."""
    folder = Path(sys.argv[1])
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(source) as archive:
        in_source = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in LEFT_OUT]
    wanted = {path.relative_to(PACKAGE.parent).as_posix() for path in files}
    complaints = [f"the wheel lacks {name}" for name in sorted(wanted - in_wheel)]
    foreign = {name for name in in_wheel - wanted if ".dist-info/" not in name}
    complaints += [f"the wheel has {name}, which is not in the package" for name in sorted(foreign)]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in in_wheel):
        complaints.append("the wheel lacks the license")
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "tests/conftest.py", "tests/oldest.txt"):
        if name not in in_source:
            complaints.append(f"the source distribution lacks {name}")
    complaints += [
        f"the source distribution lacks src/{name}" for name in sorted(wanted) if f"src/{name}" not in in_source
    ]
    if complaints:
        sys.exit("\n".join(complaints))
    sys.stdout.write(f"{wheel.name}: {len(wanted)} files of the package; {source.name}: {len(in_source)} files\n")


if __name__ == "__main__":
    main()
