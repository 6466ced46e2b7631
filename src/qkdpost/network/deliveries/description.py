"""What is said of a key to the applications that get it, and what a request may demand of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from qkdpost.errors import UnsupportedRequest
from qkdpost.network.epsilon import epsilon_bound
from qkdpost.network.policy import KeyRequirements
from qkdpost.network.provenance import Provenance

__all__ = ["MAX_EXTENSION_BYTES", "Said", "check_requirements", "described_key", "read_extension", "written_extension"]

MAX_EXTENSION_BYTES = 4096


class Said(NamedTuple):
    """What is said of keys: to applications here, and as JSON to the sites of slaves."""

    extension: dict[str, Any]
    content: bytes

    @classmethod
    def of(cls, provenance: Provenance, pools: Iterable[Provenance] = ()) -> Said:
        """Say it of keys, see `described_key`."""
        extension = described_key(provenance, pools)
        return cls(extension, written_extension(extension))


def described_key(provenance: Provenance, pools: Iterable[Provenance] = ()) -> dict[str, Any]:
    """Return the extension of a key, see `DeliveredKey`.

    Beside the epsilon (`EpsilonBound.distance`), the trusted nodes and the kinds it names what else a reader must know
    to read the first: what it is about if not all keys jointly, and whether a part of it is only stated.
    """
    bound = epsilon_bound(provenance, pools)
    found: dict[str, Any] = {
        "qkdpost_epsilon": bound.distance,
        "qkdpost_trusted_nodes": list(provenance.trusted_nodes),
        "qkdpost_kinds": list(provenance.kinds),
    }
    if bound.disjoint_paths > 1:
        found["qkdpost_disjoint_paths"] = bound.disjoint_paths
    if bound.claim != "joint":
        found["qkdpost_epsilon_claim"] = bound.claim
    if bound.stated_by_operator:
        found["qkdpost_epsilon_is_stated"] = True
    return found


def written_extension(extension: dict[str, Any]) -> bytes:
    """Return an extension as JSON for the slaves' sites; too many names of nodes or kinds are replaced by their number.

    What nodes say of the kinds on their way may be anything.
    """
    content = msgspec.json.encode(extension)
    for what in ("trusted_nodes", "kinds"):
        if len(content) > MAX_EXTENSION_BYTES:
            name = f"qkdpost_{what}"
            extension = extension | {name: [f"{len(extension[name])} {what}, too many to name".replace("_", " ")]}
            content = msgspec.json.encode(extension)
    return content


def read_extension(content: bytes) -> dict[str, Any]:
    """Return an extension that another site wrote; what is no JSON object of a few plain values is left out.

    It goes on to applications as it came: nothing here rests on it.
    """
    try:
        found = msgspec.json.decode(content) if content else {}
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if name.startswith("qkdpost_") and _is_plain(value)}


def _is_plain(value: object) -> bool:
    texts = value if isinstance(value, list) else []
    return isinstance(value, str | int | float) or (texts == value and all(isinstance(text, str) for text in texts))


def check_requirements(
    demanded: KeyRequirements, stock: Iterable[Provenance], oldest_seconds: float | None, now_seconds: float
) -> None:
    """Refuse a request whose keys may not be as it demands, whichever piece of the stock becomes one.

    Args:
        demanded: what.
        stock: the provenance of everything that a key of the request could be cut from.
        oldest_seconds: when the oldest of it came in; None if nobody knows.
        now_seconds: the time.

    Raises:
        UnsupportedRequest: it could not be met. Not of an empty stock, which may be filled with what is demanded.
    """
    pieces = () if demanded.is_empty else tuple(stock)
    if not pieces:
        return  # of nothing nothing is known: it is too little key, for now
    bound = epsilon_bound(Provenance(), pieces)
    is_direct = not bound.disjoint_paths
    unmet = [
        name
        for name, is_met in (
            ("route_type", demanded.route_type in (None, "direct" if is_direct else "indirect")),
            ("max_epsilon", demanded.max_epsilon is None or bound.distance <= demanded.max_epsilon),
            ("max_age_seconds", _is_young(demanded.max_age_seconds, oldest_seconds, now_seconds)),
            ("disjoint_paths", is_direct or bound.disjoint_paths >= (demanded.disjoint_paths or 0)),
        )
        if not is_met
    ]
    if unmet:
        raise UnsupportedRequest(f"not all extension_mandatory request options could be met: {', '.join(unmet)}")


def _is_young(most: float | None, oldest_seconds: float | None, now_seconds: float) -> bool:
    return most is None or (oldest_seconds is not None and now_seconds - oldest_seconds <= most)
