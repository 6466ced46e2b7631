"""A disk whose power is cut between any two calls: every state in which it may be found then.

What was not synced may be there or not: of content none, the first half or all; of names the old one or the new one,
each by itself. The calls go on to a real folder as well, so that what runs is the program itself.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


class PowerCut(BaseException):
    """Nothing runs after this."""


@dataclass
class File:
    now: bytes = b""
    durable: bytes = b""

    def found(self) -> set[bytes]:
        grows = len(self.now) > len(self.durable)  # what is overwritten here lies within a sector, and is whole
        return {self.durable, self.now} | ({self.now[: len(self.now) // 2]} if grows else set())


@dataclass
class PlayedDisk:
    """Plays one folder.

    Args:
        folder: that exists, and is empty.
        cut_before: the number of the call that is not made any more.
    """

    folder: Path
    cut_before: int = 10**9
    calls: list[str] = field(default_factory=list)
    names: dict[str, File] = field(default_factory=dict)
    durable_names: dict[str, File] = field(default_factory=dict)
    opened: dict[int, tuple[File | None, int]] = field(default_factory=dict)
    """By descriptor: the file, and where the next byte goes."""
    fails: dict[str, OSError] = field(default_factory=dict)

    def install(self, patched: pytest.MonkeyPatch) -> None:
        for name in ("open", "write", "fsync", "replace", "unlink", "lseek"):
            patched.setattr(os, name, self._played(name, getattr(os, name)))

    def found_after_the_cut(self, target: Path) -> Iterator[Path]:
        """Make the folder as it may be found, in every way."""
        for names in self._names_found():
            files = [(name, sorted(file.found())) for name, file in sorted(names.items())]
            for number, contents in enumerate(itertools.product(*(choices for _, choices in files))):
                found = target / f"{len(list(target.iterdir()))}-{number}"
                found.mkdir(mode=0o700)
                for (name, _), content in zip(files, contents, strict=True):
                    (found / name).write_bytes(content)
                    (found / name).chmod(0o600)
                yield found

    def _names_found(self) -> Iterator[dict[str, File]]:
        both = sorted(self.names.keys() | self.durable_names.keys())
        moved = [name for name in both if self.names.get(name) is not self.durable_names.get(name)]
        for which in itertools.product((self.names, self.durable_names), repeat=len(moved)):
            chosen = {name: self.names.get(name) for name in both}
            chosen |= {name: source.get(name) for name, source in zip(moved, which, strict=True)}
            yield {name: file for name, file in chosen.items() if file is not None}

    def _played(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            if name in self.fails:
                raise self.fails[name]
            if name != "lseek" and len(self.calls) == self.cut_before:
                raise PowerCut
            result = real(*arguments, **more)
            getattr(self, f"_{name}")(result, *arguments)
            if name != "lseek":
                self.calls.append(name)
            return result

        return call

    def _open(self, descriptor: int, path: Path, flags: int, *_: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self.opened[descriptor] = None, 0
            return
        file = self.names.get(Path(path).name)
        if file is None:
            assert flags & os.O_CREAT
            file = self.names[Path(path).name] = File()
        self.opened[descriptor] = file, 0

    def _lseek(self, place: int, descriptor: int, *_: int) -> None:
        self.opened[descriptor] = self.opened[descriptor][0], place

    def _write(self, count: int, descriptor: int, data: bytes) -> None:
        file, place = self.opened[descriptor]
        assert file is not None
        file.now = file.now[:place] + bytes(data)[:count] + file.now[place + count :]
        self.opened[descriptor] = file, place + count

    def _fsync(self, _: None, descriptor: int) -> None:
        file, _place = self.opened[descriptor]
        if file is None:
            self.durable_names = dict(self.names)
        else:
            file.durable = file.now

    def _replace(self, _: None, source: Path, target: Path) -> None:
        self.names[target.name] = self.names.pop(source.name)

    def _unlink(self, _: None, path: Path) -> None:
        del self.names[path.name]
