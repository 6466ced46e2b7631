"""Settings whose every argument has a name, and which say where one belongs that was given to the wrong class.

What a user sets is composed of parts, one class each. Who writes `LinkConfig(epsilon=1e-10)` knows what he wants, and
not in which part it is; the classes themselves know.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from qkdpost.errors import ConfigurationError

__all__ = ["Settings"]

MAX_PLACES = 3
"""Places that a message offers at most."""

if typing.TYPE_CHECKING:

    class Settings(msgspec.Struct, frozen=True, kw_only=True):
        """Settings of a link or of a part of it."""

else:  # type checkers know the arguments from the fields; from a metaclass they would learn that any will do

    class _Teaching(type(msgspec.Struct)):
        def __call__(cls, *positional: Any, **named: Any) -> Any:
            _refuse_strange(cls, len(positional), named)
            return super().__call__(**named)

    class Settings(msgspec.Struct, frozen=True, kw_only=True, metaclass=_Teaching):
        """Settings of a link or of a part of it."""


def _refuse_strange(kind: type[Settings], positional: int, named: Iterable[str]) -> None:
    """Go on if every argument is the name of a field.

    Raises:
        ConfigurationError: one is not; where it belongs, it says.
    """
    fields = kind.__struct_fields__
    if positional:
        takes = f"by name, as {kind.__name__}({fields[0]}=...)" if fields else "none"
        raise ConfigurationError(f"{kind.__name__} takes arguments {takes}; found {positional} without a name")
    strange = next((name for name in named if name not in fields), None)
    if strange is not None:
        raise ConfigurationError(f"{kind.__name__} has no argument {strange!r}{_advice(kind, strange)}")


def _advice(kind: type[Settings], name: str) -> str:
    """Say where `name` belongs; else what was meant; else what there is."""
    owners = [owner for owner in _all_settings() if name in owner.__struct_fields__]
    if places := [place for owner in owners for place in _places(kind, owner, f"{name}=...")]:
        return f": write {_some(places)}"
    kinds = [one for one in _all_settings() if one.__struct_config__.tag_field == name]
    if places := [place for one in kinds for place in _places(kind, one, "...")]:
        return f": write {_some(places)}"
    if close := difflib.get_close_matches(name, kind.__struct_fields__, 1):
        return f": did you mean {close[0]!r}?"
    if owners:
        return f": it is an argument of {_some(owner.__name__ for owner in owners)}"
    return f"; it has {', '.join(kind.__struct_fields__) or 'none'}"


def _places(kind: type[Settings], owner: type[Settings], arguments: str) -> Iterator[str]:
    """Give the arguments of `kind` that take an `owner`, or several, as they are written."""
    try:
        hints = typing.get_type_hints(kind)
    except NameError:  # the type of one is imported for checkers alone
        return
    for part in kind.__struct_fields__:
        types = (hints[part], *typing.get_args(hints[part]))
        if any(isinstance(one, type) and issubclass(one, Settings) and issubclass(owner, one) for one in types):
            written = f"{owner.__name__}({arguments})"
            yield f"{part}=[{written}]" if typing.get_origin(hints[part]) is tuple else f"{part}={written}"


def _all_settings() -> list[type[Settings]]:
    """Return the library's classes of settings that are there to be used: those that no other one derives from."""
    found, unseen = [], [Settings]
    while unseen:
        kind = unseen.pop()
        below = kind.__subclasses__()
        unseen += below
        if not below and kind.__struct_fields__ and kind.__module__.startswith("qkdpost."):
            found.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


def _some(places: Iterable[str]) -> str:
    """Return a few of many, each once."""
    found = list(dict.fromkeys(places))
    more = ["..."] if len(found) > MAX_PLACES else []
    return " or ".join(found[:MAX_PLACES] + more)
